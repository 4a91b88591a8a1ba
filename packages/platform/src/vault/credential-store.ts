import { type ApplicationId, defineId } from '@bulkhead/base';
import { notify, sql, type Tx } from '@bulkhead/postgres';
import { expiryOf, isRefreshable, type NewCredential, type OpenCredential, readCredential, serialiseCredential } from './credential.ts';
import { defineSealedColumn } from './sealed-column.ts';
import type { Place, Vault } from './vault.ts';

/** Told when a lease ends, however it ends: who waits for it reads again. Payload: `application_id|credential_id`. */
export const CREDENTIALS_CHANNEL = 'bulkhead_credentials';

/** Why a credential is closed that an operator revoked: nothing ends that state. */
export const REVOKED = 'revoked_by_operator';

const credentialIds = defineId('crd');

export interface CredentialKey {
  readonly applicationId: ApplicationId;
  readonly credentialId: string;
}

/** A row as it is stored. Nothing in it is a secret in clear. */
export interface StoredCredential extends CredentialKey {
  readonly service: string;
  readonly version: number;
  readonly sealed: Buffer;
  readonly expiresAt: Date | null;
  readonly refreshable: boolean;
  readonly leaseUntil: Date | null;
  readonly retryAfter: Date | null;
  readonly failureCount: number;
  readonly brokenReason: string | null;
  /** Of the secret: when it was kept. */
  readonly modifiedAt: Date;
}

export interface CredentialRow {
  application_id: ApplicationId;
  credential_id: string;
  service: string;
  version: number;
  sealed: Buffer;
  expires_at: Date | null;
  refreshable: boolean;
  lease_until: Date | null;
  retry_after: Date | null;
  failure_count: number;
  broken_reason: string | null;
  modified_at: Date;
}

export function storedCredential(row: CredentialRow): StoredCredential {
  return {
    applicationId: row.application_id,
    credentialId: row.credential_id,
    service: row.service,
    version: row.version,
    sealed: row.sealed,
    expiresAt: row.expires_at,
    refreshable: row.refreshable,
    leaseUntil: row.lease_until,
    retryAfter: row.retry_after,
    failureCount: row.failure_count,
    brokenReason: row.broken_reason,
    modifiedAt: row.modified_at,
  };
}

export const credentialSecrets = defineSealedColumn({ table: 'credentials', column: 'sealed', key: ['credential_id'], version: 'version' });

function place({ applicationId, credentialId }: CredentialKey, version: number): Place {
  return credentialSecrets.place(applicationId, [credentialId], version);
}

/** Seals and keeps a new credential; answers its id. The transaction must be scoped to `applicationId`. */
export async function storeCredential(
  tx: Tx,
  vault: Vault,
  input: { applicationId: ApplicationId; service: string; tokens: NewCredential; now: Date },
): Promise<string> {
  const { applicationId, service, tokens, now } = input;
  const credentialId = credentialIds.generate();
  const sealed = await vault.seal(tx, place({ applicationId, credentialId }, 1), serialiseCredential(tokens));
  await tx.execute(sql`
    insert into credentials (application_id, credential_id, service, version, sealed, expires_at, refreshable, created_at, modified_at)
    values (${applicationId}, ${credentialId}, ${service}, 1, ${sealed}, ${expiryOf(tokens)}, ${isRefreshable(tokens)}, ${now}, ${now})`);
  return credentialId;
}

/** Statement that reads one row, for `tenantQuery`. */
export function selectCredential({ applicationId, credentialId }: CredentialKey) {
  return sql`
    select application_id, credential_id, service, version, sealed, expires_at, refreshable, lease_until, retry_after, failure_count, broken_reason, modified_at
      from credentials where application_id = ${applicationId} and credential_id = ${credentialId}`;
}

export async function findCredential(tx: Tx, key: CredentialKey): Promise<StoredCredential | null> {
  const row = await tx.maybe<CredentialRow>(selectCredential(key));
  return row === null ? null : storedCredential(row);
}

export async function openCredential(tx: Tx, vault: Vault, stored: StoredCredential): Promise<OpenCredential> {
  return readCredential(await vault.open(tx, place(stored, stored.version), stored.sealed));
}

/**
 * Replaces the secret if nobody has since `version` was read (compare-and-swap); ends the lease, the back-off and the broken
 * state, but for one of an operator (`markRevoked`). False where somebody was quicker or the credential is gone.
 */
