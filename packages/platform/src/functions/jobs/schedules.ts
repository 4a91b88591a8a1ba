import { createHash } from 'node:crypto';
import type { Log } from '@bulkhead/base';
import { type Database, sql, type Tx } from '@bulkhead/postgres';
import { type DeclaredSchedule, nextTick, ticksUntil } from '@bulkhead/protocol';
import { DEFAULT_RETRIES } from './job.ts';
import { insertJobs, tellJobs } from './job-store.ts';
import {
  claimDue,
  deleteIdleTimetables,
  deleteSchedule,
  deleteTimetable,
  findSchedules,
  listOutdated,
  moveSchedule,
  putTimetable,
  type Schedule,
} from './schedule-store.ts';
import type { InstallPlace } from './source-store.ts';

const BATCH = 200;
/** Ticks that are counted as missed; of more it is only said that there were so many. */
const MISSED_MAX = 1_000;
/** Runs of one schedule that wait, where they wait for each other. */
const WAITING_MAX = 100;
/** Runs of one schedule at a time, where they may overlap. */
const OVERLAPPING_MAX = 16;

/** How much later than the schedule says an install is called: always the same for one schedule of one install, spread over the jitter. */
export function jitterMs({ jitter_seconds: seconds = 0, key }: DeclaredSchedule, { clientKey, environment }: InstallPlace): number {
  const spread = createHash('sha256').update(`${clientKey} ${environment} ${key}`).digest().readUInt32BE() / 2 ** 32;
  return Math.floor(spread * seconds * 1_000);
}

/**
 * Brings the schedules of installs in line with the versions that run for them; answers how many were not. A schedule that is as it was keeps its next
 * time, another one counts from now. One worker at a time.
 */
export async function alignSchedules(db: Database, now: Date): Promise<number> {
  return db.withSystem('align schedules of functions', async (tx) => {
    if (!(await tryLock(tx))) return 0;
    const ended = await deleteIdleTimetables(tx, BATCH);
    const outdated = await listOutdated(tx, BATCH);
    for (const { version, schedules, ...of } of outdated) {
      if (version === null) {
        await deleteTimetable(tx, of);
        continue;
      }
      const before = new Map((await findSchedules(tx, of)).map((schedule) => [schedule.declared.key, schedule]));
      const next = schedules.flatMap((declared) => {
        const known = before.get(declared.key);
        const tickAt = known !== undefined && comesAlike(known.declared, declared) ? known.tickAt : nextTick(declared, now);
        return tickAt === null ? [] : [{ ...of, declared, tickAt, dueAt: new Date(tickAt.getTime() + jitterMs(declared, of)) }];
      });
      await putTimetable(tx, of, version, next);
    }
    return ended + outdated.length;
  });
}

async function tryLock(tx: Tx): Promise<boolean> {
  return (
    await tx.one<{ locked: boolean }>(sql`select pg_try_advisory_xact_lock(hashtextextended('bulkhead:align-schedules', 0)) as locked`)
  ).locked;
}

function comesAlike(one: DeclaredSchedule, other: DeclaredSchedule): boolean {
  return one.cron === other.cron && one.timezone === other.timezone && one.jitter_seconds === other.jitter_seconds;
}

/**
 * Writes a job for each schedule that is due, in the transaction that moves it on; answers how many schedules were due. Ticks that were missed while
 * nobody looked are one run, which is told how many they were.
 */
export async function writeTicks(db: Database, log: Log, now: Date): Promise<number> {
  return db.withSystem('write jobs of schedules', async (tx) => {
    const due = await claimDue(tx, now, BATCH);
    for (const schedule of due) await tick(tx, log, schedule, now);
    if (due.length > 0) await tellJobs(tx);
    return due.length;
  });
}

async function tick(tx: Tx, log: Log, schedule: Schedule & { readonly waiting: number }, now: Date): Promise<void> {
  const { applicationId, clientKey, environment, declared, tickAt, waiting } = schedule;
  const jitter = jitterMs(declared, schedule);
  const until = new Date(now.getTime() - jitter);
  const { count: missed, last } = ticksUntil(declared, tickAt, until, MISSED_MAX);
  const next = nextTick(declared, missed === MISSED_MAX ? until : last);
  if (next === null) await deleteSchedule(tx, schedule);
  else await moveSchedule(tx, schedule, { tickAt: next, dueAt: new Date(next.getTime() + jitter) });

  const { overlap = 'skip' } = declared;
  if ((overlap === 'skip' && waiting > 0) || waiting >= WAITING_MAX) {
    log.info('a tick of a schedule was passed over, because its run before is not over', {
      applicationId,
      clientKey,
      schedule: declared.key,
    });
    return;
  }
  if (missed > 0) log.warn('ticks of a schedule were missed and are one run', { applicationId, clientKey, schedule: declared.key, missed });
  await insertJobs(tx, { applicationId }, [
    {
      clientKey,
      environment,
      source: 'schedule',
      sourceKey: declared.key,
      functionKey: declared.function,
      occasion: last.toISOString(),
      retries: declared.retries ?? DEFAULT_RETRIES.schedule,
      concurrency: overlap === 'allow' ? OVERLAPPING_MAX : 1,
      depth: 0,
      cause: { scheduledAt: last.toISOString(), missed },
      runAt: now,
      now,
    },
  ]);
}
