import type { ApplicationId } from '@bulkhead/base';
import { sql, type Tx } from '@bulkhead/postgres';
import type { StopReason } from './delivery.ts';
import { BREAKER_FAILURES, breakerMs } from './retry-ladder.ts';

/** How an endpoint fares. */
export interface EndpointHealth {
  readonly consecutiveFailures: number;
  readonly failingSince: Date | null;
  /** Nothing is sent before this moment. */
  readonly openUntil: Date | null;
  readonly stoppedAt: Date | null;
  readonly stoppedReason: StopReason | null;
  readonly lastSuccessAt: Date | null;
  readonly lastFailureAt: Date | null;
  readonly lastFailure: string | null;
}

interface EndpointRow {
  application_id: ApplicationId;
  endpoint_id: string;
  consecutive_failures: number;
  failing_since: Date | null;
  open_until: Date | null;
  openings: number;
  stopped_at: Date | null;
  stopped_reason: StopReason | null;
  last_success_at: Date | null;
  last_failure_at: Date | null;
  last_failure: string | null;
}

function health(row: EndpointRow): EndpointHealth {
  return {
    consecutiveFailures: row.consecutive_failures,
    failingSince: row.failing_since,
    openUntil: row.open_until,
    stoppedAt: row.stopped_at,
    stoppedReason: row.stopped_reason,
    lastSuccessAt: row.last_success_at,
    lastFailureAt: row.last_failure_at,
    lastFailure: row.last_failure,
  };
}

/** By endpoint id; one that is missing was never called, or never failed and only lately. */
export async function endpointHealth(
  tx: Tx,
  applicationId: ApplicationId,
  endpointIds: readonly string[],
): Promise<ReadonlyMap<string, EndpointHealth>> {
  const rows = await tx.query<EndpointRow>(sql`
    select * from delivery_endpoints where application_id = ${applicationId} and endpoint_id = any(${endpointIds})`);
  return new Map(rows.map((row) => [row.endpoint_id, health(row)]));
}

/** What a batch of results says of one endpoint. */
export interface EndpointReport {
  readonly applicationId: ApplicationId;
  readonly endpointId: string;
  /** Failures since the last success of the batch, or all. */
  readonly failures: number;
  readonly succeeded: boolean;
  readonly lastFailure: string | null;
  /** The endpoint asks to be left alone until then. */
  readonly openUntil: Date | null;
  readonly at: Date;
}

/** A success is written down once a minute unless it ends a row of failures. */
const SUCCESS_EVERY_MS = 60_000;

/** Writes the reports down and answers the endpoints that failed, as they stand now. */
export async function recordHealth(tx: Tx, reports: readonly EndpointReport[]): Promise<ReadonlyMap<string, EndpointHealth>> {
  // In one order everywhere, so that two workers do not wait for each other in a circle.
  const sorted = [...reports].sort((a, b) => (a.applicationId + a.endpointId < b.applicationId + b.endpointId ? -1 : 1));
  const pick = <Value>(of: (report: EndpointReport) => Value): Value[] => sorted.map(of);
  const rows = await tx.query<EndpointRow>(sql`
    insert into delivery_endpoints as e
           (application_id, endpoint_id, consecutive_failures, failing_since, last_success_at, last_failure_at, last_failure, open_until)
    select r.application_id, r.endpoint_id, r.failures, case when r.failures > 0 then r.at end, case when r.succeeded then r.at end,
           case when r.last_failure is not null then r.at end, r.last_failure, r.open_until
      from unnest(
        ${pick((r) => r.applicationId)}::text[], ${pick((r) => r.endpointId)}::text[], ${pick((r) => r.failures)}::int[],
        ${pick((r) => r.succeeded)}::boolean[], ${pick((r) => r.lastFailure)}::text[], ${pick((r) => r.openUntil)}::timestamptz[],
        ${pick((r) => r.at)}::timestamptz[]) as r (application_id, endpoint_id, failures, succeeded, last_failure, open_until, at)
    on conflict (application_id, endpoint_id) do update set
           consecutive_failures = excluded.consecutive_failures + case when excluded.last_success_at is null then e.consecutive_failures else 0 end,
           failing_since = case when excluded.consecutive_failures = 0 then null
                                when excluded.last_success_at is null then coalesce(e.failing_since, excluded.failing_since)
                                else excluded.failing_since end,
           last_success_at = coalesce(excluded.last_success_at, e.last_success_at),
           last_failure_at = coalesce(excluded.last_failure_at, e.last_failure_at),
           last_failure = coalesce(excluded.last_failure, e.last_failure),
           openings = case when excluded.last_success_at is null then e.openings else 0 end,
           open_until = case when excluded.last_success_at is null then greatest(e.open_until, excluded.open_until) else excluded.open_until end
     where excluded.last_failure is not null or e.consecutive_failures > 0
        or e.last_success_at is null or e.last_success_at < excluded.last_success_at - ${`${SUCCESS_EVERY_MS} milliseconds`}::interval
    returning *`);
  const failing = rows.filter((row) => row.consecutive_failures > 0);
  const at = sorted[0]?.at;
  if (at !== undefined) for (const row of failing) await openBreaker(tx, row, at);
  return new Map(failing.map((row) => [row.endpoint_id, health(row)]));
}

/** After enough failures in a row the endpoint rests, each time twice as long; calls of one wave count once. */
async function openBreaker(tx: Tx, row: EndpointRow, at: Date): Promise<void> {
  if (row.consecutive_failures < BREAKER_FAILURES) return;
  if (row.open_until !== null && row.open_until > at) return;
  const openUntil = new Date(at.getTime() + breakerMs(row.openings + 1));
  await tx.execute(sql`
    update delivery_endpoints set openings = openings + 1, open_until = ${openUntil}
     where application_id = ${row.application_id} and endpoint_id = ${row.endpoint_id}`);
}

/** True where this call stopped it: of several at once, one. */
export async function stopEndpoint(
  tx: Tx,
  { applicationId, endpointId, reason, at }: { applicationId: ApplicationId; endpointId: string; reason: StopReason; at: Date },
): Promise<boolean> {
  const stopped = await tx.execute(sql`
    update delivery_endpoints set stopped_at = ${at}, stopped_reason = ${reason}
     where application_id = ${applicationId} and endpoint_id = ${endpointId} and stopped_at is null`);
  return stopped === 1;
}

/** A clean slate: no stop, no breaker, no failures. Answers since when the endpoint had failed; null: it was not stopped. */
export async function clearEndpoint(tx: Tx, applicationId: ApplicationId, endpointId: string): Promise<Date | null> {
  const row = await tx.maybe<{ stopped_at: Date | null; failing_since: Date | null }>(sql`
    select stopped_at, failing_since from delivery_endpoints
     where application_id = ${applicationId} and endpoint_id = ${endpointId} for update`);
  await tx.execute(sql`
    update delivery_endpoints
       set stopped_at = null, stopped_reason = null, consecutive_failures = 0, failing_since = null, open_until = null, openings = 0
     where application_id = ${applicationId} and endpoint_id = ${endpointId}`);
  return row === null || row.stopped_at === null ? null : (row.failing_since ?? row.stopped_at);
}

export async function deleteEndpoint(tx: Tx, applicationId: ApplicationId, endpointId: string): Promise<void> {
  await tx.execute(sql`delete from delivery_endpoints where application_id = ${applicationId} and endpoint_id = ${endpointId}`);
}
