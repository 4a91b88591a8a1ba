import { hash, timingSafeEqual } from 'node:crypto';

/** SHA-256 of the text's UTF-8 bytes: 32 bytes. For random secrets; a password would need a slow hash. */
export function sha256(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}

/** Compares without telling by its duration where two values differ. Different lengths are simply unequal. */
export function constantTimeEqual(left: Uint8Array, right: Uint8Array): boolean {
  return left.byteLength === right.byteLength && timingSafeEqual(left, right);
}
