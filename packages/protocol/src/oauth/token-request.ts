import { z } from 'zod';
import { codeVerifier } from './pkce.ts';

export const AUTHORIZATION_CODE = 'authorization_code';
export const REFRESH_TOKEN = 'refresh_token';
/** RFC 8693 §2.1 */
export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';

/** RFC 8693 §3 */
export const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token';
/** Ours: an API key as subject token. */
export const API_KEY_TYPE = 'urn:bulkhead:token-type:api-key';

/** A JSON number, or its digits in a form. */
const wholeNumber = z.union([
  z.int(),
  z
    .string()
    .regex(/^\d{1,16}$/, 'expected a whole number')
    .transform(Number),
]);

/**
 * What the token endpoint reads before it knows the grant (RFC 6749 §3.2): every parameter at most once, unknown ones ignored.
 * A repeated parameter is a list here, which no field accepts.
 */
export const tokenParameters = z.looseObject({
  grant_type: z
    .string()
    .optional()
    .meta({ description: `\`${AUTHORIZATION_CODE}\`, \`${REFRESH_TOKEN}\` or \`${TOKEN_EXCHANGE}\`.` }),
  client_id: z.string().optional().meta({ description: 'Application id, unless the Authorization header names the client.' }),
  client_secret: z.string().optional().meta({ description: 'An API key of the Application.' }),
  code: z.string().optional(),
  redirect_uri: z.string().optional(),
  code_verifier: z.string().optional().meta({ description: 'RFC 7636.' }),
  end_user: z.string().optional().meta({ description: 'Whom the flow was for, where `end_user` was pushed.' }),
  refresh_token: z.string().optional(),
  scope: z.string().optional(),
  subject_token: z.string().optional().meta({ description: 'RFC 8693: an API key or access token.' }),
  subject_token_type: z
    .string()
    .optional()
    .meta({ description: `\`${API_KEY_TYPE}\` or \`${ACCESS_TOKEN_TYPE}\`.` }),
  account_id: z.union([z.string(), z.number()]).optional(),
  expires_in: z.union([z.string(), z.number()]).optional().meta({ description: 'Seconds.' }),
  authorization_details: z
    .union([z.string(), z.array(z.looseObject({}))])
    .optional()
    .meta({ description: 'RFC 9396: JSON text in a form, a list in JSON.' }),
});

/** RFC 6749 §4.1.3 with RFC 7636 §4.5; `end_user` is ours. */
export const authorizationCodeRequest = z.object({
  code: z.string(),
  redirect_uri: z.string(),
  code_verifier: codeVerifier.optional(),
  end_user: z.string().optional(),
});
export type AuthorizationCodeRequest = z.output<typeof authorizationCodeRequest>;

/** RFC 6749 §6 */
export const refreshTokenRequest = z.object({ refresh_token: z.string(), scope: z.string().optional() });
export type RefreshTokenRequest = z.output<typeof refreshTokenRequest>;

/** RFC 8693 §2.1; `account_id`, `expires_in` are ours, `authorization_details` is RFC 9396's. */
export const tokenExchangeRequest = z.object({
  subject_token: z.string(),
  subject_token_type: z.string(),
  requested_token_type: z.string().optional(),
  actor_token: z.unknown().optional(),
  actor_token_type: z.unknown().optional(),
  resource: z.string().optional(),
  audience: z.string().optional(),
  account_id: wholeNumber.optional(),
  scope: z.string().optional(),
  expires_in: wholeNumber.refine((seconds) => seconds > 0, 'expected seconds, at least 1').optional(),
  authorization_details: z.unknown().optional(),
});
export type TokenExchangeRequest = z.output<typeof tokenExchangeRequest>;
