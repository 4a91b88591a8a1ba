import { HostError } from '../host-service.ts';
import { storage } from '../storage.ts';
import type { Json } from '../storage-types.ts';

/** A refusal of what keeps values, under Forge's code. */
export class ForgeKvsAPIError extends Error {
  override readonly name = 'ForgeKvsAPIError';
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const CODES: Readonly<Record<string, string>> = {
  'function.storage_full': 'QUOTA_EXCEEDED',
  'request.invalid': 'BAD_REQUEST',
};

async function asked<Value>(work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (thrown) {
    if (!(thrown instanceof HostError)) throw thrown;
    throw new ForgeKvsAPIError(CODES[thrown.code] ?? 'INTERNAL_SERVER_ERROR', thrown.message, { cause: thrown });
  }
}

export interface KeyCondition {
  readonly condition: 'BEGINS_WITH';
  readonly values: readonly [string];
}

export const WhereConditions = {
  beginsWith: (value: string): KeyCondition => ({ condition: 'BEGINS_WITH', values: [value] }),
};

export interface Result<Value = Json> {
  readonly key: string;
  readonly value: Value;
}

export interface ListResult<Value = Json> {
  readonly results: Result<Value>[];
  /** Absent: there is nothing more. */
  readonly nextCursor?: string;
}

interface Asked {
  readonly prefix: string;
  readonly after: string;
  readonly limit: number;
}

/** Immutable: each step gives another one. */
export class KvsQuery {
  readonly #asked: Asked;

  constructor(query: Asked = { prefix: '', after: '', limit: 10 }) {
    this.#asked = query;
  }

  where(property: 'key', condition: KeyCondition): KvsQuery {
    if (property !== 'key') throw new ForgeKvsAPIError('BAD_REQUEST', 'A query of keys can ask for "key" alone');
    return new KvsQuery({ ...this.#asked, prefix: condition.values[0] });
  }

  limit(limit: number): KvsQuery {
    return new KvsQuery({ ...this.#asked, limit });
  }

  cursor(cursor: string): KvsQuery {
    return new KvsQuery({ ...this.#asked, after: cursor });
  }

  async getMany<Value extends Json = Json>(): Promise<ListResult<Value>> {
    const { limit } = this.#asked;
    const keys = await asked(() => storage.keys(this.#asked));
    const found = await Promise.all(keys.map(async (key) => ({ key, value: await asked(() => storage.get<Value>(key)) })));
    const results = found.filter((each): each is { key: string; value: Awaited<Value> } => each.value !== undefined);
    const last = keys.at(-1);
    return { results, ...(keys.length === limit && last !== undefined ? { nextCursor: last } : {}) };
  }

  async getOne<Value extends Json = Json>(): Promise<Result<Value> | undefined> {
    return (await this.limit(1).getMany<Value>()).results[0];
  }
}

export const kvs = {
  /** Undefined where there is nothing under the key. */
  get: <Value extends Json = Json>(key: string): Promise<Value | undefined> => asked(() => storage.get<Value>(key)),
  set: async (key: string, value: Json): Promise<void> => void (await asked(() => storage.set(key, value))),
  delete: async (key: string): Promise<void> => void (await asked(() => storage.delete(key))),
  query: (): KvsQuery => new KvsQuery(),
};

export default kvs;
