import { isUtf8 } from 'node:buffer';
import type { RawRequest } from '@bulkhead/http';

/** What a function is called with (forge.md §2.4; `isBase64Encoded` is ours: Forge knows texts only). */
export interface WebtriggerPayload {
  readonly method: string;
  /** Every field in small letters, with its values in turn. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
  /** Text, or base64 where the bytes are not UTF-8. */
  readonly body: string;
  readonly isBase64Encoded: boolean;
  /** Of the whole request, as it came. */
  readonly path: string;
  /** What follows the address of the trigger, as it came: empty, or with its slash. */
  readonly userPath: string;
  readonly queryParameters: Readonly<Record<string, readonly string[]>>;
}

/** Of one connection (RFC 9110 §7.6.1), and cookies, which are this host's and no function's. */
const KEPT_BACK = new Set([
  'connection',
  'cookie',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
const OWN_CREDENTIAL = /\bbh[a-z]_/;

/** `hidesAuthorization`: it holds the secret of the trigger. One of ours that came by mistake is never handed on either. */
export function webtriggerPayload(
  raw: RawRequest,
  body: Buffer,
  { hidesAuthorization }: { hidesAuthorization: boolean },
): WebtriggerPayload {
  const { message, target } = raw;
  const [path = '', query = ''] = splitOnce(target, '?');
  const isText = isUtf8(body);
  return {
    method: message.method ?? 'GET',
    headers: grouped(
      pairs(message.rawHeaders).filter(
        ([name, value]) => !KEPT_BACK.has(name) && !(name === 'authorization' && (hidesAuthorization || OWN_CREDENTIAL.test(value))),
      ),
    ),
    body: body.toString(isText ? 'utf8' : 'base64'),
    isBase64Encoded: !isText,
    path,
    userPath: /^\/+f\/+[^/]+\/+[^/]+\/+[^/]+(.*)$/.exec(path)?.[1] ?? '',
    queryParameters: grouped([...new URLSearchParams(query)]),
  };
}

function splitOnce(text: string, mark: string): readonly string[] {
  const at = text.indexOf(mark);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function pairs(rawHeaders: readonly string[]): [string, string][] {
  const found: [string, string][] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) found.push([rawHeaders[at]!.toLowerCase(), rawHeaders[at + 1] ?? '']);
  return found;
}

/** Without a prototype, so that no name means anything; `__proto__` is left out, since it could not be read back. */
function grouped(entries: readonly (readonly [string, string])[]): Record<string, string[]> {
  const groups = Object.create(null) as Record<string, string[]>;
  for (const [name, value] of entries) if (name !== '__proto__') (groups[name] ??= []).push(value);
  return groups;
}
