/** Headers as they were on the wire: name, value, name, value; duplicates, order and case kept. */
export type RawHeaders = readonly string[];

/** Fields about one connection, never passed on (RFC 9110 §7.6.1), with the older ones that Connection need not name. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** Written by the connection itself from the URL and the body, so that no header of a caller contradicts them. */
const OURS = new Set(['host', 'expect']);

/**
 * Fields meant for the recipient, which Connection must not name (RFC 9110 §7.6.1). Honouring it would let a caller have
 * the credential removed that the platform put in, or the length that keeps two requests apart.
 */
const END_TO_END = new Set([
  'authorization',
  'cache-control',
  'cookie',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'date',
  'set-cookie',
]);

/** Belongs to a caller and its session with us; a caller's own credential must never travel on. */
const CALLERS = new Set(['authorization', 'cookie', 'cookie2', 'origin', 'referer']);

/** Would act on our origin if a browser saw it come from there. */
const ACTS_ON_ORIGIN = new Set([
  'set-cookie',
  'set-cookie2',
  'strict-transport-security',
  'public-key-pins',
  'public-key-pins-report-only',
  'alt-svc',
  'clear-site-data',
  'nel',
  'report-to',
  'reporting-endpoints',
  'service-worker-allowed',
]);

/** Say where a caller came from: for us to know, not for the upstream. `x-forwarded-*` too. */
const TRACES = ['forwarded', 'via', 'x-real-ip'];

// One set for each direction: these run on every request, and one look-up is cheaper than four.
// Trailer: a request's trailers are not sent on, so they are not announced either.
const NOT_FORWARDED = new Set([...HOP_BY_HOP, ...OURS, ...CALLERS, ...TRACES, 'trailer']);
const NOT_SENT = new Set([...HOP_BY_HOP, ...OURS]);
// Trailer: whether trailers can be sent depends on the caller's connection, and they need no announcement.
const NOT_RETURNED = new Set([...HOP_BY_HOP, ...ACTS_ON_ORIGIN, 'trailer']);
const NOT_TRAILED = new Set([...NOT_FORWARDED, ...NOT_RETURNED]);

/** What Connection names, if anything, apart from the fields it may not name. */
function namedByConnection(headers: RawHeaders): ReadonlySet<string> | null {
  let named: Set<string> | null = null;
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index]!;
    if (name.length !== 10 || name.toLowerCase() !== 'connection') continue;
    for (const option of headers[index + 1]!.toLowerCase().split(',')) {
      const field = option.trim();
      if (field !== '' && field !== 'close' && field !== 'keep-alive' && !END_TO_END.has(field)) (named ??= new Set()).add(field);
    }
  }
  return named;
}

function without(headers: RawHeaders, drop: ReadonlySet<string>, dropPrefix?: string): string[] {
  const named = namedByConnection(headers);
  const kept: string[] = [];
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index]!;
    const lower = plainName(name);
    if (drop.has(lower) || named?.has(lower) || (dropPrefix !== undefined && lower.startsWith(dropPrefix))) continue;
    kept.push(name, headers[index + 1]!);
  }
  return kept;
}

/** As servers of the CGI family (WSGI, Rack, PHP) see a name: `Transfer_Encoding` is `Transfer-Encoding` to them. Lower case. */
export function plainName(name: string): string {
  const lower = name.toLowerCase();
  return lower.includes('_') ? lower.replaceAll('_', '-') : lower;
}

/** What of a caller's request may go to an upstream: no hop-by-hop field, no credential, no trace of the caller. */
export function forwardableRequestHeaders(headers: RawHeaders): string[] {
  return without(headers, NOT_FORWARDED, 'x-forwarded-');
}

/** The last gate before the wire: what must not be sent whoever wrote it. */
export function outgoingHeaders(headers: RawHeaders): string[] {
  return without(headers, NOT_SENT);
}

/** What of an upstream's answer may go to a caller: no hop-by-hop field, nothing that would act on our own origin. */
export function forwardableResponseHeaders(headers: RawHeaders): string[] {
  return without(headers, NOT_RETURNED);
}

/** Trailers that may pass: none that frame, route or authenticate (RFC 9110 §6.5.1). */
export function forwardableTrailers(trailers: RawHeaders): string[] {
  return without(trailers, NOT_TRAILED, 'content-');
}

/**
 * Whether an answer's body comes as something the client library does not undo: it undoes `chunked` alone, and would hand the rest
 * over as if it were the body (RFC 9112 §6.1).
 */
export function isCodedForTransfer(headers: RawHeaders): boolean {
  let seen = false;
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index]!;
    if (name.length !== 17 || name.toLowerCase() !== 'transfer-encoding') continue;
    if (seen || headers[index + 1]!.trim().toLowerCase() !== 'chunked') return true;
    seen = true;
  }
  return false;
}

/** undici hands headers over as bytes; HTTP/1 fields are Latin-1 (RFC 9110 §5.5). */
export function rawHeadersFrom(headers: unknown): string[] {
  if (!Array.isArray(headers)) return [];
  return headers.map(asText);
}

function asText(each: unknown): string {
  return Buffer.isBuffer(each) ? each.toString('latin1') : String(each);
}
