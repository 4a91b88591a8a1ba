import { httpErrors } from './http-errors.ts';

/** Keys by which a careless merge reaches the prototype of every object. */
const PROTOTYPE_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

export function isPrototypeKey(name: string): boolean {
  return PROTOTYPE_KEYS.has(name);
}

/** Refuses what PostgreSQL cannot keep and no client means: a NUL, or half of a surrogate pair. Throws `request.invalid`. */
export function refuseUnstorableText(value: unknown): void {
  if (typeof value === 'string') {
    if (value.includes('\0') || !value.isWellFormed()) throw unstorable();
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, inner] of Object.entries(value)) {
      refuseUnstorableText(name);
      refuseUnstorableText(inner);
    }
  }
}

/** The same for percent-encoded text (a request target, a form), and for one that is no UTF-8, unless `lenient`. */
export function refuseUnstorableEncoding(encoded: string, { lenient = false } = {}): void {
  if (/%00|\0/.test(encoded)) throw unstorable();
  if (lenient || !encoded.includes('%')) return;
  try {
    decodeURIComponent(encoded);
  } catch {
    throw httpErrors('request.invalid', { params: { problem: 'The percent-encoding is not that of UTF-8 text.' } });
  }
}

function unstorable(): Error {
  return httpErrors('request.invalid', { params: { problem: 'The request holds a NUL or half of a character, which no text has.' } });
}
