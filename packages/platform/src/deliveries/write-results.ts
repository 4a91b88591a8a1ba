import { setTimeout as delay } from 'node:timers/promises';
import { type ApplicationId, type Clock, type Log, PlatformError } from '@bulkhead/base';
import type { Database, Tx } from '@bulkhead/postgres';
import type { DeliveryKind, StopReason } from './delivery.ts';
import { type Finish, finishDeliveries } from './delivery-store.ts';
import { type EndpointHealth, type EndpointReport, recordHealth, stopEndpoint } from './endpoint-store.ts';
import { Ramp } from './ramp.ts';
import { STOP_AFTER_MS } from './retry-ladder.ts';

/** What one delivery has come to, and what that says of its endpoint. */
export interface Result extends Finish {
  readonly isGone: boolean;
  readonly openUntil: Date | null;
}

/** A result on its way into the database. */
interface Waiting {
  readonly result: Result;
  /** Milliseconds since the epoch: from then on another worker may have the delivery. */
  readonly leaseUntil: number;
  readonly done: () => void;
}

/** The most results in one transaction. */
const BATCH_MAX = 500;
/** Between two attempts to write while the database is away: the first wait, and the longest. */
const RETRY_FIRST_MS = 50;
const RETRY_LAST_MS = 1_000;

/**
 * Writes results as soon as there are any, one transaction at a time: what comes meanwhile goes along in the next. While the database
 * is away they are kept, for as long as their leases last, since whoever has accepted a message should not get it again. What cannot be
 * written for another reason is logged, and its delivery comes back when the lease ends, with the same id.
 */
export class ResultWriter {
  readonly #db: Database;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #kinds: ReadonlyMap<string, DeliveryKind>;
  readonly #ramp: Ramp;
  readonly #closing = new AbortController();
  #waiting: Waiting[] = [];
  #unwritten = 0;
  #isWriting = false;

  /** `unwrittenMax`: how many results and quick calls may be under way once the ramp has widened. */
  constructor(options: { db: Database; log: Log; clock: Clock; kinds: ReadonlyMap<string, DeliveryKind>; unwrittenMax: number }) {
    this.#db = options.db;
    this.#log = options.log;
    this.#clock = options.clock;
    this.#kinds = options.kinds;
    this.#ramp = new Ramp(options.unwrittenMax);
  }

  /** How many quick calls may be under way beside the results that wait; below zero where there are too many of these. */
  get room(): number {
    return this.#ramp.places - this.#unwritten;
  }

  /** Resolves when the result is written or given up. `leaseUntil` in milliseconds since the epoch. */
  write(result: Result, leaseUntil: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#unwritten++;
    this.#waiting.push({ result, leaseUntil, done: resolve });
    if (!this.#isWriting) void this.#drain();
    return promise;
  }

  /** What cannot be written now is given up from here on. */
  close(): void {
    this.#closing.abort();
  }

  async #drain(): Promise<void> {
    this.#isWriting = true;
    // What finishes in the same turn goes along.
    await new Promise((resolve) => setImmediate(resolve));
    for (let wait = RETRY_FIRST_MS; this.#waiting.length > 0; ) {
      const batch = this.#waiting.splice(0, BATCH_MAX);
      const kept = new Set(await this.#writeBatch(batch));
      for (const waiting of batch.filter((each) => !kept.has(each))) this.#settle(waiting);
      if (kept.size === 0) {
        wait = RETRY_FIRST_MS;
        continue;
      }
      this.#waiting.unshift(...kept);
      await delay(wait, undefined, { signal: this.#closing.signal }).catch(() => undefined);
      wait = Math.min(2 * wait, RETRY_LAST_MS);
    }
    this.#isWriting = false;
  }

  #settle({ done }: Waiting): void {
    this.#unwritten--;
    done();
  }

  /** Answers those that should be written again. */
  async #writeBatch(batch: readonly Waiting[]): Promise<readonly Waiting[]> {
    try {
      await this.#writeTogether(batch.map(({ result }) => result));
      this.#ramp.widen(batch.length);
      return [];
    } catch (thrown) {
      this.#ramp.fallBack();
      if (isAway(thrown)) return this.#keep(batch, thrown);
      // One Application that is being erased must not cost the others their results.
      this.#log.warn('results of deliveries are written one Application at a time', { err: thrown });
    }
    const kept: Waiting[] = [];
    for (const own of Map.groupBy(batch, ({ result }) => result.delivery.applicationId).values()) {
      try {
        await this.#writeTogether(own.map(({ result }) => result));
      } catch (thrown) {
        if (isAway(thrown)) kept.push(...this.#keep(own, thrown));
        else this.#giveUp(own, thrown);
      }
    }
    return kept;
  }

  #keep(batch: readonly Waiting[], reason: unknown): readonly Waiting[] {
    const now = this.#closing.signal.aborted ? Infinity : this.#clock.now();
    const { kept = [], late = [] } = Object.groupBy(batch, ({ leaseUntil }) => (leaseUntil > now ? 'kept' : 'late'));
    if (late.length > 0) this.#giveUp(late, reason);
    return kept;
  }

  #giveUp(batch: readonly Waiting[], reason: unknown): void {
    const applicationIds = [...new Set(batch.map(({ result }) => result.delivery.applicationId))];
    this.#log.error('results of deliveries were not written', { applicationIds, count: batch.length, err: reason });
  }

