import { z } from 'zod';

export const ENTITIES_MAX = 20;
const ATTRIBUTES_MAX = 50;
const INDEXES_MAX = 7;
const PARTITION_ATTRIBUTES_MAX = 5;

/** The index that every entity has: by the key of its values. */
export const BY_KEY = 'by-key';

export const entityName = z.string().regex(/^[a-z0-9:_.-]{3,60}$/, 'expected 3 to 60 of lower case letters, digits, : _ . -');
const attributeName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_.:-]{0,99}$/, 'expected a letter or _, then letters, digits, _ . : -, 100 at most')
  .refine((name) => !['__proto__', 'constructor', 'prototype'].includes(name), 'this name has a meaning in JavaScript: take another');

export const attributeType = z.enum(['string', 'boolean', 'float', 'integer', 'any']);
export type AttributeType = z.output<typeof attributeType>;

const declaredIndex = z.union([
  attributeName,
  z.strictObject({
    name: z.string().min(1).max(100),
    partition: z.array(attributeName).max(PARTITION_ATTRIBUTES_MAX).default([]),
    range: z.array(attributeName).length(1).optional(),
  }),
]);

const declaredEntity = z
  .strictObject({
    name: entityName,
    attributes: z.record(attributeName, z.strictObject({ type: attributeType })),
    indexes: z.array(declaredIndex).max(INDEXES_MAX).default([]),
  })
  .superRefine(({ attributes, indexes }, context) => {
    const say = (message: string, path: (string | number)[]): void => context.addIssue({ code: 'custom', message, path });
    if (Object.keys(attributes).length > ATTRIBUTES_MAX) say(`at most ${ATTRIBUTES_MAX} attributes`, ['attributes']);
    const names = indexes.map((index) => (typeof index === 'string' ? index : index.name));
    if (new Set(names).size < names.length) say('two indexes have the same name', ['indexes']);
    indexes.forEach((index, place) => {
      if (names[place] === BY_KEY) say(`every entity has the index ${BY_KEY}: it is not declared`, ['indexes', place]);
      const of = typeof index === 'string' ? [index] : [...index.partition, ...(index.range ?? [])];
      if (of.length === 0) say('an index has a partition, a range, or both', ['indexes', place]);
      for (const name of of) {
        const type = Object.hasOwn(attributes, name) ? attributes[name]?.type : undefined;
        if (type === undefined) say(`the entity has no attribute ${name}`, ['indexes', place]);
        else if (type === 'any') say(`an attribute of type any has no order: ${name} cannot be in an index`, ['indexes', place]);
      }
    });
  });

/** The part `storage` of a manifest. */
export const storageDeclaration = z.strictObject({
  entities: z
    .array(declaredEntity)
    .max(ENTITIES_MAX)
    .refine((entities) => new Set(entities.map(({ name }) => name)).size === entities.length, 'two entities have the same name'),
});

/** As it is written, before defaults. */
export type StorageDeclaration = z.input<typeof storageDeclaration>;

/** An index as it is looked up by: an attribute alone is the range of an index of its name. */
export interface EntityIndex {
  readonly name: string;
  /** Attributes that are compared for equality, all of them. */
  readonly partition: readonly string[];
  /** The attribute that orders; null: the key alone does. */
  readonly range: string | null;
}

export interface Entity {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, AttributeType>;
  readonly indexes: readonly EntityIndex[];
}

/** Entities by name, of what a manifest declares. */
export function entitiesOf(declaration: z.output<typeof storageDeclaration> | undefined): ReadonlyMap<string, Entity> {
  return new Map(
    (declaration?.entities ?? []).map(({ name, attributes, indexes }) => [
      name,
      {
        name,
        attributes: new Map(Object.entries(attributes).map(([attribute, { type }]) => [attribute, type])),
        indexes: indexes.map((index) =>
          typeof index === 'string'
            ? { name: index, partition: [], range: index }
            : { name: index.name, partition: index.partition, range: index.range?.[0] ?? null },
        ),
      },
    ]),
  );
}

export function isOfType(type: AttributeType, value: unknown): boolean {
  switch (type) {
    case 'string':
      return typeof value === 'string' && value.isWellFormed();
    case 'boolean':
      return typeof value === 'boolean';
    case 'float':
      return typeof value === 'number' && Number.isFinite(value);
    case 'integer':
      return Number.isSafeInteger(value);
    case 'any':
      return true;
  }
}

/** What keeps a value from being one of an entity, as a sentence; null: nothing does. Attributes may be absent, none may be undeclared. */
export function entityProblem({ name, attributes }: Entity, value: unknown): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return `a value of the entity ${name} is an object`;
  for (const [attribute, held] of Object.entries(value)) {
    const type = attributes.get(attribute);
    if (type === undefined) return `the entity ${name} declares no attribute ${JSON.stringify(attribute.slice(0, 100))}`;
    if (!isOfType(type, held)) return `${name}.${attribute} is declared as ${type}`;
  }
  return null;
}
