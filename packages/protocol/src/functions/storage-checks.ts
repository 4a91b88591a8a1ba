import { type EntityQuery, STORAGE_LIMITS } from './storage-call.ts';
import { filterProblem, indexBytes, operandProblem, type Scalar } from './storage-conditions.ts';
import { type Entity, type EntityIndex, entityProblem } from './storage-entities.ts';

/** What keeps a value from being kept as one of an entity, as a sentence; null: nothing does. */
export function entityValueProblem(entity: Entity, value: unknown): string | null {
  return entityProblem(entity, value) ?? indexedProblem(entity, value as Readonly<Record<string, Scalar | undefined>>);
}

function indexedProblem({ indexes }: Entity, attributes: Readonly<Record<string, Scalar | undefined>>): string | null {
  const held = (name: string): Scalar | undefined => (Object.hasOwn(attributes, name) ? attributes[name] : undefined);
  for (const { name, partition, range } of indexes) {
    const ordered = range === null ? undefined : held(range);
    if (ordered !== undefined && indexBytes(ordered).length > STORAGE_LIMITS.rangeBytes)
      return `the range of the index ${name} has at most ${STORAGE_LIMITS.rangeBytes} bytes`;
    if (Buffer.byteLength(JSON.stringify(partition.map(held))) > STORAGE_LIMITS.partitionBytes)
      return `the partition of the index ${name} has at most ${STORAGE_LIMITS.partitionBytes} bytes`;
  }
  return null;
}

/** What keeps a query from being one by an index of an entity (null: by its keys), and in which field. */
export function entityQueryProblem(
  entity: Entity,
  index: EntityIndex | null,
  { partition, range, filter }: EntityQuery,
): { readonly field: string; readonly problem: string } | null {
  const typeOf = (name: string) => entity.attributes.get(name) ?? 'any';
  const of = index?.partition ?? [];
  if (partition.length !== of.length)
    return {
      field: 'partition',
      problem: of.length === 0 ? 'this index has no partition' : `the partition of this index is ${of.join(', ')}`,
    };
  for (const [at, name] of of.entries()) {
    const problem = operandProblem(`${entity.name}.${name}`, typeOf(name), [partition[at]!]);
    if (problem !== null) return { field: 'partition', problem };
  }
  if (range !== undefined) {
    if (index !== null && index.range === null) return { field: 'range', problem: 'this index has no range' };
    const ordered = index?.range ?? null;
    const type = ordered === null ? 'string' : typeOf(ordered);
    const problem = operandProblem(ordered === null ? 'the key' : `${entity.name}.${ordered}`, type, range.values);
    if (problem !== null) return { field: 'range', problem };
    if (range.condition === 'beginsWith' && type !== 'string') return { field: 'range', problem: 'only text begins with something' };
    if (ordered === null && range.values.some((text) => String(text).includes('\0')))
      return { field: 'range', problem: 'no key has a NUL' };
  }
  const problem = filter === undefined ? null : filterProblem(entity, filter);
  return problem === null ? null : { field: 'filter', problem };
}
