import { hash } from 'node:crypto';
import { canonicalRequest, type SignedRequest } from './canonical-request.ts';

/** What a context token says instead of a hash: it is bound to no request. */
export const CONTEXT_QSH = 'context-qsh';

/** `qsh` of Atlassian Connect: SHA-256 of the canonical request, in lower-case hexadecimal (64 characters). */
export function queryStringHash(request: SignedRequest): string {
  return hash('sha256', canonicalRequest(request), 'hex');
}
