import type { AppKit } from '../app-kit.ts';
import type { AppRequest } from '../app-request.ts';
import type { RequestRules, VerifiedToken } from '../token/verify-tenant-token.ts';

/** Which kind of token a route takes: exactly one. */
export type Guard = ({ readonly token: 'request' } & RequestRules) | { readonly token: 'context' } | { readonly token: 'session' };

export function verifyBy(kit: AppKit, guard: Guard, request: AppRequest): Promise<VerifiedToken> {
  switch (guard.token) {
    case 'request':
      return kit.verifyRequest(request, guard);
    case 'context':
      return kit.verifyContext(request);
    case 'session':
      return kit.verifySession(request);
  }
}

const verified = new WeakMap<object, VerifiedToken>();

export function keepVerified(request: object, token: VerifiedToken): void {
  verified.set(request, token);
}

/** Who called: of a request (Express's, Fastify's, `node:http`'s, the context of Hono or Koa) behind a guard. Throws where there was none. */
export function verifiedOf(request: object): VerifiedToken {
  const token = verified.get(request);
  if (token === undefined) throw new Error('This route has no guard of the kit.');
  return token;
}
