import { type Database, sql, type Tx } from '@bulkhead/postgres';
import { STORES_KEPT_MS } from './storage-store.ts';

/** Of one install and environment, beside the one in use: whoever uninstalls again and again fills nothing. */
const STORES_KEPT_MAX = 5;
const BATCH = 1_000;
const STORES_BATCH = 50;

interface StoreKey {
  readonly application_id: string;
  readonly client_key: string;
  readonly store_id: string;
}

/** Deletes what was kept 28 days without being put back, or that five newer ones follow; and values that have ended. */
export async function forgetStorage(db: Database, now: Date): Promise<void> {
  const asSystem = <T>(why: string, work: (tx: Tx) => Promise<T>): Promise<T> => db.withSystem(why, work);
  for (const key of await asSystem('find stores of functions that are over', (tx) => findOver(tx, now))) {
    const values = () => asSystem('forget stores of functions', (tx) => deleteOver(tx, key));
    while ((await values()) === BATCH);
  }
  for (let seen = STORES_BATCH; seen === STORES_BATCH; ) {
    const stores = await asSystem('find values of functions that have ended', (tx) => findEnded(tx, now));
    seen = stores.length;
    let deleted = 0;
    for (const key of stores)
      deleted += await asSystem('forget values of functions that have ended', (tx) => deleteSomeEnded(tx, key, now));
    // All of them are being written to at this moment: they come next time.
    if (deleted === 0) return;
  }
}

async function findOver(tx: Tx, now: Date): Promise<StoreKey[]> {
  return tx.query<StoreKey>(sql`
    select application_id, client_key, store_id from (
      select application_id, client_key, store_id, kept_since,
             row_number() over (partition by application_id, client_key, environment, value_count > 0 order by kept_since desc, store_id) as place,
             value_count
        from function_stores where kept_since is not null) kept
     where value_count = 0 or kept_since <= ${new Date(now.getTime() - STORES_KEPT_MS)} or place > ${STORES_KEPT_MAX}
     limit ${BATCH}`);
}

/** Some of the values of a store that is still out of use; with the last of them the store. */
async function deleteOver(tx: Tx, { application_id, client_key, store_id }: StoreKey): Promise<number> {
  const which = sql`application_id = ${application_id} and client_key = ${client_key} and store_id = ${store_id}`;
  const held = await tx.maybe(sql`select 1 from function_stores where ${which} and kept_since is not null for update skip locked`);
  if (held === null) return 0;
  const deleted = await tx.execute(sql`
    delete from function_values where ctid = any(array(select ctid from function_values where ${which} limit ${BATCH}))`);
  if (deleted < BATCH) await tx.execute(sql`delete from function_stores where ${which}`);
  return deleted;
}

async function findEnded(tx: Tx, now: Date): Promise<StoreKey[]> {
  return tx.query<StoreKey>(sql`
    select application_id, client_key, store_id from (
      select application_id, client_key, store_id from function_values where expires_at <= ${now} order by expires_at limit 10000) ended
     group by 1, 2, 3 limit ${STORES_BATCH}`);
}

/** Under the lock of the store, as every change of what it counts; none where somebody writes to it. */
async function deleteSomeEnded(tx: Tx, { application_id, client_key, store_id }: StoreKey, now: Date): Promise<number> {
  const which = sql`application_id = ${application_id} and client_key = ${client_key} and store_id = ${store_id}`;
  const held = await tx.maybe(sql`select 1 from function_stores where ${which} for update skip locked`);
  if (held === null) return 0;
  const gone = await tx.query<{ value_bytes: number }>(sql`
    delete from function_values where ctid = any(array(
      select ctid from function_values where ${which} and expires_at <= ${now} limit ${BATCH})) returning value_bytes`);
  const bytes = gone.reduce((sum, row) => sum + row.value_bytes, 0);
  await tx.execute(sql`
    update function_stores set value_count = value_count - ${gone.length}::int, value_bytes = value_bytes - ${bytes}::bigint where ${which}`);
  return gone.length;
}
