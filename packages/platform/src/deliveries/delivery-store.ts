import { type ApplicationId, defineId } from '@bulkhead/base';
import { type JsonValue, type Sql, sql, type Tx } from '@bulkhead/postgres';
import type { Attempt, ClaimedDelivery, Delivery, DeliveryStatus, Message } from './delivery.ts';

/** Told when deliveries are written, once per statement that writes some. The name stands in the migration too. */
export const DELIVERIES_CHANNEL = 'bulkhead_deliveries';
/** For each delivery that is wanted so many are looked at, an equal share of each lane: some are held by other workers, some lanes are short. */
const LOOKED_AT = 6;
const FEWEST_OF_LANE = 4;
/** Attempts whose answers are kept. */
const LOG_MAX = 20;

/** What this process is sending to an endpoint at the moment. */
export interface BusyLane {
  readonly applicationId: ApplicationId;
  readonly endpointId: string;
  readonly running: number;
}

export interface Claim {
  readonly kinds: readonly string[];
  readonly now: Date;
  readonly leaseUntil: Date;
  readonly limit: number;
  readonly perEndpoint: number;
  readonly perTenant: number;
  readonly busy: readonly BusyLane[];
  /** The Application that had its turn last. */
  readonly after: ApplicationId | null;
}

interface ClaimedRow {
  application_id: ApplicationId;
  delivery_id: string;
  kind: string;
  endpoint_id: string;
  message_id: string;
  subject: string;
  content_type: string;
  body: string;
  attempts: number;
  fence: number;
  place: number;
}

/**
 * Takes due deliveries and moves their `run_at` to the end of the lease. The lanes are found by stepping from one to the next in the
 * index, so a lane of a hundred thousand costs what one of one does. An endpoint that is stopped or whose breaker is open is passed
 * over; one that has just failed gets one call at a time. An Application's turn comes after as many as it has calls under way: nobody
 * gets a second before every other one has its first, and among equals they take turns, however old what they have is. Answered in the
 * order in which they were taken. More are looked at than taken, because another worker may be holding the first.
 */
