import { createHash, createHmac } from 'node:crypto';
import { type JsonValue, sql } from '@bulkhead/postgres';
import {
  type AttributeType,
  collectionOf,
  type Entity,
  type EntityIndex,
  EVERYTHING,
  indexBytes,
  isOfType,
  type Scalar,
  STORAGE_LIMITS,
  type Stretch,
} from '@bulkhead/protocol';
import type { InstallTx } from '../installs/index.ts';
import type { Vault } from '../vault/index.ts';
import { type Store, storageDigestKeys } from './storage-store.ts';
import { listHeads, openHeads, type ValueHead } from './storage-value-store.ts';

/** Built per entity: those of the manifest, and of versions before, whose calls may still run. The oldest beyond it go. */
const INDEXES_KEPT = 14;
const BUILD_BATCH = 100;

/** An index by what it is over: of one name, two versions of the code may declare two. */
export interface BuiltIndex {
  readonly indexId: string;
  readonly partition: readonly string[];
  readonly range: string | null;
  readonly types: Readonly<Record<string, AttributeType>>;
}

/** Where a value lies in an index. */
interface Entry {
  readonly indexId: string;
  readonly partitionDigest: Buffer;
  readonly rangeBytes: Buffer;
}

function definitionOf(entity: Entity, { partition, range }: EntityIndex): BuiltIndex {
  const of = range === null ? partition : [...partition, range];
  const types = Object.fromEntries(of.map((name) => [name, entity.attributes.get(name) ?? 'any']));
  const digest = createHash('sha256')
    .update(JSON.stringify([entity.name, partition, range, of.map((name) => types[name])]))
    .digest('base64url');
  return { indexId: `fix${digest.slice(0, 22)}`, partition, range, types };
}

/** Opens the key under which a store's partitions are digests. */
export async function openDigestKey(tx: InstallTx, vault: Vault, store: Store): Promise<Buffer> {
  const place = storageDigestKeys.place(tx.applicationId, [tx.clientKey, store.storeId]);
  return Buffer.from((await vault.open(tx, place, store.digestKeySealed)).reveal(), 'base64');
}

export function partitionDigest(digestKey: Buffer, indexId: string, values: readonly Scalar[]): Buffer {
  // The same number however it was written.
  return createHmac('sha256', digestKey)
    .update(`${indexId}\0${JSON.stringify(values)}`)
    .digest();
}

/** Null: it has not all attributes that the index is over, or one of another type, as values of an earlier version may. */
function entryOf(digestKey: Buffer, { indexId, partition, range, types }: BuiltIndex, value: unknown): Entry | null {
  const attributes = value as Readonly<Record<string, unknown>>;
  const held = (name: string): Scalar | null => {
    const found = Object.hasOwn(attributes, name) ? attributes[name] : undefined;
    return found !== undefined && found !== null && isOfType(types[name]!, found) ? (found as Scalar) : null;
  };
  const values = partition.map(held);
  const rangeValue = range === null ? '' : held(range);
  if (rangeValue === null || values.includes(null)) return null;
  const rangeBytes = indexBytes(rangeValue);
  if (rangeBytes.length > STORAGE_LIMITS.rangeBytes || Buffer.byteLength(JSON.stringify(values)) > STORAGE_LIMITS.partitionBytes)
    return null;
  return { indexId, partitionDigest: partitionDigest(digestKey, indexId, values as Scalar[]), rangeBytes };
}

/** Of an entity, what is built in a store. */
async function listBuilt(tx: InstallTx, { storeId }: Store, collection: string): Promise<BuiltIndex[]> {
  const rows = await tx.query<{ index_id: string; definition: Omit<BuiltIndex, 'indexId'> }>(sql`
    select index_id, definition from function_indexes
     where application_id = ${tx.applicationId} and client_key = ${tx.clientKey} and store_id = ${storeId} and collection = ${collection}
     order by created_at, index_id`);
  return rows.map(({ index_id: indexId, definition }) => ({ indexId, ...definition }));
}

