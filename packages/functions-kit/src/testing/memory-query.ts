import {
  BY_KEY,
  collectionOf,
  type EntityIndex,
  type EntityQuery,
  entityQueryProblem,
  EVERYTHING,
  indexBytes,
  isOfType,
  type KeyQuery,
  matches,
  type Scalar,
  STORAGE_LIMITS,
  type StorageRecord,
  type Stretch,
  stretchOf,
} from '@bulkhead/protocol';
import type { MemoryStorage } from './memory-storage.ts';
import { MemoryRefusal } from './memory-refusal.ts';

interface Page {
  readonly records: StorageRecord[];
  readonly cursor: string | null;
}

/** A record and where it lies in the order that is asked for. */
interface Placed {
  readonly record: StorageRecord;
  readonly at: Buffer;
}

export function queryKeys(storage: MemoryStorage, query: KeyQuery): Page {
  const all = storage.keysOf(collectionOf({})).filter((key) => key.startsWith(query.prefix));
  const placed = all.map((key) => ({ record: storage.find(collectionOf({}), key)!, at: Buffer.alloc(0) }));
  return page(placed, query, ['key', query.prefix, query.order]);
}

export function queryEntity(storage: MemoryStorage, query: EntityQuery): Page {
  const entity = storage.declared(query.entity);
  const index = query.index === BY_KEY ? null : entity.indexes.find(({ name }) => name === query.index);
  if (index === undefined)
    throw new MemoryRefusal('function.storage_index_unknown', `The entity "${entity.name}" has no index "${query.index}".`);
  const unfit = entityQueryProblem(entity, index, query);
  if (unfit !== null) throw new MemoryRefusal('function.storage_invalid', `Storage refuses this: ${unfit.problem}.`);
  const { filter, partition, range, order } = query;
  const stretch = range === undefined ? EVERYTHING : stretchOf(range);
  const collection = collectionOf({ entity: entity.name });
  const placed: Placed[] = [];
  for (const key of storage.keysOf(collection)) {
    const record = storage.find(collection, key)!;
    const at = index === null ? indexBytes(key) : whereIn(entity, index, record.value, partition);
    if (at === null || !isWithin(at, stretch)) continue;
    if (filter === undefined || matches(record.value, filter)) placed.push({ record, at: index === null ? Buffer.alloc(0) : at });
  }
  return page(placed, query, [entity.name, query.index, partition, range ?? null, filter ?? null, order]);
}

/** Null: it is not in the index, or in another partition. */
function whereIn(
  { attributes }: ReturnType<MemoryStorage['declared']>,
  { partition, range }: EntityIndex,
  value: unknown,
  asked: readonly Scalar[],
): Buffer | null {
  const held = (name: string): Scalar | null => {
    const found = Object.hasOwn(value as object, name) ? (value as Record<string, unknown>)[name] : undefined;
    return found !== undefined && isOfType(attributes.get(name) ?? 'any', found) ? (found as Scalar) : null;
  };
  if (partition.some((name, at) => held(name) !== asked[at])) return null;
  if (range === null) return Buffer.alloc(0);
  const ordered = held(range);
  return ordered === null ? null : indexBytes(ordered);
}

function isWithin(at: Buffer, { from, to }: Stretch<Scalar>): boolean {
  const beyond = (end: Stretch<Scalar>['from'], sign: 1 | -1): boolean => {
    if (end === null) return false;
    const order = Buffer.compare(at, indexBytes(end.at)) * sign;
    return order < 0 || (order === 0 && !end.isIn);
  };
  return !beyond(from, 1) && !beyond(to, -1);
}

function page(
  placed: readonly Placed[],
  { cursor, limit, order }: Pick<KeyQuery, 'cursor' | 'limit' | 'order'>,
  query: readonly unknown[],
): Page {
  const sign = order === 'descending' ? -1 : 1;
  const compare = (left: Placed, right: Placed): number =>
    sign * (Buffer.compare(left.at, right.at) || Buffer.compare(Buffer.from(left.record.key), Buffer.from(right.record.key)));
  const after = cursor === undefined ? null : readCursor(cursor, query);
  const left = placed.toSorted(compare).filter((each) => after === null || compare(each, after) > 0);
  const records: StorageRecord[] = [];
  let bytes = 0;
  for (const { record } of left) {
    const size = Buffer.byteLength(JSON.stringify(record.value));
    if (records.length === limit || (records.length > 0 && bytes + size > STORAGE_LIMITS.pageBytes)) break;
    records.push(record);
    bytes += size;
  }
  const last = left[records.length - 1];
  return { records, cursor: records.length < left.length && last !== undefined ? writeCursor(last, query) : null };
}

function writeCursor({ record: { key }, at }: Placed, query: readonly unknown[]): string {
  return Buffer.from(JSON.stringify([JSON.stringify(query), key, at.toString('base64')])).toString('base64url');
}

function readCursor(cursor: string, query: readonly unknown[]): Placed {
  try {
    const [of, key, at] = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as string[];
    if (of === JSON.stringify(query) && key !== undefined && at !== undefined)
      return { record: { key, value: null, version: 0, created: 0, updated: 0, expires: null }, at: Buffer.from(at, 'base64') };
  } catch {
    // As any other text that is no cursor.
  }
  throw new MemoryRefusal('function.storage_invalid', 'Storage refuses this: this is not the cursor of a page of the same query.');
}
