import { type Clock, type Log, PlatformError, type Random, type Secret } from '@bulkhead/base';
import type { Database, Tx } from '@bulkhead/postgres';
import type { RefreshResult, UpstreamExchange, UpstreamTokens } from '../services/index.ts';
import {
  backOff,
  type CredentialKey,
  markBroken,
  openCredential,
  replaceCredential,
  type StoredCredential,
  waiterKey,
} from './credential-store.ts';
import { singleStatements } from './single-statements.ts';
import { CALL_TIMEOUT_MS, type ResolvedService, type UpstreamCalls } from './upstream-client.ts';
import { vaultErrors } from './vault-errors.ts';
import type { Vault } from './vault.ts';
import type { Timers } from './waiters.ts';

/** From taking the lease until somebody else may: the call, and the time to keep its answer. */
export const LEASE_MS = 20_000;

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 5 * 60_000;
/** A refused OAuth key needs a person; asking more often only fills the provider's log. */
const CLIENT_REFUSED_RETRY_MS = 60_000;
/** How often new tokens are tried to be kept where the database refuses them: lost here, they are lost for good. */
const KEEP_ATTEMPTS = 6;
/** The same where it is away: some ten minutes, which a restart, a fail-over and most accidents end within. */
const KEEP_ATTEMPTS_WHILE_AWAY = 600;
const FIRST_KEEP_PAUSE_MS = 100;
const LAST_KEEP_PAUSE_MS = 1_000;
/** How long callers wait for that; after it they are told to come back while it goes on. */
const KEEP_WAIT_MS = 5_000;

/** How an attempt under a lease ended. */
export type RefreshEnd =
  | { readonly kind: 'done' }
  /** Somebody else changed the row meanwhile: theirs counts. */
  | { readonly kind: 'overtaken' }
  | { readonly kind: 'broken'; readonly reason: string }
  | { readonly kind: 'failed'; readonly error: PlatformError };

/** Whoever shows a credential's state changes with it, in the same transaction. Handed in: the vault knows no accounts. */
export interface RefreshHooks {
  readonly onBroken: (tx: Tx, key: CredentialKey, reason: string, now: Date) => Promise<void>;
  /** `grantedScopes` is null where the upstream was silent: then they are what they were. */
  readonly onRefreshed: (tx: Tx, key: CredentialKey, now: Date, grantedScopes: readonly string[] | null) => Promise<void>;
}

/** `services.refresh`, or a stand-in. */
export type AskForRefresh = (exchange: UpstreamExchange & { readonly refreshToken: Secret }) => Promise<RefreshResult>;

export interface RefreshAttemptOptions extends RefreshHooks {
  readonly db: Database;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly log: Log;
  readonly timers: Timers;
  readonly random: Random;
  readonly calls: UpstreamCalls;
  readonly refresh: AskForRefresh;
}

/** One attempt of the lease's holder: ask the upstream, then write down what it said. */
export class RefreshAttempt {
  readonly #options: RefreshAttemptOptions;
  /** Answers that are still to be kept, by credential: the upstream is not asked again before they are. */
  readonly #unkept = new Map<string, Promise<RefreshEnd>>();

  constructor(options: RefreshAttemptOptions) {
    this.#options = options;
  }

