import { z } from 'zod';
import { rangeCondition, scalar, storageFilter } from './storage-conditions.ts';
import { entityName } from './storage-entities.ts';

/** Bounds of what functions keep, the same at a server and in a test. Bytes are of a value as JSON in UTF-8. */
export const STORAGE_LIMITS = {
  keyCharacters: 500,
  keyBytes: 1_000,
  valueBytes: 240 * 1024,
  /** Lists and objects in each other. */
  valueDepth: 31,
  values: 10_000,
  bytes: 50 * 1024 * 1024,
  ttlSeconds: 365 * 24 * 60 * 60,
  items: 25,
  /** Of all values of a batch or a transaction. */
  itemsBytes: 4 * 1024 * 1024,
  pageValues: 100,
  /** A page ends early rather than be larger, but for its first value. */
  pageBytes: 4 * 1024 * 1024,
  rangeBytes: 900,
  partitionBytes: 1_700,
} as const;

const key = z
  .string()
  .min(1)
  .max(STORAGE_LIMITS.keyCharacters)
  .refine(
    (text) => text.isWellFormed() && !text.includes('\0') && new TextEncoder().encode(text).length <= STORAGE_LIMITS.keyBytes,
    `expected text without NUL, at most ${STORAGE_LIMITS.keyBytes} bytes of UTF-8`,
  );

/** Where a value lies: among the keys, or in an entity that the manifest declares, or among the secrets. */
const place = {
  key,
  entity: entityName.optional(),
  secret: z.literal(true).optional(),
};

/** What has to be there for a change to be made: nothing, anything, this version, or what a filter says. */
const condition = z.union([z.enum(['absent', 'present']), z.strictObject({ version: z.int().min(1) }), storageFilter]);
export type StorageCondition = z.output<typeof condition>;

const get = z.strictObject({ op: z.literal('get'), ...place });
const set = z.strictObject({
  op: z.literal('set'),
  ...place,
  value: z.unknown().refine((value) => value !== undefined, 'expected JSON'),
  /** Absent: it stays until it is deleted. */
  ttl_seconds: z.int().min(1).max(STORAGE_LIMITS.ttlSeconds).optional(),
  if: condition.optional(),
  return: z.enum(['previous', 'latest']).optional(),
});
const remove = z.strictObject({ op: z.literal('delete'), ...place, if: condition.optional(), return: z.literal('previous').optional() });
const check = z.strictObject({ op: z.literal('check'), ...place, if: condition });

const cursor = z.string().max(6_000).optional();
const limit = z.int().min(1).max(STORAGE_LIMITS.pageValues);
const prefix = z
  .string()
  .max(STORAGE_LIMITS.keyCharacters)
  .refine((text) => text.isWellFormed() && !text.includes('\0'), 'expected text without NUL')
  .default('');

/** One thing that a function asks of what it keeps. */
const call = z.discriminatedUnion('op', [
  get,
  set,
  remove,
  /** Keys alone. */
  z.strictObject({
    op: z.literal('list'),
    prefix,
    after: z.string().max(STORAGE_LIMITS.keyCharacters).default(''),
    limit: limit.default(100),
  }),
  z.strictObject({
    op: z.literal('query'),
    prefix,
    cursor,
    limit: limit.default(10),
    order: z.enum(['ascending', 'descending']).default('ascending'),
  }),
  z.strictObject({
    op: z.literal('entity_query'),
    entity: entityName,
    index: z.string().min(1).max(100),
    partition: z.array(scalar).max(5).default([]),
    range: rangeCondition.optional(),
    filter: storageFilter.optional(),
    cursor,
    limit: limit.default(10),
    order: z.enum(['ascending', 'descending']).default('ascending'),
  }),
  z.strictObject({
    op: z.literal('batch'),
    items: z
      .array(z.discriminatedUnion('op', [get, set, remove]))
      .min(1)
      .max(STORAGE_LIMITS.items),
  }),
  z.strictObject({
    op: z.literal('transaction'),
    items: z
      .array(z.discriminatedUnion('op', [set, remove, check]))
      .min(1)
      .max(STORAGE_LIMITS.items),
  }),
]);

