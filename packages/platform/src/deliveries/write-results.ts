import type { ApplicationId, Clock, Log } from '@bulkhead/base';
import type { Database, Tx } from '@bulkhead/postgres';
import type { DeliveryKind, StopReason } from './delivery.ts';
import { type Finish, finishDeliveries } from './delivery-store.ts';
import { type EndpointHealth, type EndpointReport, recordHealth, stopEndpoint } from './endpoint-store.ts';
import { STOP_AFTER_MS } from './retry-ladder.ts';

/** What one delivery has come to, and what that says of its endpoint. */
export interface Result extends Finish {
  readonly isGone: boolean;
  readonly openUntil: Date | null;
}

/** The most results in one transaction. */
const BATCH_MAX = 500;

/**
 * Writes results in batches: whatever has come together while the last batch was written goes in the next. What cannot be written is
 * logged and comes back when its lease ends, with the same id.
 */
export class ResultWriter {
  readonly #db: Database;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #kinds: ReadonlyMap<string, DeliveryKind>;
  #waiting: Result[] = [];
  #writing: Promise<void> | undefined;

  constructor(options: { db: Database; log: Log; clock: Clock; kinds: ReadonlyMap<string, DeliveryKind> }) {
    this.#db = options.db;
    this.#log = options.log;
    this.#clock = options.clock;
    this.#kinds = options.kinds;
  }

  /** Resolves when the result is written or given up. */
  async write(result: Result): Promise<void> {
    this.#waiting.push(result);
    // The batch under way was cut before this one came.
    await this.#writing;
    await (this.#writing ??= this.#drain());
  }

  async #drain(): Promise<void> {
    // What finishes in the same turn goes along.
    await new Promise((resolve) => setImmediate(resolve));
    try {
      while (this.#waiting.length > 0) await this.#writeBatch(this.#waiting.splice(0, BATCH_MAX));
    } finally {
      this.#writing = undefined;
    }
  }

  async #writeBatch(batch: readonly Result[]): Promise<void> {
    try {
      await this.#writeTogether(batch);
    } catch (thrown) {
      // One Application that is being erased must not cost the others their results.
      this.#log.warn('results of deliveries are written one Application at a time', { err: thrown });
      for (const own of Map.groupBy(batch, ({ delivery }) => delivery.applicationId).values())
        await this.#writeTogether(own).catch((error: unknown) =>
          this.#log.error('results of deliveries were not written', { applicationId: own[0]?.delivery.applicationId, err: error }),
        );
    }
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
