import type { Tx } from '@bulkhead/postgres';
import type { AccountsOlderThan } from '../accounts/index.ts';
import { deleteAccessTokensOf } from './access-token-store.ts';
import { deleteUnspentCodesOf } from './authorization-code-store.ts';
import { deleteGrantsOf } from './grant-store.ts';
import { countRefreshTokensOf } from './refresh-token-store.ts';

/** How much was ended; of tokens, those that were still good. */
export interface RevokedTokens {
  readonly grants: number;
  readonly accessTokens: number;
  readonly refreshTokens: number;
  readonly codes: number;
}

/**
 * Ends what we issued for these accounts, on an operator's word: codes, access tokens and what was exchanged from them, grants with
 * their refresh tokens. The caller holds the accounts, as whoever issues under a grant or redeems a code does: nothing is issued
 * from a dead parent meanwhile.
 */
export async function revokeTokensOfAccounts(tx: Tx, which: AccountsOlderThan, now: Date): Promise<RevokedTokens> {
  const codes = await deleteUnspentCodesOf(tx, which);
  const refreshTokens = await countRefreshTokensOf(tx, which, now);
  const accessTokens = await deleteAccessTokensOf(tx, which, now);
  return { grants: await deleteGrantsOf(tx, which), accessTokens, refreshTokens, codes };
}
