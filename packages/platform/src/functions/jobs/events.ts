import type { Log } from '@bulkhead/base';
import type { Database, Tx } from '@bulkhead/postgres';
import { claimEvents, deleteEvents, type HappenedEvent, listTriggers, postponeEvents } from './event-store.ts';
import { DEFAULT_CONCURRENCY, DEFAULT_RETRIES, type JobLimits } from './job.ts';
import { insertJobs, type NewJob, tellJobs } from './job-store.ts';

const BATCH = { perTenant: 50, limit: 200 } as const;
const MINUTE_MS = 60_000;
const LATER_MS = 10_000;
/** An event that found no room for so long is not told any more. */
const GIVEN_UP_AFTER_MS = 24 * 60 * MINUTE_MS;

/**
 * Makes jobs of events, for each trigger of the versions that run; answers how many events were looked at. A trigger takes so many a minute; what is more
 * waits, so that a function which causes the event that calls it goes round at that pace and no faster.
 */
export async function writeEventJobs(db: Database, log: Log, limits: JobLimits, now: Date): Promise<number> {
  return db.withSystem('write jobs of events', async (tx) => {
    const events = await claimEvents(tx, now, BATCH);
    for (const own of Map.groupBy(events, ({ applicationId }) => applicationId).values()) await writeOwn(tx, log, limits, own, now);
    if (events.length > 0) await tellJobs(tx);
    return events.length;
  });
}

async function writeOwn(tx: Tx, log: Log, limits: JobLimits, events: readonly HappenedEvent[], now: Date): Promise<void> {
  const { applicationId } = events[0]!;
  const triggers = (await listTriggers(tx, applicationId, new Date(now.getTime() - MINUTE_MS))).map((each) => ({
    ...each,
    room: Math.min(limits.eventsPerMinute - each.recent, limits.waitingMax - each.waiting),
  }));
  const jobs: NewJob[] = [];
  const done: string[] = [];
  const later: string[] = [];
  for (const event of events) {
    const asking = triggers.filter(({ trigger }) => trigger.events.includes(event.type));
    for (const each of asking) {
      if (each.room-- <= 0) continue;
      const { clientKey, environment, trigger } = each;
      jobs.push({
        clientKey,
        environment,
        source: 'event',
        sourceKey: trigger.key,
        functionKey: trigger.function,
        // Written once, also where another trigger of the same event had no room and it comes here again.
        occasion: event.eventId,
        retries: trigger.retries ?? DEFAULT_RETRIES.event,
        concurrency: DEFAULT_CONCURRENCY,
        depth: 0,
        cause: { id: event.eventId, type: event.type, accountId: event.accountId, at: event.at.toISOString(), data: event.data },
        runAt: now,
        now,
      });
    }
    const isLate = now.getTime() - event.at.getTime() > GIVEN_UP_AFTER_MS;
    if (asking.some(({ room }) => room < 0) && !isLate) later.push(event.eventId);
    else done.push(event.eventId);
    if (isLate && asking.some(({ room }) => room < 0))
      log.warn('an event found no room among jobs of functions', { applicationId, eventId: event.eventId });
  }
  if (jobs.length > 0) await insertJobs(tx, { applicationId }, jobs);
  await deleteEvents(tx, applicationId, done);
  if (later.length > 0) await postponeEvents(tx, applicationId, later, new Date(now.getTime() + LATER_MS));
}
