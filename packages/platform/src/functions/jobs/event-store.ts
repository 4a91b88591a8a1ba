import type { ApplicationId } from '@bulkhead/base';
import { type JsonValue, sql, type Tx } from '@bulkhead/postgres';
import { type DeclaredTrigger, READING_SCOPES } from '@bulkhead/protocol';
import { type InstallPlace, installsAndVersions, isInEnvironment } from './source-store.ts';

/** Told when events happen where an App is enabled. The name stands in the migration too. */
export const FUNCTION_EVENTS_CHANNEL = 'bulkhead_function_events';

/** An event that may concern functions. */
export interface HappenedEvent {
  readonly applicationId: ApplicationId;
  readonly eventId: string;
  readonly type: string;
  readonly accountId: number | null;
  readonly at: Date;
  readonly data: JsonValue;
}

/**
 * Events that nobody has looked at, locked until the transaction ends: at most `perTenant` of each Application, the oldest first. Who has very many
 * keeps nobody else's waiting.
 */
export async function claimEvents(tx: Tx, now: Date, { perTenant, limit }: { perTenant: number; limit: number }): Promise<HappenedEvent[]> {
  const rows = await tx.query<{
    application_id: ApplicationId;
    event_id: string;
    type: string;
    account_id: string | number | null;
    at: Date;
    data: JsonValue;
  }>(sql`
    with recursive tenants as (
      (select application_id from function_events order by application_id limit 1)
      union all
      select next.application_id from tenants cross join lateral (
        select application_id from function_events where application_id > tenants.application_id order by application_id limit 1) next
    ), due as (
      select oldest.* from tenants cross join lateral (
        select application_id, event_id, row_number() over (order by run_at, event_id) as turn from function_events
         where application_id = tenants.application_id and run_at <= ${now} order by run_at, event_id limit ${perTenant}) oldest
       order by turn limit ${limit}
    )
    select e.application_id, e.event_id, e.type, e.account_id, e.at, e.data
      from function_events e join due using (application_id, event_id) order by due.turn for update of e skip locked`);
  return rows.map((row) => ({
    applicationId: row.application_id,
    eventId: row.event_id,
    type: row.type,
    accountId: row.account_id === null ? null : Number(row.account_id),
    at: row.at,
    data: row.data,
  }));
}

/** The triggers of the versions that run for the enabled installs of an Application whose Apps may READ, with how much room each has. */
export async function listTriggers(
  tx: Tx,
  applicationId: ApplicationId,
  since: Date,
): Promise<(InstallPlace & { readonly trigger: DeclaredTrigger; readonly recent: number; readonly waiting: number })[]> {
  const rows = await tx.query<{ client_key: string; environment: string; trigger: DeclaredTrigger; recent: number; waiting: number }>(sql`
    select i.client_key, e.environment, declared.trigger, jobs.recent, jobs.waiting
      from ${installsAndVersions}
      cross join lateral jsonb_array_elements(coalesce(r.manifest -> 'triggers', '[]')) as declared (trigger)
      cross join lateral (
        select count(*) filter (where j.created_at > ${since})::int as recent, count(*) filter (where j.run_at is not null)::int as waiting
          from function_jobs j
         where j.application_id = i.application_id and j.client_key = i.client_key and j.environment = e.environment
           and j.source = 'event' and j.source_key = declared.trigger ->> 'key') jobs
     where ${isInEnvironment} and i.application_id = ${applicationId} and i.scopes && ${[...READING_SCOPES]}::text[]`);
  return rows.map((row) => ({
    applicationId,
    clientKey: row.client_key,
    environment: row.environment,
    trigger: row.trigger,
    recent: row.recent,
    waiting: row.waiting,
  }));
}

export async function deleteEvents(tx: Tx, applicationId: ApplicationId, eventIds: readonly string[]): Promise<void> {
  await tx.execute(sql`delete from function_events where application_id = ${applicationId} and event_id = any(${eventIds}::text[])`);
}

export async function postponeEvents(tx: Tx, applicationId: ApplicationId, eventIds: readonly string[], runAt: Date): Promise<void> {
  await tx.execute(sql`
    update function_events set run_at = ${runAt} where application_id = ${applicationId} and event_id = any(${eventIds}::text[])`);
}
