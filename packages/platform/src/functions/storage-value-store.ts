import { Secret } from '@bulkhead/base';
import { type Sql, sql } from '@bulkhead/postgres';
import type { Stretch, StorageRecord } from '@bulkhead/protocol';
import type { InstallTx } from '../installs/index.ts';
import { defineSealedColumn, type Vault } from '../vault/index.ts';
import type { Store } from './storage-store.ts';

export const storageValues = defineSealedColumn({
  table: 'function_values',
  column: 'value_sealed',
  key: ['client_key', 'store_id', 'collection', 'value_key'],
});

export interface ValuePlace {
  readonly collection: string;
  readonly key: string;
}

/** A value without what is in it. */
export interface ValueHead extends ValuePlace {
  readonly version: number;
  readonly bytes: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly expiresAt: Date | null;
}

interface ValueRow {
  collection: string;
  value_key: string;
  version: number;
  value_bytes: number;
  value_sealed: Buffer;
  created_at: Date;
  modified_at: Date;
  expires_at: Date | null;
}

const heads = sql.raw('v.collection, v.value_key, v.version, v.value_bytes, v.created_at, v.modified_at, v.expires_at');

function head(row: Omit<ValueRow, 'value_sealed'>): ValueHead {
  return {
    collection: row.collection,
    key: row.value_key,
    version: Number(row.version),
    bytes: row.value_bytes,
    createdAt: row.created_at,
    updatedAt: row.modified_at,
    expiresAt: row.expires_at,
  };
}

function ofStore(tx: InstallTx, { storeId }: Pick<Store, 'storeId'>): Sql {
  return sql`v.application_id = ${tx.applicationId} and v.client_key = ${tx.clientKey} and v.store_id = ${storeId}`;
}

const alive = (now: Date): Sql => sql`(v.expires_at is null or v.expires_at > ${now})`;

async function opened(tx: InstallTx, vault: Vault, { storeId }: Pick<Store, 'storeId'>, row: ValueRow): Promise<StorageRecord> {
  const place = storageValues.place(tx.applicationId, [tx.clientKey, storeId, row.collection, row.value_key]);
  const value = JSON.parse((await vault.open(tx, place, row.value_sealed)).reveal()) as unknown;
  return recordOf(head(row), value);
}

export function recordOf({ key, version, createdAt, updatedAt, expiresAt }: ValueHead, value: unknown): StorageRecord {
  return {
    key,
    value,
    version,
    created: createdAt.getTime(),
    updated: updatedAt.getTime(),
    expires: expiresAt?.getTime() ?? null,
  };
}

/** What of these places there is and has not ended, by place. Opened where `isOpened` says so. */
export async function findValues(
  tx: InstallTx,
  vault: Vault,
  store: Pick<Store, 'storeId'>,
  places: readonly ValuePlace[],
  now: Date,
): Promise<ReadonlyMap<string, { readonly head: ValueHead; readonly open: () => Promise<StorageRecord> }>> {
  const rows = await tx.query<ValueRow>(sql`
    select ${heads}, v.value_sealed from function_values v
      join unnest(${places.map(({ collection }) => collection)}::text[], ${places.map(({ key }) => key)}::text[]) as asked (collection, value_key)
        on v.collection = asked.collection and v.value_key = asked.value_key
     where ${ofStore(tx, store)} and ${alive(now)}`);
  return new Map(
    rows.map((row) => [
      placeText({ collection: row.collection, key: row.value_key }),
      { head: head(row), open: () => opened(tx, vault, store, row) },
    ]),
  );
}

export function placeText({ collection, key }: ValuePlace): string {
  return `${collection}\0${key}`;
}

/** Puts a value. `before`: the row, ended or not, is replaced whole. Answers its head. */
export async function putValue(
  tx: InstallTx,
  vault: Vault,
  store: Pick<Store, 'storeId'>,
  { json, ...put }: ValueHead & { json: string },
): Promise<void> {
  const { collection, key } = put;
  const place = storageValues.place(tx.applicationId, [tx.clientKey, store.storeId, collection, key]);
  const sealed = await vault.seal(tx, place, new Secret(json));
  await tx.execute(sql`
    insert into function_values (application_id, client_key, store_id, collection, value_key, version, value_bytes, value_sealed,
                                 created_at, modified_at, expires_at)
    values (${tx.applicationId}, ${tx.clientKey}, ${store.storeId}, ${collection}, ${key}, ${put.version}, ${put.bytes}, ${sealed},
            ${put.createdAt}, ${put.updatedAt}, ${put.expiresAt})
    on conflict (application_id, client_key, store_id, collection, value_key) do update
       set version = excluded.version, value_bytes = excluded.value_bytes, value_sealed = excluded.value_sealed,
           created_at = excluded.created_at, modified_at = excluded.modified_at, expires_at = excluded.expires_at`);
}

