import { Secret } from '@bulkhead/base';
import { sql } from '@bulkhead/postgres';
import type { InstallTx } from '../installs/index.ts';
import { defineSealedColumn, type Vault } from '../vault/index.ts';

export const STORAGE_VALUES_MAX = 10_000;

export const storageValues = defineSealedColumn({
  table: 'function_storage',
  column: 'value_sealed',
  key: ['client_key', 'environment', 'storage_key'],
});

/** The JSON text under a key; null where there is none. */
export async function findValue(tx: InstallTx, vault: Vault, environment: string, key: string): Promise<string | null> {
  const row = await tx.maybe<{ value_sealed: Buffer }>(sql`
    select value_sealed from function_storage
     where application_id = ${tx.applicationId} and client_key = ${tx.clientKey} and environment = ${environment} and storage_key = ${key}`);
  if (row === null) return null;
  return (await vault.open(tx, storageValues.place(tx.applicationId, [tx.clientKey, environment, key]), row.value_sealed)).reveal();
}

/** Puts a JSON text. `full`: there are as many as there may be, and this would be one more. */
export async function putValue(
  tx: InstallTx,
  vault: Vault,
  { environment, key, json, now }: { environment: string; key: string; json: string; now: Date },
): Promise<'put' | 'full'> {
  const { applicationId, clientKey } = tx;
  const sealed = await vault.seal(tx, storageValues.place(applicationId, [clientKey, environment, key]), new Secret(json));
  const update = sql`
    update function_storage set value_sealed = ${sealed}, modified_at = ${now}
     where application_id = ${applicationId} and client_key = ${clientKey} and environment = ${environment} and storage_key = ${key}`;
  if ((await tx.execute(update)) === 1) return 'put';
  // One writer of new keys at a time, so that two cannot both take the last place.
  await tx.execute(sql`
    select 1 from app_installs where application_id = ${applicationId} and client_key = ${clientKey} for no key update`);
  const { held } = await tx.one<{ held: number }>(sql`
    select count(*) as held from function_storage
     where application_id = ${applicationId} and client_key = ${clientKey} and environment = ${environment}`);
  if (Number(held) >= STORAGE_VALUES_MAX) return 'full';
  await tx.execute(sql`
    insert into function_storage (application_id, client_key, environment, storage_key, value_sealed, created_at, modified_at)
    values (${applicationId}, ${clientKey}, ${environment}, ${key}, ${sealed}, ${now}, ${now})
    on conflict (application_id, client_key, environment, storage_key) do update
       set value_sealed = excluded.value_sealed, modified_at = excluded.modified_at`);
  return 'put';
}

export async function deleteValue(tx: InstallTx, environment: string, key: string): Promise<boolean> {
  const deleted = await tx.execute(sql`
    delete from function_storage
     where application_id = ${tx.applicationId} and client_key = ${tx.clientKey} and environment = ${environment} and storage_key = ${key}`);
  return deleted === 1;
}

/** Keys that begin with `prefix` and come after `after`, in the order of their bytes. */
export async function listKeys(
  tx: InstallTx,
  { environment, prefix, after, limit }: { environment: string; prefix: string; after: string; limit: number },
): Promise<string[]> {
  const rows = await tx.query<{ storage_key: string }>(sql`
    select storage_key from function_storage
     where application_id = ${tx.applicationId} and client_key = ${tx.clientKey} and environment = ${environment}
       and starts_with(storage_key, ${prefix}) and storage_key collate "C" > ${after}
     order by storage_key collate "C" limit ${limit}`);
  return rows.map((row) => row.storage_key);
}