export async function claimDeliveries(tx: Tx, claim: Claim): Promise<ClaimedDelivery[]> {
  const inTurn = (alias: Sql) =>
    sql`${alias}.turn, ${alias}.application_id <= ${claim.after ?? ''}, ${alias}.application_id, ${alias}.run_at`;
  const rows = await tx.query<ClaimedRow>(sql`
    with recursive lanes as (
      (select application_id, endpoint_id, run_at from deliveries where run_at is not null
        order by application_id, endpoint_id, run_at limit 1)
      union all
      select next.application_id, next.endpoint_id, next.run_at from lanes cross join lateral (
        select d.application_id, d.endpoint_id, d.run_at from deliveries d
         where d.run_at is not null and (d.application_id, d.endpoint_id) > (lanes.application_id, lanes.endpoint_id)
         order by d.application_id, d.endpoint_id, d.run_at limit 1) next
    ), busy as (
      select * from unnest(
        ${claim.busy.map((lane) => lane.applicationId)}::text[], ${claim.busy.map((lane) => lane.endpointId)}::text[],
        ${claim.busy.map((lane) => lane.running)}::int[]) as running (application_id, endpoint_id, calls)
    ), busy_tenants as (
      select application_id, sum(calls)::int as calls from busy group by application_id
    ), ready as (
      select lanes.application_id, lanes.endpoint_id,
             case when e.consecutive_failures > 0 then 1 else ${claim.perEndpoint}::int end - coalesce(busy.calls, 0) as room,
             ${claim.perTenant}::int - coalesce(busy_tenants.calls, 0) as tenant_room, coalesce(busy_tenants.calls, 0) as running
        from lanes
        left join busy using (application_id, endpoint_id)
        left join busy_tenants using (application_id)
        left join delivery_endpoints e using (application_id, endpoint_id)
       where lanes.run_at <= ${claim.now} and e.stopped_at is null and (e.open_until is null or e.open_until <= ${claim.now})
    ), share as (
      select ${claim.limit * LOOKED_AT} / greatest(count(*), 1) + ${FEWEST_OF_LANE}::int as most from ready
    ), due as (
      select oldest.*, ready.room, ready.tenant_room, ready.running
        from ready cross join share cross join lateral (
          select d.*, row_number() over () as lane_turn from (
            select d.application_id, d.endpoint_id, d.delivery_id, d.run_at from deliveries d
             where d.application_id = ready.application_id and d.endpoint_id = ready.endpoint_id
               and d.run_at is not null and d.run_at <= ${claim.now}
             order by d.run_at limit least(greatest(ready.room, 0) * 2, share.most)) d) as oldest
    ), turns as (
      select *, running + row_number() over (partition by application_id order by lane_turn, run_at, delivery_id) as turn from due
    ), locked as materialized (
      select t.application_id, t.delivery_id, t.endpoint_id, turns.turn, turns.run_at, turns.room, turns.tenant_room
        from deliveries t join turns using (application_id, delivery_id)
       where t.run_at <= ${claim.now} and t.kind = any(${claim.kinds}) and turns.turn <= turns.running + turns.tenant_room * 2
       order by ${inTurn(sql`turns`)} limit ${claim.limit * 2} for update of t skip locked
    ), ranked as (
      select *, row_number() over (partition by application_id, endpoint_id order by turn) as in_lane,
             row_number() over (partition by application_id order by turn) as in_tenant from locked
    ), taken as (
      select *, row_number() over (order by ${inTurn(sql`ranked`)}) as place
        from ranked where in_lane <= room and in_tenant <= tenant_room order by place limit ${claim.limit}
    )
    update deliveries d set run_at = ${claim.leaseUntil}, fence = d.fence + 1
      from taken where d.application_id = taken.application_id and d.delivery_id = taken.delivery_id
    returning d.application_id, d.delivery_id, d.kind, d.endpoint_id, d.message_id, d.subject, d.content_type, d.body, d.attempts, d.fence,
              taken.place::int as place`);
  return rows
    .toSorted((one, other) => one.place - other.place)
    .map((row) => ({
      applicationId: row.application_id,
      deliveryId: row.delivery_id,
      kind: row.kind,
      endpointId: row.endpoint_id,
      messageId: row.message_id,
      subject: row.subject,
      contentType: row.content_type,
      body: row.body,
      attempts: row.attempts,
      fence: row.fence,
    }));
}

/** What an attempt, or the lack of one, makes of a delivery. */
export interface Finish {
  readonly delivery: ClaimedDelivery;
  readonly status: DeliveryStatus;
  /** Of the next attempt; null unless pending. */
  readonly runAt: Date | null;
  /** Null: no call was made. */
  readonly attempt: Attempt | null;
  readonly now: Date;
}

/**
 * Writes results in one statement. Answers the ids of those that were still held by this worker; the others are left alone, and so is
 * one that is written again because the answer to the first time was lost.
 */
export async function finishDeliveries(tx: Tx, finishes: readonly Finish[]): Promise<ReadonlySet<string>> {
  const pick = <Value>(of: (finish: Finish) => Value): Value[] => finishes.map(of);
  const rows = await tx.query<{ delivery_id: string }>(sql`
    update deliveries d set
           status = r.status, run_at = r.run_at, fence = d.fence + 1, attempts = d.attempts + (r.entry is not null)::int,
           log = case when r.entry is null then d.log
                      when jsonb_array_length(d.log) >= ${LOG_MAX} then (d.log - 0) || r.entry else d.log || r.entry end,
           finished_at = case when r.status = 'pending' then null else r.now end
      from unnest(
        ${pick((f) => f.delivery.applicationId)}::text[], ${pick((f) => f.delivery.deliveryId)}::text[],
        ${pick((f) => f.delivery.fence)}::bigint[], ${pick((f) => f.status)}::text[],
        ${pick((f) => f.runAt)}::timestamptz[], ${pick((f) => (f.attempt === null ? null : JSON.stringify(f.attempt)))}::jsonb[],
        ${pick((f) => f.now)}::timestamptz[]) as r (application_id, delivery_id, fence, status, run_at, entry, now)
     where d.application_id = r.application_id and d.delivery_id = r.delivery_id and d.fence = r.fence and d.status = 'pending'
    returning d.delivery_id`);
  return new Set(rows.map((row) => row.delivery_id));
}

