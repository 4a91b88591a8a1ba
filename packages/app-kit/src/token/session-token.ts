import { signConnectJwt, verifyConnectJwt } from '@bulkhead/protocol';
import type { AppRequest } from '../app-request.ts';
import type { KitSettings } from '../kit-settings.ts';
import { findJwt, unauthorized } from './find-token.ts';
import type { VerifiedToken } from './verify-tenant-token.ts';

const SESSION_TYPE = 'app-session+jwt';
const LIFETIME_SECONDS_MAX = 900;

/**
 * A token for the App's own pages, signed with the App's own key: to a host it means nothing, and no host can make one. It ends at most
 * 15 minutes after the host's token that stood at its beginning was made; a session is no ground for another one.
 */
export function issueSession(kit: KitSettings, by: VerifiedToken, lifetimeSeconds: number = LIFETIME_SECONDS_MAX): string {
  if (by.kind === 'session') throw new TypeError('a session begins with a token of the host');
  if (!(lifetimeSeconds > 0 && lifetimeSeconds <= LIFETIME_SECONDS_MAX)) throw new RangeError('a session lasts 900 seconds at most');
  const { claims, tenant, accountId } = by;
  return signConnectJwt(
    { algorithm: 'HS256', key: kit.sessionKey, type: SESSION_TYPE },
    {
      iss: kit.key,
      aud: [kit.key],
      iat: claims.iat,
      exp: claims.iat + Math.floor(lifetimeSeconds),
      clientKey: tenant.clientKey,
      ...(accountId === null ? {} : { sub: accountId }),
      ...(claims['context'] === undefined ? {} : { context: claims['context'] }),
    },
  );
}

/** A token of `issueSession`, in the Authorization header (`Bearer …`). Throws `app_kit.unauthorized`. */
export async function verifySession(kit: KitSettings, request: AppRequest): Promise<VerifiedToken> {
  const token = findJwt(request, { scheme: 'Bearer', inQuery: false });
  const verified = verifyConnectJwt(token, {
    algorithm: 'HS256',
    key: kit.sessionKey,
    now: Math.floor(kit.clock.now() / 1000),
    lifetimeSecondsMax: LIFETIME_SECONDS_MAX,
    audience: { is: [kit.key] },
    type: SESSION_TYPE,
  });
  if ('refused' in verified) throw unauthorized(verified.refused);
  const { claims } = verified;
  const { clientKey } = claims;
  if (claims.iss !== kit.key || typeof clientKey !== 'string') throw unauthorized('no session of this App');
  const tenant = await kit.store.find(clientKey);
  if (tenant === null || tenant.state !== 'installed') throw unauthorized('no such tenant');
  // What was installed again is another beginning; `iat` has whole seconds, and the host's clock may be ahead or behind.
  if ((claims.iat + 60) * 1000 < tenant.installedAt) throw unauthorized('of before the tenant was installed again');
  return { kind: 'session', tenant, accountId: claims.sub ?? null, claims };
}
