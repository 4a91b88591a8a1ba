import { isUtf8 } from 'node:buffer';
import type { Readable } from 'node:stream';
import { parse as parseJson } from 'secure-json-parse';
import { httpErrors } from './http-errors.ts';
import { isPrototypeKey, refuseUnstorableEncoding, refuseUnstorableText } from './plain-text.ts';
import type { BodyForm } from './route.ts';

const DEPTH_MAX = 32;

const PARAMETERS_MAX = 500;
/** Members of all objects and elements of all lists of a JSON body. */
const MEMBERS_MAX = 20_000;

/**
 * Reads a body into memory: never more than `limit.bytes`, never longer than `limit.ms` for the whole of it. What is left of one
 * that is too large is read and thrown away within the same time: left unread it would stand in the way of the answer and of
 * the next request on the connection, and a connection that is cut instead may lose the answer.
 */
export async function readBytes(stream: Readable, limit: { readonly bytes: number; readonly ms: number }): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  const tooSlow = () => httpErrors('request.too_slow', { params: { limit: Math.ceil(limit.ms / 1000) } });
  const timer = setTimeout(() => stream.destroy(tooSlow()), limit.ms);
  const ended = (): void => clearTimeout(timer);
  stream.once('end', ended).once('close', ended);
  for await (const part of stream.iterator({ destroyOnReturn: false })) {
    const bytes = part as Buffer;
    size += bytes.byteLength;
    if (size > limit.bytes) break;
    parts.push(bytes);
  }
  if (size > limit.bytes) {
    stream.on('error', () => undefined).resume();
    throw httpErrors('request.body_too_large', { params: { limit: limit.bytes } });
  }
  return Buffer.concat(parts, size);
}

/**
 * The body as plain data. `__proto__`, `constructor` and `prototype` keys are dropped, nesting and members are limited before anything
 * is parsed. Forms are read by whatever name Kloudless's clients give them (`application/form-urlencoded` included), multipart is not;
 * a repeated field becomes an array, which no schema of ours accepts. Throws `request.*`.
 */
export function decodeBody(
  bytes: Buffer,
  headers: { readonly 'content-type'?: string | undefined; readonly 'content-encoding'?: string | undefined },
  form: Exclude<BodyForm, 'stream'>,
): unknown {
  if (bytes.byteLength === 0) return {};
  if (!/^(identity)?$/i.test(headers['content-encoding'] ?? '')) throw httpErrors('request.compressed');
  const type = (headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
  if (!isUtf8(bytes)) throw httpErrors('request.invalid', { params: { problem: 'The body is not UTF-8.' } });
  const text = bytes.toString('utf8');
  if (form === 'form-or-json' && !type.endsWith('json')) {
    if (type.startsWith('multipart/'))
      throw httpErrors('request.unsupported_media_type', { params: { expected: 'application/x-www-form-urlencoded' } });
    refuseUnstorableEncoding(text);
    return decodeForm(text);
  }
  if (type !== '' && !type.endsWith('json') && type !== 'text/plain')
    throw httpErrors('request.unsupported_media_type', { params: { expected: 'application/json' } });
  limitShape(text);
  const value = parsedJson(text);
  if (text.includes('\\u') || text.includes('\0')) refuseUnstorableText(value);
  return value;
}

function parsedJson(text: string): unknown {
  try {
    return dropPrototypeKeys(parseJson(text, undefined, { protoAction: 'remove', constructorAction: 'remove' }), text);
  } catch (cause) {
    throw httpErrors('request.malformed_json', {
      params: { problem: cause instanceof Error ? cause.message.slice(0, 120) : 'unreadable' },
    });
  }
}

/** `secure-json-parse` drops `__proto__`, and `constructor` where it holds a `prototype`; here they go whatever they hold. */
function dropPrototypeKeys(value: unknown, text: string): unknown {
  return /"(?:constructor|prototype|\\u)/.test(text) ? withoutPrototypeKeys(value) : value;
}

function withoutPrototypeKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPrototypeKeys);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([name]) => !isPrototypeKey(name));
  return Object.fromEntries(kept.map(([name, inner]) => [name, withoutPrototypeKeys(inner)]));
}

export function decodeForm(text: string): Record<string, string | string[]> {
  const fields: Record<string, string | string[]> = Object.create(null);
  let count = 0;
  for (const [name, value] of new URLSearchParams(text)) {
    if (++count > PARAMETERS_MAX) throw httpErrors('request.too_many_parameters', { params: { limit: PARAMETERS_MAX } });
    if (isPrototypeKey(name)) continue;
    const before = fields[name];
    fields[name] = before === undefined ? value : [before, value].flat();
  }
  return fields;
}

/** Stands in a query that has more parameters than are read. */
const TOO_MANY = Symbol('too many parameters');

/** For the router, which survives no exception: a query with too many parameters says so when `refuseLongQuery` asks. */
export function decodeQuery(text: string): Record<string | symbol, unknown> {
  if (text === '') return Object.create(null) as Record<string, unknown>;
  try {
    return decodeForm(text);
  } catch {
    return Object.assign(Object.create(null) as object, { [TOO_MANY]: true });
  }
}

/** Throws `request.too_many_parameters`. */
export function refuseLongQuery(query: object): void {
  if (TOO_MANY in query) throw httpErrors('request.too_many_parameters', { params: { limit: PARAMETERS_MAX } });
}

/** Nesting and members, counted before a parser builds anything of them. */
function limitShape(text: string): void {
  let depth = 0;
  let members = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (inString) {
      if (char === 92) at++;
      else if (char === 34) inString = false;
    } else if (char === 34) inString = true;
    else if (char === 44) {
      if (++members > MEMBERS_MAX) throw httpErrors('request.too_many_parameters', { params: { limit: MEMBERS_MAX } });
    } else if (char === 123 || char === 91) {
      if (++depth > DEPTH_MAX) throw httpErrors('request.malformed_json', { params: { problem: `nested deeper than ${DEPTH_MAX}` } });
    } else if (char === 125 || char === 93) depth--;
  }
}
