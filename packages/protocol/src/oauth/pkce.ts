import { createHash } from 'node:crypto';
import { constantTimeEqual } from '@bulkhead/base';
import { z } from 'zod';

/** RFC 7636 §4.1: 43 to 128 unreserved characters. */
export const codeVerifier = z.string().regex(/^[A-Za-z0-9._~-]{43,128}$/, 'expected 43 to 128 letters, digits or -._~');

/** RFC 7636 §4.2 with S256: 32 bytes in base64url, without padding. */
export const codeChallenge = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'expected the base64url form of a SHA-256');

/** RFC 7636 §4.2, method S256, the only one we know. */
export function s256Challenge(verifier: string): string {
  return createHash('sha256').update(verifier, 'ascii').digest('base64url');
}

/** RFC 7636 §4.6, in constant time. */
export function matchesChallenge(verifier: string, challenge: string): boolean {
  return constantTimeEqual(Buffer.from(s256Challenge(verifier)), Buffer.from(challenge));
}
