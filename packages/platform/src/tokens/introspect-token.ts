import type { Database } from '@bulkhead/postgres';
import type { IntrospectionResponse, TokenResponse } from '@bulkhead/protocol';
import { httpErrors } from '@bulkhead/http';
import { findLiveAccessToken } from './access-token-store.ts';
import { findLiveRefreshToken } from './refresh-token-store.ts';
import { accessToken, refreshToken } from './token-credentials.ts';
import type { ClientContext } from './token-grant.ts';

const INACTIVE: IntrospectionResponse = { active: false };

/**
 * RFC 7662: what an access or refresh token of this client's Application is good for. Anything else, unknown, foreign, expired or
 * revoked, is `{"active": false}`. A public client throws `unauthorized`: §2.1 asks for authorization, lest tokens be tried out.
 */
export async function introspectToken(
  { db, publicUrl }: { readonly db: Database; readonly publicUrl: () => string },
  context: ClientContext,
  token: string,
): Promise<IntrospectionResponse> {
  const { applicationId, now } = context;
  if (context.principal.apiKeyId === null) throw httpErrors('unauthorized', { params: { expected: 'an API key as client secret' } });
  const about = { active: true, client_id: applicationId, iss: publicUrl() };

  const access = accessToken.parse(token);
  if (access?.applicationId === applicationId) {
    const live = await db.withTenant(applicationId, (tx) => findLiveAccessToken(tx, applicationId, access.hash, now));
    if (live === null) return INACTIVE;
    return {
      ...about,
      token_type: live.dpopJkt === null ? 'Bearer' : 'DPoP',
      scope: live.scope,
      account_id: live.accountId,
      iat: epochSeconds(live.createdAt),
      ...(live.expiresAt === null ? {} : { exp: epochSeconds(live.expiresAt) }),
      ...(live.endUser === null ? {} : { end_user: live.endUser }),
      ...(live.dpopJkt === null ? {} : { cnf: { jkt: live.dpopJkt } }),
      ...(live.authorizationDetails === null
        ? {}
        : { authorization_details: live.authorizationDetails as TokenResponse['authorization_details'] }),
    };
  }

  const refresh = refreshToken.parse(token);
  if (refresh?.applicationId !== applicationId) return INACTIVE;
  const live = await db.withTenant(applicationId, (tx) => findLiveRefreshToken(tx, applicationId, refresh.hash, now));
  if (live === null) return INACTIVE;
  const { grant } = live;
  return {
    ...about,
    scope: grant.scope,
    account_id: grant.accountId,
    iat: epochSeconds(live.createdAt),
    exp: epochSeconds(live.expiresAt),
    ...(grant.endUser === null ? {} : { end_user: grant.endUser }),
    // That of a client which authenticates is good with any of its keys (RFC 9449 §5).
    ...(grant.dpopJkt === null || grant.confidential ? {} : { cnf: { jkt: grant.dpopJkt } }),
  };
}

function epochSeconds(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}
