import type { IncomingCall } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import type { InstallPrincipal } from '../access/index.ts';
import { installErrors } from './install-errors.ts';
import { isNormalPath } from './normal-path.ts';
import { type LiveUserToken, selectLiveUserToken, userTokens } from './user-token-store.ts';

/**
 * Knows the App that acts for a user, by the token it was given for that (`Bearer`). It counts at the addresses of its own Application only, and
 * no longer than the install stays as it was. Null where it is no good, for whatever reason.
 */
export function userTokenAuthenticator({
  db,
}: {
  db: Database;
}): (token: string, call: IncomingCall, now: Date) => Promise<InstallPrincipal | null> {
  return async (token, call, now) => {
    const parsed = userTokens.parse(token);
    if (parsed === null || call.params['application_id'] !== parsed.applicationId) return null;
    const { applicationId } = parsed;
    const [live] = await db.tenantQuery<LiveUserToken>(applicationId, selectLiveUserToken({ applicationId, hash: parsed.hash, now }));
    if (live === undefined) return null;
    if (!isNormalPath(call.target.split('?')[0]!)) throw installErrors('install.path_malformed');
    return {
      kind: 'install',
      applicationId,
      clientKey: live.client_key,
      appKey: live.app_key,
      scopes: live.scopes,
      userId: live.user_id,
    };
  };
}