  async run(row: StoredCredential, fence: number, resolved: ResolvedService | null): Promise<RefreshEnd> {
    const unkept = this.#unkept.get(waiterKey(row));
    if (unkept !== undefined) return this.#awhile(unkept);
    const result = await this.#ask(row, resolved);
    switch (result.kind) {
      case 'ok':
        return this.#keep(row, result.tokens);
      case 'late':
        return { kind: 'overtaken' };
      case 'permanent':
        if (result.reason === 'client')
          return this.#failed(row, fence, vaultErrors('vault.client_refused', { detail: result.error }), CLIENT_REFUSED_RETRY_MS);
        return this.#broken(row, fence, result.error);
      case 'no client':
        return this.#failed(row, fence, vaultErrors('vault.no_client'), CLIENT_REFUSED_RETRY_MS);
      case 'transient': {
        const ownWaitMs = this.#jittered(FIRST_RETRY_MS * 2 ** Math.min(row.failureCount, 16));
        const waitMs = Math.min(Math.max((result.retryAfterSeconds ?? 0) * 1000, ownWaitMs), LAST_RETRY_MS);
        return this.#failed(
          row,
          fence,
          vaultErrors('vault.refresh_failed', { detail: result.error, retryAfterSeconds: Math.ceil(waitMs / 1000) }),
          waitMs,
        );
      }
    }
  }

  /** Resolves once what came of earlier attempts is kept, or given up. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#unkept.values());
  }

  async #ask(row: StoredCredential, resolved: ResolvedService | null): Promise<RefreshResult | { readonly kind: 'no client' | 'late' }> {
    const { calls, clock, db, refresh, vault } = this.#options;
    const startedAt = clock.now();
    const credential = await openCredential(singleStatements(db, row.applicationId), vault, row);
    if (credential.type !== 'oauth2' || credential.refreshToken === null)
      return { kind: 'permanent', reason: 'grant', error: 'no_refresh_token' };
    if (resolved === null) return { kind: 'no client' };
    try {
      const exchange = await calls.exchange(row.applicationId, resolved, AbortSignal.timeout(CALL_TIMEOUT_MS));
      // Stopped, suspended or starved meanwhile: by now another may be at it, and a refresh token sent a second time
      // makes a strict provider revoke them all (RFC 9700 §4.14.2).
      if (clock.now() - startedAt >= CALL_TIMEOUT_MS) return { kind: 'late' };
      const result = await refresh({ ...exchange, refreshToken: credential.refreshToken });
      // What the catalogue keeps of the first answer need not come again with a refresh.
      return result.kind === 'ok'
        ? { ...result, tokens: { ...result.tokens, kept: { ...credential.kept, ...result.tokens.kept } } }
        : result;
    } catch (thrown) {
      const error = thrown instanceof PlatformError ? thrown.code : 'unexpected';
      this.#options.log.warn('a token endpoint could not be asked', { ...about(row), error, elapsedMs: clock.now() - startedAt });
      return { kind: 'transient', error };
    }
  }

  /**
   * Keeps new tokens before their first use. The old ones may be dead already, so a database that is away is waited for. The
   * lease is not asked: whoever took it over holds a refresh token that this answer has just replaced.
   */
  #keep(row: StoredCredential, tokens: UpstreamTokens): Promise<RefreshEnd> {
    const name = waiterKey(row);
    const keeping = this.#keepAtLast(row, tokens).finally(() => this.#unkept.delete(name));
    this.#unkept.set(name, keeping);
    return this.#awhile(keeping);
  }

  /** What became of it, or after a while that the caller should come back. */
  async #awhile(keeping: Promise<RefreshEnd>): Promise<RefreshEnd> {
    const waited = Promise.withResolvers<RefreshEnd>();
    const cancel = this.#options.timers.after(KEEP_WAIT_MS, () =>
      waited.resolve({ kind: 'failed', error: vaultErrors('vault.refresh_failed', { detail: 'not kept yet', retryAfterSeconds: 2 }) }),
    );
    return Promise.race([keeping, waited.promise]).finally(cancel);
  }

  async #keepAtLast(row: StoredCredential, tokens: UpstreamTokens): Promise<RefreshEnd> {
    const { clock, db, log, onRefreshed, vault } = this.#options;
    for (let attempt = 1; ; attempt++) {
      try {
        const kept = await db.withTenant(row.applicationId, async (tx) => {
          const now = new Date(clock.now());
          if (!(await replaceCredential(tx, vault, row, { version: row.version, tokens, now }))) return false;
          await onRefreshed(tx, row, now, tokens.grantedScopes ?? null);
          return true;
        });
        if (!kept) log.warn('refreshed tokens came too late: the credential had changed', about(row));
        return kept ? { kind: 'done' } : { kind: 'overtaken' };
      } catch (thrown) {
        const isAway = thrown instanceof PlatformError && thrown.status === 503;
        if (attempt === 1) log.warn('refreshed tokens wait for the database', { ...about(row), err: thrown });
        if (attempt >= (isAway ? KEEP_ATTEMPTS_WHILE_AWAY : KEEP_ATTEMPTS)) {
          log.error('refreshed tokens could not be kept and are lost', { ...about(row), err: thrown });
          return { kind: 'failed', error: vaultErrors('vault.refresh_failed', { cause: thrown, retryAfterSeconds: 1 }) };
        }
        await this.#pause(Math.min(FIRST_KEEP_PAUSE_MS * 2 ** attempt, LAST_KEEP_PAUSE_MS));
      }
    }
  }

  async #broken(row: StoredCredential, fence: number, reason: string): Promise<RefreshEnd> {
    const { clock, log, onBroken } = this.#options;
    const now = new Date(clock.now());
    const recorded = await this.#write(row, async (tx) => {
      if (!(await markBroken(tx, row, { version: row.version, fence, reason, now }))) return false;
      await onBroken(tx, row, reason, now);
      return true;
    });
    if (recorded !== true) return { kind: 'overtaken' };
    log.warn('a credential is broken: the service refused its refresh token', { ...about(row), reason });
    return { kind: 'broken', reason };
  }

  async #failed(row: StoredCredential, fence: number, error: PlatformError, waitMs: number): Promise<RefreshEnd> {
    const retryAfter = new Date(this.#options.clock.now() + waitMs);
    this.#options.log.warn('a credential was not refreshed', { ...about(row), code: error.code, detail: error.detail, retryAfter });
    const isOurs = await this.#write(row, (tx) => backOff(tx, row, { fence, retryAfter }));
    // Whoever took the lease over meanwhile may have new tokens already.
    return isOurs === false ? { kind: 'overtaken' } : { kind: 'failed', error };
  }

  /** Where even this cannot be written, the lease ends by itself. */
  async #write<T>(row: StoredCredential, work: (tx: Tx) => Promise<T>): Promise<T | null> {
    try {
      return await this.#options.db.withTenant(row.applicationId, work);
    } catch (thrown) {
      this.#options.log.error('the end of a refresh could not be recorded', { ...about(row), err: thrown });
      return null;
    }
  }

  /** Between half and all of it, so that a thousand accounts of one provider do not come back in the same second. */
  #jittered(ms: number): number {
    const [byte = 0] = this.#options.random(1);
    return Math.min(ms, LAST_RETRY_MS) * (0.5 + byte / 510);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#options.timers.after(ms, resolve));
  }
}

function about(row: CredentialKey & { readonly service: string }) {
  return { applicationId: row.applicationId, credentialId: row.credentialId, service: row.service };
}
