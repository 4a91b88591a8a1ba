import type { ApplicationId } from '@bulkhead/base';
import { sql, type Sql, type Tx } from '@bulkhead/postgres';
import type { EventPosition, EventScope, StoredEvent } from './event.ts';

/** Told when events are written; PostgreSQL folds equal notifications of a transaction into one. */
export const EVENTS_CHANNEL = 'bulkhead_events';

/** Adds events in order, leaving out those that the event settings of their Application do not ask for, and tells who waits. */
export async function insertEvents(tx: Tx, events: readonly (StoredEvent & { readonly applicationId: ApplicationId })[]): Promise<void> {
  const rows = events.map((event) => ({
    application_id: event.applicationId,
    event_id: event.eventId,
    type: event.type,
    account_id: event.accountId,
    at: event.at.toISOString(),
    data: event.data,
  }));
  await tx.execute(sql`
    with given as (
      select * from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
        as given (application_id text, event_id text, type text, account_id bigint, at timestamptz, data jsonb)),
    added as (
      insert into events (application_id, event_id, type, account_id, at, expires_at, data)
      select application_id, event_id, type, account_id, at, at + retention, data
        from given cross join lateral (select bulkhead_event_retention(application_id, type) as retention) kept
       where retention is not null
      returning 1)
    select pg_notify(${EVENTS_CHANNEL}, '') from (select from added limit 1) told`);
  // Functions may ask for what the log does not keep.
  await tx.execute(sql`select bulkhead_events_happened(${JSON.stringify(rows)}::jsonb)`);
}

/** Which events of a log. */
export interface EventRange {
  readonly after: EventPosition;
  /** Not earlier than this. */
  readonly from: Date | null;
  /** Earlier than this. */
  readonly until: Date | null;
  readonly now: Date;
  /** Hours that events are kept, as settings say now; rows keep what settings said when they were written, and the shorter counts. */
  readonly retention: Sql;
}

/** Rows of this log that can be read now. Below the horizon nothing can come late, so whoever goes on from the last one misses none. */
function readable({ applicationId, accountId }: EventScope, { after, from, until, now, retention }: EventRange): Sql {
  return sql`
    application_id = ${applicationId} and ${accountId === null ? sql`true` : sql`account_id = ${accountId}`}
    and (position, seq) > (${after.position}::bigint, ${after.seq}::bigint) and position < bulkhead_event_horizon()
    and expires_at > ${now}::timestamptz and at > ${now}::timestamptz - make_interval(hours => ${retention})
    and (${from}::timestamptz is null or at >= ${from}::timestamptz) and (${until}::timestamptz is null or at < ${until}::timestamptz)`;
}

/** The first events of a range, in the order in which they can be followed. */
export async function findEvents(
  tx: Tx,
  scope: EventScope,
  range: EventRange,
  limit: number,
): Promise<readonly (StoredEvent & EventPosition)[]> {
  const rows = await tx.query<{
    event_id: string;
    type: string;
    account_id: number | null;
    at: Date;
    data: Record<string, unknown>;
    position: number;
    seq: number;
  }>(sql`
    select event_id, type, account_id, at, data, position, seq from events
     where ${readable(scope, range)} order by position, seq limit ${limit}`);
  return rows.map(({ event_id: eventId, account_id: accountId, ...rest }) => ({ eventId, accountId, ...rest }));
}

/** As many as are counted: what a reader is told of the rest must not cost more than reading it. */
const COUNTED_MAX = 10_000;

/** How many events of a range there are, up to 10,000. */
export async function countEvents(tx: Tx, scope: EventScope, range: EventRange): Promise<number> {
  const { count } = await tx.one<{ count: number }>(sql`
    select count(*) as count from (select from events where ${readable(scope, range)} limit ${COUNTED_MAX}) counted`);
  return count;
}

/** The newest event that a reader could have got to, or null where there is none. */
export async function findLatest(tx: Tx, { applicationId, accountId }: EventScope): Promise<EventPosition | null> {
  return tx.maybe<{ position: number; seq: number }>(sql`
    select position, seq from events
     where application_id = ${applicationId} and ${accountId === null ? sql`true` : sql`account_id = ${accountId}`}
       and position < bulkhead_event_horizon()
     order by position desc, seq desc limit 1`);
}

/** Makes and drops partitions as the owner, who alone can. For the system role. Throws where others hold the tables for a second. */
export async function movePartitions(tx: Tx, until: Date, daysAhead: number): Promise<void> {
  await tx.execute(sql`select bulkhead_keep_event_partitions(${until}::timestamptz, ${daysAhead}::int)`);
}

/** Deletes what is past in the partition that is never dropped. For the system role; answers how many. */
export async function deletePastOfDefault(tx: Tx, until: Date): Promise<number> {
  return tx.execute(sql`delete from events where expires_at <= ${until} and tableoid = 'events_default'::regclass`);
}