/** Bytes of what lies at these places, ended or not, by place: what a change of them gives back. */
export async function heldBytes(
  tx: InstallTx,
  store: Pick<Store, 'storeId'>,
  places: readonly ValuePlace[],
): Promise<ReadonlyMap<string, number>> {
  const rows = await tx.query<Pick<ValueRow, 'collection' | 'value_key' | 'value_bytes'>>(sql`
    select v.collection, v.value_key, v.value_bytes from function_values v
      join unnest(${places.map(({ collection }) => collection)}::text[], ${places.map(({ key }) => key)}::text[]) as asked (collection, value_key)
        on v.collection = asked.collection and v.value_key = asked.value_key
     where ${ofStore(tx, store)}`);
  return new Map(rows.map((row) => [placeText({ collection: row.collection, key: row.value_key }), row.value_bytes]));
}

export async function deleteValue(tx: InstallTx, store: Pick<Store, 'storeId'>, { collection, key }: ValuePlace): Promise<void> {
  await tx.execute(
    sql`delete from function_values v where ${ofStore(tx, store)} and v.collection = ${collection} and v.value_key = ${key}`,
  );
}

/** Deletes what has ended in a locked store; answers what that gives back. */
export async function deleteEnded(tx: InstallTx, store: Pick<Store, 'storeId'>, now: Date): Promise<{ count: number; bytes: number }> {
  const rows = await tx.query<Pick<ValueRow, 'value_bytes'>>(sql`
    delete from function_values v where ${ofStore(tx, store)} and v.expires_at <= ${now} returning v.value_bytes`);
  return { count: rows.length, bytes: rows.reduce((sum, row) => sum + row.value_bytes, 0) };
}

export interface KeyStretch {
  readonly collection: string;
  readonly stretch: Stretch<string>;
  readonly isDescending: boolean;
  readonly after: string | null;
  readonly limit: number;
}

/** Heads of a collection in the order of their keys. */
export async function listHeads(
  tx: InstallTx,
  store: Pick<Store, 'storeId'>,
  { collection, stretch: { from, to }, isDescending, after, limit }: KeyStretch,
  now: Date,
): Promise<ValueHead[]> {
  const rows = await tx.query<ValueRow>(sql`
    select ${heads} from function_values v
     where ${ofStore(tx, store)} and v.collection = ${collection} and ${alive(now)}
       and ${from === null ? sql`true` : from.isIn ? sql`v.value_key >= ${from.at}` : sql`v.value_key > ${from.at}`}
       and ${to === null ? sql`true` : to.isIn ? sql`v.value_key <= ${to.at}` : sql`v.value_key < ${to.at}`}
       and ${after === null ? sql`true` : isDescending ? sql`v.value_key < ${after}` : sql`v.value_key > ${after}`}
     order by v.value_key ${isDescending ? sql`desc` : sql`asc`} limit ${limit}`);
  return rows.map(head);
}

/** The values of heads that were listed, in their order; what has gone since is left out. */
export async function openHeads(
  tx: InstallTx,
  vault: Vault,
  store: Pick<Store, 'storeId'>,
  listed: readonly ValueHead[],
  now: Date,
): Promise<StorageRecord[]> {
  const found = await findValues(tx, vault, store, listed, now);
  const records: StorageRecord[] = [];
  for (const each of listed) {
    const value = found.get(placeText(each));
    if (value !== undefined) records.push(await value.open());
  }
  return records;
}

/** Heads of whatever collection in the order of their places, for an export. */
export async function listAllHeads(
  tx: InstallTx,
  store: Pick<Store, 'storeId'>,
  { after, limit }: { after: ValuePlace | null; limit: number },
  now: Date,
): Promise<ValueHead[]> {
  const rows = await tx.query<ValueRow>(sql`
    select ${heads} from function_values v
     where ${ofStore(tx, store)} and ${alive(now)}
       and ${after === null ? sql`true` : sql`(v.collection, v.value_key) > (${after.collection}, ${after.key})`}
     order by v.collection, v.value_key limit ${limit}`);
  return rows.map(head);
}
