import { randomUUID } from 'node:crypto';
import { type Clock, type Log, type Random, systemRandom } from '@bulkhead/base';
import type { Egress } from '@bulkhead/http';
import type { Database, Listening } from '@bulkhead/postgres';
import { refresh as refreshUpstream } from '../services/index.ts';
import type { OpenCredential } from './credential.ts';
import {
  CREDENTIALS_CHANNEL,
  type CredentialKey,
  findCredential,
  openCredential,
  selectCredential,
  type CredentialRow,
  type StoredCredential,
  storedCredential,
  takeLease,
  waiterKey,
} from './credential-store.ts';
import { type AskForRefresh, LEASE_MS, RefreshAttempt, type RefreshHooks } from './refresh-attempt.ts';
import { singleStatements } from './single-statements.ts';
import { type ResolveService, UpstreamCalls } from './upstream-client.ts';
import { vaultErrors } from './vault-errors.ts';
import type { Vault } from './vault.ts';
import { systemTimers, type Timers, Waiters } from './waiters.ts';

/** A credential to be used now, or the reason why there is none until the account is connected again. */
export type CredentialUse =
  | {
      readonly kind: 'usable';
      readonly credentialId: string;
      readonly version: number;
      readonly service: string;
      readonly credential: OpenCredential;
      readonly refreshable: boolean;
    }
  | { readonly kind: 'broken'; readonly reason: string };

export interface CredentialRefresherOptions extends RefreshHooks {
  readonly db: Database;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly egress: Pick<Egress, 'customFetch'>;
  readonly resolve: ResolveService;
  readonly log: Log;
  /** Names this process on a lease; for the operator who looks at the row. */
  readonly ownerId?: string;
  readonly refresh?: AskForRefresh;
  readonly timers?: Timers;
  readonly random?: Random;
}

/** Renewed this long before it ends, so that a call under way does not lose it; or at half its life, where that is shorter. */
const SKEW_MS = 30_000;
/** A token that others are renewing is used while it has this long to live. */
const LAST_USE_MS = 2_000;
/** Longest wait for somebody else's refresh: their lease, and then one of our own. */
const WAIT_MS = LEASE_MS + 20_000;
/** After a renewal, a 401 is believed for this long. */
const FORCED_PAUSE_MS = 30_000;
/** Reads again at this pace where no notification comes. */
const POLL_MS = 250;

/**
 * Hands out upstream credentials that are good now. However many callers on however many processes find one expired, one call
 * goes to the token endpoint: in a process they share a promise, between processes a lease on the row. No connection and no
 * lock is held while the upstream is asked; new tokens are kept before anybody uses them (architecture.md, Refresh).
 */
export class CredentialRefresher {
  readonly #options: CredentialRefresherOptions;
  readonly #timers: Timers;
  readonly #waiters: Waiters;
  readonly #attempt: RefreshAttempt;
  readonly #flights = new Map<string, Promise<CredentialUse | null>>();
  readonly #opened = new WeakMap<StoredCredential, Promise<CredentialUse>>();
  readonly #ownerId: string;
  #listening: Promise<Listening> | undefined;

