import type { AnyRoute } from '@bulkhead/http';
import { z } from 'zod';

type Schema = { readonly [key: string]: unknown };

/** Names under which an address can come in, whatever its schema says. */
const NAMED = /(?:^|_)(?:url|uri|endpoint|issuer|domain|origin|host|href|link|logo|image|callback|server|proxy|resource)s?(?:$|_)/;

/** `route: dotted.path` of every field of a request that can hold an address, by its name or by the format of its schema. */
export function urlFields(routes: readonly AnyRoute[]): string[] {
  const found = new Set<string>();
  for (const route of routes) {
    for (const part of [route.body, route.query] as (z.ZodType | undefined)[]) {
      if (part === undefined) continue;
      const schema = z.toJSONSchema(part, { io: 'input', unrepresentable: 'any' }) as Schema;
      walk(schema, schema, [], (path) => found.add(`${route.id}: ${path.join('.')}`), 0);
    }
  }
  return [...found].sort();
}

function walk(schema: Schema, root: Schema, path: readonly string[], found: (path: readonly string[]) => void, depth: number): void {
  if (depth > 20) return;
  const next = (inner: unknown, at: readonly string[] = path): void => {
    if (typeof inner === 'object' && inner !== null) walk(inner as Schema, root, at, found, depth + 1);
  };
  if (typeof schema['$ref'] === 'string') {
    const name = schema['$ref'].split('/').at(-1) ?? '';
    next((root['$defs'] as Schema | undefined)?.[name]);
  }
  const holdsText = ['properties', 'items', 'anyOf', 'oneOf', 'allOf'].every((word) => schema[word] === undefined);
  if (
    holdsText &&
    path.length > 0 &&
    (schema['type'] === 'string' || schema['type'] === undefined) &&
    schema['const'] === undefined &&
    schema['enum'] === undefined
  ) {
    if (schema['format'] === 'uri' || path.some((name) => NAMED.test(name))) found(path);
  }
  for (const [name, inner] of Object.entries((schema['properties'] ?? {}) as Schema)) next(inner, [...path, name]);
  next(schema['items']);
  next(schema['additionalProperties']);
  for (const word of ['anyOf', 'oneOf', 'allOf']) for (const inner of (schema[word] ?? []) as unknown[]) next(inner);
}
