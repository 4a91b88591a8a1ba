import type { Secret } from '@bulkhead/base';
import type { TenantDetails } from './lifecycle-call.ts';

/** A `sharedSecret` that a host gave. Until a token was signed with it nobody knows whether the host has kept it. */
export interface TenantSecret {
  readonly sharedSecret: Secret;
  /** Milliseconds since the epoch, as every time here. */
  readonly receivedAt: number;
  /** When a token was first signed with it; null: not yet. */
  readonly confirmedAt: number | null;
  /** When it ends; null: it does not. Set once another one was confirmed. */
  readonly acceptedUntil: number | null;
}

/** One App in one tenant of a host. The clientKey names the tenant; its base URL does not. */
export interface TenantRecord {
  readonly clientKey: string;
  readonly issuer: string;
  readonly baseUrl: string;
  readonly state: 'installed' | 'uninstalled';
  /** What the host last said. A call of a tenant that is not enabled still counts: nobody repeats an `enabled` that got lost. */
  readonly enabled: boolean;
  /** Newest first; empty once uninstalled. */
  readonly secrets: readonly TenantSecret[];
  readonly details: TenantDetails;
  /** `iat` of the newest installed or uninstalled call, seconds: an older one that arrives late undoes nothing. */
  readonly lifecycleIat: number;
  readonly enabledIat: number;
  readonly installedAt: number;
  readonly uninstalledAt: number | null;
  /** When everything of it may be deleted; null while installed. */
  readonly purgeAfter: number | null;
}

/** More than these at once nobody installs in parallel. */
const SECRETS_MAX = 8;

export interface InstalledCall {
  readonly clientKey: string;
  readonly issuer: string;
  readonly baseUrl: string;
  readonly sharedSecret: Secret;
  readonly details: TenantDetails;
  readonly iat: number;
}

/**
 * The tenant after a verified `installed`. The new secret stands beside those before it: which of them the host goes on with is known
 * when it signs (its answer may have been lost, and it may install several times at once). Pure.
 */
export function withInstall(current: TenantRecord | null, call: InstalledCall, now: number): TenantRecord {
  const { iat, sharedSecret, ...said } = call;
  const received: TenantSecret = { sharedSecret, receivedAt: now, confirmedAt: null, acceptedUntil: null };
  if (current !== null && iat < current.lifecycleIat) {
    if (current.state === 'uninstalled') return current;
    return { ...current, secrets: bounded([...current.secrets, received]) };
  }
  const before = current?.secrets ?? [];
  const isSame = before[0]?.sharedSecret.reveal() === sharedSecret.reveal();
  return {
    ...said,
    state: 'installed',
    enabled: current?.state === 'installed' ? current.enabled : false,
    secrets: isSame ? before : bounded([received, ...before]),
    lifecycleIat: iat,
    enabledIat: current?.enabledIat ?? 0,
    installedAt: current?.state === 'installed' ? current.installedAt : now,
    uninstalledAt: null,
    purgeAfter: null,
  };
}

/** The tenant as it was before an `installed` that the App could not finish; what happened to it meanwhile stays. Pure. */
export function withoutInstall(
  current: TenantRecord,
  before: TenantRecord | null,
  call: InstalledCall,
  { now, keepMs }: { readonly now: number; readonly keepMs: number },
): TenantRecord {
  const knownBefore = before?.secrets.some(({ sharedSecret }) => isSameSecret(sharedSecret, call.sharedSecret)) === true;
  const secrets = current.secrets.filter(
    ({ sharedSecret, confirmedAt }) => knownBefore || confirmedAt !== null || !isSameSecret(sharedSecret, call.sharedSecret),
  );
  // Somebody else's call came after it: that one's fields stand.
  if (current.lifecycleIat !== call.iat || !isSameSecret(current.secrets[0]?.sharedSecret, call.sharedSecret))
    return { ...current, secrets };
  if (before?.state !== 'installed')
    return {
      ...current,
      secrets: [],
      state: 'uninstalled',
      enabled: false,
      uninstalledAt: now,
      purgeAfter: before?.purgeAfter ?? now + keepMs,
    };
  return { ...before, secrets, enabled: current.enabled, enabledIat: current.enabledIat };
}

/** The tenant after a verified `uninstalled`: no token of it counts from now on, its data goes after `keepMs`. Pure. */
export function withUninstall(current: TenantRecord, iat: number, now: number, keepMs: number): TenantRecord {
  if (iat < current.lifecycleIat || current.state === 'uninstalled') return current;
  return { ...current, state: 'uninstalled', enabled: false, secrets: [], lifecycleIat: iat, uninstalledAt: now, purgeAfter: now + keepMs };
}

/** The tenant after a verified `enabled` or `disabled`; the newer of two counts, in whatever order they come. Pure. */
export function withEnabled(current: TenantRecord, enabled: boolean, iat: number): TenantRecord {
  return iat < current.enabledIat || current.state === 'uninstalled' ? current : { ...current, enabled, enabledIat: iat };
}

/** The tenant after a token was signed with this secret: it is the current one, and the others end after `graceMs`. Pure. */
export function withConfirmed(current: TenantRecord, secret: Secret, now: number, graceMs: number): TenantRecord {
  const used = current.secrets.find(({ sharedSecret }) => isSameSecret(sharedSecret, secret));
  if (used === undefined || used.confirmedAt !== null) return current;
  const others = liveSecrets(current, now).filter((one) => one !== used);
  const ending = others.map((one) => ({ ...one, acceptedUntil: Math.min(one.acceptedUntil ?? Infinity, now + graceMs) }));
  return { ...current, secrets: [{ ...used, confirmedAt: now }, ...ending] };
}

/** The secrets that count now, the likeliest first. */
export function liveSecrets({ secrets }: TenantRecord, now: number): readonly TenantSecret[] {
  return secrets.every(({ acceptedUntil }) => acceptedUntil === null)
    ? secrets
    : secrets.filter(({ acceptedUntil }) => acceptedUntil === null || acceptedUntil > now);
}

function isSameSecret(left: Secret | undefined, right: Secret): boolean {
  return left?.reveal() === right.reveal();
}

/** The newest, and the one that is known to be used. */
function bounded(secrets: readonly TenantSecret[]): readonly TenantSecret[] {
  if (secrets.length <= SECRETS_MAX) return secrets;
  const used = secrets.find(({ confirmedAt }, at) => at >= SECRETS_MAX - 1 && confirmedAt !== null);
  return [...secrets.slice(0, SECRETS_MAX - (used === undefined ? 0 : 1)), ...(used === undefined ? [] : [used])];
}