  constructor(options: CredentialRefresherOptions) {
    this.#options = options;
    this.#timers = options.timers ?? systemTimers;
    this.#waiters = new Waiters(this.#timers);
    this.#ownerId = options.ownerId ?? randomUUID();
    this.#attempt = new RefreshAttempt({
      ...options,
      timers: this.#timers,
      random: options.random ?? systemRandom,
      refresh: options.refresh ?? refreshUpstream,
      calls: new UpstreamCalls(options),
      log: options.log.child({ slice: 'vault' }),
    });
  }

  /**
   * The credential, renewed where it has to be; null where there is no such credential. `stored` spares the read where the
   * caller has just read the row. Throws `vault.refresh_failed`, `vault.refresh_slow`, `vault.client_refused` or
   * `vault.no_client` where it has expired and could not be renewed this time.
   */
  async currentCredential(key: CredentialKey, stored?: StoredCredential): Promise<CredentialUse | null> {
    const row = stored ?? (await this.#read(key));
    if (row === null) return null;
    if (row.brokenReason !== null) return { kind: 'broken', reason: row.brokenReason };
    if (this.#isFresh(row)) return this.#use(row);
    const flight = this.#share(key, null);
    if (!this.#isAlive(row)) return flight;
    // Nobody waits for a renewal while the old one is good. What goes wrong is logged where it happens.
    flight.catch(() => undefined);
    return this.#use(row);
  }

  /**
   * The same after the upstream has refused the credential of `versionSeen` (401): renewed even if it should still be good,
   * unless somebody has done so in the meantime. Null also where there is nothing to renew it with, or where it was renewed less than
   * half a minute ago: a path that always answers 401 must not make every call a refresh.
   */
  async forceRefresh(key: CredentialKey, versionSeen: number): Promise<CredentialUse | null> {
    const row = await this.#read(key);
    if (row === null) return null;
    if (row.brokenReason !== null) return { kind: 'broken', reason: row.brokenReason };
    if (row.version > versionSeen && this.#isFresh(row)) return this.#use(row);
    // A credential renewed a moment ago and refused all the same: the call is what the upstream does not like, not the token.
    const renewedJustNow = row.version > 1 && this.#options.clock.now() - row.modifiedAt.getTime() < FORCED_PAUSE_MS;
    return row.refreshable && !renewedJustNow ? this.#share(key, versionSeen) : null;
  }

  /** Waits for what is under way and for new tokens to be kept, then stops hearing of other processes. */
  async close(): Promise<void> {
    const listening = await this.#listening?.catch(() => undefined);
    await Promise.allSettled(this.#flights.values());
    await this.#attempt.close();
    await listening?.close();
  }

  #isFresh(row: StoredCredential): boolean {
    if (row.expiresAt === null) return true;
    if (!row.refreshable) return this.#isAlive(row);
    const lifetimeMs = row.expiresAt.getTime() - row.modifiedAt.getTime();
    return row.expiresAt.getTime() - Math.min(SKEW_MS, lifetimeMs / 2) > this.#options.clock.now();
  }

  #isAlive(row: StoredCredential): boolean {
    return row.expiresAt === null || row.expiresAt.getTime() - LAST_USE_MS > this.#options.clock.now();
  }

  /** All callers of this process that want the same thing wait for the same flight. */
  #share(key: CredentialKey, versionSeen: number | null): Promise<CredentialUse | null> {
    const name = `${waiterKey(key)}|${versionSeen ?? 'expired'}`;
    const known = this.#flights.get(name);
    if (known !== undefined) return known;
    const flight = this.#fly(key, versionSeen).finally(() => this.#flights.delete(name));
    this.#flights.set(name, flight);
    return flight;
  }

  async #fly(key: CredentialKey, versionSeen: number | null): Promise<CredentialUse | null> {
    const deadline = this.#options.clock.now() + WAIT_MS;
    await this.#listen();
    for (;;) {
      // Before the row is read, so that no news falls between reading and waiting.
      const news = this.#waiters.expect(waiterKey(key));
      try {
        const row = await this.#read(key);
        if (row === null) return null;
        if (row.brokenReason !== null) return { kind: 'broken', reason: row.brokenReason };
        const isRefused = versionSeen !== null && row.version <= versionSeen;
        if (!isRefused && this.#isFresh(row)) return await this.#use(row);
        const mayUseOld = !isRefused && this.#isAlive(row);

        const now = this.#options.clock.now();
        if (row.retryAfter !== null && row.retryAfter.getTime() > now) {
          if (mayUseOld) return await this.#use(row);
          throw vaultErrors('vault.refresh_failed', { retryAfterSeconds: Math.ceil((row.retryAfter.getTime() - now) / 1000) });
        }
        const leased = await this.#lease(row);
        if (leased !== null) {
          const end = await this.#attempt.run(leased.row, leased.fence, leased.resolved);
          if (end.kind === 'broken') return { kind: 'broken', reason: end.reason };
          if (end.kind === 'failed') {
            if (mayUseOld) return await this.#use(row);
            throw end.error;
          }
          if (end.kind === 'done') return await this.#useNewest(key);
          continue;
        }
        if (mayUseOld) return await this.#use(row);
        if (now >= deadline) throw vaultErrors('vault.refresh_slow', { retryAfterSeconds: 5 });
        await news.arrived(POLL_MS);
      } finally {
        news.forget();
      }
    }
  }

  /** One short transaction: lease, newest row and OAuth key together. */
  async #lease(row: StoredCredential) {
    const now = new Date(this.#options.clock.now());
    return this.#options.db.withTenant(row.applicationId, async (tx) => {
      const fence = await takeLease(tx, row, {
        version: row.version,
        owner: this.#ownerId,
        until: new Date(now.getTime() + LEASE_MS),
        now,
      });
      if (fence === null) return null;
      const newest = await findCredential(tx, row);
      const resolved = await this.#options.resolve(tx, row.applicationId, row.service);
      return newest === null ? null : { row: newest, fence, resolved };
    });
  }

  async #read(key: CredentialKey): Promise<StoredCredential | null> {
    const [row] = await this.#options.db.tenantQuery<CredentialRow>(key.applicationId, selectCredential(key));
    return row === undefined ? null : storedCredential(row);
  }

  /** Just renewed by us: good, however short its life; unless it was revoked meanwhile. */
  async #useNewest(key: CredentialKey): Promise<CredentialUse | null> {
    const row = await this.#read(key);
    if (row !== null && row.brokenReason !== null) return { kind: 'broken', reason: row.brokenReason };
    return row === null ? null : this.#use(row);
  }

  /** Opened once for each row that was read: one that is remembered (`Database.recall`) is remembered open, and forgotten with it. */
  #use(row: StoredCredential): Promise<CredentialUse> {
    const known = this.#opened.get(row);
    if (known !== undefined) return known;
    const opening = this.#open(row);
    this.#opened.set(row, opening);
    opening.catch(() => this.#opened.delete(row));
    return opening;
  }

  async #open(row: StoredCredential): Promise<CredentialUse> {
    const credential = await openCredential(singleStatements(this.#options.db, row.applicationId), this.#options.vault, row);
    return {
      kind: 'usable',
      credentialId: row.credentialId,
      version: row.version,
      service: row.service,
      credential,
      refreshable: row.refreshable,
    };
  }

  /** Listens from the first time somebody has to wait. Without notifications the poll still finds what happened. */
  async #listen(): Promise<void> {
    this.#listening ??= this.#options.db.listen(CREDENTIALS_CHANNEL, (payload) => this.#waiters.tell(payload), {
      onReconnect: () => this.#waiters.tellAll(),
    });
    try {
      await this.#listening;
    } catch {
      this.#listening = undefined;
    }
  }
}
