import { type BatchItem, type Json, storage } from '../index.ts';
import { asked, forgeCode, goodKey } from './kvs-error.ts';
import { hostOptions, type SetOptions } from './kvs-set.ts';

export interface BatchKey {
  readonly key: string;
  /** Absent: a plain key. */
  readonly entityName?: string;
}
export interface BatchSetItem extends BatchKey {
  readonly value: Json;
  readonly options?: SetOptions;
}

export interface BatchResult<Success extends BatchKey = BatchKey> {
  readonly successfulKeys: Success[];
  readonly failedKeys: (BatchKey & { readonly error: { readonly code: string; readonly message: string } })[];
}

function place({ key, entityName }: BatchKey): { key: string; entity?: string } {
  return { key: goodKey(key), ...(entityName === undefined ? {} : { entity: entityName }) };
}

function named({ key, entityName }: BatchKey): BatchKey {
  return { key, ...(entityName === undefined ? {} : { entityName }) };
}

/** Each for itself: what is refused is named, the rest is done. */
async function batch<Item extends BatchKey, Success extends BatchKey>(
  items: readonly Item[],
  itemOf: (item: Item) => BatchItem,
  success: (item: Item, value: Json | undefined) => Success,
): Promise<BatchResult<Success>> {
  const results = await asked(() => storage.batch(items.map(itemOf)));
  const answer: BatchResult<Success> = { successfulKeys: [], failedKeys: [] };
  results.forEach(({ error, found, record }, at) => {
    const item = items[at]!;
    const isMissing = itemOf(item).op === 'get' && found !== true;
    if (error !== undefined) answer.failedKeys.push({ ...named(item), error: { code: forgeCode(error.code), message: error.message } });
    else if (isMissing)
      answer.failedKeys.push({ ...named(item), error: { code: 'KEY_NOT_FOUND', message: 'There is nothing under this key' } });
    else answer.successfulKeys.push(success(item, record?.value));
  });
  return answer;
}

export const batches = {
  batchSet: (items: readonly BatchSetItem[]): Promise<BatchResult> =>
    batch(items, (item) => ({ op: 'set', ...place(item), value: item.value, ...hostOptions(item.options) }), named),
  batchGet: (items: readonly BatchKey[]): Promise<BatchResult<BatchKey & { readonly value: Json }>> =>
    batch(
      items,
      (item) => ({ op: 'get', ...place(item) }),
      (item, value) => ({ ...named(item), value: value ?? null }),
    ),
  batchDelete: (items: readonly BatchKey[]): Promise<BatchResult> => batch(items, (item) => ({ op: 'delete', ...place(item) }), named),
};
