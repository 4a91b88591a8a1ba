import { z } from 'zod';
import { sha256 } from '@bulkhead/base';
import { isJsonPointer } from './json-pointer.ts';
import { SCOPE_WORD, UPSTREAM_SCOPE_VALUE } from './scope-text.ts';
import { httpBaseUrl, httpUrl, urlProblem } from './service-url.ts';
import { servicesErrors } from './services-errors.ts';

/** Words the scope grammar keeps for itself: a service named like one could not be asked for. */
export const RESERVED_SERVICE_IDS: ReadonlySet<string> = new Set([
  'any',
  'all',
  'basic',
  'raw',
  'normal',
  'admin',
  'default',
  'me',
  'services',
  'callback',
  'storage',
  'calendar',
  'email',
  'crm',
  'messaging',
  'itsm',
  'helpdesk',
  'chat',
  'team',
  'development',
  'custom',
  // Other names of services in the catalogue.
  'google',
  'onedrivebiz',
  'skydrive',
  'microsoft',
  'jira',
  'confluence',
]);

/** Parameters that we set ourselves: an extra one may not replace them, nor change how the answer comes back. */
const RESERVED_AUTHORIZE_PARAMS: ReadonlySet<string> = new Set([
  'client_id',
  'client_secret',
  'redirect_uri',
  'response_type',
  'response_mode',
  'state',
  'scope',
  'nonce',
  'code_challenge',
  'code_challenge_method',
  'code_verifier',
  'request',
  'request_uri',
  'dpop_jkt',
]);

/** Headers that steer the connection or that we set: a key may not be put there. */
const RESERVED_HEADERS: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'content-length',
  'content-type',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'proxy-authenticate',
  'expect',
  'cookie',
  'set-cookie',
  'forwarded',
  'via',
]);

/** Without case: not every authorization server reads its parameters by it (RFC 6749 §3.1 would have it so). */
export function isReservedAuthorizeParam(name: string): boolean {
  return RESERVED_AUTHORIZE_PARAMS.has(name.toLowerCase());
}

const visibleText = (lengthMax: number) =>
  z
    .string()
    .min(1)
    .max(lengthMax)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'control characters are not allowed')
    .refine((text) => text.trim() !== '', 'expected some text');

const jsonPointer = z
  .string()
  .max(256)
  .refine((text) => text !== '' && isJsonPointer(text), 'expected a JSON pointer such as "/user/id" (RFC 6901)');

const upstreamScope = z
  .string()
  .min(1)
  .max(255)
  .regex(UPSTREAM_SCOPE_VALUE, 'expected a scope without spaces, quotes or backslashes (RFC 6749 §3.3)');

/** A list, or the list written as one text with spaces. */
const upstreamScopes = z.union(
  [
    z.array(upstreamScope).max(100),
    z
      .string()
      .max(8192)
      .transform((text) => text.split(' ').filter((part) => part !== ''))
      .pipe(z.array(upstreamScope).max(100)),
  ],
  {
    error: 'expected a list of scopes (RFC 6749 §3.3)',
  },
);

const extraAuthorizeParams = z
  .record(
    z
      .string()
      .min(1)
      .max(64)
      .regex(/^[A-Za-z0-9_.\-[\]]+$/, 'expected a parameter name')
      .refine((name) => !isReservedAuthorizeParam(name), 'this parameter is set by the platform'),
    z.string().max(1024),
  )
  .refine((params) => Object.keys(params).length <= 20, 'at most 20 parameters');

const oauth2Auth = z
  .strictObject({
    type: z.literal('oauth2'),
    issuer: httpBaseUrl.optional(),
    authorization_endpoint: httpUrl.optional(),
    token_endpoint: httpUrl.optional(),
    revocation_endpoint: httpUrl.optional(),
    scopes: upstreamScopes.default([]),
    scope_separator: z.enum([' ', ',', '+', ';']).default(' '),
    pkce: z.boolean().default(true),
    token_endpoint_auth_method: z.enum(['client_secret_basic', 'client_secret_post', 'none']).default('client_secret_basic'),
    extra_authorize_params: extraAuthorizeParams.optional(),
  })
  .superRefine((auth, context) => {
    if (auth.issuer !== undefined) return;
    for (const field of ['authorization_endpoint', 'token_endpoint'] as const) {
      if (auth[field] === undefined) context.addIssue({ code: 'custom', path: [field], message: 'required where no issuer is given' });
    }
  });

