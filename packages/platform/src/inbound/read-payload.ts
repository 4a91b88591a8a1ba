import { isUtf8 } from 'node:buffer';
import { parseJsonExactly } from '../services/index.ts';

const DEPTH_MAX = 100;
const FORM_TYPE = 'application/x-www-form-urlencoded';

/**
 * The body as plain data: JSON, or a form's fields; a form whose one field is `payload` (Slack, GitHub) is the JSON in it. Null for what
 * is neither, or is nested deeper than 100. Keys of a prototype are left out, and with them every member of a name in `secretMembers`.
 * Read only what has been verified.
 */
export function readPayload(body: Buffer, contentType: string | null, secretMembers: readonly string[] = []): unknown {
  if (body.byteLength === 0 || !isUtf8(body)) return null;
  const text = body.toString('utf8');
  const isForm = contentType?.split(';')[0]?.trim().toLowerCase() === FORM_TYPE;
  return without(isForm ? readForm(text) : readJson(text), new Set(['__proto__', 'constructor', 'prototype', ...secretMembers]));
}

function readForm(text: string): unknown {
  const fields = [...new URLSearchParams(text)];
  const [first] = fields;
  return fields.length === 1 && first?.[0] === 'payload' ? readJson(first[1]) : Object.fromEntries(fields);
}

function readJson(text: string): unknown {
  if (isTooDeep(text)) return null;
  try {
    return parseJsonExactly(text);
  } catch {
    return null;
  }
}

function isTooDeep(text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (inString) {
      if (char === '\\') at++;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === '{' || char === '[') {
      if (++depth > DEPTH_MAX) return true;
    } else if (char === '}' || char === ']') depth--;
  }
  return false;
}

function without(value: unknown, names: ReadonlySet<string>): unknown {
  if (Array.isArray(value)) return value.map((each) => without(each, names));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !names.has(name))
      .map(([name, inner]) => [name, without(inner, names)]),
  );
}
