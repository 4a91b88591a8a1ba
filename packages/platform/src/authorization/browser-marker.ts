import { constantTimeEqual, randomBase62, sha256 } from '@bulkhead/base';

/** Seconds; as long as a flow may last, from its first page to its last. */
const LIFETIME_SECONDS = 1800;

export interface BrowserMarker {
  /** For the answer that begins the flow. */
  readonly cookie: string;
  /** What the flow keeps. */
  readonly hash: Buffer;
}

/**
 * One cookie per flow, so that two tabs do not disturb each other. Over https it has the `__Host-` prefix: no other host, not even a
 * sibling, can plant it. Plain http is for loopback, where neither the prefix nor `Secure` would be accepted.
 */
function cookieName(transactionHash: Buffer, publicUrl: string): string {
  return `${publicUrl.startsWith('https:') ? '__Host-' : ''}bulkhead_flow_${transactionHash.toString('hex').slice(0, 16)}`;
}

function attributes(publicUrl: string, maxAge: number): string {
  // Lax: the upstream sends the browser back from another site.
  return `Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Lax${publicUrl.startsWith('https:') ? '; Secure' : ''}`;
}

/** A fresh marker (256 bits) for the browser that begins a flow. */
export function issueBrowserMarker(transactionHash: Buffer, publicUrl: string): BrowserMarker {
  const value = randomBase62(43);
  return { cookie: `${cookieName(transactionHash, publicUrl)}=${value}; ${attributes(publicUrl, LIFETIME_SECONDS)}`, hash: sha256(value) };
}

/** Takes the marker away: the flow is over. */
export function clearedBrowserMarker(transactionHash: Buffer, publicUrl: string): string {
  return `${cookieName(transactionHash, publicUrl)}=; ${attributes(publicUrl, 0)}`;
}

/** Whether this is the browser that began the flow. */
export function isSameBrowser(
  cookieHeader: string | string[] | undefined,
  transaction: { readonly transactionHash: Buffer; readonly browserHash: Buffer },
  publicUrl: string,
): boolean {
  const name = cookieName(transaction.transactionHash, publicUrl);
  const pairs = [cookieHeader ?? ''].flat().flatMap((header) => header.split(';'));
  const values = pairs.map((pair) => pair.trim()).filter((pair) => pair.startsWith(`${name}=`));
  // Two cookies of one name: somebody planted one.
  return values.length === 1 && constantTimeEqual(sha256(values[0]!.slice(name.length + 1)), transaction.browserHash);
}
