import { z } from 'zod';
import type { AttributeType, Entity } from './storage-entities.ts';
import { isOfType } from './storage-entities.ts';

/** How many values each takes. */
const OPERANDS = {
  equalTo: 1,
  notEqualTo: 1,
  beginsWith: 1,
  between: 2,
  greaterThan: 1,
  greaterThanEqualTo: 1,
  lessThan: 1,
  lessThanEqualTo: 1,
  contains: 1,
  notContains: 1,
  exists: 0,
  notExists: 0,
} as const;
type ConditionName = keyof typeof OPERANDS;

const RANGE_CONDITIONS = ['equalTo', 'beginsWith', 'between', 'greaterThan', 'greaterThanEqualTo', 'lessThan', 'lessThanEqualTo'] as const;
const CONDITIONS_MAX = 100;
const OPERAND_MAX = 2_000;

export type Scalar = string | number | boolean;
export const scalar = z.union([z.string().max(OPERAND_MAX), z.number(), z.boolean()]);

const hasItsOperands = ({ condition, values }: { condition: ConditionName; values: readonly Scalar[] }): boolean =>
  values.length === OPERANDS[condition];
const operandsProblem = { message: 'expected two values for between, none for exists and notExists, one for each other', path: ['values'] };

export const rangeCondition = z
  .strictObject({ condition: z.enum(RANGE_CONDITIONS), values: z.array(scalar).max(2) })
  .refine(hasItsOperands, operandsProblem);
export type RangeCondition = z.output<typeof rangeCondition>;

const attributeCondition = z
  .strictObject({
    attribute: z.string().min(1).max(100),
    condition: z.enum(Object.keys(OPERANDS) as [ConditionName, ...ConditionName[]]),
    values: z.array(scalar).max(2).default([]),
  })
  .refine(hasItsOperands, operandsProblem);
export type AttributeCondition = z.output<typeof attributeCondition>;

/** All of them, or one of them: never both. */
export const storageFilter = z.union([
  z.strictObject({ and: z.array(attributeCondition).max(CONDITIONS_MAX) }),
  z.strictObject({ or: z.array(attributeCondition).min(1).max(CONDITIONS_MAX) }),
]);
export type StorageFilter = z.output<typeof storageFilter>;

/** Whether a value is as a filter says. An attribute that is absent fulfils `notExists`, `notEqualTo` and `notContains`. */
export function matches(value: unknown, filter: StorageFilter): boolean {
  return 'and' in filter ? filter.and.every((each) => holds(value, each)) : filter.or.some((each) => holds(value, each));
}

function holds(value: unknown, { attribute, condition, values }: AttributeCondition): boolean {
  const held =
    typeof value === 'object' && value !== null && Object.hasOwn(value, attribute)
      ? (value as Record<string, unknown>)[attribute]
      : undefined;
  const isThere = held !== undefined && held !== null;
  const [first, second] = values;
  switch (condition) {
    case 'exists':
      return isThere;
    case 'notExists':
      return !isThere;
    case 'equalTo':
      return held === first;
    case 'notEqualTo':
      return held !== first;
    case 'beginsWith':
      return typeof held === 'string' && typeof first === 'string' && held.startsWith(first);
    case 'contains':
      return contains(held, first);
    case 'notContains':
      return !contains(held, first);
    default: {
      const low = order(held, first);
      if (low === null) return false;
      if (condition === 'greaterThan') return low > 0;
      if (condition === 'greaterThanEqualTo') return low >= 0;
      if (condition === 'lessThan') return low < 0;
      if (condition === 'lessThanEqualTo') return low <= 0;
      const high = order(held, second);
      return low >= 0 && high !== null && high <= 0;
    }
  }
}

function contains(held: unknown, part: unknown): boolean {
  if (typeof held === 'string') return typeof part === 'string' && held.includes(part);
  return Array.isArray(held) && held.includes(part);
}

/** Negative, zero or positive as `left` comes before, with or after `right` in an index; null where they are not of one kind. */
function order(left: unknown, right: unknown): number | null {
  if (typeof left !== typeof right || left === null || (typeof left !== 'string' && typeof left !== 'number' && typeof left !== 'boolean'))
    return null;
  return Buffer.compare(indexBytes(left), indexBytes(right as Scalar));
}

/** What keeps a filter from being one over an entity, as a sentence; null: nothing does. */
export function filterProblem({ name, attributes }: Entity, filter: StorageFilter): string | null {
  for (const { attribute, condition, values } of 'and' in filter ? filter.and : filter.or) {
    const type = attributes.get(attribute);
    if (type === undefined) return `the entity ${name} declares no attribute ${JSON.stringify(attribute)}`;
    if (type === 'any' && condition !== 'exists' && condition !== 'notExists')
      return `${name}.${attribute} is declared as any, which can be asked for exists and notExists alone`;
    const problem = operandProblem(`${name}.${attribute}`, type, values);
    if (problem !== null) return problem;
  }
  return null;
}

/** The same for the values of one attribute. */
export function operandProblem(what: string, type: AttributeType, values: readonly Scalar[]): string | null {
  const isFit = values.every((value) => isOfType(type === 'integer' ? 'float' : type, value));
  return isFit ? null : `${what} is declared as ${type}, and so are the values it is compared with`;
}

/**
 * A value as bytes that are in order as the values are: text by code points, numbers by size, false before true. Of one attribute all
 * values are of one type.
 */
export function indexBytes(value: Scalar): Buffer {
  if (typeof value === 'string') return Buffer.from(value, 'utf8');
  if (typeof value === 'boolean') return Buffer.of(value ? 1 : 0);
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value === 0 ? 0 : value);
  // Of negative numbers every bit is turned, of others the sign: so the greater one has the greater bytes.
  if (value < 0) for (let at = 0; at < 8; at++) bytes[at]! ^= 0xff;
  else bytes[0]! ^= 0x80;
  return bytes;
}

/** Where a stretch of an index begins and ends. Null: it does not. */
export interface Stretch<Bound> {
  readonly from: { readonly at: Bound; readonly isIn: boolean } | null;
  readonly to: { readonly at: Bound; readonly isIn: boolean } | null;
}

export const EVERYTHING: Stretch<never> = { from: null, to: null };

/** What of an index a condition on its range asks for. */
export function stretchOf({ condition, values }: RangeCondition): Stretch<Scalar> {
  const [first, second] = values as [Scalar, Scalar];
  switch (condition) {
    case 'equalTo':
      return { from: { at: first, isIn: true }, to: { at: first, isIn: true } };
    case 'between':
      return { from: { at: first, isIn: true }, to: { at: second, isIn: true } };
    case 'greaterThan':
    case 'greaterThanEqualTo':
      return { from: { at: first, isIn: condition === 'greaterThanEqualTo' }, to: null };
    case 'lessThan':
    case 'lessThanEqualTo':
      return { from: null, to: { at: first, isIn: condition === 'lessThanEqualTo' } };
    case 'beginsWith': {
      const after = afterPrefix(String(first));
      return { from: { at: first, isIn: true }, to: after === null ? null : { at: after, isIn: false } };
    }
  }
}

/** The first text after all that begin with a prefix, by code points; null: there is none. */
export function afterPrefix(prefix: string): string | null {
  const points = Array.from(prefix, (char) => char.codePointAt(0)!);
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    // Half a pair is no character.
    const next = last === 0xd7ff ? 0xe000 : last + 1;
    if (next <= 0x10ffff) return String.fromCodePoint(...points, next);
  }
  return null;
}
