import { type ApplicationId, type Clock, type Log, type Random, systemRandom } from '@bulkhead/base';
import type { Egress } from '@bulkhead/http';
import type { Database, Listening } from '@bulkhead/postgres';
import { BusyLanes } from './busy-lanes.ts';
import type { ClaimedDelivery, DeliveryKind, Endpoint } from './delivery.ts';
import { claimDeliveries, deleteOldDeliveries, DELIVERIES_CHANNEL } from './delivery-store.ts';
import { retryDelayMs } from './retry-ladder.ts';
import { DELIVERY_TIMEOUT_MS, type Outcome, sendSigned } from './send-delivery.ts';
import { type Result, ResultWriter } from './write-results.ts';

export interface DeliveryWorkerOptions {
  readonly db: Database;
  readonly egress: Egress;
  readonly kinds: readonly DeliveryKind[];
  readonly clock: Clock;
  readonly log: Log;
  readonly random?: Random;
  /** Quick calls at the same moment in this process. Default 128. */
  readonly concurrency?: number;
  /** Calls that drag on, beside the quick ones. Default 1,024. */
  readonly slowMax?: number;
  /** Calls of this process to one endpoint at the same moment. Default 16. */
  readonly perEndpoint?: number;
  /** The same for one Application. Default 64. */
  readonly perTenant?: number;
  /** For one call, whole. Default 15,000. */
  readonly timeoutMs?: number;
  /** How long a worker holds what it has claimed; at least twice the time-out. Default 30,000. */
  readonly leaseMs?: number;
  /** How often to look although nothing was notified (a retry that is due, a lease that ran out). Default 1,000. */
  readonly pollMs?: number;
}

export interface DeliveryWorker {
  /** Begins to claim. Resolves once it listens. */
  start(): Promise<void>;
  /** Claims no more, waits for the calls under way and writes their results. */
  close(): Promise<void>;
  /** Makes the attempts that are due now until none is; answers how many deliveries were claimed. For tests. */
  runDue(): Promise<number>;
}

/** While every place is taken: how soon calls that turned out slow may have given one free. */
const LOOK_AGAIN_MS = 50;
const FORGET_AFTER_MS = 14 * 24 * 60 * 60_000;
const FORGET_EVERY_MS = 60_000;
const FORGET_BATCH = 5_000;

