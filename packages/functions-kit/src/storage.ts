import { callHost } from './host-service.ts';
import type {
  BatchItem,
  BatchResult,
  DeleteOptions,
  EntityQuery,
  Json,
  KeyQuery,
  RecordPage,
  SetOptions,
  StoredRecord,
  TransactionItem,
  Written,
} from './storage-types.ts';

/** As it comes over the wire: times in milliseconds since 1970. */
interface Times {
  readonly version: number;
  readonly created: number;
  readonly updated: number;
  readonly expires: number | null;
}
interface Answered extends Times {
  readonly key: string;
  readonly value: Json;
}
interface FoundAnswer extends Answered {
  readonly found: boolean;
}
interface WrittenAnswer extends Times {
  readonly returned?: Answered | null;
}
type ItemAnswer = Partial<FoundAnswer & WrittenAnswer> & { readonly error?: { readonly code: string; readonly message: string } };

const call = <Answer>(body: Readonly<Record<string, unknown>>): Promise<Answer> => callHost<Answer>('storage', body);

function times({ version, created, updated, expires }: Times): Omit<StoredRecord, 'key' | 'value'> {
  return { version, createdAt: new Date(created), updatedAt: new Date(updated), expiresAt: expires === null ? null : new Date(expires) };
}

function record<Value extends Json>({ key, value, ...rest }: Answered): StoredRecord<Value> {
  return { key, value: value as Value, ...times(rest) };
}

function written(answer: WrittenAnswer): Written {
  const { returned } = answer;
  return { ...times(answer), ...(returned !== undefined && { returned: returned === null ? null : record(returned) }) };
}

function asked({ ttlSeconds, ...item }: SetOptions & Readonly<Record<string, unknown>>): Record<string, unknown> {
  return { ...item, ...(ttlSeconds !== undefined && { ttl_seconds: ttlSeconds }) };
}

function asPage<Value extends Json>({ records, cursor }: { records: Answered[]; cursor: string | null }): RecordPage<Value> {
  return { records: records.map((each) => record<Value>(each)), cursor };
}

async function find<Value extends Json>(place: Readonly<Record<string, unknown>>): Promise<StoredRecord<Value> | undefined> {
  const answer = await call<FoundAnswer>({ op: 'get', ...place });
  return answer.found ? record<Value>(answer) : undefined;
}

async function set(place: Readonly<Record<string, unknown>>, value: Json, options: SetOptions): Promise<Written> {
  return written(await call<WrittenAnswer>(asked({ op: 'set', ...place, value, ...options })));
}

async function remove(place: Readonly<Record<string, unknown>>, options: DeleteOptions): Promise<boolean> {
  return (await call<{ found: boolean }>({ op: 'delete', ...place, ...options })).found;
}

/** Follows the cursors of a query to its end. */
async function* every<Value extends Json>(
  page: (cursor: string | null) => Promise<RecordPage<Value>>,
): AsyncGenerator<StoredRecord<Value>> {
  let cursor: string | null = null;
  do {
    const next: RecordPage<Value> = await page(cursor);
    yield* next.records;
    ({ cursor } = next);
  } while (cursor !== null);
}

/**
 * What the functions of one installation keep, in one environment: texts of at most 500 characters to JSON of at most 240 KiB, 10,000 of
 * them, 50 MiB. Nobody else sees it: not another installation, not another App. Each throws `HostError`.
 */
export const storage = {
  /** Undefined where there is nothing under the key. */
  async get<Value extends Json = Json>(key: string): Promise<Value | undefined> {
    return (await find<Value>({ key }))?.value;
  },
  /** The value with its version and times. */
  getRecord<Value extends Json = Json>(key: string): Promise<StoredRecord<Value> | undefined> {
    return find<Value>({ key });
  },
  set(key: string, value: Json, options: SetOptions = {}): Promise<Written> {
    return set({ key }, value, options);
  },
  /** Whether there was something. */
  delete(key: string, options: DeleteOptions = {}): Promise<boolean> {
    return remove({ key }, options);
  },
  /** Keys in the order of their bytes, 100 at most; the next ones with the last as `after`. */
  async keys({ prefix = '', after = '', limit = 100 }: { prefix?: string; after?: string; limit?: number } = {}): Promise<string[]> {
    return (await call<{ keys: string[] }>({ op: 'list', prefix, after, limit })).keys;
  },
  /** A page of what lies under keys that begin with `prefix`, in the order of their bytes. */
  async query<Value extends Json = Json>({ cursor, ...query }: KeyQuery = {}): Promise<RecordPage<Value>> {
    return asPage(await call({ op: 'query', ...query, ...(cursor != null && { cursor }) }));
  },
  /** All pages of it, one after the other. */
  all<Value extends Json = Json>(query: KeyQuery = {}): AsyncGenerator<StoredRecord<Value>> {
    return every((cursor) => storage.query<Value>(cursor === null ? query : { ...query, cursor }));
  },
  /** Values of an entity that the manifest declares; their attributes are checked when they are set. */
  entity<Value extends { readonly [attribute: string]: Json } = { readonly [attribute: string]: Json }>(name: string) {
    const entity = {
      async get(key: string): Promise<Value | undefined> {
        return (await find<Value>({ entity: name, key }))?.value;
      },
      getRecord(key: string): Promise<StoredRecord<Value> | undefined> {
        return find<Value>({ entity: name, key });
      },
      set(key: string, value: Value, options: SetOptions = {}): Promise<Written> {
        return set({ entity: name, key }, value, options);
      },
      delete(key: string, options: DeleteOptions = {}): Promise<boolean> {
        return remove({ entity: name, key }, options);
      },
      /** A page by one of its indexes. It is full as long as there is more. */
      async query({ cursor, index = 'by-key', ...query }: EntityQuery = {}): Promise<RecordPage<Value>> {
        return asPage(await call({ op: 'entity_query', entity: name, index, ...query, ...(cursor != null && { cursor }) }));
      },
      all(query: EntityQuery = {}): AsyncGenerator<StoredRecord<Value>> {
        return every((cursor) => entity.query(cursor === null ? query : { ...query, cursor }));
      },
    };
    return entity;
  },
  /** At most 25, each for itself: where one is refused, the others are done. */
  async batch(items: readonly BatchItem[]): Promise<BatchResult[]> {
    const { results } = await call<{ results: ItemAnswer[] }>({ op: 'batch', items: items.map((item) => asked({ ...item })) });
    return results.map((answer, at): BatchResult => {
      if (answer.error !== undefined) return { error: answer.error };
      if (items[at]?.op === 'set') return { written: written(answer as WrittenAnswer) };
      const isRecord = items[at]?.op === 'get' && answer.found === true;
      return { found: answer.found === true, ...(isRecord && { record: record(answer as Answered) }) };
    });
  },
  /** At most 25, each on another key: all of them or, where one is refused, none. */
  async transaction(items: readonly TransactionItem[]): Promise<void> {
    await call({ op: 'transaction', items: items.map((item) => asked({ ...item })) });
  },
  /** Secrets have keys of their own, are in no query, and leave no export. */
  async getSecret<Value extends Json = Json>(key: string): Promise<Value | undefined> {
    return (await find<Value>({ key, secret: true }))?.value;
  },
  setSecret(key: string, value: Json, options: SetOptions = {}): Promise<Written> {
    return set({ key, secret: true }, value, options);
  },
  deleteSecret(key: string, options: DeleteOptions = {}): Promise<boolean> {
    return remove({ key, secret: true }, options);
  },
};