/** Whether an index is built. */
export async function findBuilt(
  tx: InstallTx,
  store: Store,
  entity: Entity,
  index: EntityIndex,
): Promise<{ indexId: string; isBuilt: boolean }> {
  const { indexId } = definitionOf(entity, index);
  const built = await listBuilt(tx, store, collectionOf({ entity: entity.name }));
  return { indexId, isBuilt: built.some((each) => each.indexId === indexId) };
}

/**
 * Builds what the manifest declares of an entity and the store has not yet, from the values that are there; answers all that is built. For a
 * locked store. It reads each value of the entity once, and only with the first call after the declaration has changed.
 */
export async function buildIndexes(tx: InstallTx, vault: Vault, store: Store, entity: Entity, now: Date): Promise<BuiltIndex[]> {
  const collection = collectionOf({ entity: entity.name });
  const built = await listBuilt(tx, store, collection);
  const declared = entity.indexes.map((index) => definitionOf(entity, index));
  const missing = declared.filter(({ indexId }, at) => [...built, ...declared.slice(0, at)].every((each) => each.indexId !== indexId));
  if (missing.length === 0) return built;
  const which = sql`application_id = ${tx.applicationId} and client_key = ${tx.clientKey} and store_id = ${store.storeId}`;
  const old = built.filter(({ indexId }) => declared.every((each) => each.indexId !== indexId));
  const over = old.slice(0, Math.max(0, built.length + missing.length - INDEXES_KEPT)).map(({ indexId }) => indexId);
  if (over.length > 0) await tx.execute(sql`delete from function_indexes where ${which} and index_id = any(${over})`);
  for (const { indexId, ...definition } of missing)
    await tx.execute(sql`
      insert into function_indexes (application_id, client_key, store_id, index_id, collection, definition, created_at)
      values (${tx.applicationId}, ${tx.clientKey}, ${store.storeId}, ${indexId}, ${collection}, ${sql.json(definition as JsonValue)}, ${now})`);
  const digestKey = await openDigestKey(tx, vault, store);
  for (let after: string | null = null; ; ) {
    const heads: ValueHead[] = await listHeads(
      tx,
      store,
      { collection, stretch: EVERYTHING, isDescending: false, after, limit: BUILD_BATCH },
      now,
    );
    for (const chunk of chunksOf(heads)) {
      const records = await openHeads(tx, vault, store, chunk, now);
      for (const { key, value } of records) await insertEntries(tx, store, { collection, key }, entriesOf(digestKey, missing, value));
    }
    if (heads.length < BUILD_BATCH) return [...built.filter(({ indexId }) => !over.includes(indexId)), ...missing];
    after = heads.at(-1)!.key;
  }
}

const CHUNK_BYTES = 1024 * 1024;

/** What is opened at once: about a mebibyte of values. */
export function chunksOf<Head extends Pick<ValueHead, 'bytes'>>(heads: readonly Head[]): Head[][] {
  const chunks: Head[][] = [];
  let bytes = Infinity;
  for (const each of heads) {
    if (bytes + each.bytes > CHUNK_BYTES) {
      chunks.push([]);
      bytes = 0;
    }
    chunks.at(-1)!.push(each);
    bytes += each.bytes;
  }
  return chunks;
}

function entriesOf(digestKey: Buffer, indexes: readonly BuiltIndex[], value: unknown): Entry[] {
  return indexes.map((index) => entryOf(digestKey, index, value)).filter((entry) => entry !== null);
}

async function insertEntries(
  tx: InstallTx,
  { storeId }: Store,
  { collection, key }: { collection: string; key: string },
  entries: readonly Entry[],
): Promise<void> {
  for (const { indexId, partitionDigest: digest, rangeBytes } of entries)
    await tx.execute(sql`
      insert into function_index_entries (application_id, client_key, store_id, index_id, partition_digest, range_bytes, collection, value_key)
      values (${tx.applicationId}, ${tx.clientKey}, ${storeId}, ${indexId}, ${digest}, ${rangeBytes}, ${collection}, ${key})`);
}

