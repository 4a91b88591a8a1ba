import { jwtDigest, type ConnectClaims, type UnverifiedJwt, verifyConnectJwt } from '@bulkhead/protocol';
import type { AppRequest } from '../app-request.ts';
import type { Issuer } from '../issuer.ts';
import type { KitSettings } from '../kit-settings.ts';
import { findJwt, unauthorized } from './find-token.ts';
import { requestHash, spendToken } from './verify-tenant-token.ts';

const LIFETIME_SECONDS_MAX = 300;

/** An `installed` or `uninstalled` call whose token is good. `issuer` is the one whose key signed it. */
export interface VerifiedLifecycle {
  readonly issuer: Issuer;
  readonly clientKey: string;
  readonly claims: ConnectClaims;
}

/**
 * I1: RS256 under a key that a configured issuer's key server has, `aud` exactly this App, `qsh` of exactly this request, in the
 * Authorization header (`JWT …`). Counts once. Throws `app_kit.unauthorized`, or `app_kit.key_server_unavailable`.
 */
export async function verifyLifecycle(kit: KitSettings, request: AppRequest): Promise<VerifiedLifecycle> {
  const token = findJwt(request, { scheme: 'JWT', inQuery: false });
  const { header, claims } = token;
  if (claims.iss === kit.key) throw unauthorized('signed by this App');
  // Said before anybody is asked for a key: what cannot count costs no look-up.
  if (header.alg !== 'RS256' || header.kid === undefined) throw unauthorized('not RS256 with a kid');
  if (claims.qsh !== requestHash(kit, request)) throw unauthorized('signed for another request');
  const issuer = await issuerThatSigned(kit, token, header.kid);
  await spendToken(kit, token);
  kit.log.info('lifecycle token verified', { issuer: issuer.name, clientKey: claims.iss, token: jwtDigest(token).slice(0, 16) });
  return { issuer, clientKey: claims.iss, claims };
}

async function issuerThatSigned(kit: KitSettings, token: UnverifiedJwt, kid: string): Promise<Issuer> {
  let problem = 'unknown kid';
  for (const { issuer, key } of await kit.keys.find(kid)) {
    const verified = verifyConnectJwt(token, {
      algorithm: 'RS256',
      key,
      now: Math.floor(kit.clock.now() / 1000),
      lifetimeSecondsMax: LIFETIME_SECONDS_MAX,
      audience: { is: kit.audiences },
    });
    if (!('refused' in verified)) return issuer;
    problem = verified.refused;
  }
  throw unauthorized(problem);
}
