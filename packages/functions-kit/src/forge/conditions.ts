import type { AttributeCondition, Filter as HostFilter, Scalar } from '../storage-types.ts';

/** What an attribute is compared with; of which attribute says who uses it. */
export type Condition = Pick<AttributeCondition, 'condition' | 'values'>;

const compare =
  (condition: AttributeCondition['condition']) =>
  (value: Scalar): Condition => ({ condition, values: [value] });

const beginsWith = compare('beginsWith');
const between = (first: Scalar, second: Scalar): Condition => ({ condition: 'between', values: [first, second] });
const equalTo = compare('equalTo');
const greaterThan = compare('greaterThan');
const greaterThanEqualTo = compare('greaterThanEqualTo');
const lessThan = compare('lessThan');
const lessThanEqualTo = compare('lessThanEqualTo');

/** On a key, or on the range of an index. */
export const WhereConditions = {
  beginsWith,
  between,
  equalTo,
  greaterThan,
  greaterThanEqualTo,
  lessThan,
  lessThanEqualTo,
  // As the older module spells them.
  equalsTo: equalTo,
  isGreaterThan: greaterThan,
  isGreaterThanEqualTo: greaterThanEqualTo,
  isLessThan: lessThan,
  isLessThanEqualTo: lessThanEqualTo,
};

/** On any attribute. */
export const FilterConditions = {
  ...WhereConditions,
  notEqualTo: compare('notEqualTo'),
  notEqualsTo: compare('notEqualTo'),
  contains: compare('contains'),
  notContains: compare('notContains'),
  exists: (): Condition => ({ condition: 'exists' }),
  notExists: (): Condition => ({ condition: 'notExists' }),
  doesNotExist: (): Condition => ({ condition: 'notExists' }),
};

/** Conditions that hold all, or of which one holds: never both kinds. */
export class Filter {
  readonly #conditions: AttributeCondition[] = [];
  #join: 'and' | 'or' | null = null;

  and(attribute: string, condition: Condition): this {
    return this.#add('and', attribute, condition);
  }

  or(attribute: string, condition: Condition): this {
    return this.#add('or', attribute, condition);
  }

  /** As the host reads it; undefined: there is no condition. */
  get asked(): HostFilter | undefined {
    const conditions = [...this.#conditions];
    return this.#join === null ? undefined : this.#join === 'and' ? { and: conditions } : { or: conditions };
  }

  #add(join: 'and' | 'or', attribute: string, condition: Condition): this {
    if (this.#join !== null && this.#join !== join) throw new Error('A filter joins its conditions by "and" or by "or", not by both');
    this.#join = join;
    this.#conditions.push({ attribute, ...condition });
    return this;
  }
}

export const Sort = { ASC: 'ASC', DESC: 'DESC' } as const;
export type SortOrder = (typeof Sort)[keyof typeof Sort];
