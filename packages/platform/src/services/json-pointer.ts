/** RFC 6901 §3: empty, or segments that each begin with `/`, with `~` only as `~0` or `~1`. */
const FORM = /^(?:\/(?:[^~/]|~[01])*)*$/;

export function isJsonPointer(text: string): boolean {
  return FORM.test(text);
}

/** What the pointer names in the document (RFC 6901 §4), or undefined. Only own members are seen, so `/__proto__` finds nothing. */
export function readJsonPointer(document: unknown, pointer: string): unknown {
  if (pointer === '') return document;
  let value: unknown = document;
  for (const segment of pointer.slice(1).split('/')) {
    const key = segment.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null) return undefined;
    if (Array.isArray(value) && !/^(?:0|[1-9][0-9]*)$/.test(key)) return undefined;
    if (!Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

/**
 * The text of a scalar that may serve as an id or a name: a non-empty string without control characters, or an integer. Half a surrogate
 * pair is no text either: written to the database as U+FFFD, the ids of two people would become one. Anything else is undefined, so that `{}`, `true` or `null` never becomes an identity.
 */
export function readScalar(document: unknown, pointer: string, lengthMax = 255): string | undefined {
  const value = readJsonPointer(document, pointer);
  const text = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value;
  if (typeof text !== 'string' || text === '' || text.length > lengthMax || /\p{Cc}/u.test(text) || !text.isWellFormed()) return undefined;
  return text;
}

/**
 * Parses JSON and keeps every integer beyond 2^53 as the text it was written in: rounded, two accounts of a service with
 * 64-bit ids would look like one.
 */
export function parseJsonExactly(text: string): unknown {
  const parse = JSON.parse as (text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown) => unknown;
  return parse(text, (_key, value, context) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?[0-9]+$/.test(context?.source ?? '') ? context.source : value,
  );
}
