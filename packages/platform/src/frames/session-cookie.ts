import { constantTimeEqual, randomBase62, sha256 } from '@bulkhead/base';
import type { PageSession } from './page-session.ts';

type Opened = Pick<PageSession, 'sessionId' | 'frameAncestors'>;

/**
 * One cookie per session, so that two pages in one browser do not disturb each other. Over https it has the `__Host-` prefix: no other host
 * can plant it. Plain http is for loopback, where neither the prefix nor `Secure` would be accepted.
 */
function cookieName(sessionId: string, publicUrl: string): string {
  return `${publicUrl.startsWith('https:') ? '__Host-' : ''}bulkhead_page_${sessionId}`;
}

/** Within a page of another site a browser sends only what says that it may be (`None`), kept apart for that site (`Partitioned`, CHIPS). */
function attributes({ frameAncestors }: Opened, publicUrl: string, maxAge: number): string {
  const common = `Path=/; Max-Age=${maxAge}; HttpOnly`;
  if (!publicUrl.startsWith('https:')) return `${common}; SameSite=Lax`;
  return frameAncestors.length === 0 ? `${common}; SameSite=Lax; Secure` : `${common}; SameSite=None; Secure; Partitioned`;
}

/** A fresh marker (256 bits) for the browser that has shown the ticket. */
export function issueSessionCookie(
  session: Opened & Pick<PageSession, 'lifetimeSeconds'>,
  publicUrl: string,
): { readonly cookie: string; readonly hash: Buffer } {
  const value = randomBase62(43);
  const text = `${cookieName(session.sessionId, publicUrl)}=${value}; ${attributes(session, publicUrl, session.lifetimeSeconds)}`;
  return { cookie: text, hash: sha256(value) };
}

/** Whether this is the browser that has opened the session. */
export function holdsSession(
  cookieHeader: string | string[] | undefined,
  { sessionId, browserHash }: Pick<PageSession, 'sessionId' | 'browserHash'>,
  publicUrl: string,
): boolean {
  if (browserHash === null) return false;
  const name = cookieName(sessionId, publicUrl);
  const pairs = [cookieHeader ?? ''].flat().flatMap((header) => header.split(';'));
  const values = pairs.map((pair) => pair.trim()).filter((pair) => pair.startsWith(`${name}=`));
  // Two cookies of one name: somebody planted one.
  return values.length === 1 && constantTimeEqual(sha256(values[0]!.slice(name.length + 1)), browserHash);
}
