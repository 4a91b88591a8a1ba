import type { ApplicationId } from '@bulkhead/base';
import type { Tx } from '@bulkhead/postgres';
import { deleteOldAccessTokens } from './access-token-store.ts';
import { deleteOldCodes } from './authorization-code-store.ts';
import { deleteOldGrants } from './grant-store.ts';
import { deleteOldRefreshTokens } from './refresh-token-store.ts';
import { REFRESH_TOKEN_LIFETIME_SECONDS, secondsAfter } from './token-credentials.ts';

const ROWS_MAX = 20;

/**
 * Tidies up with every issuance: a few rows of this Application that have expired. Each tenant clears away more than it
 * adds, so no sweep across tenants is needed and nobody pays for another's leftovers.
 */
export async function deleteExpired(tx: Tx, applicationId: ApplicationId, now: Date): Promise<void> {
  await Promise.all([
    deleteOldGrants(tx, applicationId, now, ROWS_MAX),
    deleteOldRefreshTokens(tx, applicationId, now, ROWS_MAX),
    deleteOldAccessTokens(tx, applicationId, now, ROWS_MAX),
    deleteOldCodes(tx, applicationId, secondsAfter(now, -REFRESH_TOKEN_LIFETIME_SECONDS), ROWS_MAX),
  ]);
}