/** Sends what is due. Nothing of the database is held while a call is under way. */
export function deliveryWorker(options: DeliveryWorkerOptions): DeliveryWorker {
  const { db, egress, clock } = options;
  const log = options.log.child({ slice: 'deliveries' });
  const random = options.random ?? systemRandom;
  const timeoutMs = options.timeoutMs ?? DELIVERY_TIMEOUT_MS;
  const leaseMs = options.leaseMs ?? 2 * DELIVERY_TIMEOUT_MS;
  const kinds = new Map(options.kinds.map((kind) => [kind.kind, kind]));
  const quickMax = options.concurrency ?? 128;
  const busy = new BusyLanes({ quickMax, slowMax: options.slowMax ?? 1_024 });
  const results = new ResultWriter({ db, log, clock, kinds, unwrittenMax: 2 * quickMax });
  const running = new Set<Promise<void>>();

  let listening: Listening | undefined;
  let poll: NodeJS.Timeout | undefined;
  let soon: NodeJS.Timeout | undefined;
  let isOpen = false;
  let looking: Promise<void> | undefined;
  let lookAgain = false;
  let turn: ApplicationId | null = null;
  let forgottenAt = clock.now();

  /** Claims for the free places and begins the calls. Answers how many were claimed. */
  async function claim(): Promise<number> {
    const free = busy.free(results.room);
    if (free === 0) {
      if (isOpen) soon ??= setTimeout(() => ((soon = undefined), look()), LOOK_AGAIN_MS);
      return 0;
    }
    const now = clock.now();
    const leaseUntil = now + leaseMs;
    const claimed = await db.withSystem('claim due deliveries', (tx) =>
      claimDeliveries(tx, {
        kinds: [...kinds.keys()],
        now: new Date(now),
        leaseUntil: new Date(leaseUntil),
        limit: free,
        perEndpoint: options.perEndpoint ?? 16,
        perTenant: options.perTenant ?? 64,
        busy: busy.lanes(),
        after: turn,
      }),
    );
    turn = claimed.at(-1)?.applicationId ?? turn;
    for (const own of Map.groupBy(claimed, ({ applicationId, kind }) => `${applicationId} ${kind}`).values()) {
      const ends = own.map(({ applicationId, endpointId }) => busy.begin(applicationId, endpointId));
      const batch = sendOwn(own, ends, leaseUntil).finally(() => {
        for (const end of ends) end();
        running.delete(batch);
      });
      running.add(batch);
    }
    return claimed.length;
  }

  /** The deliveries of one Application and kind: their endpoints opened in one short transaction, then a call each. */
  async function sendOwn(own: readonly ClaimedDelivery[], ends: readonly (() => void)[], leaseUntil: number): Promise<void> {
    const { applicationId, kind: kindName } = own[0]!;
    const kind = kinds.get(kindName)!;
    let endpoints: ReadonlyMap<string, Endpoint>;
    try {
      const ids = [...new Set(own.map(({ endpointId }) => endpointId))];
      endpoints = await db.withTenant(applicationId, (tx) => kind.open(tx, ids, new Date(clock.now())));
    } catch (thrown) {
      // The lease gives them back.
      log.error('endpoints could not be opened', { applicationId, kind: kindName, err: thrown });
      return;
    }
    await Promise.all(
      own.map(async (delivery, index) => {
        try {
          const result = await attempt(kind, delivery, endpoints.get(delivery.endpointId), leaseUntil);
          ends[index]?.();
          const written = result === null ? undefined : results.write(result, leaseUntil);
          // The next begins now, or when this one is written.
          const isFull = busy.free(results.room) === 0;
          if (!isFull) look();
          await written;
          if (isFull) look();
        } catch (thrown) {
          log.error('a delivery was not attempted', { applicationId, deliveryId: delivery.deliveryId, err: thrown });
        }
      }),
    );
  }

  async function attempt(
    kind: DeliveryKind,
    delivery: ClaimedDelivery,
    endpoint: Endpoint | undefined,
    leaseUntil: number,
  ): Promise<Result | null> {
    const quiet = { delivery, isGone: false, openUntil: null };
    if (endpoint === undefined) return { ...quiet, status: 'cancelled', runAt: null, attempt: null, now: new Date(clock.now()) };
    // A process that was held up meanwhile would call beside the one that has the delivery now.
    if (clock.now() + timeoutMs > leaseUntil) return null;
    const { applicationId } = delivery;
    const outcome = await sendSigned({ egress, clock }, { applicationId, policy: kind.policy, endpoint, message: delivery, timeoutMs });
    return resultOf(delivery, outcome, clock.now(), random(1)[0]! / 256);
  }

  async function fill(): Promise<void> {
    do {
      lookAgain = false;
      if (!isOpen) return;
      if ((await claim()) > 0 && busy.free(results.room) > 0) lookAgain = true;
    } while (lookAgain);
  }

  function look(): void {
    if (!isOpen) return;
    lookAgain = true;
    looking ??= fill()
      .catch((error: unknown) => log.error('deliveries could not be claimed', { err: error }))
      .finally(() => {
        looking = undefined;
        if (lookAgain) look();
      });
  }

  async function forget(): Promise<void> {
    if (clock.now() - forgottenAt < FORGET_EVERY_MS) return;
    forgottenAt = clock.now();
    const before = new Date(clock.now() - FORGET_AFTER_MS);
    await db.withSystem('forget old deliveries', (tx) => deleteOldDeliveries(tx, before, FORGET_BATCH));
  }

  return {
    async start() {
      isOpen = true;
      listening = await db.listen(DELIVERIES_CHANNEL, look, { onReconnect: look });
      poll = setInterval(() => {
        look();
        forget().catch((error: unknown) => log.error('old deliveries could not be forgotten', { err: error }));
      }, options.pollMs ?? 1_000);
      look();
    },
    async close() {
      isOpen = false;
      clearInterval(poll);
      clearTimeout(soon);
      results.close();
      await listening?.close();
      await looking;
      await Promise.all(running);
    },
    async runDue() {
      let total = 0;
      for (;;) {
        // Calls that were under way when the claim was made, and took its places, may have ended by the time it answers.
        const wasIdle = running.size === 0;
        const claimed = await claim();
        if (claimed === 0 && wasIdle) return total;
        total += claimed;
        if (claimed === 0 && running.size > 0) await Promise.race(running);
      }
    },
  };
}

function resultOf(delivery: ClaimedDelivery, { attempt, isGone, retryAfterMs }: Outcome, now: number, chance: number): Result {
  const base = { delivery, attempt, isGone, now: new Date(now) };
  const openUntil = retryAfterMs === null || attempt.failure === null ? null : new Date(now + retryAfterMs);
  if (attempt.failure === null) return { ...base, status: 'delivered', runAt: null, openUntil };
  const delayMs = isGone ? null : retryDelayMs(delivery.attempts + 1, retryAfterMs, chance);
  return delayMs === null
    ? { ...base, status: 'failed', runAt: null, openUntil }
    : { ...base, status: 'pending', runAt: new Date(now + delayMs), openUntil };
}
