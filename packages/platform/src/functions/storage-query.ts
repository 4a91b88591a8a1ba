import { createHash } from 'node:crypto';
import {
  BY_KEY,
  collectionOf,
  type Entity,
  type EntityIndex,
  type EntityQuery,
  entityQueryProblem,
  EVERYTHING,
  indexBytes,
  type KeyQuery,
  matches,
  type Scalar,
  STORAGE_LIMITS,
  type StorageFilter,
  type StorageRecord,
  type Stretch,
  stretchOf,
} from '@bulkhead/protocol';
import { storageErrors } from './storage-errors.ts';
import { buildIndexes, chunksOf, findBuilt, listEntries, openDigestKey, partitionDigest } from './storage-index-store.ts';
import { findStore, lockStore, type Store } from './storage-store.ts';
import { listHeads, openHeads, type ValueHead } from './storage-value-store.ts';
import { declaredEntity, type StorageParts } from './storage-write.ts';

const BATCH = 200;

/** Where a value lies in the order that is asked for. */
interface Position {
  readonly key: string;
  readonly rangeBytes: Buffer | null;
}

type PlacedHead = ValueHead & { readonly rangeBytes?: Buffer };

interface Page {
  readonly records: StorageRecord[];
  readonly cursor: string | null;
}

/** Values under keys that begin with `prefix`, by their keys, a page at a time. */
export async function queryKeys(parts: StorageParts, query: KeyQuery): Promise<Page> {
  const store = await findStore(parts.tx, parts.environment);
  const digest = digestOf(['key', query.prefix, query.order]);
  const after = query.cursor === undefined ? null : readCursor(query.cursor, digest);
  if (store === null) return { records: [], cursor: null };
  const next = byKey(parts, store, collectionOf({}), keyStretch(query.prefix), query.order === 'descending');
  return page(parts, store, { next, after, filter: undefined, limit: query.limit, digest });
}

/** Keys alone, for who wants no more. */
export async function listKeys(
  { tx, environment, now }: StorageParts,
  { prefix, after, limit }: { prefix: string; after: string; limit: number },
): Promise<string[]> {
  const store = await findStore(tx, environment);
  if (store === null) return [];
  const stretch = keyStretch(prefix);
  const heads = await listHeads(
    tx,
    store,
    { collection: collectionOf({}), stretch, isDescending: false, after: after === '' ? null : after, limit },
    now,
  );
  return heads.map(({ key }) => key);
}

/**
 * Values of an entity by one of its indexes. A page is full as long as there is more: what the filter leaves out does not count. Throws
 * `function.storage_entity_unknown`, `function.storage_index_unknown`, `function.storage_invalid`.
 */
export async function queryEntity(parts: StorageParts, query: EntityQuery): Promise<Page> {
  const entity = declaredEntity(parts, query.entity);
  const index = query.index === BY_KEY ? null : entity.indexes.find(({ name }) => name === query.index);
  if (index === undefined)
    throw storageErrors('function.storage_index_unknown', {
      field: 'index',
      params: { entity: entity.name, index: query.index, known: [BY_KEY, ...entity.indexes.map(({ name }) => name)].join(', ') },
    });
  const unfit = entityQueryProblem(entity, index, query);
  if (unfit !== null) throw storageErrors('function.storage_invalid', { field: unfit.field, params: { problem: unfit.problem } });
  const { index: name, partition, range = null, filter, order } = query;
  const digest = digestOf([entity.name, name, partition, range, filter ?? null, order]);
  const after = query.cursor === undefined ? null : readCursor(query.cursor, digest);
  const store = await findStore(parts.tx, parts.environment);
  if (store === null) return { records: [], cursor: null };
  const isDescending = order === 'descending';
  const next =
    index === null
      ? byKey(
          parts,
          store,
          collectionOf({ entity: entity.name }),
          (range === null ? EVERYTHING : stretchOf(range)) as Stretch<string>,
          isDescending,
        )
      : await byIndex(parts, store, { entity, index, query, isDescending });
  return page(parts, store, { next, after, filter, limit: query.limit, digest });
}