/** Puts the entries of a value of an entity in the place of those that it had. For a locked store, after the value. */
export async function putEntries(
  tx: InstallTx,
  vault: Vault,
  store: Store,
  { entity, key, value, now }: { entity: Entity; key: string; value: unknown; now: Date },
): Promise<void> {
  const collection = collectionOf({ entity: entity.name });
  await tx.execute(sql`
    delete from function_index_entries
     where application_id = ${tx.applicationId} and client_key = ${tx.clientKey} and store_id = ${store.storeId}
       and collection = ${collection} and value_key = ${key}`);
  const built = await listBuilt(tx, store, collection);
  if (built.length === 0 && entity.indexes.length === 0) return;
  const isMissing = entity.indexes.some((index) => built.every(({ indexId }) => indexId !== definitionOf(entity, index).indexId));
  const left = isMissing ? await buildIndexes(tx, vault, store, entity, now) : built;
  // A build has found this value, too; only what was built before it still lacks it.
  const before = built.filter(({ indexId }) => left.some((each) => each.indexId === indexId));
  await insertEntries(tx, store, { collection, key }, entriesOf(await openDigestKey(tx, vault, store), before, value));
}

export interface EntryStretch {
  readonly indexId: string;
  readonly partitionDigest: Buffer;
  readonly stretch: Stretch<Buffer>;
  readonly isDescending: boolean;
  readonly after: { readonly rangeBytes: Buffer; readonly key: string } | null;
  readonly limit: number;
}

/** Heads of an entity in the order of an index, each with where it lies. */
export async function listEntries(
  tx: InstallTx,
  { storeId }: Store,
  { indexId, partitionDigest: digest, stretch: { from, to }, isDescending, after, limit }: EntryStretch,
  now: Date,
): Promise<(ValueHead & { readonly rangeBytes: Buffer })[]> {
  const direction = isDescending ? sql`desc` : sql`asc`;
  const rows = await tx.query<{
    collection: string;
    value_key: string;
    range_bytes: Buffer;
    version: number;
    value_bytes: number;
    created_at: Date;
    modified_at: Date;
    expires_at: Date | null;
  }>(sql`
    select e.collection, e.value_key, e.range_bytes, v.version, v.value_bytes, v.created_at, v.modified_at, v.expires_at
      from function_index_entries e
      join function_values v on v.application_id = e.application_id and v.client_key = e.client_key and v.store_id = e.store_id
           and v.collection = e.collection and v.value_key = e.value_key
     where e.application_id = ${tx.applicationId} and e.client_key = ${tx.clientKey} and e.store_id = ${storeId}
       and e.index_id = ${indexId} and e.partition_digest = ${digest} and (v.expires_at is null or v.expires_at > ${now})
       and ${from === null ? sql`true` : from.isIn ? sql`e.range_bytes >= ${from.at}` : sql`e.range_bytes > ${from.at}`}
       and ${to === null ? sql`true` : to.isIn ? sql`e.range_bytes <= ${to.at}` : sql`e.range_bytes < ${to.at}`}
       and ${
         after === null
           ? sql`true`
           : isDescending
             ? sql`(e.range_bytes, e.value_key) < (${after.rangeBytes}, ${after.key})`
             : sql`(e.range_bytes, e.value_key) > (${after.rangeBytes}, ${after.key})`
       }
     order by e.range_bytes ${direction}, e.value_key ${direction} limit ${limit}`);
  return rows.map((row) => ({
    collection: row.collection,
    key: row.value_key,
    rangeBytes: row.range_bytes,
    version: Number(row.version),
    bytes: row.value_bytes,
    createdAt: row.created_at,
    updatedAt: row.modified_at,
    expiresAt: row.expires_at,
  }));
}
