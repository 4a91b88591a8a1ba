import { applicationId as applicationIds } from '@bulkhead/base';
import type { IncomingCall } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import {
  appKey as appKeys,
  CONNECT_LEEWAY_SECONDS_MAX,
  jwtDigest,
  queryStringHash,
  readConnectJwt,
  sharedSecretKey,
  type UnverifiedJwt,
  verifyConnectJwt,
} from '@bulkhead/protocol';
import type { InstallPrincipal } from '../access/index.ts';
import type { Vault } from '../vault/index.ts';
import type { AppInstall } from './app.ts';
import { spendAppToken } from './app-token-uses.ts';
import { installErrors } from './install-errors.ts';
import { type OpenedInstall, openInstall } from './install-store.ts';
import { isNormalPath } from './normal-path.ts';

/** A token of an App lives for three minutes; some are made a little longer. */
const LIFETIME_SECONDS_MAX = 300;

/** From when on nobody accepts a token that is used now: made by a clock that is ahead, and looked at by one that is behind. */
const FORGOTTEN_MS = (LIFETIME_SECONDS_MAX + 2 * CONNECT_LEEWAY_SECONDS_MAX) * 1_000;

/**
 * Knows the App that calls by a token (HS256) that it made for this very request. The address names the Application, and the token's `iss`
 * the App; neither is believed before the secret of just this pair has proved it, and the qsh is over the path below the Application's
 * base URL, so no token counts at another Application or another address. It counts once ({@link spendAppToken}). Null where the token is
 * no good, for whatever reason.
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
    const appKey = read.claims.iss;
    return db.withTenant(applicationId, async (tx) => {
      const opened = await openInstall(tx, vault, { applicationId, appKey, now });
      const install = opened === null ? null : proven(opened, { read, call, now });
      if (install === null) return null;
      // Only now: to whoever is not the App, every request is as bad as the other.
      if (!isNormalPath(call.target.split('?')[0]!)) throw installErrors('install.path_malformed');
      if (install.status === 'disabled') throw installErrors('install.disabled');
      const use = {
        applicationId,
        hash: Buffer.from(jwtDigest(read), 'hex'),
        hasId: read.claims.jti !== undefined,
        now,
        expiresAt: new Date(now.getTime() + FORGOTTEN_MS),
      };
      if (!(await spendAppToken(tx, use))) return null;
      return { kind: 'install' as const, applicationId, clientKey: install.clientKey, appKey, scopes: install.scopes, userId: null };
    });
  };
}

/** The install, if one of its secrets has signed the token, for this request, and not long ago. */
function proven(
  { install, secrets }: OpenedInstall,
  { read, call, now }: { read: UnverifiedJwt; call: IncomingCall; now: Date },
): AppInstall | null {
  const expected = queryStringHash({ method: call.method, target: call.target, basePath: `/t/${call.params['application_id']}` });
  for (const secret of secrets) {
    const verified = verifyConnectJwt(read, {
      algorithm: 'HS256',
      key: sharedSecretKey(secret),
      now: Math.floor(now.getTime() / 1_000),
      lifetimeSecondsMax: LIFETIME_SECONDS_MAX,
      audience: { absentOr: [install.clientKey] },
    });
    if (!('refused' in verified)) return verified.claims.qsh === expected ? install : null;
  }
  return null;
}
