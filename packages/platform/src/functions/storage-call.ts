import { PlatformError } from '@bulkhead/base';
import { collectionOf, type StorageAnswer, type StorageCall, type StorageFound, type StorageItemAnswer } from '@bulkhead/protocol';
import { listKeys, queryEntity, queryKeys } from './storage-query.ts';
import { findStore } from './storage-store.ts';
import { findValues } from './storage-value-store.ts';
import { change, declaredEntity, type StorageParts } from './storage-write.ts';

type Get = Extract<StorageCall, { op: 'get' }>;

/** Whether a call needs to know which entities there are. */
export function namesEntity(call: StorageCall): boolean {
  if ('items' in call) return call.items.some(({ entity }) => entity !== undefined);
  return 'entity' in call && call.entity !== undefined;
}

/** What a running call asks of what its install keeps. Throws `function.storage_*`. */
export async function answerStorageCall(parts: StorageParts, call: StorageCall): Promise<StorageAnswer> {
  switch (call.op) {
    case 'get':
      return get(parts, call);
    case 'set':
    case 'delete':
      return (await change(parts, [call]))[0] as StorageAnswer;
    case 'list':
      return { keys: await listKeys(parts, call) };
    case 'query':
      return queryKeys(parts, call);
    case 'entity_query':
      return queryEntity(parts, call);
    case 'transaction':
      return { results: await change(parts, call.items) };
    case 'batch': {
      const results: StorageItemAnswer[] = [];
      for (const item of call.items) results.push(await unlessRefused(() => (item.op === 'get' ? get(parts, item) : one(parts, item))));
      return { results };
    }
  }
}

async function one(parts: StorageParts, item: Parameters<typeof change>[1][number]): Promise<StorageItemAnswer> {
  return (await change(parts, [item]))[0]!;
}

async function get(parts: StorageParts, { key, entity, secret }: Get): Promise<StorageFound> {
  const { tx, vault, environment, now } = parts;
  if (entity !== undefined) declaredEntity(parts, entity);
  const store = await findStore(tx, environment);
  if (store === null) return { found: false };
  const [value] = (await findValues(tx, vault, store, [{ collection: collectionOf({ entity, secret }), key }], now)).values();
  return value === undefined ? { found: false } : { found: true, ...(await value.open()) };
}

/** What is refused before anything is written leaves the transaction as it was; the other items of a batch are done. */
async function unlessRefused(work: () => Promise<StorageItemAnswer>): Promise<StorageItemAnswer> {
  try {
    return await work();
  } catch (thrown) {
    if (!(thrown instanceof PlatformError) || !thrown.code.startsWith('function.storage_')) throw thrown;
    return { error: { code: thrown.code, message: thrown.publicText } };
  }
}
