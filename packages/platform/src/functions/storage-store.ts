import { randomBytes } from 'node:crypto';
import { defineId, Secret } from '@bulkhead/base';
import { httpErrors } from '@bulkhead/http';
import { sql, type TenantTx } from '@bulkhead/postgres';
import type { InstallTx } from '../installs/index.ts';
import { defineSealedColumn, type Vault } from '../vault/index.ts';

/** How long a store is kept that is not in use. */
export const STORES_KEPT_MS = 28 * 24 * 60 * 60_000;

const storeIds = defineId('fst');
const DIGEST_KEY_BYTES = 32;

export const storageDigestKeys = defineSealedColumn({
  table: 'function_stores',
  column: 'digest_key_sealed',
  key: ['client_key', 'store_id'],
});

/** A store that is in use, in a transaction that sees its install. */
export interface Store {
  readonly storeId: string;
  readonly valueCount: number;
  readonly valueBytes: number;
  readonly lastVersion: number;
  readonly digestKeySealed: Buffer;
}

interface StoreRow {
  store_id: string;
  environment: string;
  value_count: number;
  value_bytes: number;
  last_version: number;
  digest_key_sealed: Buffer;
  created_at: Date;
  kept_since: Date | null;
}

function store(row: Pick<StoreRow, 'store_id' | 'value_count' | 'value_bytes' | 'last_version' | 'digest_key_sealed'>): Store {
  return {
    storeId: row.store_id,
    valueCount: row.value_count,
    valueBytes: Number(row.value_bytes),
    lastVersion: Number(row.last_version),
    digestKeySealed: row.digest_key_sealed,
  };
}

const columns = sql.raw('store_id, value_count, value_bytes, last_version, digest_key_sealed');

/** The store that is in use; null: nothing was ever kept. */
export async function findStore(tx: InstallTx, environment: string): Promise<Store | null> {
  const row = await tx.maybe<StoreRow>(sql`
    select ${columns} from function_stores
     where application_id = ${tx.applicationId} and client_key = ${tx.clientKey} and environment = ${environment} and kept_since is null`);
  return row === null ? null : store(row);
}

/**
 * The store that is in use, for this transaction alone until it ends: writers of one install and environment take turns, so conditions and
 * limits hold. Null: there is none.
 */
export async function lockStore(tx: InstallTx, environment: string): Promise<Store | null> {
  const row = await tx.maybe<StoreRow>(sql`
    select ${columns} from function_stores
     where application_id = ${tx.applicationId} and client_key = ${tx.clientKey} and environment = ${environment} and kept_since is null
       for update`);
  return row === null ? null : store(row);
}

/** The same, made where there is none. Throws `not_found` where the App has been uninstalled meanwhile. */
export async function lockOrMakeStore(tx: InstallTx, vault: Vault, environment: string, now: Date): Promise<Store> {
  const locked = await lockStore(tx, environment);
  if (locked !== null) return locked;
  await insertStore(tx, vault, environment, now);
  const made = await lockStore(tx, environment);
  if (made === null) throw httpErrors('not_found');
  return made;
}

async function insertStore(tx: InstallTx, vault: Vault, environment: string, now: Date): Promise<void> {
  const { applicationId, clientKey } = tx;
  const storeId = storeIds.generate();
  const digestKey = new Secret(randomBytes(DIGEST_KEY_BYTES).toString('base64'));
  const sealed = await vault.seal(tx, storageDigestKeys.place(applicationId, [clientKey, storeId]), digestKey);
  // An uninstall that is under way is waited for: what begins after it would be the next install's.
  await tx.execute(sql`
    insert into function_stores (application_id, client_key, store_id, environment, digest_key_sealed, created_at)
    select i.application_id, i.client_key, ${storeId}, ${environment}, ${sealed}, ${now}
      from (select application_id, client_key from app_installs
             where application_id = ${applicationId} and client_key = ${clientKey} and status <> 'uninstalled' for share) i
    on conflict (application_id, client_key, environment) where kept_since is null do nothing`);
}

/** Adds to what a locked store holds. */
export async function addUsage(
  tx: InstallTx,
  { storeId }: Pick<Store, 'storeId'>,
  { count, bytes, lastVersion }: { count: number; bytes: number; lastVersion: number },
): Promise<void> {
  await tx.execute(sql`
    update function_stores set value_count = value_count + ${count}::int, value_bytes = value_bytes + ${bytes}::bigint, last_version = ${lastVersion}
     where application_id = ${tx.applicationId} and client_key = ${tx.clientKey} and store_id = ${storeId}`);
}

export interface StoreUsage {
  readonly storeId: string;
  readonly environment: string;
  readonly valueCount: number;
  readonly valueBytes: number;
  readonly createdAt: Date;
  readonly keptSince: Date | null;
}

/** Stores of an install, those in use first, then those that are kept, hold something and are not yet over. */
export async function listStores(tx: InstallTx, now: Date): Promise<StoreUsage[]> {
  const rows = await tx.query<StoreRow>(sql`
    select store_id, environment, value_count, value_bytes, created_at, kept_since from function_stores
     where application_id = ${tx.applicationId} and client_key = ${tx.clientKey}
       and (kept_since is null or (kept_since > ${new Date(now.getTime() - STORES_KEPT_MS)} and value_count > 0))
     order by kept_since desc nulls first, environment, store_id limit 1000`);
  return rows.map((row) => ({
    storeId: row.store_id,
    environment: row.environment,
    valueCount: row.value_count,
    valueBytes: Number(row.value_bytes),
    createdAt: row.created_at,
    keptSince: row.kept_since,
  }));
}

/**
 * Puts a store that is kept into use. One that is in use is kept from now on, unless it is empty: then it goes. For a transaction that holds the
 * row of the install.
 */
export async function swapStores(
  tx: InstallTx,
  { storeId, environment, now }: { storeId: string; environment: string; now: Date },
): Promise<void> {
  const mine = sql`application_id = ${tx.applicationId} and client_key = ${tx.clientKey}`;
  const inUse = sql`${mine} and environment = ${environment} and kept_since is null`;
  await tx.execute(sql`delete from function_stores where ${inUse} and value_count = 0`);
  await tx.execute(sql`update function_stores set kept_since = ${now} where ${inUse}`);
  await tx.execute(sql`update function_stores set kept_since = null where ${mine} and store_id = ${storeId}`);
}

/** Holds the row of the install until the transaction ends: no uninstall, no first write, no other swap meanwhile. */
export async function holdInstall(tx: TenantTx, clientKey: string): Promise<void> {
  await tx.execute(sql`
    select 1 from app_installs where application_id = ${tx.applicationId} and client_key = ${clientKey} for update`);
}
