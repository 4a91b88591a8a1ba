import type { ApplicationId, Secret } from '@bulkhead/base';
import type { Tx } from '@bulkhead/postgres';
import {
  type ApplicationSettings,
  getApplicationSettings,
  getEventSettings,
  listCustomServices,
  listOAuthKeys,
  listRedirectUris,
  listTrustedDomains,
  openOAuthKey,
} from '../applications/index.ts';
import type { Vault } from '../vault/index.ts';
import { listWebhooks } from '../webhooks/index.ts';

/** The parts of an Application that come from its template and may be brought in line with it again. */
export const LINEAGE_FIELDS = [
  'description',
  'logo_url',
  'environment',
  'active',
  'implicit_grant_enabled',
  'pkce_required',
  'recent_enabled',
  'events_enabled',
  'enabled_services',
  'branding',
  'event_settings',
  'redirect_uris',
  'trusted_domains',
  'services',
  'oauth_keys',
  'webhooks',
] as const;
export type LineageField = (typeof LINEAGE_FIELDS)[number];

export interface Configuration {
  readonly settings: ApplicationSettings;
  /** By field, in a canonical order, without ids, dates or secrets. */
  readonly fields: Readonly<Record<LineageField, unknown>>;
  /** Per service, for telling whether a secret differs; never shown. */
  readonly clientSecrets: ReadonlyMap<string, Secret | null>;
}

const ALL = { page: 1, page_size: 1000 };

/** Reads what can be compared. The transaction must see the Application. */
export async function readConfiguration(tx: Tx, vault: Vault, applicationId: ApplicationId): Promise<Configuration | null> {
  const settings = await getApplicationSettings(tx, applicationId);
  if (settings === null) return null;
  const events = await getEventSettings(tx, applicationId);
  const redirectUris = await listRedirectUris(tx, applicationId, ALL);
  const trustedDomains = await listTrustedDomains(tx, applicationId, ALL);
  const services = await listCustomServices(tx, applicationId, ALL);
  const oauthKeys = await listOAuthKeys(tx, applicationId, ALL);
  const webhooks = await listWebhooks(tx, applicationId, ALL);
  const clientSecrets = new Map<string, Secret | null>();
  for (const { service } of oauthKeys.rows)
    clientSecrets.set(service, (await openOAuthKey(tx, vault, applicationId, service))?.clientSecret ?? null);
  const { redirectDomain: _, ...branding } = settings.branding;
  return {
    settings,
    clientSecrets,
    fields: {
      description: settings.description,
      logo_url: settings.logoUrl,
      environment: settings.environment,
      active: settings.active,
      implicit_grant_enabled: settings.implicitGrantEnabled,
      pkce_required: settings.pkceRequired,
      recent_enabled: settings.recentEnabled,
      events_enabled: settings.eventsEnabled,
      enabled_services: settings.enabledServices,
      branding: {
        display_name: branding.displayName,
        logo_url: branding.logoUrl,
        primary_colour: branding.primaryColour,
        background_colour: branding.backgroundColour,
        support_url: branding.supportUrl,
        privacy_url: branding.privacyUrl,
        locale: branding.locale,
      },
      event_settings: { retention_hours: events.retentionHours, types: events.types },
      redirect_uris: redirectUris.rows.map(({ url }) => url).sort(),
      trusted_domains: trustedDomains.rows.map(({ domain }) => domain).sort(),
      services: services.rows.map(({ definition, callbackId }) => ({ ...definition, callback_id: callbackId })).sort(by('id')),
      oauth_keys: oauthKeys.rows.map(({ service, clientId, scopes }) => ({ service, client_id: clientId, scopes })).sort(by('service')),
      webhooks: webhooks.rows.map(({ url, format, events: types, active }) => ({ url, format, events: types, active })).sort(by('url')),
    },
  };
}

function by<Name extends string>(name: Name): (left: Record<Name, string>, right: Record<Name, string>) => number {
  return (left, right) => (left[name] < right[name] ? -1 : left[name] > right[name] ? 1 : 0);
}
