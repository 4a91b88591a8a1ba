import { objectList } from '@bulkhead/http';
import { z } from 'zod';
import { type EventType, eventTypes } from '../events/index.ts';
import { serviceIdSchema } from '../services/index.ts';

const text = (max: number) => z.string().trim().min(1).max(max);
const longText = (max: number) => z.string().max(max);
const webUrl = z.url({ protocol: /^https?$/, error: 'expected an http(s) URL' }).max(2048);
const colour = z.string().regex(/^#[0-9a-fA-F]{6}$/, 'expected a colour as #rrggbb');
const locale = z.string().regex(/^[a-z]{2}(-[A-Z]{2})?$/, 'expected a language such as "en" or "de-CH"');
const scopeList = z.array(z.string().min(1).max(255)).max(100);
const iso = z.iso.datetime();
const knownEventTypes = Object.keys(eventTypes) as EventType[];
const knownEventType = z.enum(knownEventTypes, `expected a type of event: ${knownEventTypes.join(', ')}`);

/** Kloudless's Python client writes booleans as `True`. */
export const flag = z.union([z.boolean(), z.enum(['true', 'True', 'false', 'False']).transform((word) => word.toLowerCase() === 'true')]);

export const applicationParams = z.object({ application_id: z.string() });

export const brandingFields = {
  display_name: text(100).nullable().optional(),
  logo_url: webUrl.nullable().optional(),
  primary_colour: colour.nullable().optional(),
  background_colour: colour.nullable().optional(),
  support_url: webUrl.nullable().optional(),
  privacy_url: webUrl.nullable().optional(),
  locale: locale.nullable().optional(),
};
export const brandingBody = z.strictObject(brandingFields);

export const brandingAnswer = z.object({
  display_name: z.string().nullable(),
  logo_url: z.string().nullable(),
  primary_colour: z.string().nullable(),
  background_colour: z.string().nullable(),
  support_url: z.string().nullable(),
  privacy_url: z.string().nullable(),
  locale: z.string().nullable(),
  redirect_domain: z.string().nullable(),
});

export const eventSettingsBody = z.strictObject({
  enabled: flag.optional(),
  retention_hours: z.int().min(1).max(720).optional(),
  types: z.array(knownEventType).max(100).nullable().optional().meta({ description: 'Null: every type.' }),
});
export const eventSettingsAnswer = z.object({ enabled: z.boolean(), retention_hours: z.int(), types: z.array(z.string()).nullable() });

/** Fields that a PATCH may change and a POST may set. */
export const applicationFields = {
  name: text(200).optional(),
  description: longText(2000).optional(),
  logo_url: webUrl.nullable().optional(),
  environment: z.enum(['development', 'staging', 'production']).optional(),
  active: flag.optional(),
  implicit_grant_enabled: flag.optional(),
  pkce_required: flag.optional(),
  recent_enabled: flag.optional(),
  events_enabled: flag.optional(),
  end_customer: text(255).nullable().optional(),
  enabled_services: z.array(serviceIdSchema).max(500).nullable().optional(),
  branding: brandingBody.optional(),
  event_settings: eventSettingsBody.optional(),
};

export const oauthKeyBody = z.strictObject({
  service: serviceIdSchema,
  client_id: text(1024),
  client_secret: z.string().min(1).max(4096).optional(),
  scopes: scopeList.nullable().optional(),
});
export const oauthKeyChanges = z.strictObject({
  client_id: text(1024).optional(),
  client_secret: z.string().min(1).max(4096).optional(),
  scopes: scopeList.nullable().optional(),
});
export const redirectUriBody = z.strictObject({ url: z.string().min(1).max(2048) });
export const trustedDomainBody = z.strictObject({ domain: z.string().min(1).max(259) });

const meta = { created: iso, api: z.literal('meta'), href: z.string() };

export const applicationAnswer = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string(),
  logo_url: z.string().nullable(),
  active: z.boolean(),
  environment: z.string(),
  implicit_grant_enabled: z.boolean(),
  pkce_required: z.boolean(),
  recent_enabled: z.boolean(),
  events_enabled: z.boolean(),
  end_customer: z.string().nullable(),
  enabled_services: z.array(z.string()).nullable(),
  source: z.string().nullable(),
  source_revision: z.int().nullable(),
  revision: z.int(),
  branding: brandingAnswer.optional(),
  ...meta,
  modified: iso,
  type: z.literal('application'),
});

export const defaultApiKeyAnswer = z.object({ id: z.string(), key: z.string() });
export const createdApplicationAnswer = applicationAnswer.extend({ default_api_key: defaultApiKeyAnswer });

export const apiKeyAnswer = z.object({
  id: z.string(),
  key: z.string().meta({ description: 'Whole in the answer that creates it, shortened ever after.' }),
  last_used: iso.nullable(),
  modified: iso,
  type: z.literal('apikey'),
  ...meta,
});
export const redirectUriAnswer = z.object({ id: z.string(), url: z.string(), modified: iso, type: z.literal('redirect_uri'), ...meta });
export const trustedDomainAnswer = z.object({
  id: z.string(),
  domain: z.string(),
  modified: iso,
  type: z.literal('trusted_domain'),
  ...meta,
});
export const oauthKeyAnswer = z.object({
  id: z.string(),
  service: z.string(),
  client_id: z.string(),
  scopes: z.array(z.string()).nullable(),
  callback_url: z.string().meta({ description: 'Register this redirect URI at the provider, once for the template and all its clones.' }),
  modified: iso,
  type: z.literal('service_key'),
  ...meta,
});

export const applicationList = objectList(applicationAnswer);