export async function replaceCredential(
  tx: Tx,
  vault: Vault,
  key: CredentialKey,
  change: { version: number; tokens: NewCredential; now: Date },
): Promise<boolean> {
  const { version, tokens, now } = change;
  const sealed = await vault.seal(tx, place(key, version + 1), serialiseCredential(tokens));
  const changed = await tx.execute(sql`
    update credentials set version = version + 1, sealed = ${sealed}, expires_at = ${expiryOf(tokens)}, refreshable = ${isRefreshable(tokens)},
           lease_owner = null, lease_until = null, retry_after = null, failure_count = 0, modified_at = ${now},
           broken_reason = case when broken_reason = ${REVOKED} then broken_reason end
     where application_id = ${key.applicationId} and credential_id = ${key.credentialId} and version = ${version}`);
  if (changed === 1) await tellWaiters(tx, key);
  return changed === 1;
}

/** Takes the lease if it is free and `version` is still the newest. Answers its fencing number, else null. */
export async function takeLease(
  tx: Tx,
  key: CredentialKey,
  lease: { version: number; owner: string; until: Date; now: Date },
): Promise<number | null> {
  const row = await tx.maybe<{ lease_fence: number }>(sql`
    update credentials set lease_owner = ${lease.owner}, lease_fence = lease_fence + 1, lease_until = ${lease.until}
     where application_id = ${key.applicationId} and credential_id = ${key.credentialId} and version = ${lease.version}
       and (lease_until is null or lease_until <= ${lease.now}) and (retry_after is null or retry_after <= ${lease.now}) and broken_reason is null
    returning lease_fence`);
  return row?.lease_fence ?? null;
}

/** Gives the lease back with a time before which nobody tries again. Nothing happens, and false comes back, if another has taken it over. */
export async function backOff(tx: Tx, key: CredentialKey, lease: { fence: number; retryAfter: Date }): Promise<boolean> {
  const changed = await tx.execute(sql`
    update credentials set lease_owner = null, lease_until = null, retry_after = ${lease.retryAfter}, failure_count = failure_count + 1
     where application_id = ${key.applicationId} and credential_id = ${key.credentialId} and lease_fence = ${lease.fence}`);
  if (changed === 1) await tellWaiters(tx, key);
  return changed === 1;
}

/**
 * Records that the credential opens nothing any more, if it is still the one that was tried and the lease still ours: whoever
 * took it over may hold the new one. True if this call recorded it.
 */
export async function markBroken(
  tx: Tx,
  key: CredentialKey,
  change: { version: number; fence: number; reason: string; now: Date },
): Promise<boolean> {
  const changed = await tx.execute(sql`
    update credentials set broken_reason = ${change.reason}, lease_owner = null, lease_until = null, retry_after = null, modified_at = ${change.now}
     where application_id = ${key.applicationId} and credential_id = ${key.credentialId} and version = ${change.version} and lease_fence = ${change.fence} and broken_reason is null`);
  if (changed === 1) await tellWaiters(tx, key);
  return changed === 1;
}

/**
 * Closes credentials for good: nobody uses or refreshes them from here on. The sealed value stays for whoever tells the upstream, and
 * the version with it, so that the answer of a refresh under way is still kept: those are the tokens that must be revoked.
 */
export async function markRevoked(tx: Tx, applicationId: ApplicationId, credentialIds: readonly string[], now: Date): Promise<void> {
  await tx.execute(sql`
    update credentials set broken_reason = ${REVOKED}, modified_at = ${now}
     where application_id = ${applicationId} and credential_id = any(${credentialIds}::text[])`);
  await tx.execute(sql`
    select pg_notify(${CREDENTIALS_CHANNEL}, ${`${applicationId}|`} || credential_id) from unnest(${credentialIds}::text[]) as revoked (credential_id)`);
}

/** Forgets the credential. Nothing may refer to it any more. */
export async function deleteCredential(tx: Tx, key: CredentialKey): Promise<void> {
  await tx.execute(sql`delete from credentials where application_id = ${key.applicationId} and credential_id = ${key.credentialId}`);
  await tellWaiters(tx, key);
}

export function waiterKey({ applicationId, credentialId }: CredentialKey): string {
  return `${applicationId}|${credentialId}`;
}

async function tellWaiters(tx: Tx, key: CredentialKey): Promise<void> {
  await notify(tx, CREDENTIALS_CHANNEL, waiterKey(key));
}
