import { objectList, pageQuery, queryBoolean } from '@bulkhead/http';
import { z } from 'zod';

/** An account id as it stands in a path; `me` is the account of the token. */
export const accountParams = z.object({
  account_id: z
    .string()
    .regex(/^(?:me|[1-9][0-9]{0,15})$/)
    .meta({ description: 'Number of the account, or `me` for the account of the access token.' }),
});

export const accountQuery = z.object({
  retrieve_full: queryBoolean.optional().meta({ description: 'Adds `quota` and `properties`.' }),
  retrieve_tokens: queryBoolean.optional().meta({ description: 'Adds the upstream credential. API keys only; recorded in the audit log.' }),
});

export const accountListQuery = accountQuery.extend({
  ...pageQuery,
  active: queryBoolean.optional(),
  enabled: queryBoolean.optional().meta({ description: 'The same as `active`.' }),
  admin: queryBoolean.optional(),
  search: z.string().max(200).optional().meta({ description: 'Part of `account`.' }),
  service: z.string().max(64).optional(),
  end_user: z.string().max(255).optional(),
  health: z.enum(['healthy', 'broken']).optional(),
});

export const accountAnswer = z.object({
  id: z.int(),
  account: z.string(),
  active: z.boolean(),
  enabled: z.boolean(),
  service: z.string(),
  service_name: z.string(),
  admin: z.boolean(),
  internal_use: z.boolean(),
  apis: z.array(z.string()),
  effective_scope: z.string(),
  granted_scopes: z.array(z.string()).nullable().meta({ description: "The upstream's own scopes; null where it never named them." }),
  health: z.enum(['healthy', 'broken']),
  broken_reason: z.string().nullable(),
  end_user: z.string().nullable(),
  custom_properties: z.record(z.string(), z.unknown()),
  object_definitions: z.record(z.string(), z.unknown()),
  proxy_connection: z.null(),
  created: z.iso.datetime(),
  modified: z.iso.datetime(),
  type: z.literal('account'),
  api: z.literal('core'),
  href: z.string(),
  quota: z.null().optional(),
  properties: z.object({ capabilities: z.record(z.string(), z.object({ value: z.boolean() })) }).optional(),
  token: z.string().optional(),
  token_secret: z.string().nullable().optional(),
  refresh_token: z.string().nullable().optional(),
  token_expiry: z.iso.datetime().nullable().optional(),
});

export const accountList = objectList(accountAnswer);

/** Booleans as Python clients write them, too. */
const flag = z.union([z.boolean(), z.enum(['true', 'True', 'false', 'False']).transform((word) => word.toLowerCase() === 'true')]);

const YEAR_1 = Date.parse('0001-01-01T00:00:00Z');
const YEAR_10_000 = Date.parse('+010000-01-01T00:00:00Z');

/** A moment as ISO 8601 (UTC where no offset is given) or as seconds since the epoch. */
const moment = z.union([z.string().max(64), z.number()]).transform((value, context) => {
  const text = typeof value === 'string' && /T[0-9:.]+$/.test(value) ? `${value}Z` : value;
  const ms = typeof text === 'number' ? text * 1000 : Date.parse(text);
  // Seconds, not milliseconds: those are some fifty thousand years from here, where no database row is read back.
  if (ms >= YEAR_1 && ms < YEAR_10_000) return ms;
  context.addIssue({ code: 'custom', message: 'expected a time such as 2026-01-31T12:00:00Z' });
  return z.NEVER;
});

const customProperties = z
  .record(z.string().max(100), z.unknown())
  .refine((value) => JSON.stringify(value).length <= 16_384, 'at most 16,384 characters');
const secretText = z.string().min(1).max(16_384);

/** What opens the upstream account, under Kloudless's names. Of a Basic service `token` is the user name, `token_secret` the password. */
export const credentialFields = {
  token: secretText.optional(),
  token_secret: secretText.optional(),
  refresh_token: secretText.optional(),
  token_expiry: moment.nullable().optional(),
  username: z.string().min(1).max(1024).optional(),
  password: secretText.optional(),
};

const display = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'control characters are not allowed');

/** Loose: what a service wants besides (`instance_url`, …) is named by its entry in the catalogue. */
export const importBody = z.looseObject({
  ...credentialFields,
  account: display,
  service: z.string().min(1).max(64),
  identity_id: display
    .optional()
    .meta({ description: "The upstream's own id of the account, if known; later connections of it keep this account." }),
  scope: z.string().max(4096).optional(),
  end_user: display.optional(),
  admin: flag.optional(),
  active: flag.optional(),
  custom_properties: customProperties.optional(),
});
export type ImportBody = z.output<typeof importBody>;

export const updateBody = z.looseObject({
  ...credentialFields,
  account: display.optional(),
  service: z.string().max(64).optional(),
  active: flag.optional(),
  enabled: flag.optional(),
  custom_properties: customProperties.optional(),
});
export type UpdateBody = z.output<typeof updateBody>;

export const reconnectAnswer = z.object({
  url: z.string(),
  expires_in: z.int().meta({ description: 'Seconds.' }),
});
