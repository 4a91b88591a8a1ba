import type { Readable } from 'node:stream';
import { parse as parseJson } from 'secure-json-parse';
import { httpErrors } from './http-errors.ts';
import type { BodyForm } from './route.ts';

const DEPTH_MAX = 32;

const PARAMETERS_MAX = 500;

/**
 * Reads a body into memory: never more than `limit.bytes`, never longer than `limit.ms` for the whole of it. What is left of one
 * that is too large is read and thrown away within the same time: left unread it would stand in the way of the answer and of
 * the next request on the connection, and a connection that is cut instead may lose the answer.
 */
export async function readBytes(stream: Readable, limit: { readonly bytes: number; readonly ms: number }): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  const late = httpErrors('request.too_slow', { params: { limit: Math.ceil(limit.ms / 1000) } });
  const timer = setTimeout(() => stream.destroy(late), limit.ms);
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
 * The body as plain data. `__proto__` and `constructor.prototype` keys are dropped, nesting is limited. Forms are read by
 * whatever name Kloudless's clients give them (`application/form-urlencoded` included); a repeated field becomes an array,
 * which no schema of ours accepts.
 */
export function decodeBody(bytes: Buffer, contentType: string | undefined, form: Exclude<BodyForm, 'stream'>): unknown {
  if (bytes.byteLength === 0) return {};
  const type = (contentType ?? '').split(';')[0]!.trim().toLowerCase();
  if (form === 'form-or-json' && !type.endsWith('json')) return decodeForm(bytes.toString('utf8'));
  if (type !== '' && !type.endsWith('json') && type !== 'text/plain')
    throw httpErrors('request.unsupported_media_type', { params: { expected: 'application/json' } });
  const text = bytes.toString('utf8');
  limitDepth(text);
  try {
    return parseJson(text, undefined, { protoAction: 'remove', constructorAction: 'remove' });
  } catch (cause) {
    throw httpErrors('request.malformed_json', {
      params: { problem: cause instanceof Error ? cause.message.slice(0, 120) : 'unreadable' },
    });
  }
}

export function decodeForm(text: string): Record<string, string | string[]> {
  const fields: Record<string, string | string[]> = Object.create(null);
  let count = 0;
  for (const [name, value] of new URLSearchParams(text)) {
    if (++count > PARAMETERS_MAX) throw httpErrors('request.too_many_parameters', { params: { limit: PARAMETERS_MAX } });
    const before = fields[name];
    fields[name] = before === undefined ? value : [before, value].flat();
  }
  return fields;
}

function limitDepth(text: string): void {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (inString) {
      if (char === 92) at++;
      else if (char === 34) inString = false;
    } else if (char === 34) inString = true;
    else if (char === 123 || char === 91) {
      if (++depth > DEPTH_MAX) throw httpErrors('request.malformed_json', { params: { problem: `nested deeper than ${DEPTH_MAX}` } });
    } else if (char === 125 || char === 93) depth--;
  }
}
