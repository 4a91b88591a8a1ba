import { type Clock, sha256 } from '@bulkhead/base';
import type { Database } from '@bulkhead/postgres';
import type { MetaTokenPrincipal } from '../access/index.ts';
import { findMetaTokenByHash } from './meta-token-store.ts';

/** Any text may be a Meta token (operators choose their own), so the hash alone decides. */
export function metaTokenAuthenticator({
  db,
  clock,
}: {
  db: Database;
  clock: Clock;
}): (token: string) => Promise<MetaTokenPrincipal | null> {
  return async (token) => {
    const found = await findMetaTokenByHash(db, sha256(token), new Date(clock.now()));
    return found === null
      ? null
      : { kind: 'meta_token', organizationId: found.organizationId, metaTokenId: found.metaTokenId, scopes: found.scopes };
  };
}
