import type { Database } from '@bulkhead/postgres';
import { audit } from '../audit/index.ts';
import { deleteAccessToken } from './access-token-store.ts';
import { deleteGrant } from './grant-store.ts';
import { findGrantOfRefreshToken } from './refresh-token-store.ts';
import { accessToken, refreshToken } from './token-credentials.ts';
import type { ClientContext } from './token-grant.ts';

/**
 * RFC 7009: an access token goes with all that was exchanged from it, a refresh token (a spent one too) with its whole grant. A token
 * that is unknown or belongs to another client is already what the caller wants (§2.2), and nothing is said of it.
 */
export async function revokeToken({ db }: { readonly db: Database }, context: ClientContext, token: string): Promise<void> {
  const { applicationId } = context;
  const access = accessToken.parse(token);
  const refresh = refreshToken.parse(token);
  await db.withTenant(applicationId, async (tx) => {
    if (access?.applicationId === applicationId) {
      const accountId = await deleteAccessToken(tx, applicationId, access.hash);
      if (accountId !== null) return audit(tx, context, { target: String(accountId), detail: { revoked: 'access_token' } });
    }
    if (refresh?.applicationId === applicationId) {
      const grantId = await findGrantOfRefreshToken(tx, applicationId, refresh.hash);
      if (grantId !== null && (await deleteGrant(tx, applicationId, grantId)))
        return audit(tx, context, { target: grantId, detail: { revoked: 'grant' } });
    }
    // Nothing changed, so there is nothing to record.
    return context.markAudited({ changed: false });
  });
}
