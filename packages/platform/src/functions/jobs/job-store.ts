import { type ApplicationId, Secret } from '@bulkhead/base';
import { type JsonValue, notify, sql, type TenantTx, type Tx } from '@bulkhead/postgres';
import { defineSealedColumn, type Sealer, type Vault } from '../../vault/index.ts';
import { type ClaimedJob, type JobContent, jobIds, JOBS_CHANNEL, type JobSource, type JobStatus } from './job.ts';

export const jobPayloads = defineSealedColumn({ table: 'function_jobs', column: 'payload_sealed', key: ['job_id'] });

/** A job to be written. */
export interface NewJob {
  readonly clientKey: string;
  readonly environment: string;
  readonly source: JobSource;
  readonly sourceKey: string;
  readonly functionKey: string;
  readonly pushId?: string;
  /** Of it there is one job only. */
  readonly occasion?: string;
  readonly retries: number;
  readonly concurrency: number;
  readonly depth: number;
  readonly cause?: JsonValue;
  /** Sealed. */
  readonly content?: JobContent;
  readonly runAt: Date;
  readonly now: Date;
}

/** Writes jobs in the caller's transaction, which sees `applicationId`; their ids, in order. Who wakes the workers is `tellJobs`. */
export async function insertJobs(
  tx: Tx,
  { applicationId, seal }: { applicationId: ApplicationId; seal?: Sealer },
  jobs: readonly NewJob[],
): Promise<string[]> {
  const rows = jobs.map((job) => {
    const jobId = jobIds.generate();
    const sealed =
      seal === undefined || job.content === undefined
        ? null
        : seal(jobPayloads.place(applicationId, [jobId]), new Secret(JSON.stringify(job.content)));
    return { job, jobId, sealed };
  });
  const pick = <Value>(of: (job: NewJob) => Value): Value[] => jobs.map(of);
  await tx.execute(sql`
    insert into function_jobs (application_id, job_id, client_key, environment, source, source_key, function_key, push_id, run_at, attempts_max,
                               concurrency, depth, cause, payload_sealed, occasion, created_at, asked_at)
    select ${applicationId}, new.*, now, now from unnest(
      ${rows.map(({ jobId }) => jobId)}::text[], ${pick((job) => job.clientKey)}::text[], ${pick((job) => job.environment)}::text[],
      ${pick((job) => job.source)}::text[], ${pick((job) => job.sourceKey)}::text[], ${pick((job) => job.functionKey)}::text[],
      ${pick((job) => job.pushId ?? null)}::text[], ${pick((job) => job.runAt)}::timestamptz[], ${pick((job) => job.retries + 1)}::int[],
      ${pick((job) => job.concurrency)}::int[], ${pick((job) => job.depth)}::int[],
      ${pick((job) => (job.cause === undefined ? null : JSON.stringify(job.cause)))}::jsonb[], ${rows.map(({ sealed }) => sealed)}::bytea[],
      ${pick((job) => job.occasion ?? null)}::text[]
    ) as new, (select ${jobs[0]?.now ?? null}::timestamptz as now) as moment on conflict do nothing`);
  return rows.map(({ jobId }) => jobId);
}

/** Wakes the workers when the transaction commits. */
export const tellJobs = (tx: Tx): Promise<void> => notify(tx, JOBS_CHANNEL, '');

/** What a job was given; nothing where it has no content of its own. */
export async function openJobContent(tx: TenantTx, vault: Vault, job: Pick<ClaimedJob, 'jobId' | 'sealed'>): Promise<JobContent> {
  if (job.sealed === null) return {};
  const opened = await vault.open(tx, jobPayloads.place(tx.applicationId, [job.jobId]), job.sealed);
  return JSON.parse(opened.reveal()) as JobContent;
}

/** What came of an attempt, or of the lack of one. */
export interface JobEnd {
  readonly status: Extract<JobStatus, 'waiting' | 'done' | 'failed'>;
  /** Of the next attempt; null unless it waits. */
  readonly runAt: Date | null;
  /** Whether it counts. */
  readonly isAttempt: boolean;
  /** Whether the process that had it was lost or refused it: 1 leaves the claim counted, 0 takes it back. */
  readonly isClaim: boolean;
  readonly outcome: string;
  readonly invocationId: string | null;
  /** For the next attempt; undefined: as before. */
  readonly content?: JobContent;
}

/** Writes what came of a job, unless it is no longer this worker's: false. What was done is kept without its payload. */
export async function endJob(tx: TenantTx, vault: Vault, job: ClaimedJob, end: JobEnd, now: Date): Promise<boolean> {
  const sealed =
    end.content === undefined
      ? null
      : await vault.seal(tx, jobPayloads.place(tx.applicationId, [job.jobId]), new Secret(JSON.stringify(end.content)));
  const written = await tx.execute(sql`
    update function_jobs
       set status = ${end.status}, run_at = ${end.runAt}, finished_at = case when ${end.status} = 'waiting' then null else ${now}::timestamptz end,
           fence = fence + 1, attempts = attempts + ${end.isAttempt ? 1 : 0}::int, claims = claims - ${end.isClaim ? 0 : 1}::int,
           outcome = ${end.outcome}, invocation_id = coalesce(${end.invocationId}, invocation_id),
           payload_sealed = case when ${end.status} = 'done' then null else coalesce(${sealed}, payload_sealed) end
     where application_id = ${tx.applicationId} and job_id = ${job.jobId} and fence = ${job.fence} and status = 'running'`);
  return written === 1;
}

/** Moves the ends of leases; a job that is no longer held under its fence is left alone. For the system role. */
export async function renewLeases(
  tx: Tx,
  held: readonly Pick<ClaimedJob, 'applicationId' | 'jobId' | 'fence'>[],
  leaseUntil: Date,
): Promise<void> {
  await tx.execute(sql`
    update function_jobs j set run_at = ${leaseUntil}
      from unnest(${held.map((job) => job.applicationId)}::text[], ${held.map((job) => job.jobId)}::text[],
                  ${held.map((job) => job.fence)}::bigint[]) as held (application_id, job_id, fence)
     where j.application_id = held.application_id and j.job_id = held.job_id and j.fence = held.fence and j.status = 'running'`);
}

/** Removes what is over since before a moment, at most `limit` rows: what failed is kept longer than the rest. For the system role. */
export async function deleteOldJobs(
  tx: Tx,
  { doneBefore, failedBefore, limit }: { doneBefore: Date; failedBefore: Date; limit: number },
): Promise<number> {
  return tx.execute(sql`
    delete from function_jobs where ctid = any(array(
      select ctid from function_jobs
       where finished_at < ${doneBefore} and (status <> 'failed' or finished_at < ${failedBefore})
       limit ${limit} for update skip locked))`);
}

/** Removes what is left of installs that are uninstalled, at most `limit` rows. For the system role. */
export async function deleteJobsOfUninstalled(tx: Tx, limit: number): Promise<number> {
  return tx.execute(sql`
    delete from function_jobs where ctid = any(array(
      select j.ctid from app_installs i join function_jobs j using (application_id, client_key)
       where i.status = 'uninstalled' limit ${limit} for update of j skip locked))`);
}
