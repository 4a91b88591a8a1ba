import type { ApplicationId } from '@bulkhead/base';
import { sql, type Tx } from '@bulkhead/postgres';
import type { StoredEvent } from './event.ts';

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
}
