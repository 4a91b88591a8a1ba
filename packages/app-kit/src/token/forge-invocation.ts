import { createPublicKey, type KeyObject } from 'node:crypto';
import { type Clock, systemClock } from '@bulkhead/base';
import { CONNECT_LEEWAY_SECONDS_MAX, type ConnectClaims, jwtDigest, verifyConnectJwt } from '@bulkhead/protocol';
import { z } from 'zod';
import type { AppRequest } from '../app-request.ts';
import { type Fetch, readBounded } from '../outbound.ts';
import { appRefusals } from '../refusals.ts';
import type { TenantStore } from '../store/tenant-store.ts';
import { findJwt, unauthorized } from './find-token.ts';

const ATLASSIAN_JWKS = 'https://forge.cdn.prod.atlassian-dev.net/.well-known/jwks.json';
const ISSUER = 'forge/invocation-token';
const LIFETIME_SECONDS_MAX = 900;
const TIMEOUT_MS = 5_000;
const JWKS_BYTES_MAX = 65_536;
const KEPT_MS = 3_600_000;
/** An unknown `kid` asks again, but not more often than this: it costs whoever invents it nothing. */
const ASKED_AGAIN_MS = 60_000;

export interface ForgeOptions {
  /** `app.id` of the manifest (`ari:cloud:ecosystem::app/…`): what a token must be meant for. */
  readonly appId: string;
  readonly store: TenantStore;
  /** Default: Atlassian's. */
  readonly jwksUrl?: string;
  readonly fetch?: Fetch;
  readonly clock?: Clock;
}

/** A call of a Forge host (Forge Remote). */
export interface ForgeInvocation {
  /** Names the tenant. An App that was a Connect App knows it from `installationId` of its lifecycle calls. */
  readonly installationId: string;
  readonly apiBaseUrl: string;
  /** The user, where there is one. */
  readonly accountId: string | null;
  readonly claims: ConnectClaims;
}

const invocation = z.object({
  app: z.object({ installationId: z.string().min(1).max(500), apiBaseUrl: z.url({ protocol: /^https$/ }).max(2_000) }),
  principal: z.string().max(255).nullish(),
});

const jwks = z.object({
  keys: z
    .array(
      z.object({
        kty: z.string(),
        kid: z.string().min(1).max(256).optional(),
        n: z.string().optional(),
        e: z.string().optional(),
        use: z.string().optional(),
        alg: z.string().optional(),
      }),
    )
    .max(50),
});

/**
 * Verifies Forge invocation tokens: RS256 under a key of the issuer's JWKS, `aud` exactly the App, in the Authorization header (`Bearer …`),
 * once. A Connect token never counts here, nor one of these at a Connect verifier. Throws `app_kit.unauthorized` or `app_kit.key_server_unavailable`.
 */
export function forgeInvocations(options: ForgeOptions): (request: AppRequest) => Promise<ForgeInvocation> {
  const { appId, store, jwksUrl = ATLASSIAN_JWKS, clock = systemClock } = options;
  const fetch: Fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init));
  let kept: { readonly at: number; readonly keys: Promise<ReadonlyMap<string, KeyObject>> } | undefined;

  async function keyOf(kid: string): Promise<KeyObject | undefined> {
    const now = clock.now();
    const known = kept !== undefined && now - kept.at < KEPT_MS ? await kept.keys.catch(() => undefined) : undefined;
    const key = known?.get(kid);
    if (key !== undefined || (kept !== undefined && now - kept.at < ASKED_AGAIN_MS && known !== undefined)) return key;
    const keys = askForKeys(fetch, jwksUrl);
    kept = { at: now, keys };
    return (await keys).get(kid);
  }

  return async (request) => {
    const token = findJwt(request, { scheme: 'Bearer', inQuery: false });
    const { alg, kid } = token.header;
    if (alg !== 'RS256' || kid === undefined || token.claims.iss !== ISSUER) throw unauthorized('no invocation token');
    const key = await keyOf(kid);
    if (key === undefined) throw unauthorized('unknown kid');
    const now = Math.floor(clock.now() / 1000);
    const verified = verifyConnectJwt(token, {
      algorithm: 'RS256',
      key,
      now,
      lifetimeSecondsMax: LIFETIME_SECONDS_MAX,
      audience: { is: [appId] },
    });
    if ('refused' in verified) throw unauthorized(verified.refused);
    const said = invocation.safeParse(verified.claims);
    if (!said.success) throw unauthorized('claims');
    const { app, principal } = said.data;
    const until = (verified.claims.exp + CONNECT_LEEWAY_SECONDS_MAX + 1) * 1000;
    const outcome = await store.spendToken(`forge ${app.installationId}`, jwtDigest(token), until, clock.now());
    if (outcome === 'full') throw appRefusals('app_kit.busy');
    if (outcome === 'used') throw unauthorized('used before');
    return { installationId: app.installationId, apiBaseUrl: app.apiBaseUrl, accountId: principal ?? null, claims: verified.claims };
  };
}

async function askForKeys(fetch: Fetch, url: string): Promise<ReadonlyMap<string, KeyObject>> {
  let text: string | null = null;
  try {
    const answer = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) });
    text = answer.status === 200 ? await readBounded(answer, JWKS_BYTES_MAX) : null;
  } catch {
    text = null;
  }
  const parsed = jwks.safeParse(parsedJson(text));
  if (!parsed.success) throw appRefusals('app_kit.key_server_unavailable');
  const found = new Map<string, KeyObject>();
  for (const { kty, kid, n, e, use, alg } of parsed.data.keys) {
    if (kty !== 'RSA' || kid === undefined || n === undefined || e === undefined) continue;
    if ((use ?? 'sig') !== 'sig' || (alg ?? 'RS256') !== 'RS256' || found.has(kid)) continue;
    const key = rsaKey(n, e);
    if (key !== null) found.set(kid, key);
  }
  return found;
}

/** RFC 7518 §6.3. Null for what is no key, or a short one. */
function rsaKey(n: string, e: string): KeyObject | null {
  try {
    const key = createPublicKey({ key: { kty: 'RSA', n, e }, format: 'jwk' });
    return (key.asymmetricKeyDetails?.modulusLength ?? 0) >= 2048 ? key : null;
  } catch {
    return null;
  }
}

function parsedJson(text: string | null): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}