interface DeliveryRow {
  delivery_id: string;
  endpoint_id: string;
  message_id: string;
  subject: string;
  status: DeliveryStatus;
  attempts: number;
  log: Attempt[];
  run_at: Date | null;
  created_at: Date;
  finished_at: Date | null;
}

function delivery(row: DeliveryRow): Delivery {
  return {
    deliveryId: row.delivery_id,
    endpointId: row.endpoint_id,
    messageId: row.message_id,
    subject: row.subject,
    status: row.status,
    attempts: row.attempts,
    log: row.log,
    nextAttemptAt: row.run_at,
    createdAt: row.created_at,
    finishedAt: row.finished_at,
  };
}

/** The deliveries of an endpoint, or of several, the newest first. */
export async function listDeliveries(
  tx: Tx,
  applicationId: ApplicationId,
  endpointId: string | readonly string[],
  query: { page: number; page_size: number; status?: DeliveryStatus | undefined },
): Promise<{ rows: Delivery[]; total: number }> {
  const which = sql`application_id = ${applicationId} and endpoint_id = any(${typeof endpointId === 'string' ? [endpointId] : endpointId}) and ${query.status === undefined ? sql`true` : sql`status = ${query.status}`}`;
  const { total } = await tx.one<{ total: number }>(sql`select count(*) as total from deliveries where ${which}`);
  const rows = await tx.query<DeliveryRow>(sql`
    select * from deliveries where ${which} order by created_at desc, delivery_id
     limit ${query.page_size} offset ${(query.page - 1) * query.page_size}`);
  return { rows: rows.map(delivery), total };
}

/** Sends again, at once and up the whole ladder: same id, same bytes. A worker that has it at the moment changes nothing any more. */
async function rearm(tx: Tx, applicationId: ApplicationId, which: Sql, now: Date): Promise<Delivery[]> {
  const rows = await tx.query<DeliveryRow>(sql`
    update deliveries set status = 'pending', run_at = ${now}, attempts = 0, fence = fence + 1, finished_at = null
     where application_id = ${applicationId} and ${which} returning *`);
  if (rows.length > 0) await tx.execute(sql`select pg_notify(${DELIVERIES_CHANNEL}, '')`);
  return rows.map(delivery);
}

/** One delivery once more. Null where the endpoint has none of this id. */
export async function replayDelivery(
  tx: Tx,
  { applicationId, endpointId, deliveryId, now }: { applicationId: ApplicationId; endpointId: string; deliveryId: string; now: Date },
): Promise<Delivery | null> {
  const [row] = await rearm(tx, applicationId, sql`endpoint_id = ${endpointId} and delivery_id = ${deliveryId}`, now);
  return row ?? null;
}

/** Those of an endpoint that were written in [since, until) and stand at `status`, the oldest first, at most `limit`. Answers how many, and when the last was written. */
export async function replayDeliveries(
  tx: Tx,
  range: {
    applicationId: ApplicationId;
    endpointId: string;
    since: Date;
    until: Date;
    statuses: readonly DeliveryStatus[];
    limit: number;
    now: Date;
  },
): Promise<{ readonly replayed: number; readonly last: Date | null }> {
  const rows = await rearm(
    tx,
    range.applicationId,
    sql`delivery_id in (
      select delivery_id from deliveries
       where application_id = ${range.applicationId} and endpoint_id = ${range.endpointId}
         and created_at >= ${range.since} and created_at < ${range.until} and status = any(${range.statuses})
       order by created_at limit ${range.limit})`,
    range.now,
  );
  const last = rows.reduce<Date | null>((latest, { createdAt }) => (latest === null || createdAt > latest ? createdAt : latest), null);
  return { replayed: rows.length, last };
}

/** Whatever of an endpoint still waits comes due at once. */
export async function hurryDeliveries(tx: Tx, applicationId: ApplicationId, endpointId: string, now: Date): Promise<void> {
  await tx.execute(sql`
    update deliveries set run_at = ${now}, attempts = 0, fence = fence + 1
     where application_id = ${applicationId} and endpoint_id = ${endpointId} and run_at is not null`);
  await tx.execute(sql`select pg_notify(${DELIVERIES_CHANNEL}, '')`);
}