type Placed = { readonly key: string; readonly entity?: string | undefined; readonly secret?: true | undefined };

/** Where a value lies, as one text: two of them are the same value exactly where these are the same. */
export function collectionOf({ entity, secret }: Pick<Placed, 'entity' | 'secret'>): string {
  return secret === true ? 'secret' : entity === undefined ? 'key' : `entity:${entity}`;
}

function itemsOf(asked: z.output<typeof call>): readonly (Placed & { readonly value?: unknown })[] {
  return 'items' in asked ? asked.items : 'key' in asked ? [asked] : [];
}

export const storageCall = call.superRefine((asked, context) => {
  const items = itemsOf(asked);
  const say = (message: string, ...path: (string | number)[]): void => context.addIssue({ code: 'custom', message, path });
  if (items.some(({ entity, secret }) => entity !== undefined && secret === true)) say('a secret is in no entity', 'secret');
  let bytes = 0;
  items.forEach((item, at) => {
    const path = 'items' in asked ? ['items', at] : [];
    if (!('value' in item) || item.value === undefined) return;
    if (!isShallow(item.value, STORAGE_LIMITS.valueDepth)) return say(`nested at most ${STORAGE_LIMITS.valueDepth} deep`, ...path, 'value');
    const size = new TextEncoder().encode(JSON.stringify(item.value)).length;
    if (size > STORAGE_LIMITS.valueBytes) say(`at most ${STORAGE_LIMITS.valueBytes} bytes of JSON`, ...path, 'value');
    bytes += size;
  });
  if (bytes > STORAGE_LIMITS.itemsBytes) say(`at most ${STORAGE_LIMITS.itemsBytes} bytes of JSON in all`, 'items');
  if (asked.op !== 'transaction') return;
  const places = asked.items.map((item) => `${collectionOf(item)}\0${item.key}`);
  if (new Set(places).size < places.length) say('a key once in a transaction', 'items');
});

export type StorageCall = z.output<typeof storageCall>;
export type StorageSet = z.output<typeof set>;
export type StorageDelete = z.output<typeof remove>;
export type StorageCheck = z.output<typeof check>;
export type EntityQuery = Extract<StorageCall, { op: 'entity_query' }>;
export type KeyQuery = Extract<StorageCall, { op: 'query' }>;

function isShallow(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return depth > 0 && Object.values(value).every((inner) => isShallow(inner, depth - 1));
}

const record = z.object({
  key: z.string(),
  value: z.unknown(),
  version: z.int(),
  /** Milliseconds since 1970, as the others. */
  created: z.int(),
  updated: z.int(),
  /** Null: it does not. */
  expires: z.int().nullable(),
});
export type StorageRecord = z.output<typeof record>;

const written = z.object({
  version: z.int(),
  created: z.int(),
  updated: z.int(),
  expires: z.int().nullable(),
  /** Where it was asked for: what was there before, or is now; null: nothing was. */
  returned: record.nullable().optional(),
});
const found = record.partial().extend({ found: z.boolean(), returned: record.nullable().optional() });
const refused = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

/** By what was asked: of get and delete `found`; of set what was written; of list `keys`; of queries `records`; of batch and transaction `results`. */
export const storageAnswer = z.union([
  found,
  written,
  z.object({ keys: z.array(z.string()) }),
  z.object({ records: z.array(record), cursor: z.string().nullable() }),
  z.object({ results: z.array(z.union([refused, found, written, z.object({})])) }),
]);
export type StorageWritten = z.output<typeof written>;
export type StorageFound = z.output<typeof found>;
export type StorageItemAnswer = z.output<typeof refused> | StorageFound | StorageWritten | Record<string, never>;
export type StorageAnswer =
  | StorageFound
  | StorageWritten
  | { readonly keys: string[] }
  | { readonly records: StorageRecord[]; readonly cursor: string | null }
  | { readonly results: StorageItemAnswer[] };
