import {
  collectionOf,
  type Entity,
  entityValueProblem,
  matches,
  STORAGE_LIMITS,
  type StorageAnswer,
  storageCall,
  type StorageCall,
  type StorageCheck,
  type StorageCondition,
  type StorageDelete,
  type StorageItemAnswer,
  type StorageRecord,
  type StorageSet,
} from '@bulkhead/protocol';
import { MemoryRefusal } from './memory-refusal.ts';
import { queryEntity, queryKeys } from './memory-query.ts';

/** A value as a server would hold it: text, so that nobody changes it from outside. */
export interface MemoryValue {
  readonly json: string;
  readonly version: number;
  readonly created: number;
  readonly updated: number;
  readonly expires: number | null;
}

type Change = StorageSet | StorageDelete | StorageCheck;

/** What the host keeps for one install and environment, by the same rules, in memory. */
export class MemoryStorage {
  readonly entities: ReadonlyMap<string, Entity>;
  readonly #now: () => number;
  readonly #collections = new Map<string, Map<string, MemoryValue>>();
  #lastVersion = 0;
  #count = 0;
  #bytes = 0;

  constructor(entities: ReadonlyMap<string, Entity>, now: () => number) {
    this.entities = entities;
    this.#now = now;
  }

  /** Answers a call as it comes over the wire. Throws `MemoryRefusal`. */
  answer(body: unknown): StorageAnswer {
    const parsed = storageCall.safeParse(body);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw new MemoryRefusal('request.invalid', `"${issue?.path.join('.') ?? ''}" is refused: ${issue?.message ?? ''}.`);
    }
    return this.#answer(parsed.data);
  }

  /** Keys that are there, in the order of their bytes. */
  keysOf(collection: string): string[] {
    const values = [...(this.#collections.get(collection) ?? [])].filter(([, held]) => this.#isThere(held));
    return values.map(([key]) => key).sort((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
  }

  /** Null where there is none, or it has ended. */
  find(collection: string, key: string): StorageRecord | null {
    const held = this.#collections.get(collection)?.get(key);
    if (held === undefined || !this.#isThere(held)) return null;
    const { json, ...rest } = held;
    return { key, value: JSON.parse(json) as unknown, ...rest };
  }

  #isThere({ expires }: MemoryValue): boolean {
    return expires === null || expires > this.#now();
  }

  declared(name: string): Entity {
    const entity = this.entities.get(name);
    if (entity === undefined)
      throw new MemoryRefusal('function.storage_entity_unknown', `The manifest declares no entity "${name}" under storage.entities.`);
    return entity;
  }

  #answer(call: StorageCall): StorageAnswer {
    switch (call.op) {
      case 'get': {
        if (call.entity !== undefined) this.declared(call.entity);
        const record = this.find(collectionOf(call), call.key);
        return record === null ? { found: false } : { found: true, ...record };
      }
      case 'set':
      case 'delete':
        return this.#change([call])[0] as StorageAnswer;
      case 'list':
        return {
          keys: this.keysOf(collectionOf({}))
            .filter(
              (key) => key.startsWith(call.prefix) && (call.after === '' || Buffer.compare(Buffer.from(key), Buffer.from(call.after)) > 0),
            )
            .slice(0, call.limit),
        };
      case 'query':
        return queryKeys(this, call);
      case 'entity_query':
        return queryEntity(this, call);
      case 'transaction':
        return { results: this.#change(call.items) };
      case 'batch':
        return { results: call.items.map((item) => this.#unlessRefused(item)) };
    }
  }

  #unlessRefused(item: Extract<StorageCall, { op: 'get' }> | StorageSet | StorageDelete): StorageItemAnswer {
    try {
      return this.#answer(item) as StorageItemAnswer;
    } catch (thrown) {
      if (!(thrown instanceof MemoryRefusal)) throw thrown;
      return { error: { code: thrown.code, message: thrown.message } };
    }
  }

  /** All or none. */
  #change(items: readonly Change[]): StorageItemAnswer[] {
    for (const item of items) this.#refuseUndeclared(item);
    for (const item of items) {
      if (item.if === undefined || isAsAsked(item.if, this.find(collectionOf(item), item.key))) continue;
      throw new MemoryRefusal(
        'function.storage_condition',
        `Nothing was changed: what is kept under "${item.key}" is not as the call asks.`,
      );
    }
    this.#makeRoom(items);
    return items.map((item) => this.#apply(item));
  }

  #refuseUndeclared(item: Change): void {
    if (item.entity === undefined) return;
    const entity = this.declared(item.entity);
    const problem = item.op === 'set' ? entityValueProblem(entity, item.value) : null;
    if (problem !== null) throw new MemoryRefusal('function.storage_invalid', `Storage refuses this: ${problem}.`);
  }

  #makeRoom(items: readonly Change[]): void {
    let count = 0;
    let bytes = 0;
    for (const item of items) {
      if (item.op === 'check') continue;
      const held = this.#collections.get(collectionOf(item))?.get(item.key);
      count += (item.op === 'set' ? 1 : 0) - (held === undefined ? 0 : 1);
      bytes += (item.op === 'set' ? sizeOf(JSON.stringify(item.value)) : 0) - (held === undefined ? 0 : sizeOf(held.json));
    }
    const isFull = (): boolean =>
      (count > 0 && this.#count + count > STORAGE_LIMITS.values) || (bytes > 0 && this.#bytes + bytes > STORAGE_LIMITS.bytes);
    if (!isFull()) return;
    if (this.#deleteEnded()) return this.#makeRoom(items);
    throw new MemoryRefusal('function.storage_full', 'The functions of an install keep no more than that per environment.');
  }

  #deleteEnded(): boolean {
    const before = this.#count;
    for (const [collection, values] of this.#collections)
      for (const [key, held] of values) if (!this.#isThere(held)) this.#put(collection, key, null);
    return this.#count < before;
  }

  #put(collection: string, key: string, value: MemoryValue | null): void {
    const values = this.#collections.get(collection) ?? new Map<string, MemoryValue>();
    this.#collections.set(collection, values);
    const held = values.get(key);
    if (held !== undefined) {
      this.#count--;
      this.#bytes -= sizeOf(held.json);
      values.delete(key);
    }
    if (value === null) return;
    this.#count++;
    this.#bytes += sizeOf(value.json);
    values.set(key, value);
  }

  #apply(item: Change): StorageItemAnswer {
    if (item.op === 'check') return {};
    const collection = collectionOf(item);
    const held = this.find(collection, item.key);
    const previous = item.return === 'previous' ? { returned: held } : {};
    if (item.op === 'delete') {
      this.#put(collection, item.key, null);
      return { found: held !== null, ...previous };
    }
    const now = this.#now();
    const times = {
      version: ++this.#lastVersion,
      created: held?.created ?? now,
      updated: now,
      expires: item.ttl_seconds === undefined ? null : now + item.ttl_seconds * 1_000,
    };
    this.#put(collection, item.key, { json: JSON.stringify(item.value), ...times });
    return { ...times, ...previous, ...(item.return === 'latest' && { returned: this.find(collection, item.key) }) };
  }
}

function sizeOf(json: string): number {
  return Buffer.byteLength(json);
}

function isAsAsked(condition: StorageCondition, held: StorageRecord | null): boolean {
  if (condition === 'absent') return held === null;
  if (condition === 'present') return held !== null;
  if ('version' in condition) return held?.version === condition.version;
  return matches(held?.value, condition);
}
