import { assertPlainPath } from '@bulkhead/protocol';
import { passthroughErrors } from './passthrough-errors.ts';

/** Where the upstream API is. Comes from the service, never from the caller. */
export interface ApiBase {
  /** `https://host[:port]`. */
  readonly origin: string;
  /** Path of the base URL, without a slash at the end: empty, or `/v1`. */
  readonly path: string;
}

/** What a caller asks for: raw, still percent-encoded, as it came. */
export interface WantedTarget {
  /** With leading slash; empty for the base URL itself. */
  readonly path: string;
  /** Empty, or with its question mark. */
  readonly query: string;
}

/** By their text, which says all of them: the same few are asked for again and again. */
const bases = new Map<string, ApiBase>();
const BASES_MAX = 1_000;

export function apiBase(baseUrl: string): ApiBase {
  const known = bases.get(baseUrl);
  if (known !== undefined) return known;
  const url = new URL(baseUrl);
  const base = { origin: url.origin, path: url.pathname.replace(/\/+$/, '') };
  if (bases.size >= BASES_MAX) bases.clear();
  bases.set(baseUrl, base);
  return base;
}

/** Visible ASCII without a fragment: what may stand in a request target (RFC 9112 §3.2.1). */
const VISIBLE = /^[!"$-~]*$/;
const PROXY = /^\/+(?:v1|internal\/+functions|t\/+[^/?]+\/+rest\/+bulkhead\/+1)\/+accounts\/+[^/?]+\/+proxy(\/[^?]*)?(\?.*)?$/s;

function malformed(problem: string) {
  return passthroughErrors('passthrough.target_malformed', { params: { problem } });
}

/** Takes path and query of a proxied call out of the raw request target, byte for byte. */
export function proxyTarget(requestTarget: string): WantedTarget {
  const match = PROXY.exec(requestTarget);
  if (match === null) throw malformed('write the path after /proxy as it is');
  return checked({ path: match[1] ?? '', query: match[2] ?? '' });
}

/**
 * Reads `X-Kloudless-Raw-URI`: an absolute URL at the service's own origin, or a path. A path below the path of the base URL is
 * taken as it stands, as Kloudless's clients write it; any other is taken relative to the base URL. The text is never
 * resolved by a URL parser: what it names is compared by prefix, so no spelling of another host passes.
 */
export function rawUriTarget(uri: string, base: ApiBase): { readonly target: WantedTarget; readonly isRelative: boolean } {
  const text = uri.trim();
  const isAbsolute = /^[a-z][a-z0-9+.-]*:/i.test(text);
  if (isAbsolute && !startsWithOrigin(text, base.origin))
    throw passthroughErrors('passthrough.elsewhere', { params: { origin: base.origin } });
  const rest = isAbsolute ? text.replace(/^[^/]*\/\/[^/?]*/, '') : text;
  if (!isAbsolute && !rest.startsWith('/')) throw malformed('begin it with a slash, or give the whole URL');
  const mark = rest.indexOf('?');
  const path = mark === -1 ? rest : rest.slice(0, mark);
  const query = mark === -1 ? '' : rest.slice(mark);
  const target = checked({ path: path === '' ? '/' : path, query });
  return { target, isRelative: !isAbsolute && !isBelow(base.path, target.path) };
}

/** Scheme and host compare without case (RFC 3986 §6.2.2.1); the default port may be written out. Nothing else may differ. */
function startsWithOrigin(text: string, origin: string): boolean {
  const authority = /^([a-z][a-z0-9+.-]*:\/\/[^/?#\\]*)(?=\/|\?|$)/i.exec(text)?.[1]?.toLowerCase();
  if (authority === undefined) return false;
  const defaultPort = origin.startsWith('https:') ? ':443' : ':80';
  const hasPort = /:\d+$/.test(origin.slice(origin.indexOf('://') + 3));
  return authority === origin || (!hasPort && authority === origin + defaultPort);
}

function checked(target: WantedTarget): WantedTarget {
  if (!VISIBLE.test(target.path) || !VISIBLE.test(target.query))
    throw malformed('it holds a fragment, or characters that must be percent-encoded');
  if (target.path !== '') assertPlainPath(target.path);
  return target;
}

/** Whether `path` is `basePath` or lies below it, segment by segment. */
export function isBelow(basePath: string, path: string): boolean {
  return path === basePath || path.startsWith(`${basePath}/`);
}

/** The request target at the upstream, and the path as a token's limits see it: relative to the base URL, null where it is not below it. */
export function upstreamTarget(
  base: ApiBase,
  wanted: WantedTarget,
  isRelative: boolean,
): { readonly target: string; readonly limitedPath: string | null } {
  const path = isRelative ? base.path + wanted.path : wanted.path;
  const below = isBelow(base.path, path) ? path.slice(base.path.length) : null;
  return { target: (path === '' ? '/' : path) + wanted.query, limitedPath: below === '' ? '/' : below };
}
