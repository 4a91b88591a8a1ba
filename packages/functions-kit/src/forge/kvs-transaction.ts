import { type Condition, type Json, storage, type TransactionItem } from '../index.ts';
import type { Filter } from './conditions.ts';
import { asked, ForgeKvsAPIError, goodKey } from './kvs-error.ts';

export interface TransactionOptions {
  /** Absent: a plain key. */
  readonly entityName?: string;
  /** What the value that is there must be like. */
  readonly conditions?: Filter;
}

/** All of it, or none. */
export class TransactionBuilder {
  readonly #items: TransactionItem[] = [];

  set(key: string, value: Json, options?: TransactionOptions): this {
    this.#items.push({ op: 'set', value, ...place(key, options) });
    return this;
  }

  delete(key: string, options?: TransactionOptions): this {
    this.#items.push({ op: 'delete', ...place(key, options) });
    return this;
  }

  check(key: string, options: TransactionOptions): this {
    const { if: condition, ...where } = place(key, options);
    if (condition === undefined) throw new ForgeKvsAPIError('BAD_REQUEST', 'A check has conditions');
    this.#items.push({ op: 'check', ...where, if: condition });
    return this;
  }

  execute(): Promise<void> {
    return asked(() => storage.transaction(this.#items));
  }
}

function place(key: string, { entityName, conditions }: TransactionOptions = {}): { key: string; entity?: string; if?: Condition } {
  const condition = conditions?.asked;
  return {
    key: goodKey(key),
    ...(entityName === undefined ? {} : { entity: entityName }),
    ...(condition === undefined ? {} : { if: condition }),
  };
}
