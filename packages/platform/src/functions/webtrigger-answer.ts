import { validateHeaderValue } from 'node:http';
import { z } from 'zod';

/** What a function answers (forge.md §2.4). */
const returned = z.object({
  statusCode: z.int().min(200).max(599),
  headers: z.record(z.string(), z.union([z.string(), z.array(z.string())])).nullish(),
  body: z.string().nullish(),
  isBase64Encoded: z.boolean().optional(),
  statusText: z
    .string()
    .max(100)
    .regex(/^[\t\x20-\x7E]*$/, 'expected printable ASCII')
    .optional(),
});

/** An answer as it goes out. */
export interface WebtriggerAnswer {
  readonly status: number;
  readonly statusText: string | null;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: Buffer;
}

const HEADER_BYTES_MAX = 8_192;

/**
 * The fields a function may answer with. A list of what may, since what a field does to browsers, caches and proxies on our own name is
 * not for a stranger's code to say: no cookies, no CORS, no policies, no `X-Accel-Redirect`, no challenge that asks a person for a password.
 */
const ALLOWED = new Set([
  'allow',
  'cache-control',
  'content-disposition',
  'content-language',
  'content-type',
  'etag',
  'expires',
  'last-modified',
  'location',
  'retry-after',
  // The hand-shake of some services (Asana).
  'x-hook-secret',
]);
/** Fields of the App's own. */
const OWN_PREFIX = 'x-app-';

/** What every answer has, whatever the function says: markup is shown without scripts, forms or an origin, and no page elsewhere may use it. */
const FIXED = {
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;

const PLAIN = 'text/plain; charset=utf-8';
/** What a page of ours could run, were it made to include it. */
const SCRIPT = /(java|ecma|live|type)script|wasm/i;

/**
 * Reads what a function returned, as JSON text, as an answer. A string where it is none: what is wrong with it, for the log of the call.
 */
export function webtriggerAnswer(value: string): WebtriggerAnswer | string {
  const parsed = returned.safeParse(JSON.parse(value));
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    return `${path.length === 0 ? 'what was returned' : path.join('.')}: ${message}`;
  }
  const { statusCode, headers, body, isBase64Encoded, statusText } = parsed.data;
  const own: Record<string, string | readonly string[]> = { 'cache-control': 'no-store' };
  let bytes = 0;
  for (const [written, values] of Object.entries(headers ?? {})) {
    const name = written.toLowerCase();
    if (!ALLOWED.has(name) && !/^x-app-[a-z0-9-]+$/.test(name)) continue;
    const list = [values].flat();
    for (const each of list) {
      if (!isHeaderValue(name, each)) return `headers.${written}: is no value of a header`;
      bytes += name.length + each.length;
    }
    if (list.length > 1 && !name.startsWith(OWN_PREFIX)) return `headers.${written}: more than one value`;
    if (list.length > 0) own[name] = list.length === 1 ? list[0]! : list;
  }
  if (bytes > HEADER_BYTES_MAX) return `headers: more than ${HEADER_BYTES_MAX} bytes`;
  if (typeof own['location'] === 'string' && !isPlace(own['location']))
    return 'headers.location: expected an address of http or https, or a path';
  if (body != null && body !== '' && own['content-type'] === undefined) own['content-type'] = PLAIN;
  if (SCRIPT.test(String(own['content-type'] ?? ''))) own['content-type'] = PLAIN;
  return {
    status: statusCode,
    statusText: statusText ?? null,
    headers: { ...own, ...FIXED },
    body: hasBody(statusCode) ? Buffer.from(body ?? '', isBase64Encoded === true ? 'base64' : 'utf8') : Buffer.alloc(0),
  };
}

/** RFC 9110 §6.4.1. */
function hasBody(status: number): boolean {
  return status !== 204 && status !== 205 && status !== 304;
}

function isHeaderValue(name: string, value: string): boolean {
  try {
    validateHeaderValue(name, value);
    return true;
  } catch {
    return false;
  }
}

function isPlace(text: string): boolean {
  const url = URL.parse(text, 'https://here.invalid');
  return url !== null && (url.protocol === 'https:' || url.protocol === 'http:');
}
