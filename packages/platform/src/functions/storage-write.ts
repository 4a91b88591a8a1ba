import {
  collectionOf,
  type Entity,
  entityValueProblem,
  matches,
  STORAGE_LIMITS,
  type StorageCheck,
  type StorageCondition,
  type StorageDelete,
  type StorageItemAnswer,
  type StorageSet,
} from '@bulkhead/protocol';
import type { InstallTx } from '../installs/index.ts';
import type { Vault } from '../vault/index.ts';
import { storageErrors } from './storage-errors.ts';
import { putEntries } from './storage-index-store.ts';
import { addUsage, lockOrMakeStore, lockStore, type Store } from './storage-store.ts';
import { deleteEnded, deleteValue, findValues, heldBytes, placeText, putValue, recordOf, type ValueHead } from './storage-value-store.ts';

export type StorageChange = StorageSet | StorageDelete | StorageCheck;

export interface StorageParts {
  readonly tx: InstallTx;
  readonly vault: Vault;
  readonly environment: string;
  readonly entities: ReadonlyMap<string, Entity>;
  readonly now: Date;
  /** Stops when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

type Current = Awaited<ReturnType<typeof findValues>>;

/** Throws `function.storage_entity_unknown`. */
export function declaredEntity({ entities }: Pick<StorageParts, 'entities'>, name: string): Entity {
  const entity = entities.get(name);
  if (entity === undefined) throw storageErrors('function.storage_entity_unknown', { field: 'entity', params: { entity: name } });
  return entity;
}

/**
 * Makes all of these changes or none: each on another place, under the lock of the store. Throws `function.storage_condition` where something is not as
 * one of them asks, `function.storage_full`, `function.storage_entity_unknown`, `function.storage_invalid`.
 */
export async function change(parts: StorageParts, items: readonly StorageChange[]): Promise<StorageItemAnswer[]> {
  const { tx, vault, environment, now } = parts;
  for (const item of items) refuseUndeclared(parts, item);
  const isWriting = items.some(({ op }) => op === 'set');
  const store = isWriting ? await lockOrMakeStore(tx, vault, environment, now) : await lockStore(tx, environment);
  const places = items.map((item) => ({ collection: collectionOf(item), key: item.key }));
  const current: Current = store === null ? new Map() : await findValues(tx, vault, store, places, now);
  for (const [at, item] of items.entries()) await refuseUnlessAsAsked(current, item, items.length > 1 ? `items.${at}` : undefined);
  if (store === null)
    return items.map(({ op, ...item }) => (op === 'delete' ? { found: false, ...('return' in item && { returned: null }) } : {}));
  const texts = new Map(items.filter((item) => item.op === 'set').map((item) => [item, JSON.stringify(item.value)]));
  const growth = await makeRoom(parts, store, items, texts);
  let { lastVersion } = store;
  const answers: StorageItemAnswer[] = [];
  for (const item of items)
    answers.push(await apply(parts, store, item, current, { json: texts.get(item as StorageSet) ?? '', next: () => ++lastVersion }));
  await addUsage(tx, store, { ...growth, lastVersion });
  return answers;
}

function refuseUndeclared(parts: StorageParts, item: StorageChange): void {
  if (item.entity === undefined) return;
  const entity = declaredEntity(parts, item.entity);
  if (item.op !== 'set') return;
  const problem = entityValueProblem(entity, item.value);
  if (problem !== null) throw storageErrors('function.storage_invalid', { field: 'value', params: { problem } });
}

async function refuseUnlessAsAsked(current: Current, item: StorageChange, field: string | undefined): Promise<void> {
  if (item.if === undefined) return;
  const held = current.get(placeText({ collection: collectionOf(item), key: item.key }));
  if (await isAsAsked(item.if, held)) return;
  const condition = typeof item.if === 'string' ? item.if : 'version' in item.if ? `version ${item.if.version}` : 'a filter';
  throw storageErrors('function.storage_condition', { params: { stored_key: item.key, condition }, ...(field !== undefined && { field }) });
}

async function isAsAsked(condition: StorageCondition, held: ReturnType<Current['get']>): Promise<boolean> {
  if (condition === 'absent') return held === undefined;
  if (condition === 'present') return held !== undefined;
  if ('version' in condition) return held?.head.version === condition.version;
  return matches(held === undefined ? undefined : (await held.open()).value, condition);
}

interface Growth {
  readonly count: number;
  readonly bytes: number;
}

/** What the changes add to a store. Values that have ended make way first. Throws `function.storage_full`. */
async function makeRoom(
  { tx, now }: StorageParts,
  store: Store,
  items: readonly StorageChange[],
  texts: ReadonlyMap<StorageChange, string>,
): Promise<Growth> {
  const grown = async (): Promise<Growth> => {
    const held = await heldBytes(
      tx,
      store,
      items.map((item) => ({ collection: collectionOf(item), key: item.key })),
    );
    let count = 0;
    let bytes = 0;
    for (const item of items) {
      if (item.op === 'check') continue;
      const before = held.get(placeText({ collection: collectionOf(item), key: item.key }));
      const json = texts.get(item);
      count += (json === undefined ? 0 : 1) - (before === undefined ? 0 : 1);
      bytes += (json === undefined ? 0 : Buffer.byteLength(json)) - (before ?? 0);
    }
    return { count, bytes };
  };
  const growth = await grown();
  const isFull = (ended: Growth, by: Growth) =>
    (by.count > 0 && store.valueCount - ended.count + by.count > STORAGE_LIMITS.values) ||
    (by.bytes > 0 && store.valueBytes - ended.bytes + by.bytes > STORAGE_LIMITS.bytes);
  if (!isFull({ count: 0, bytes: 0 }, growth)) return growth;
  const ended = await deleteEnded(tx, store, now);
  // At once: other items of a batch go on where this one is refused.
  await addUsage(tx, store, { count: -ended.count, bytes: -ended.bytes, lastVersion: store.lastVersion });
  const after = await grown();
  if (!isFull(ended, after)) return after;
  const isMany = after.count > 0 && store.valueCount - ended.count + after.count > STORAGE_LIMITS.values;
  throw storageErrors('function.storage_full', {
    params: { limit: isMany ? `${STORAGE_LIMITS.values} values` : `${STORAGE_LIMITS.bytes} bytes` },
  });
}

async function apply(
  parts: StorageParts,
  store: Store,
  item: StorageChange,
  current: Current,
  { json, next }: { json: string; next: () => number },
): Promise<StorageItemAnswer> {
  if (item.op === 'check') return {};
  const { tx, vault, now } = parts;
  const place = { collection: collectionOf(item), key: item.key };
  const held = current.get(placeText(place));
  const previous = item.return === 'previous' ? { returned: held === undefined ? null : await held.open() } : {};
  if (item.op === 'delete') {
    await deleteValue(tx, store, place);
    return { found: held !== undefined, ...previous };
  }
  const head: ValueHead = {
    ...place,
    version: next(),
    bytes: Buffer.byteLength(json),
    createdAt: held?.head.createdAt ?? now,
    updatedAt: now,
    expiresAt: item.ttl_seconds === undefined ? null : new Date(now.getTime() + item.ttl_seconds * 1_000),
  };
  await putValue(tx, vault, store, { ...head, json });
  if (item.entity !== undefined)
    await putEntries(tx, vault, store, { entity: declaredEntity(parts, item.entity), key: item.key, value: item.value, now });
  const { value, key: _key, ...written } = recordOf(head, item.value);
  return { ...written, ...previous, ...(item.return === 'latest' && { returned: { key: item.key, value, ...written } }) };
}
