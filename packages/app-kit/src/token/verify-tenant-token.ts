import type { KeyObject } from 'node:crypto';
import type { Secret } from '@bulkhead/base';
import {
  CONNECT_LEEWAY_SECONDS_MAX,
  type ConnectClaims,
  jwtDigest,
  queryStringHash,
  CONTEXT_QSH,
  sharedSecretKey,
  type UnverifiedJwt,
  verifyConnectJwt,
} from '@bulkhead/protocol';
import type { AppRequest } from '../app-request.ts';
import type { KitSettings } from '../kit-settings.ts';
import { appRefusals } from '../refusals.ts';
import { liveSecrets, type TenantRecord, withConfirmed } from '../tenant-record.ts';
import { findJwt, unauthorized } from './find-token.ts';

/** A host gives a request three minutes. */
const REQUEST_LIFETIME_SECONDS_MAX = 300;
const CONTEXT_LIFETIME_SECONDS_MAX = 900;

/** Who called. The tenant comes out of the verified token and from nowhere else. */
export interface VerifiedToken {
  readonly kind: 'request' | 'context' | 'session';
  readonly tenant: TenantRecord;
  /** The user at the host, where there is one. */
  readonly accountId: string | null;
  readonly claims: ConnectClaims;
}

export interface RequestRules {
  /**
   * Whether the same token may come again until it ends. False (default): no. True: yes, for pages that a browser loads again. `without-jti`:
   * only if it has no `jti`. Such a host's tokens for one URL in one second are equal, so that two webhooks of one second look like one
   * and its repetition: Atlassian's are like that. Then tell repetitions apart by `X-Atlassian-Webhook-Identifier`.
   */
  readonly repeatable?: boolean | 'without-jti';
}

/**
 * A request that the host signed: HS256 with the tenant's secret, `qsh` of exactly this request, in the Authorization header (`JWT …`) or
 * `?jwt=`. Counts once. Throws `app_kit.unauthorized`.
 */
export async function verifyRequest(
  kit: KitSettings,
  request: AppRequest,
  { repeatable = false }: RequestRules = {},
): Promise<VerifiedToken> {
  const token = findJwt(request, { scheme: 'JWT', inQuery: true });
  const signer = signerOf(kit, token, await kit.store.find(issuerOf(kit, token)), REQUEST_LIFETIME_SECONDS_MAX);
  const tenant = signer.newSecret === null ? signer.tenant : await confirm(kit, signer.tenant, signer.newSecret);
  if (token.claims.qsh !== requestHash(kit, request)) throw unauthorized('signed for another request');
  if (repeatable === false || (repeatable === 'without-jti' && token.claims.jti !== undefined)) await spendToken(kit, token);
  return { kind: 'request', tenant, accountId: token.claims.sub ?? null, claims: token.claims };
}

/**
 * A token that the App's own page got from the host (`AP.context.getToken`): HS256 with the tenant's secret, bound to no request
 * (`qsh` is `context-qsh`), in the Authorization header only. May come again until it ends. Throws `app_kit.unauthorized`.
 */
export async function verifyContext(kit: KitSettings, request: AppRequest): Promise<VerifiedToken> {
  const token = findJwt(request, { scheme: 'JWT', inQuery: false });
  const signer = signerOf(kit, token, await kit.store.find(issuerOf(kit, token)), CONTEXT_LIFETIME_SECONDS_MAX);
  const tenant = signer.newSecret === null ? signer.tenant : await confirm(kit, signer.tenant, signer.newSecret);
  if (token.claims.qsh !== CONTEXT_QSH) throw unauthorized('no context token');
  return { kind: 'context', tenant, accountId: token.claims.sub ?? null, claims: token.claims };
}

export function requestHash(kit: KitSettings, { method, rawTarget }: AppRequest): string {
  return queryStringHash({ method, target: rawTarget, basePath: kit.basePath });
}

/** I4: refuses what was shown before, under whichever spelling. */
export async function spendToken(kit: KitSettings, token: UnverifiedJwt): Promise<void> {
  const until = (token.claims.exp + CONNECT_LEEWAY_SECONDS_MAX + 1) * 1000;
  const outcome = await kit.store.spendToken(token.claims.iss, jwtDigest(token), until, kit.clock.now());
  if (outcome === 'full') throw appRefusals('app_kit.busy', { retryAfterSeconds: REQUEST_LIFETIME_SECONDS_MAX });
  if (outcome === 'used') throw unauthorized('used before');
}

/** Whose secrets are to be tried. I2: what this App signed itself, for its host or for its own pages, is no credential here. */
function issuerOf(kit: KitSettings, { claims }: UnverifiedJwt): string {
  if (claims.iss === kit.key) throw unauthorized('signed by this App');
  return claims.iss;
}

interface Signer {
  readonly tenant: TenantRecord;
  /** The secret that this token is the first to be signed with; null where it is not the first. */
  readonly newSecret: Secret | null;
}

function signerOf(kit: KitSettings, token: UnverifiedJwt, tenant: TenantRecord | null, lifetimeSecondsMax: number): Signer {
  if (tenant === null || tenant.state !== 'installed') throw unauthorized('no such tenant');
  const nowMs = kit.clock.now();
  let problem = 'no secret';
  for (const { sharedSecret, confirmedAt } of liveSecrets(tenant, nowMs)) {
    const verified = verifyConnectJwt(token, {
      algorithm: 'HS256',
      key: keyOf(sharedSecret),
      now: Math.floor(nowMs / 1000),
      lifetimeSecondsMax,
      audience: { absentOr: kit.audiences },
    });
    if (!('refused' in verified)) return { tenant, newSecret: confirmedAt === null ? sharedSecret : null };
    problem = verified.refused;
    if (problem !== 'signature') break;
  }
  throw unauthorized(problem);
}

/** Later: a host may use the new secret before it has our answer to `installed`, and lose it all the same. */
async function confirm(kit: KitSettings, tenant: TenantRecord, used: Secret): Promise<TenantRecord> {
  const changed = await kit.store.change(tenant.clientKey, (current) =>
    current === null ? null : withConfirmed(current, used, kit.clock.now(), kit.secretGraceMs),
  );
  if (changed === null || changed.state !== 'installed') throw unauthorized('uninstalled meanwhile');
  return changed;
}

const keys = new WeakMap<Secret, KeyObject>();

function keyOf(sharedSecret: Secret): KeyObject {
  let key = keys.get(sharedSecret);
  if (key === undefined) keys.set(sharedSecret, (key = sharedSecretKey(sharedSecret)));
  return key;
}
