import { type EntityQuery, type Json, storage, type StoredRecord } from '../index.ts';
import { type Condition, Filter, type SortOrder } from './conditions.ts';
import { asked, ForgeKvsAPIError } from './kvs-error.ts';

export interface Result<Value = Json> {
  readonly key: string;
  readonly value: Value;
}

export interface ListResult<Value = Json> {
  readonly results: Result<Value>[];
  /** Absent: there is nothing more. */
  readonly nextCursor?: string;
}

type Page = { readonly records: readonly StoredRecord[]; readonly cursor: string | null };

function listResult<Value>({ records, cursor }: Page): ListResult<Value> {
  return {
    results: records.map(({ key, value }) => ({ key, value: value as Value })),
    ...(cursor === null ? {} : { nextCursor: cursor }),
  };
}

interface KeysAsked {
  readonly prefix?: string;
  readonly cursor?: string;
  readonly limit?: number;
}

/** Of plain keys. Immutable: each step gives another one. */
export class KeyQuery {
  readonly #asked: KeysAsked;

  constructor(query: KeysAsked = {}) {
    this.#asked = query;
  }

  where(property: 'key', { condition, values }: Condition): KeyQuery {
    if (property !== 'key' || condition !== 'beginsWith')
      throw new ForgeKvsAPIError('BAD_REQUEST', 'A query of keys has one condition: that "key" begins with a text');
    return new KeyQuery({ ...this.#asked, prefix: String(values?.[0]) });
  }

  limit(limit: number): KeyQuery {
    return new KeyQuery({ ...this.#asked, limit });
  }

  cursor(cursor: string): KeyQuery {
    return new KeyQuery({ ...this.#asked, cursor });
  }

  async getMany<Value extends Json = Json>(): Promise<ListResult<Value>> {
    return listResult(await asked(() => storage.query(this.#asked)));
  }

  async getOne<Value extends Json = Json>(): Promise<Result<Value> | undefined> {
    return (await this.limit(1).getMany<Value>()).results[0];
  }
}

/** Of an entity, by one of its indexes. Immutable: each step gives another one. */
export class EntityIndexQuery {
  readonly #entity: string;
  readonly #asked: EntityQuery;

  constructor(entity: string, query: EntityQuery = {}) {
    this.#entity = entity;
    this.#asked = query;
  }

  #with(more: EntityQuery): EntityIndexQuery {
    return new EntityIndexQuery(this.#entity, { ...this.#asked, ...more });
  }

  index(index: string, { partition }: { readonly partition?: NonNullable<EntityQuery['partition']> } = {}): EntityIndexQuery {
    return this.#with({ index, ...(partition === undefined ? {} : { partition }) });
  }

  /** On the range of the index. */
  where({ condition, values = [] }: Condition): EntityIndexQuery {
    return this.#with({ range: { condition, values } as NonNullable<EntityQuery['range']> });
  }

  filters(filter: Filter): EntityIndexQuery {
    return this.#with(filter.asked === undefined ? {} : { filter: filter.asked });
  }

  /** As the older module has it: one more condition that must hold. */
  andFilter(attribute: string, condition: Condition): EntityIndexQuery {
    return this.#filter('and', attribute, condition);
  }

  orFilter(attribute: string, condition: Condition): EntityIndexQuery {
    return this.#filter('or', attribute, condition);
  }

  sort(order: SortOrder): EntityIndexQuery {
    return this.#with({ order: order === 'DESC' ? 'descending' : 'ascending' });
  }

  limit(limit: number): EntityIndexQuery {
    return this.#with({ limit });
  }

  cursor(cursor: string): EntityIndexQuery {
    return this.#with({ cursor });
  }

  async getMany<Value extends { readonly [attribute: string]: Json }>(): Promise<ListResult<Value>> {
    return listResult(await asked(() => storage.entity(this.#entity).query(this.#asked)));
  }

  async getOne<Value extends { readonly [attribute: string]: Json }>(): Promise<Result<Value> | undefined> {
    return (await this.limit(1).getMany<Value>()).results[0];
  }

  #filter(join: 'and' | 'or', attribute: string, condition: Condition): EntityIndexQuery {
    const { filter: before } = this.#asked;
    const filter = new Filter();
    if (before !== undefined)
      for (const each of 'and' in before ? before.and : before.or) filter['and' in before ? 'and' : 'or'](each.attribute, each);
    return this.filters(filter[join](attribute, condition));
  }
}