const deliveryId = defineId('dlv');

/** Writes a delivery that is due at `runAt`, in the transaction of the change it tells of. For kinds that no trigger writes. */
export async function insertDelivery(
  tx: Tx,
  delivery: { applicationId: ApplicationId; kind: string; endpointId: string; message: Message; runAt: Date; now: Date },
): Promise<void> {
  const { applicationId, kind, endpointId, message, runAt, now } = delivery;
  await tx.execute(sql`
    insert into deliveries (application_id, delivery_id, kind, endpoint_id, message_id, subject, content_type, body, run_at, created_at)
    values (${applicationId}, ${deliveryId.generate()}, ${kind}, ${endpointId}, ${message.messageId}, ${message.subject},
            ${message.contentType}, ${message.body}, ${runAt}, ${now})`);
  await tx.execute(sql`select pg_notify(${DELIVERIES_CHANNEL}, '')`);
}

/** Writes down a call that was made while somebody waited, as one that is finished. Its body is not kept: nobody sends it again. */
export async function recordDelivery(
  tx: Tx,
  delivery: { applicationId: ApplicationId; kind: string; endpointId: string; subject: string; attempt: Attempt; now: Date },
): Promise<void> {
  const { applicationId, kind, endpointId, subject, attempt, now } = delivery;
  const id = deliveryId.generate();
  await tx.execute(sql`
    insert into deliveries (application_id, delivery_id, kind, endpoint_id, message_id, subject, content_type, body, status, attempts, log, created_at, finished_at)
    values (${applicationId}, ${id}, ${kind}, ${endpointId}, ${id}, ${subject}, '', '', ${attempt.failure === null ? 'delivered' : 'failed'}, 1,
            ${sql.json([attempt] as unknown as JsonValue)}, ${now}, ${now})`);
}

/** Whatever of an endpoint still waits is not sent any more. A worker that has it at the moment changes nothing of that. */
export async function cancelDeliveries(tx: Tx, applicationId: ApplicationId, endpointId: string, now: Date): Promise<void> {
  await tx.execute(sql`
    update deliveries set status = 'cancelled', run_at = null, fence = fence + 1, finished_at = ${now}
     where application_id = ${applicationId} and endpoint_id = ${endpointId} and run_at is not null`);
}

/**
 * Cancels what still waits of some endpoints, but for calls that may be under way at this moment. A row that nobody holds has two fences for
 * each attempt; where that is not so it is taken to be held until its lease ends. Answers the subjects that were cancelled, and how many
 * calls are under way.
 */
export async function quietDeliveries(
  tx: Tx,
  applicationId: ApplicationId,
  endpointIds: readonly string[],
  now: Date,
): Promise<{ readonly cancelled: readonly string[]; readonly underWay: number }> {
  const which = sql`application_id = ${applicationId} and endpoint_id = any(${endpointIds}) and run_at is not null`;
  const cancelled = await tx.query<{ subject: string }>(sql`
    update deliveries set status = 'cancelled', run_at = null, fence = fence + 1, finished_at = ${now}
     where ${which} and (fence = 2 * attempts or run_at <= ${now}) returning subject`);
  const { held } = await tx.one<{ held: number }>(sql`select count(*) as held from deliveries where ${which}`);
  return { cancelled: cancelled.map(({ subject }) => subject), underWay: held };
}

/** Forgets what was sent to an endpoint, or still should be. */
export async function deleteDeliveries(tx: Tx, applicationId: ApplicationId, endpointId: string): Promise<void> {
  await tx.execute(sql`delete from deliveries where application_id = ${applicationId} and endpoint_id = ${endpointId}`);
}

/** Removes deliveries older than `before`, at most `limit`: finished ones, and those that wait for an endpoint that is stopped. */
export async function deleteOldDeliveries(tx: Tx, before: Date, limit: number): Promise<number> {
  return tx.execute(sql`
    delete from deliveries where ctid = any(array(
      select d.ctid from deliveries d left join delivery_endpoints e using (application_id, endpoint_id)
       where d.created_at < ${before} and (d.status <> 'pending' or e.stopped_at is not null) limit ${limit} for update of d skip locked))`);
}
