import { sql } from '@bulkhead/postgres';
import type { InstallTx } from '../../installs/index.ts';
import type { JobStatus } from './job.ts';

/** What an install has of jobs in one environment, as far as its bounds ask. Until the commit no other push of the install counts. */
export async function countJobs(
  tx: InstallTx,
  { environment, since, waitingMax }: { environment: string; since: Date; waitingMax: number },
): Promise<{ readonly waiting: number; readonly pushed: number }> {
  const { applicationId, clientKey } = tx;
  await tx.execute(sql`
    select 1 from app_installs where application_id = ${applicationId} and client_key = ${clientKey} for no key update`);
  const which = sql`application_id = ${applicationId} and client_key = ${clientKey} and environment = ${environment}`;
  return tx.one<{ waiting: number; pushed: number }>(sql`
    select (select count(*) from (select from function_jobs where ${which} and run_at is not null limit ${waitingMax}) w)::int as waiting,
           (select count(*) from function_jobs where ${which} and source = 'queue' and created_at > ${since})::int as pushed`);
}

/** Which jobs of a queue: one by its id, or those of one push. */
export interface JobsOfQueue {
  readonly environment: string;
  readonly queue: string;
  readonly id: string;
}

const which = (tx: InstallTx, { environment, queue, id }: JobsOfQueue) => sql`
  application_id = ${tx.applicationId} and client_key = ${tx.clientKey} and environment = ${environment} and source = 'queue'
  and source_key = ${queue} and (job_id = ${id} or push_id = ${id})`;

/** How many of them there are in each state. */
export async function countByStatus(tx: InstallTx, jobs: JobsOfQueue): Promise<Partial<Record<JobStatus, number>>> {
  const rows = await tx.query<{ status: JobStatus; count: number }>(sql`
    select status, count(*)::int as count from function_jobs where ${which(tx, jobs)} group by status`);
  return Object.fromEntries(rows.map(({ status, count }) => [status, count]));
}

/** Cancels those that have not begun; answers how many. One that waits for another attempt counts as not begun. */
export async function cancelWaiting(tx: InstallTx, jobs: JobsOfQueue, now: Date): Promise<number> {
  return tx.execute(sql`
    update function_jobs set status = 'cancelled', run_at = null, finished_at = ${now}, fence = fence + 1, payload_sealed = null
     where ${which(tx, jobs)} and status = 'waiting'`);
}
