import { type ApplicationId, type Log, type Random, systemRandom } from '@bulkhead/base';
import type { Listening } from '@bulkhead/postgres';
import type { CallingParts } from '../call-function.ts';
import { claimJobs } from './claim-jobs.ts';
import { type ClaimedJob, JOBS_CHANNEL } from './job.ts';
import { endJob, type JobEnd, renewLeases } from './job-store.ts';
import { runJob } from './run-job.ts';

export interface JobWorkerOptions extends CallingParts {
  readonly log: Log;
  readonly random?: Random;
  /** Jobs that run at the same moment in this process. Default 32. */
  readonly concurrency?: number;
  /** Of those, jobs of one Application. Default: a quarter. */
  readonly perTenant?: number;
  /** How long after this worker is lost another may take over what it has. Default 30,000. */
  readonly leaseMs?: number;
  /** How often to look although nothing was notified. Default 1,000. */
  readonly pollMs?: number;
}

export interface JobWorker {
  /** Begins to claim. Resolves once it listens. */
  start(): Promise<void>;
  /** Claims no more; waits for what runs, for five seconds at most, and for what came of it to be written. */
  close(): Promise<void>;
  /** Runs what is due now until nothing is; answers how many attempts were made. For tests. */
  runDue(): Promise<number>;
}

/** How soon what came of a job is written again where the database did not take it. */
const WRITE_AGAIN_MS = 500;
/** What still runs then is given back, for another worker to run again. */
const CLOSE_MS = 5_000;
const REFUSED_AGAIN_MS = 30_000;

/** Runs jobs of functions, at least once each. It needs a runner: where there is none, it claims nothing. */
export function jobWorker(options: JobWorkerOptions): JobWorker {
  const { db, vault, clock } = options;
  const log = options.log.child({ slice: 'functions' });
  const random = options.random ?? systemRandom;
  const concurrency = options.concurrency ?? 32;
  const perTenant = options.perTenant ?? Math.max(1, Math.floor(concurrency / 4));
  const leaseMs = options.leaseMs ?? 30_000;
  const held = new Map<ClaimedJob, number>();
  const running = new Set<Promise<void>>();
  let listening: Listening | undefined;
  let poll: NodeJS.Timeout | undefined;
  let renewing: NodeJS.Timeout | undefined;
  let isOpen = false;
  let looking: Promise<void> | undefined;
  let lookAgain = false;
  let refusedUntil = 0;

  /** Claims for the free places and begins to run. Answers how many were claimed. */
  async function claim(): Promise<number> {
    const free = concurrency - held.size;
    if (free <= 0 || performance.now() < refusedUntil) return 0;
    const now = clock.now();
    const leaseUntil = now + leaseMs;
    const claimed = await db.withSystem('claim due jobs of functions', (tx) =>
      claimJobs(tx, { now: new Date(now), leaseUntil: new Date(leaseUntil), limit: free, perTenant, busy: busy() }),
    );
    for (const job of claimed) {
      held.set(job, leaseUntil);
      const ending = run(job).finally(() => {
        held.delete(job);
        running.delete(ending);
        look();
      });
      running.add(ending);
    }
    return claimed.length;
  }

  function busy(): { applicationId: ApplicationId; running: number }[] {
    return [...Map.groupBy(held.keys(), ({ applicationId }) => applicationId)].map(([applicationId, jobs]) => ({
      applicationId,
      running: jobs.length,
    }));
  }

  async function run(job: ClaimedJob): Promise<void> {
    const end = await runJob(options, job, random(1)[0]! / 256);
    // Whoever can run them may take the others.
    if (end.outcome === 'no_runner') refusedUntil = performance.now() + REFUSED_AGAIN_MS;
    await write(job, end);
  }

  /** Until it is written, or the lease is over: then another worker has the job. */
  async function write(job: ClaimedJob, end: JobEnd): Promise<void> {
    const fields = { applicationId: job.applicationId, jobId: job.jobId };
    for (;;) {
      try {
        const isWritten = await db.withTenant(job.applicationId, (tx) => endJob(tx, vault, job, end, new Date(clock.now())));
        if (!isWritten) log.warn('a job was taken over or cancelled while it ran', fields);
        else if (end.status === 'failed') log.warn('a job has failed', { ...fields, outcome: end.outcome });
        return;
      } catch (thrown) {
        log.error('what came of a job could not be written', { ...fields, err: thrown });
        if (clock.now() >= (held.get(job) ?? 0)) return;
        await new Promise((resolve) => setTimeout(resolve, WRITE_AGAIN_MS));
      }
    }
  }

  async function giveBack(job: ClaimedJob): Promise<void> {
    const now = new Date(clock.now());
    const end: JobEnd = { status: 'waiting', runAt: now, isAttempt: false, isClaim: true, outcome: 'lost', invocationId: null };
    // The lease gives back what this does not.
    await db
      .withTenant(job.applicationId, (tx) => endJob(tx, vault, job, end, now))
      .catch((error: unknown) => log.error('a job could not be given back', { jobId: job.jobId, err: error }));
  }

  async function renew(): Promise<void> {
    const jobs = [...held.keys()];
    if (jobs.length === 0) return;
    const leaseUntil = clock.now() + leaseMs;
    await db.withSystem('keep jobs that run', (tx) => renewLeases(tx, jobs, new Date(leaseUntil)));
    for (const job of jobs) if (held.has(job)) held.set(job, leaseUntil);
  }

  async function fill(): Promise<void> {
    do {
      lookAgain = false;
      if (!isOpen) return;
      if ((await claim()) > 0) lookAgain = true;
    } while (lookAgain);
  }

  function look(): void {
    if (!isOpen) return;
    lookAgain = true;
    looking ??= fill()
      .catch((error: unknown) => log.error('jobs of functions could not be claimed', { err: error }))
      .finally(() => {
        looking = undefined;
        if (lookAgain) look();
      });
  }

  return {
    async start() {
      isOpen = true;
      listening = await db.listen(JOBS_CHANNEL, look, { onReconnect: look });
      poll = setInterval(look, options.pollMs ?? 1_000);
      renewing = setInterval(
        () => void renew().catch((error: unknown) => log.error('jobs that run could not be kept', { err: error })),
        leaseMs / 3,
      );
      look();
    },
    async close() {
      isOpen = false;
      clearInterval(poll);
      await listening?.close();
      await looking;
      await Promise.race([Promise.all(running), new Promise((resolve) => setTimeout(resolve, CLOSE_MS).unref())]);
      clearInterval(renewing);
      await Promise.all([...held.keys()].map(giveBack));
    },
    async runDue() {
      let total = 0;
      for (;;) {
        const wasIdle = running.size === 0;
        const claimed = await claim();
        if (claimed === 0 && wasIdle) return total;
        total += claimed;
        if (claimed === 0 && running.size > 0) await Promise.race(running);
      }
    },
  };
}
