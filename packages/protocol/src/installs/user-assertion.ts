import { z } from 'zod';
import type { ConnectClaims, SignedClaims } from './connect-jwt.ts';

/** RFC 7523 §2.1 */
export const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
/** `exp - iat` of an assertion at most, in seconds: as long as Apps of Connect make them. */
export const USER_ASSERTION_SECONDS = 60;

const CLIENT = 'urn:atlassian:connect:clientid:';
const USER = 'urn:atlassian:connect:useraccountid:';
const USER_LENGTH_MAX = 512;

/** What an App sends for a token of a user of its tenant, as a form. Every parameter once; unknown ones are ignored (RFC 6749 §3.2). */
export const userTokenRequest = z.looseObject({
  grant_type: z
    .string()
    .optional()
    .meta({ description: `\`${JWT_BEARER}\`.` }),
  assertion: z.string().optional().meta({ description: 'A JWT, HS256 by the shared secret of the install.' }),
  scope: z.string().max(1_000).optional().meta({ description: 'Scopes with spaces between; none: all that the App was granted.' }),
});

/** RFC 6749 §5.1 */
export const userTokenResponse = z.object({
  access_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.int().meta({ description: 'Seconds.' }),
  scope: z.string(),
});
export type UserTokenResponse = z.output<typeof userTokenResponse>;

/** Who asks, for whom and at which tenant. */
export interface UserAssertion {
  readonly oauthClientId: string;
  readonly accountId: string;
  /** Base URL of the tenant. */
  readonly tenant: string;
}

/** The claims of an assertion that were read; null where they are of another kind of token. Nothing of it is true yet. */
export function readUserAssertion({ iss, sub, tnt }: ConnectClaims): UserAssertion | null {
  if (!iss.startsWith(CLIENT) || sub === undefined || !sub.startsWith(USER) || typeof tnt !== 'string') return null;
  const [oauthClientId, accountId] = [iss.slice(CLIENT.length), sub.slice(USER.length)];
  if (oauthClientId === '' || accountId === '' || accountId.length > USER_LENGTH_MAX) return null;
  return { oauthClientId, accountId, tenant: tnt };
}

/** The claims by which an App asks `audience`, which is its tenant's authorization server, for a token. `now` in seconds. */
export function userAssertionClaims(
  { oauthClientId, accountId, tenant }: UserAssertion,
  { audience, now, id }: { readonly audience: string; readonly now: number; readonly id: string },
): SignedClaims {
  return {
    iss: CLIENT + oauthClientId,
    sub: USER + accountId,
    tnt: tenant,
    aud: audience,
    iat: now,
    exp: now + USER_ASSERTION_SECONDS,
    jti: id,
  };
}