const apiKeyAuth = z
  .strictObject({
    type: z.literal('api_key'),
    in: z.enum(['header', 'query']),
    name: z
      .string()
      .min(1)
      .max(64)
      .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'expected a header or parameter name'),
    prefix: z
      .string()
      .max(64)
      .regex(/^[\x20-\x7e]*$/, 'expected printable ASCII')
      .optional(),
  })
  .superRefine((auth, context) => {
    if (auth.in === 'header' && RESERVED_HEADERS.has(auth.name.toLowerCase())) {
      context.addIssue({ code: 'custom', path: ['name'], message: 'this header cannot carry a key' });
    }
  });

const basicAuth = z.strictObject({ type: z.literal('basic') });

const identityUrl = z.string().superRefine((text, context) => {
  const problem = /^\/(?!\/)/.test(text) ? urlProblem(`https://service.invalid${text}`) : urlProblem(text);
  if (problem !== null) context.addIssue({ code: 'custom', message: problem });
});

export const serviceIdSchema = z
  .string()
  .min(2)
  .max(63)
  .regex(SCOPE_WORD, 'expected lower-case letters, digits, "-" and "_", beginning with a letter')
  .refine((id) => !RESERVED_SERVICE_IDS.has(id), 'this word is reserved');

/** A service as a tenant writes it (`POST …/services`) and as the catalogue keeps it: endpoints, credential, identity. */
export const serviceDefinitionSchema = z
  .strictObject({
    id: serviceIdSchema,
    friendly_name: visibleText(100),
    logo_url: httpUrl.optional(),
    apis: z.array(z.string().max(32).regex(SCOPE_WORD, 'expected the name of an API')).min(1).max(20).default(['raw']),
    auth: z.discriminatedUnion('type', [oauth2Auth, apiKeyAuth, basicAuth]),
    api: z.strictObject({ base_url: httpBaseUrl }),
    identity: z.strictObject({ url: identityUrl.optional(), id: jsonPointer, name: jsonPointer.optional() }).optional(),
  })
  .superRefine((service, context) => {
    if (
      service.identity !== undefined &&
      service.identity.url === undefined &&
      (service.auth.type !== 'oauth2' || service.auth.issuer === undefined)
    ) {
      context.addIssue({
        code: 'custom',
        path: ['identity', 'url'],
        message: 'required where there is no issuer whose ID token would tell',
      });
    }
  });

export type ServiceDefinition = z.output<typeof serviceDefinitionSchema>;
export type ServiceDefinitionInput = z.input<typeof serviceDefinitionSchema>;
export type OAuth2Auth = Extract<ServiceDefinition['auth'], { type: 'oauth2' }>;

/** The definition with its defaults filled in. Throws `service.invalid`, whose `field` names the first field at fault. */
export function parseServiceDefinition(input: unknown): ServiceDefinition {
  const parsed = serviceDefinitionSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const unknown = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
  const field = [...issue.path, ...unknown].map(String).join('.');
  const problem = issue.code === 'unrecognized_keys' ? 'unknown field' : issue.message;
  throw servicesErrors('service.invalid', {
    params: { problem: field === '' ? problem : `${field}: ${problem}` },
    ...(field === '' ? {} : { field }),
  });
}

/**
 * What of a definition decides where a code, a secret or a token is sent. When it changes, the callback id of the service
 * is replaced: a flow begun with the old endpoints cannot end at the new ones (RFC 9700 §4.4).
 */
export function endpointsFingerprint(definition: ServiceDefinition): string {
  const { auth, api } = definition;
  const parts =
    auth.type === 'oauth2'
      ? [auth.type, auth.issuer, auth.authorization_endpoint, auth.token_endpoint, auth.revocation_endpoint]
      : [auth.type];
  return sha256(JSON.stringify([...parts.map((part) => part ?? null), api.base_url, definition.identity?.url ?? null])).toString('hex');
}