  async #writeTogether(batch: readonly Result[]): Promise<void> {
    const { written, failing } = await this.#db.withSystem('results of deliveries', async (tx) => {
      const ids = await finishDeliveries(tx, batch);
      const mine = batch.filter(({ delivery }) => ids.has(delivery.deliveryId));
      return { written: mine, failing: await recordReports(tx, mine) };
    });
    const gone = new Set(written.filter(({ isGone }) => isGone).map(({ delivery }) => delivery.endpointId));
    for (const { delivery, now } of new Map(written.map((result) => [result.delivery.endpointId, result])).values()) {
      const health = failing.get(delivery.endpointId);
      const reason = gone.has(delivery.endpointId) ? 'gone' : hasFailedTooLong(health, now) ? 'failing' : null;
      if (reason !== null) await this.#stop(delivery.applicationId, delivery.kind, delivery.endpointId, reason);
    }
  }

  /** Safe to fail: the next failure of the endpoint comes by here again. */
  async #stop(applicationId: ApplicationId, kind: string, endpointId: string, reason: StopReason): Promise<void> {
    const at = new Date(this.#clock.now());
    try {
      await this.#db.withTenant(applicationId, async (tx) => {
        if (await stopEndpoint(tx, { applicationId, endpointId, reason, at }))
          await this.#kinds.get(kind)?.stopped(tx, { endpointId, reason, at });
      });
    } catch (error) {
      this.#log.error('an endpoint was not stopped', { applicationId, endpointId, err: error });
    }
  }
}

/** Out of reach or busy: the same transaction may well succeed in a moment. */
function isAway(thrown: unknown): boolean {
  return thrown instanceof PlatformError && thrown.status === 503;
}

function hasFailedTooLong(health: EndpointHealth | undefined, now: Date): boolean {
  return health?.failingSince != null && health.stoppedAt === null && now.getTime() - health.failingSince.getTime() >= STOP_AFTER_MS;
}

async function recordReports(tx: Tx, results: readonly Result[]): Promise<ReadonlyMap<string, EndpointHealth>> {
  const reports: EndpointReport[] = [];
  const called = results.filter(({ attempt }) => attempt !== null);
  for (const own of Map.groupBy(called, ({ delivery }) => delivery.endpointId).values()) {
    const lastSuccess = own.findLastIndex(({ attempt }) => attempt?.failure === null);
    const failed = own.filter(({ attempt }) => attempt?.failure !== null);
    const { delivery, now } = own.at(-1)!;
    reports.push({
      applicationId: delivery.applicationId,
      endpointId: delivery.endpointId,
      failures: own.length - 1 - lastSuccess,
      succeeded: lastSuccess >= 0,
      lastFailure: failed.at(-1)?.attempt?.failure ?? null,
      openUntil: own.reduce<Date | null>(
        (latest, { openUntil }) => (openUntil && (!latest || openUntil > latest) ? openUntil : latest),
        null,
      ),
      at: now,
    });
  }
  return reports.length === 0 ? new Map() : recordHealth(tx, reports);
}
