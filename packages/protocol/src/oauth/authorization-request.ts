import { z } from 'zod';
import { jwkThumbprint } from './dpop.ts';

/** Kloudless's and RFC 8252's old name for "no redirect": the answer goes to the window that opened the page. */
export const OUT_OF_BAND_URI = 'urn:ietf:wg:oauth:2.0:oob';

/** RFC 9126 §2.2: what stands before the reference of a pushed authorization request. */
export const REQUEST_URI_PREFIX = 'urn:ietf:params:oauth:request_uri:';

/** Parameters as a query, a form or a JSON body held them, before anything is known about them. */
export type AuthorizationParameters = Readonly<Record<string, unknown>>;

const LENGTH_MAX = 4096;
const JSON_LENGTH_MAX = 8192;
const RAW_PARAMETERS_MAX = 20;

/**
 * One value (RFC 6749 §3.1: no parameter more than once; one without a value counts as absent). A JSON body may hold numbers.
 * `describe` goes into the OpenAPI document.
 */
function text(description: string, lengthMax = LENGTH_MAX) {
  return z
    .union([z.string(), z.number().transform(String), z.null().transform(() => '')], { error: 'expected one value' })
    .transform((value) => (value === '' ? undefined : value))
    .pipe(z.string().max(lengthMax).optional())
    .optional()
    .meta({ description });
}

function plainObject(value: unknown): Record<string, unknown> | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  return Object.hasOwn(value, '__proto__') ? null : (value as Record<string, unknown>);
}

/** An object, or the JSON text of one. Empty text is no object (an old SDK sends it). */
function jsonObject(description: string) {
  return z
    .unknown()
    .optional()
    .transform((value, context): Record<string, unknown> => {
      if (value === undefined || value === null || value === '') return {};
      let object = plainObject(value);
      if (typeof value === 'string' && value.length <= JSON_LENGTH_MAX) {
        try {
          object = plainObject(JSON.parse(value));
        } catch {
          object = null;
        }
      }
      if (object !== null && JSON.stringify(object).length <= JSON_LENGTH_MAX) return object;
      context.addIssue({ code: 'custom', message: `expected a JSON object of at most ${JSON_LENGTH_MAX} characters` });
      return z.NEVER;
    })
    .meta({ description });
}

/**
 * The half of an authorization request (RFC 6749 §4.1.1) that says who asks and where the answer goes. It is judged first: while any
 * of it is in doubt nothing is sent anywhere.
 */
export const authorizationDestination = z.object({
  client_id: text('The id of the Application.', 128),
  request_uri: text(
    'Reference of a pushed authorization request (RFC 9126 §4). With it, every other parameter but `client_id` is ignored.',
    512,
  ),
  redirect_uri: text(`A registered redirect URI, or \`${OUT_OF_BAND_URI}\` for the browser SDK.`, 2048),
  response_type: text('`code`, or `token` where the Application allows the implicit grant.', 64),
  state: text('Given back as it is.'),
  origin: text('Browser SDK only: the origin of the page that opened the window. Its domain must be trusted.', 512),
  request_id: text('Browser SDK only: given back with the message.', 64),
});

export type AuthorizationDestination = z.output<typeof authorizationDestination>;

/** The other half: what is asked for. What is wrong here is told to the client. */
export const authorizationDetails = z.object({
  scope: text('Kloudless scope, such as `storage` or `gdrive:normal.storage`. Default `any`.').transform((scope) => scope ?? 'any'),
  code_challenge: text('RFC 7636 §4.3.', 256).refine(
    (value) => value === undefined || /^[A-Za-z0-9_-]{43}$/.test(value),
    'expected the base64url form of a SHA-256 (43 characters)',
  ),
  code_challenge_method: text('`S256`, the only method there is here.', 16),
  dpop_jkt: text('RFC 9449 §10: thumbprint of the key that the code is redeemed with. Code flows only.', 256).refine(
    (value) => value === undefined || jwkThumbprint.safeParse(value).success,
    'expected the base64url form of a SHA-256 (43 characters)',
  ),
  custom_properties: jsonObject('A JSON object that is kept with the account.'),
  form_data: jsonObject('Values for the credential form, as JSON: `username`. Never secrets.'),
  account: text('The account the user will probably choose: fills the user name in and is passed on as `login_hint`.', 255),
});

export type AuthorizationDetails = z.output<typeof authorizationDetails>;

/** What only a pushed authorization request may say, because the client is authenticated. */
export const pushedAuthorizationDetails = z.object({
  end_user: text('Id of the person at the client. The code is redeemed only for the same one.', 255).refine(
    (value) => value === undefined || /^[^\p{Cc}]+$/u.test(value),
    'expected text without control characters',
  ),
  account_id: z
    .union(
      [
        z.int().positive(),
        z
          .string()
          .regex(/^[1-9][0-9]{0,15}$/)
          .transform(Number),
      ],
      { error: 'expected the id of an account' },
    )
    .refine((id) => Number.isSafeInteger(id), 'expected the id of an account')
    .optional()
    .meta({ description: 'Connects this account anew; it keeps its id.' }),
});

const rawName = /^raw\[([A-Za-z0-9_.-]{1,64})\]$/;

/**
 * `raw[KEY]=VALUE` (or, in a JSON body, an object `raw`): parameters handed on to the service's authorization endpoint. Null where
 * one of them is repeated, oddly named or too long.
 */
export function readRawParameters(parameters: AuthorizationParameters): Readonly<Record<string, string>> | null {
  const nested = parameters['raw'] === undefined ? {} : plainObject(parameters['raw']);
  if (nested === null) return null;
  const named = Object.entries(parameters).filter(([name]) => name.startsWith('raw['));
  const pairs = [...Object.entries(nested).map(([name, value]): [string, unknown] => [`raw[${name}]`, value]), ...named];
  const raw: Record<string, string> = {};
  for (const [name, value] of pairs) {
    const key = rawName.exec(name)?.[1];
    if (key === undefined || typeof value !== 'string' || value.length > 1024) return null;
    raw[key] = value;
  }
  return Object.keys(raw).length <= RAW_PARAMETERS_MAX ? raw : null;
}

/** RFC 9126 §2.2 answer. */
export const pushedAuthorizationAnswer = z.object({
  request_uri: z.string().meta({ description: 'Use once, as `request_uri`, together with `client_id`.' }),
  expires_in: z.int().meta({ description: 'Seconds.' }),
});
