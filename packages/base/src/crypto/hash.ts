import { createHmac, createSecretKey, hash, timingSafeEqual } from 'node:crypto';

/** SHA-256 of the text's UTF-8 bytes: 32 bytes. For random secrets; a password would need a slow hash. */
export function sha256(text: string): Buffer {
  // By way of a text of as many characters: a buffer made by the hash itself takes Node 24 three times as long.
  return Buffer.from(hash('sha256', text, 'binary'), 'latin1');
}

/**
 * HMAC-SHA256 (RFC 2104) of `parts`, one after the other: 32 bytes. Text counts as its UTF-8 bytes. The key becomes a key object first,
 * since Node 24 takes five times as long for bytes or text as for one of those.
 */
export function hmacSha256(key: Uint8Array | string, ...parts: readonly (string | Uint8Array)[]): Buffer {
  const mac = createHmac('sha256', typeof key === 'string' ? createSecretKey(key, 'utf8') : createSecretKey(key));
  for (const part of parts) mac.update(part);
  return mac.digest();
}

/** Compares without telling by its duration where two values differ. Different lengths are simply unequal. */
export function constantTimeEqual(left: Uint8Array, right: Uint8Array): boolean {
  return left.byteLength === right.byteLength && timingSafeEqual(left, right);
}
