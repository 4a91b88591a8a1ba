type Schema = { readonly [key: string]: unknown };

/** Names under which an address can come in, whatever its schema says. */
const NAMED = /(?:^|_)(?:url|uri|endpoint|issuer|domain|origin|host|href|link|logo|image|callback|server|proxy|resource)s?(?:$|_)/;

/**
 * `operation: dotted.path` of every field of a request that can hold an address, by its name or by the format of its schema. Read from
 * the OpenAPI document, which is made from the registry of routes.
 */
export function urlFields(openApi: Schema): string[] {
  const found = new Set<string>();
  const operations = Object.values(openApi['paths'] as Schema).flatMap((path) => Object.values(path as Schema)) as Schema[];
  for (const operation of operations) {
    const seen = (path: readonly string[]): void => void found.add(`${String(operation['operationId'])}: ${path.join('.')}`);
    // A part of a path names something of ours.
    const parameters = ((operation['parameters'] ?? []) as { name: string; in: string; schema: Schema }[]).filter(
      (each) => each.in !== 'path',
    );
    for (const { name, schema } of parameters) walk(schema, schema, [name], seen, 0);
    const content = (operation['requestBody'] as { content?: Schema } | undefined)?.content ?? {};
    for (const { schema } of Object.values(content) as { schema: Schema }[]) walk(schema, schema, [], seen, 0);
  }
  return [...found].sort();
}

function walk(schema: Schema, root: Schema, path: readonly string[], found: (path: readonly string[]) => void, depth: number): void {
  if (depth > 20) return;
  const next = (inner: unknown, at: readonly string[] = path): void => {
    if (typeof inner === 'object' && inner !== null) walk(inner as Schema, root, at, found, depth + 1);
  };
  if (typeof schema['$ref'] === 'string') next((root['$defs'] as Schema | undefined)?.[schema['$ref'].split('/').at(-1) ?? '']);
  const holdsOthers = ['properties', 'items', 'anyOf', 'oneOf', 'allOf', '$ref', 'const', 'enum'].some(
    (word) => schema[word] !== undefined,
  );
  const isText = schema['type'] === 'string' || schema['type'] === undefined;
  if (!holdsOthers && isText && path.length > 0 && (schema['format'] === 'uri' || path.some((name) => NAMED.test(name)))) found(path);
  for (const [name, inner] of Object.entries((schema['properties'] ?? {}) as Schema)) next(inner, [...path, name]);
  next(schema['items']);
  next(schema['additionalProperties']);
  for (const word of ['anyOf', 'oneOf', 'allOf']) for (const inner of (schema[word] ?? []) as unknown[]) next(inner);
}
