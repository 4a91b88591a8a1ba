import { applicationId as applicationIds } from '@bulkhead/base';
import type { IncomingCall } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import { appKey as appKeys, queryStringHash, readConnectJwt, sharedSecretKey, verifyConnectJwt } from '@bulkhead/protocol';
import type { InstallPrincipal } from '../access/index.ts';
import type { Vault } from '../vault/index.ts';
import { installErrors } from './install-errors.ts';
import { openInstall } from './install-store.ts';
import { isNormalPath } from './normal-path.ts';

/** A token of an App lives for three minutes; some are made a little longer. */
const LIFETIME_SECONDS_MAX = 300;

/**
 * Knows the App that calls by a token (HS256) that it made for this very request. The address names the Application, and the token's `iss`
 * the App; neither is believed before the secret of just this pair has proved it, and the qsh is over the path below the Application's
 * base URL, so no token counts at another Application or another address. Null where the token is no good, for whatever reason.
 */
export function installAuthenticator({
  db,
  vault,
}: {
  db: Database;
  vault: Vault;
}): (token: string, call: IncomingCall, now: Date) => Promise<InstallPrincipal | null> {
  return async (token, call, now) => {
    const applicationId = call.params['application_id'];
    if (applicationId === undefined || !applicationIds.is(applicationId)) return null;
    const read = readConnectJwt(token);
    if ('refused' in read || !appKeys.safeParse(read.claims.iss).success) return null;
    const basePath = `/t/${applicationId}`;
    const appKey = read.claims.iss;
    const opened = await db.withTenant(applicationId, (tx) => openInstall(tx, vault, { applicationId, appKey, now }));
    if (opened === null) return null;
    const { install, secrets } = opened;
    const expected = queryStringHash({ method: call.method, target: call.target, basePath });
    for (const secret of secrets) {
      const verified = verifyConnectJwt(read, {
        algorithm: 'HS256',
        key: sharedSecretKey(secret),
        now: Math.floor(now.getTime() / 1_000),
        lifetimeSecondsMax: LIFETIME_SECONDS_MAX,
        audience: { absentOr: [install.clientKey] },
      });
      if ('refused' in verified) continue;
      if (verified.claims.qsh !== expected) return null;
      // Only now: to whoever is not the App, every request is as bad as the other.
      if (!isNormalPath(call.target.split('?')[0]!)) throw installErrors('install.path_malformed');
      if (install.status === 'disabled') throw installErrors('install.disabled');
      return { kind: 'install', applicationId, clientKey: install.clientKey, appKey, scopes: install.scopes, userId: null };
    }
    return null;
  };
}
