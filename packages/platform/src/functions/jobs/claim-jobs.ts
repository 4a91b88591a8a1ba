import type { ApplicationId } from '@bulkhead/base';
import { sql, type Tx } from '@bulkhead/postgres';
import type { ClaimedJob, JobSource } from './job.ts';

/** What a worker knows of itself when it claims. */
export interface JobClaim {
  readonly now: Date;
  readonly leaseUntil: Date;
  readonly limit: number;
  /** Jobs of one Application that this worker runs at a time, those in `busy` counted. */
  readonly perTenant: number;
  readonly busy: readonly { readonly applicationId: ApplicationId; readonly running: number }[];
}

interface ClaimedRow {
  application_id: ApplicationId;
  organization_id: string;
  job_id: string;
  client_key: string;
  app_key: string;
  environment: string;
  source: JobSource;
  source_key: string;
  push_id: string | null;
  fence: number;
  attempts: number;
  attempts_max: number;
  claims: number;
  depth: number;
  cause: unknown;
  payload_sealed: Buffer | null;
  asked_at: Date;
  place: number;
}

/**
 * Takes due jobs of enabled installs and moves their `run_at` to the end of the lease. The lanes (install, environment, and what made the
 * job) are found by stepping from one to the next in the index, so a lane of ten thousand costs what one of one does. A lane gives
 * as many as its concurrency leaves free, counted over all workers; that holds because claims are made one after the other. An
 * Application's turn comes after as many as it has running, and within it an install's: nobody gets a second before every other one has
 * its first. Answered in the order in which they were taken.
 */
export async function claimJobs(tx: Tx, claim: JobClaim): Promise<ClaimedJob[]> {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended('bulkhead:claim-function-jobs', 0))`);
  const rows = await tx.query<ClaimedRow>(sql`
    with recursive lanes as (
      (select application_id, client_key, environment, source, source_key, run_at from function_jobs where run_at is not null
        order by application_id, client_key, environment, source, source_key, run_at limit 1)
      union all
      select next.* from lanes cross join lateral (
        select j.application_id, j.client_key, j.environment, j.source, j.source_key, j.run_at from function_jobs j
         where j.run_at is not null and (j.application_id, j.client_key, j.environment, j.source, j.source_key)
                                      > (lanes.application_id, lanes.client_key, lanes.environment, lanes.source, lanes.source_key)
         order by j.application_id, j.client_key, j.environment, j.source, j.source_key, j.run_at limit 1) next
    ), running as (
      select application_id, client_key, environment, source, source_key, count(*)::int as jobs
        from function_jobs where status = 'running' and run_at > ${claim.now}
       group by application_id, client_key, environment, source, source_key
    ), tenants as (
      select application_id, sum(jobs)::int as jobs from running group by application_id
    ), busy as (
      select * from unnest(${claim.busy.map((each) => each.applicationId)}::text[], ${claim.busy.map((each) => each.running)}::int[])
        as busy (application_id, jobs)
    ), ready as (
      select lanes.*, i.app_key, a.organization_id, coalesce(running.jobs, 0) as running, coalesce(tenants.jobs, 0) as of_tenant,
             ${claim.perTenant}::int - coalesce(busy.jobs, 0) as tenant_room
        from lanes
        join app_installs i on i.application_id = lanes.application_id and i.client_key = lanes.client_key
        join applications a on a.application_id = lanes.application_id
        left join running on running.application_id = lanes.application_id and running.client_key = lanes.client_key
             and running.environment = lanes.environment and running.source = lanes.source and running.source_key = lanes.source_key
        left join tenants on tenants.application_id = lanes.application_id
        left join busy on busy.application_id = lanes.application_id
       where lanes.run_at <= ${claim.now} and i.status = 'enabled' and a.active and a.deleted_at is null
    ), due as (
      select oldest.*, ready.app_key, ready.organization_id, ready.of_tenant, ready.tenant_room
        from ready cross join lateral (
          select first.*, row_number() over (order by first.run_at, first.job_id) as lane_turn from (
            select j.application_id, j.job_id, j.client_key, j.run_at, j.concurrency from function_jobs j
             where j.application_id = ready.application_id and j.client_key = ready.client_key and j.environment = ready.environment
               and j.source = ready.source and j.source_key = ready.source_key and j.run_at is not null and j.run_at <= ${claim.now}
             order by j.run_at limit ${claim.limit}) first) oldest
       where oldest.lane_turn <= oldest.concurrency - ready.running
    ), in_install as (
      select *, row_number() over (partition by application_id, client_key order by lane_turn, run_at, job_id) as install_turn from due
    ), in_tenant as (
      select *, row_number() over (partition by application_id order by install_turn, run_at, job_id) as tenant_turn from in_install
    ), taken as (
      select application_id, job_id, app_key, organization_id,
             row_number() over (order by of_tenant + tenant_turn, run_at, job_id) as place
        from in_tenant where tenant_turn <= tenant_room order by place limit ${claim.limit}
    ), held as materialized (
      select t.*, j.ctid as at from function_jobs j join taken t using (application_id, job_id) where j.run_at <= ${claim.now} for update of j skip locked
    )
    update function_jobs j set status = 'running', run_at = ${claim.leaseUntil}, fence = j.fence + 1, claims = j.claims + 1
      from held where j.ctid = held.at and j.application_id = held.application_id and j.job_id = held.job_id
    returning j.application_id, held.organization_id, j.job_id, j.client_key, held.app_key, j.environment, j.source, j.source_key, j.push_id,
              j.fence, j.attempts, j.attempts_max, j.claims, j.depth, j.cause, j.payload_sealed, j.asked_at, held.place::int as place`);
  return rows
    .toSorted((one, other) => one.place - other.place)
    .map((row) => ({
      applicationId: row.application_id,
      organizationId: row.organization_id,
      jobId: row.job_id,
      clientKey: row.client_key,
      appKey: row.app_key,
      environment: row.environment,
      source: row.source,
      sourceKey: row.source_key,
      pushId: row.push_id,
      fence: row.fence,
      attempts: row.attempts,
      attemptsMax: row.attempts_max,
      claims: row.claims,
      depth: row.depth,
      cause: row.cause,
      sealed: row.payload_sealed,
      askedAt: row.asked_at,
    }));
}
