import type { Clock } from '@bulkhead/base';
import type { IncomingCall } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import type { BearerPrincipal } from '../access/index.ts';
import { recallLiveAccessToken } from './access-token-store.ts';
import { proveBoundToken } from './proven-key.ts';
import { accessToken } from './token-credentials.ts';

export interface BearerAuthenticatorParts {
  readonly db: Database;
  readonly clock: Clock;
  readonly publicUrl: () => string;
}

/** An access token as it was shown: under which scheme, in which request. */
export interface PresentedToken {
  readonly token: string;
  readonly scheme: 'bearer' | 'dpop';
  readonly call: IncomingCall;
}

/**
 * Authenticates an access token (RFC 6750, RFC 9449 §7.1). One question to the database, whose answer is used for up to a second
 * (`Database.recall`): a token dies with a parent, its account or its Application at once in the process that ended it, in the others
 * when they hear of it, and within a second in all. A token that is bound to a key comes as `DPoP` with a proof, any
 * other as `Bearer`; the wrong scheme is answered like a token that is none.
 * @throws dpop.proof_refused_at_resource
 */
export function bearerAuthenticator(parts: BearerAuthenticatorParts): (presented: PresentedToken) => Promise<BearerPrincipal | null> {
  return async ({ token, scheme, call }) => {
    const parsed = accessToken.parse(token);
    if (parsed === null) return null;
    const { applicationId } = parsed;
    const now = new Date(parts.clock.now());
    const live = await recallLiveAccessToken(parts.db, { applicationId, hash: parsed.hash, now });
    if (live === null) return null;
    if (scheme !== (live.dpopJkt === null ? 'bearer' : 'dpop')) return null;
    if (live.dpopJkt !== null) await proveBoundToken(parts, { applicationId, call, now, accessToken: token, jkt: live.dpopJkt });
    return live.principal;
  };
}
