import type { Page } from '@bulkhead/http';
import { sql, type TenantTx } from '@bulkhead/postgres';
import type { Job, JobSource, JobStatus } from './job.ts';
import { tellJobs } from './job-store.ts';

interface JobRow {
  job_id: string;
  environment: string;
  source: JobSource;
  source_key: string;
  function_key: string;
  push_id: string | null;
  status: JobStatus;
  attempts: number;
  attempts_max: number;
  outcome: string | null;
  invocation_id: string | null;
  run_at: Date | null;
  created_at: Date;
  finished_at: Date | null;
}

const columns = sql`job_id, environment, source, source_key, function_key, push_id, status, attempts, attempts_max, outcome, invocation_id, run_at,
  created_at, finished_at`;

function job(row: JobRow): Job {
  return {
    jobId: row.job_id,
    environment: row.environment,
    source: row.source,
    sourceKey: row.source_key,
    functionKey: row.function_key,
    pushId: row.push_id,
    status: row.status,
    attempts: row.attempts,
    attemptsMax: row.attempts_max,
    outcome: row.outcome,
    invocationId: row.invocation_id,
    nextAttemptAt: row.status === 'waiting' ? row.run_at : null,
    createdAt: row.created_at,
    finishedAt: row.finished_at,
  };
}

export interface JobQuery {
  readonly page: number;
  readonly page_size: number;
  readonly environment: string;
  readonly status?: JobStatus | undefined;
  readonly source?: JobSource | undefined;
}

/** Jobs of an install in one environment, the newest first. */
export async function listJobs(tx: TenantTx, clientKey: string, query: JobQuery): Promise<Page<Job>> {
  const which = sql`
    application_id = ${tx.applicationId} and client_key = ${clientKey} and environment = ${query.environment}
    and ${query.status === undefined ? sql`true` : sql`status = ${query.status}`}
    and ${query.source === undefined ? sql`true` : sql`source = ${query.source}`}`;
  const { total } = await tx.one<{ total: number }>(sql`select count(*) as total from function_jobs where ${which}`);
  const rows = await tx.query<JobRow>(sql`
    select ${columns} from function_jobs where ${which} order by created_at desc, job_id
     limit ${query.page_size} offset ${(query.page - 1) * query.page_size}`);
  return { rows: rows.map(job), total };
}

/**
 * Has a job that has failed run again, at once and with all its attempts, under the same id. `not_over`: it has not failed;
 * null: the install has none of this id.
 */
export async function retryJob(tx: TenantTx, clientKey: string, jobId: string, now: Date): Promise<Job | 'not_over' | null> {
  const own = sql`application_id = ${tx.applicationId} and client_key = ${clientKey} and job_id = ${jobId}`;
  const row = await tx.maybe<JobRow>(sql`
    update function_jobs set status = 'waiting', run_at = ${now}, finished_at = null, attempts = 0, claims = 0, fence = fence + 1, asked_at = ${now}
     where ${own} and status = 'failed' returning ${columns}`);
  if (row !== null) {
    await tellJobs(tx);
    return job(row);
  }
  return (await tx.maybe(sql`select 1 from function_jobs where ${own}`)) === null ? null : 'not_over';
}
