import type { Clock } from '@bulkhead/base';
import type { Database } from '@bulkhead/postgres';
import type { BearerPrincipal } from '../access/index.ts';
import { liveAccessToken, readLiveAccessToken } from './access-token-store.ts';
import { accessToken } from './token-credentials.ts';

/**
 * Authenticates an access token (RFC 6750). One question to the database, asked anew for every request, so a token is dead
 * everywhere as soon as it, a parent, its account or its Application is.
 */
export function bearerAuthenticator({ db, clock }: { db: Database; clock: Clock }): (token: string) => Promise<BearerPrincipal | null> {
  return async (token) => {
    const parsed = accessToken.parse(token);
    if (parsed === null) return null;
    const [row] = await db.tenantQuery(parsed.applicationId, liveAccessToken(parsed.applicationId, parsed.hash, new Date(clock.now())));
    if (row === undefined) return null;
    const live = readLiveAccessToken(row);
    return {
      kind: 'bearer',
      applicationId: parsed.applicationId,
      accountId: live.accountId,
      tokenHash: live.hash,
      scope: live.scope,
      authorizationDetails: live.authorizationDetails,
      endUser: live.endUser,
      expiresAt: live.expiresAt,
    };
  };
}
