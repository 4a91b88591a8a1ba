import type { Clock, Log } from '@bulkhead/base';
import type { Database, Listening } from '@bulkhead/postgres';
import { FUNCTION_EVENTS_CHANNEL } from './event-store.ts';
import { writeEventJobs } from './events.ts';
import { DEFAULT_JOB_LIMITS, type JobLimits } from './job.ts';
import { deleteJobsOfUninstalled, deleteOldJobs } from './job-store.ts';
import { alignSchedules, writeTicks } from './schedules.ts';

export interface JobWriterOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: Partial<JobLimits>;
}

export interface JobWriter {
  start(): Promise<void>;
  close(): Promise<void>;
  /** Writes what is due now, until nothing is. For tests. */
  writeDue(): Promise<void>;
}

const WRITE_EVERY_MS = 1_000;
const ALIGN_EVERY_MS = 3_000;
const FORGET_EVERY_MS = 20_000;
const DONE_KEPT_MS = 60 * 60_000;
const FAILED_KEPT_MS = 14 * 24 * 60 * 60_000;
const FORGET_BATCH = 5_000;

/** Writes the jobs of schedules and events, and forgets those that are over. Any number of processes may. */
export function jobWriter({ db, clock, log: parent, limits: given }: JobWriterOptions): JobWriter {
  const log = parent.child({ slice: 'functions' });
  const limits = { ...DEFAULT_JOB_LIMITS, ...given };
  const now = () => new Date(clock.now());
  const timers: NodeJS.Timeout[] = [];
  const under = new Set<Promise<void>>();
  let listening: Listening | undefined;

  const steps = {
    events: () => untilNone(() => writeEventJobs(db, log, limits, now())),
    ticks: () => untilNone(() => writeTicks(db, log, now())),
    align: () => untilNone(() => alignSchedules(db, now())),
    forget: async () => {
      const at = clock.now();
      const before = { doneBefore: new Date(at - DONE_KEPT_MS), failedBefore: new Date(at - FAILED_KEPT_MS), limit: FORGET_BATCH };
      await db.withSystem('forget jobs that are over', (tx) => deleteOldJobs(tx, before));
      await db.withSystem('forget jobs of uninstalled Apps', (tx) => deleteJobsOfUninstalled(tx, FORGET_BATCH));
    },
  };
  const busy = new Set<keyof typeof steps>();
  const again = new Set<keyof typeof steps>();

  /** One at a time of each; what is asked for meanwhile follows. */
  function run(step: keyof typeof steps): void {
    if (busy.has(step)) return void again.add(step);
    busy.add(step);
    again.delete(step);
    const ending = steps[step]()
      .catch((error: unknown) => log.error('jobs of functions could not be written', { step, err: error }))
      .finally(() => {
        busy.delete(step);
        under.delete(ending);
        if (again.has(step) && timers.length > 0) run(step);
      });
    under.add(ending);
  }

  return {
    async start() {
      timers.push(
        setInterval(() => {
          run('events');
          run('ticks');
        }, WRITE_EVERY_MS),
        setInterval(() => run('align'), ALIGN_EVERY_MS),
        setInterval(() => run('forget'), FORGET_EVERY_MS),
      );
      const look = () => run('events');
      listening = await db.listen(FUNCTION_EVENTS_CHANNEL, look, { onReconnect: look });
      for (const step of Object.keys(steps) as (keyof typeof steps)[]) run(step);
    },
    async close() {
      for (const timer of timers.splice(0)) clearInterval(timer);
      await listening?.close();
      await Promise.all(under);
    },
    async writeDue() {
      await steps.align();
      await steps.ticks();
      await steps.events();
      await steps.forget();
    },
  };
}

async function untilNone(write: () => Promise<number>): Promise<void> {
  while ((await write()) > 0);
}
