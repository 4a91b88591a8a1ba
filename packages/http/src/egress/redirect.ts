import type { RawHeaders } from './headers.ts';

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** Says nothing about the caller, so it may be repeated to another host. */
const HARMLESS = new Set(['accept', 'accept-encoding', 'accept-language', 'user-agent']);

/** Where an answer points (RFC 9110 §15.4), or null if it points nowhere. Not yet checked: it is a URL like any other. */
export function redirectTarget(status: number, location: string | null, from: URL): string | null {
  if (!REDIRECTS.has(status) || location === null) return null;
  // A relative reference is completed; an absolute one is passed on as written, for the form check to see its leniencies.
  return /^[a-z][a-z0-9+.-]*:/i.test(location) ? location : (URL.parse(location, from.href)?.href ?? location);
}

/** Headers of the next hop. A credential can stand in any header, so none goes along but the few that cannot hold one. */
export function redirectHeaders(headers: RawHeaders): string[] {
  return headers.flatMap((name, index) => (index % 2 === 0 && HARMLESS.has(name.toLowerCase()) ? [name, headers[index + 1] ?? ''] : []));
}
