import { type ApplicationId, type Clock, PlatformError } from '@bulkhead/base';
import type { Database } from '@bulkhead/postgres';
import { revokeUpstream } from '../accounts/index.ts';
import { appendAudit } from '../audit/index.ts';
import { revokeTokensOfAccounts } from '../tokens/index.ts';
import { holdMatchingAccounts } from './incident-store.ts';
import type { Reach, Selection } from './selection.ts';

/** Accounts per transaction: their rows are held for a fraction of a second, and an interrupted run loses no more than that. */
const BATCH_ACCOUNTS = 250;
/** Two transactions that met from opposite ends: the other one is done by the next attempt. */
const ATTEMPTS = 5;

export interface Revoked {
  readonly accounts: number;
  readonly upstreamCredentials: number;
  readonly grants: number;
  readonly accessTokens: number;
  readonly refreshTokens: number;
}

export interface RevokeOptions {
  readonly db: Database;
  readonly clock: Clock;
  /** Told after every transaction, with what it ended. */
  readonly onProgress?: (applicationId: ApplicationId, step: Revoked) => void;
  /** Default 250. */
  readonly batchAccounts?: number;
  /** Ends the run between two transactions. */
  readonly signal?: AbortSignal;
}

export const NOTHING_REVOKED: Revoked = { accounts: 0, upstreamCredentials: 0, grants: 0, accessTokens: 0, refreshTokens: 0 };

export function addRevoked(left: Revoked, right: Revoked): Revoked {
  return {
    accounts: left.accounts + right.accounts,
    upstreamCredentials: left.upstreamCredentials + right.upstreamCredentials,
    grants: left.grants + right.grants,
    accessTokens: left.accessTokens + right.accessTokens,
    refreshTokens: left.refreshTokens + right.refreshTokens,
  };
}

/**
 * Revokes what matches in one Application, account by account in batches; what a batch ended is dead in every process once its
 * transaction has committed, and stands in the Application's audit log by the same transaction. Safe to interrupt, and to run again:
 * what is done matches no more. Services are told by the workers' tasks.
 */
export async function revokeMatches(
  options: RevokeOptions,
  applicationId: ApplicationId,
  selection: Selection,
  reach: Reach,
): Promise<Revoked> {
  let total = NOTHING_REVOKED;
  let after = 0;
  while (options.signal?.aborted !== true) {
    const batch = await patiently(() => revokeBatch(options, { applicationId, after }, selection, reach));
    if (batch === null) return total;
    after = batch.last;
    total = addRevoked(total, batch.revoked);
    options.onProgress?.(applicationId, batch.revoked);
  }
  return total;
}

async function revokeBatch(
  { db, clock, batchAccounts = BATCH_ACCOUNTS }: RevokeOptions,
  from: { readonly applicationId: ApplicationId; readonly after: number },
  selection: Selection,
  reach: Reach,
): Promise<{ readonly last: number; readonly revoked: Revoked } | null> {
  const { applicationId } = from;
  return db.withTenant(applicationId, async (tx) => {
    const now = new Date(clock.now());
    const accountIds = await holdMatchingAccounts(tx, selection, reach, { ...from, limit: batchAccounts, now });
    const last = accountIds.at(-1);
    if (last === undefined) return null;
    const which = { applicationId, accountIds, before: selection.before };
    const { codes, ...tokens } = await revokeTokensOfAccounts(tx, which, now);
    const upstreamCredentials = reach.upstream ? await revokeUpstream(tx, which, now) : 0;
    const revoked = { accounts: accountIds.length, upstreamCredentials, ...tokens };
    await appendAudit(tx, {
      applicationId,
      actor: { kind: 'operator' },
      action: 'tokens.revoked',
      at: now,
      detail: {
        service: selection.service,
        before: selection.before?.toISOString() ?? null,
        upstream: reach.upstream,
        account_ids: accountIds,
        upstream_credentials: upstreamCredentials,
        grants: tokens.grants,
        access_tokens: tokens.accessTokens,
        refresh_tokens: tokens.refreshTokens,
        codes,
      },
    });
    return { last, revoked };
  });
}

async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (thrown) {
      if (attempt === ATTEMPTS || !(thrown instanceof PlatformError && thrown.code === 'database.busy')) throw thrown;
    }
  }
}
