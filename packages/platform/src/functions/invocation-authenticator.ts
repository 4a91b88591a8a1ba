import type { Database } from '@bulkhead/postgres';
import type { InvocationPrincipal } from '../access/index.ts';
import { findLiveInvocation, invocationTokens } from './invocation-store.ts';

/**
 * Knows the running call that a token was made for. It speaks for that call's install and environment and nothing else, until the call has
 * ended. Null where the token is no good, for whatever reason.
 */
export function invocationAuthenticator({ db }: { db: Database }): (token: string, now: Date) => Promise<InvocationPrincipal | null> {
  return async (token, now) => {
    const parsed = invocationTokens.parse(token);
    if (parsed === null) return null;
    const { applicationId, hash } = parsed;
    const live = await db.withTenant(applicationId, (tx) => findLiveInvocation(tx, hash, now));
    return live === null ? null : { kind: 'invocation', applicationId, ...live };
  };
}
