import type { ApplicationId } from '@bulkhead/base';
import type { Destination, EgressPolicy } from './destination.ts';
import { egressErrors } from './egress-errors.ts';
import { exchange } from './exchange.ts';
import { outgoingHeaders } from './headers.ts';
import { limits } from './limits.ts';
import type { Pools } from './pools.ts';
import { redirectHeaders, redirectTarget } from './redirect.ts';

export interface EgressRequest {
  readonly policy: EgressPolicy;
  /** On whose behalf; null for the server itself. Decides whose connections are used. */
  readonly tenant: ApplicationId | null;
  /** Default GET. */
  readonly method?: string;
  /** As pairs, or as an object. `Host`, `Expect` and hop-by-hop fields are ours to write and are dropped. */
  readonly headers?: Readonly<Record<string, string>> | Iterable<readonly [string, string]>;
  readonly body?: string | Uint8Array | null;
  /** Of the answer's body. Default 1 MiB. */
  readonly maxBytes?: number;
  /**
   * What a longer body does: `refuse` (default) fails the call with egress.too_large; `cut` keeps the first `maxBytes`
   * as they came, undecoded, and drops the connection: for a caller that wants the status whatever the body.
   */
  readonly excess?: 'refuse' | 'cut';
  /** For everything, redirects included. Default 15 s. */
  readonly timeoutMs?: number;
  /**
   * `none` (default): a 3xx is an answer like any other. `follow-safe`: a GET or HEAD is followed up to five times; each
   * hop is checked like a first call, and no header of the request goes along but Accept*, and User-Agent.
   */
  readonly redirects?: 'none' | 'follow-safe';
  readonly signal?: AbortSignal;
}

export interface EgressResponse {
  readonly status: number;
  /** Names in lower case; `getSetCookie()` and repeated fields as in WHATWG Fetch. */
  readonly headers: Headers;
  /** Decoded if it came with gzip, deflate or br. */
  readonly body: Buffer;
  /** Of the last hop. */
  readonly url: string;
}

/** Checks a URL as far as it can be checked without resolving, and takes it apart. */
export type Admit = (url: string | URL, request: Pick<EgressRequest, 'policy' | 'tenant'>) => Destination;

/** The buffered way out: one call, one whole answer, bounded in bytes, time and hops. */
export async function guardedFetch(admit: Admit, pools: Pools, url: string | URL, request: EgressRequest): Promise<EgressResponse> {
  const method = checkedMethod(request.method ?? 'GET');
  const deadline = performance.now() + (request.timeoutMs ?? limits.fetchTimeoutMs);
  const body = typeof request.body === 'string' ? Buffer.from(request.body) : (request.body ?? null);
  const follows = request.redirects === 'follow-safe' && (method === 'GET' || method === 'HEAD') && body === null;
  let headers = withDefaults(outgoingHeaders(rawHeaders(request.headers)));
  let next: string | URL = url;
  for (let hop = 0; ; hop += 1) {
    const destination = admit(next, request);
    const answer = await exchange(pools.get(request.tenant, destination), {
      target: destination.target,
      method,
      headers,
      body,
      maxBytes: request.maxBytes ?? limits.fetchBodyBytesMax,
      excess: request.excess ?? 'refuse',
      timeoutMs: Math.max(0, deadline - performance.now()),
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    });
    const location = follows ? redirectTarget(answer.status, answer.headers.get('location'), destination.url) : null;
    if (location === null) return { ...answer, url: destination.url.href };
    if (hop === limits.redirectsMax) throw egressErrors('egress.unreachable', { detail: 'too many redirects' });
    headers = redirectHeaders(headers);
    next = location;
  }
}

/**
 * A method that is one: a token (RFC 9110 §5.6.2), and neither CONNECT, which makes a tunnel of the connection, nor
 * TRACE, which answers with the credentials sent.
 */
export function checkedMethod(method: string): string {
  if (/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}$/.test(method) && !/^(?:connect|trace)$/i.test(method)) return method;
  throw egressErrors('egress.refused', { detail: 'method' });
}

function rawHeaders(headers: EgressRequest['headers'] = {}): string[] {
  const pairs = Symbol.iterator in headers ? [...(headers as Iterable<readonly [string, string]>)] : Object.entries(headers);
  // undici takes the length from the body; a second opinion could only disagree.
  return pairs.filter(([name]) => name.toLowerCase() !== 'content-length').flat();
}

function withDefaults(headers: string[]): string[] {
  const has = (wanted: string): boolean => headers.some((name, index) => index % 2 === 0 && name.toLowerCase() === wanted);
  if (!has('accept-encoding')) headers.push('accept-encoding', 'identity');
  if (!has('user-agent')) headers.push('user-agent', 'Bulkhead');
  return headers;
}