type Next = (after: Position | null) => Promise<PlacedHead[]>;

function byKey({ tx, now }: StorageParts, store: Store, collection: string, stretch: Stretch<string>, isDescending: boolean): Next {
  return (after) => listHeads(tx, store, { collection, stretch, isDescending, after: after?.key ?? null, limit: BATCH }, now);
}

async function byIndex(
  { tx, vault, environment, now }: StorageParts,
  store: Store,
  { entity, index, query, isDescending }: { entity: Entity; index: EntityIndex; query: EntityQuery; isDescending: boolean },
): Promise<Next> {
  const { indexId, isBuilt } = await findBuilt(tx, store, entity, index);
  if (!isBuilt) {
    const locked = await lockStore(tx, environment);
    if (locked !== null) await buildIndexes(tx, vault, locked, entity, now);
  }
  const digest = partitionDigest(await openDigestKey(tx, vault, store), indexId, query.partition);
  const { from, to } = query.range === undefined ? EVERYTHING : stretchOf(query.range);
  const bound = (end: Stretch<Scalar>['from']) => (end === null ? null : { at: indexBytes(end.at), isIn: end.isIn });
  return (after) =>
    listEntries(
      tx,
      store,
      {
        indexId,
        partitionDigest: digest,
        stretch: { from: bound(from), to: bound(to) },
        isDescending,
        after: after?.rangeBytes == null ? null : { key: after.key, rangeBytes: after.rangeBytes },
        limit: BATCH,
      },
      now,
    );
}

/** Reads on until the page is full and one more is known, or there is nothing left. About a mebibyte of values is opened at a time. */
async function page(
  { tx, vault, now, signal }: StorageParts,
  store: Store,
  {
    next,
    after,
    filter,
    limit,
    digest,
  }: { next: Next; after: Position | null; filter: StorageFilter | undefined; limit: number; digest: string },
): Promise<Page> {
  const records: StorageRecord[] = [];
  let last: Position | null = null;
  let bytes = 0;
  for (let position = after; ; ) {
    const heads = await next(position);
    for (const chunk of chunksOf(heads)) {
      const opened = new Map((await openHeads(tx, vault, store, chunk, now)).map((record) => [record.key, record]));
      for (const head of chunk) {
        const record = opened.get(head.key);
        if (record === undefined || (filter !== undefined && !matches(record.value, filter))) continue;
        const isOver = records.length === limit || (records.length > 0 && bytes + head.bytes > STORAGE_LIMITS.pageBytes);
        if (isOver) return { records, cursor: last === null ? null : writeCursor(last, digest) };
        records.push(record);
        bytes += head.bytes;
        last = { key: head.key, rangeBytes: head.rangeBytes ?? null };
      }
    }
    // Of an answer that nobody waits for it does not matter what it says.
    if (heads.length < BATCH || signal.aborted) return { records, cursor: null };
    const end = heads.at(-1)!;
    position = { key: end.key, rangeBytes: end.rangeBytes ?? null };
  }
}

function keyStretch(prefix: string): Stretch<string> {
  return prefix === '' ? EVERYTHING : (stretchOf({ condition: 'beginsWith', values: [prefix] }) as Stretch<string>);
}

/** A cursor says where the page before ended, and of which query; it holds as long as the values do. */
function writeCursor({ key, rangeBytes }: Position, digest: string): string {
  return Buffer.from(JSON.stringify([digest, key, rangeBytes?.toString('base64') ?? null])).toString('base64url');
}

function readCursor(cursor: string, digest: string): Position {
  try {
    const [of, key, range] = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as unknown[];
    const isPosition = typeof key === 'string' && !key.includes('\0') && (range === null || typeof range === 'string');
    if (of === digest && isPosition) return { key, rangeBytes: range === null ? null : Buffer.from(range, 'base64') };
  } catch {
    // As any other text that is no cursor.
  }
  throw storageErrors('function.storage_invalid', {
    field: 'cursor',
    params: { problem: 'this is not the cursor of a page of the same query' },
  });
}

function digestOf(query: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(query)).digest('base64url').slice(0, 16);
}
