import type { Clock, Log } from '@bulkhead/base';
import type { Database, Sql } from '@bulkhead/postgres';
import { sql } from '@bulkhead/postgres';
import { deletePastOfDefault, movePartitions } from './event-store.ts';

export interface KeepPartitionsOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  /** The longest that any Application keeps events, in hours: a statement's part that is one number. */
  readonly longestRetentionHours: () => Sql;
}

/** Days made ahead of the last one needed, so that a worker may be away that long. */
const SPARE_DAYS = 2;

/**
 * Makes the partitions that events will fall into, and forgets what nobody can read any more: whole days by dropping their table,
 * the rest row by row. Any number of workers may call it at any time. What fails is logged, and done by the next call: until then
 * events lie in the partition that takes everything, and past ones are there without being readable.
 */
export async function keepPartitions({ db, clock, log, longestRetentionHours }: KeepPartitionsOptions): Promise<void> {
  const now = new Date(clock.now());
  try {
    await db.withSystem('make and drop partitions of the event log', async (tx) => {
      const { hours } = await tx.one<{ hours: number | null }>(sql`select ${longestRetentionHours()} as hours`);
      await movePartitions(tx, now, Math.ceil((hours ?? 24) / 24) + SPARE_DAYS);
    });
    await db.withSystem('forget past events', (tx) => deletePastOfDefault(tx, now));
  } catch (error) {
    log.error('the partitions of the event log could not be kept', { err: error });
  }
}
