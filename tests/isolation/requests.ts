import type { Name, Names } from '@bulkhead/testkit';
import type { AnyRoute } from '@bulkhead/http';
import type { Part, Ref, Row } from './rows.ts';

export interface Request {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

function isRef(part: Part | undefined): part is Ref {
  return typeof part === 'object' && part !== null && 'ref' in part;
}

function fill(part: Part, names: Names): unknown {
  if (isRef(part)) return part.as === 'number' ? Number(names[part.ref]) : names[part.ref];
  if (Array.isArray(part)) return part.map((entry) => fill(entry as Part, names));
  if (typeof part === 'object' && part !== null)
    return Object.fromEntries(Object.entries(part).map(([field, value]) => [field, fill(value as Part, names)]));
  return part;
}

function texts(fields: Readonly<Record<string, string | Ref>> | undefined, names: Names): Record<string, string> {
  return fill((fields ?? {}) as Part, names) as Record<string, string>;
}

/** Every name that a row's request holds. */
export function namesIn(row: Row): readonly Name[] {
  const found = new Set<Name>();
  const walk = (part: Part | undefined): void => {
    if (isRef(part)) found.add(part.ref);
    else if (typeof part === 'object' && part !== null) for (const inner of Object.values(part)) walk(inner as Part);
  };
  for (const part of [row.path, row.query, row.body, row.form, row.headers]) walk(part as Part | undefined);
  return [...found];
}

/** The request of a row, with these names in its places. Throws where the row leaves a place of the path open. */
export function requestOf(route: AnyRoute, row: Row, names: Names): Request {
  const path = texts(row.path, names);
  const filled = route.path.replaceAll(/\{(\w+)(\.\.\.)?\}/g, (_place, name: string, rest: string | undefined) => {
    const value = path[name];
    if (value === undefined) throw new Error(`the row of ${route.id} says nothing of {${name}}`);
    return rest === undefined ? encodeURIComponent(value) : value;
  });
  const query = new URLSearchParams(texts(row.query, names));
  const body =
    row.form === undefined ? (row.body === undefined ? undefined : fill(row.body, names)) : new URLSearchParams(texts(row.form, names));
  return {
    method: route.method === 'ANY' ? 'GET' : route.method,
    path: query.size === 0 ? filled : `${filled}?${query}`,
    headers: texts(row.headers, names),
    body,
  };
}
