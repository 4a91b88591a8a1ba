import { type ApplicationId, defineId } from '@bulkhead/base';
import { notify, sql, type Tx } from '@bulkhead/postgres';

/** Told when a task is written, so that a worker need not wait for its next look. */
export const TASKS_CHANNEL = 'bulkhead_tasks';

const taskId = defineId('tsk');

export interface ClaimedTask {
  readonly applicationId: ApplicationId;
  readonly taskId: string;
  readonly name: string;
  readonly payload: unknown;
  readonly attempts: number;
}

export async function insertTask(
  tx: Tx,
  task: { applicationId: ApplicationId; name: string; payload: string; runAt: Date },
): Promise<void> {
  await tx.execute(sql`
    insert into tasks (application_id, task_id, name, payload, run_at)
    values (${task.applicationId}, ${taskId.generate()}, ${task.name}, ${task.payload}, ${task.runAt})`);
  await notify(tx, TASKS_CHANNEL, '');
}

/** The same for any number of tasks of one name, in one statement. */
export async function insertTasks(
  tx: Tx,
  tasks: { applicationId: ApplicationId; name: string; payloads: readonly string[]; runAt: Date },
): Promise<void> {
  if (tasks.payloads.length === 0) return;
  const taskIds = tasks.payloads.map(() => taskId.generate());
  await tx.execute(sql`
    insert into tasks (application_id, task_id, name, payload, run_at)
    select ${tasks.applicationId}, task_id, ${tasks.name}, payload::jsonb, ${tasks.runAt}
      from unnest(${taskIds}::text[], ${tasks.payloads}::text[]) as new (task_id, payload)`);
  await notify(tx, TASKS_CHANNEL, '');
}

interface ClaimedRow {
  application_id: ApplicationId;
  task_id: string;
  name: string;
  payload: unknown;
  attempts: number;
}

/** Candidates of one kind of one Application: more than a worker takes, because another one may be holding the first. */
const CANDIDATES_MAX = 100;

/**
 * Takes due tasks and moves their `run_at` to the end of the lease. Each kind of each Application gives its oldest first; no second
 * one of them is taken before every other has had its first. So neither ten thousand revocations of one Application nor a provider
 * that does not answer them keep another one's, or its own erasure, waiting behind the last.
 */
export async function claimTasks(
  tx: Tx,
  claim: { names: readonly string[]; now: Date; leaseUntil: Date; limit: number },
): Promise<ClaimedTask[]> {
  const rows = await tx.query<ClaimedRow>(sql`
    with kinds as (
      select distinct application_id, name from tasks where run_at <= ${claim.now} and name = any(${claim.names})
    ), due as (
      select oldest.*, row_number() over (partition by oldest.application_id, oldest.name order by oldest.run_at, oldest.task_id) as turn
        from kinds cross join lateral (
          select t.application_id, t.name, t.task_id, t.run_at from tasks t
           where t.application_id = kinds.application_id and t.name = kinds.name and t.run_at <= ${claim.now}
           order by t.run_at, t.task_id limit ${CANDIDATES_MAX}) as oldest
    ), taken as (
      select t.application_id, t.task_id from tasks t join due using (application_id, task_id)
       where t.run_at <= ${claim.now} order by due.turn, due.run_at limit ${claim.limit} for update of t skip locked
    )
    update tasks t set run_at = ${claim.leaseUntil}, attempts = t.attempts + 1
      from taken where t.application_id = taken.application_id and t.task_id = taken.task_id
    returning t.application_id, t.task_id, t.name, t.payload, t.attempts`);
  return rows.map((row) => ({
    applicationId: row.application_id,
    taskId: row.task_id,
    name: row.name,
    payload: row.payload,
    attempts: row.attempts,
  }));
}

/** Removes a finished task, unless another worker has claimed it since. */
export async function finishTask(tx: Tx, task: ClaimedTask): Promise<void> {
  await tx.execute(sql`
    delete from tasks where application_id = ${task.applicationId} and task_id = ${task.taskId} and attempts = ${task.attempts}`);
}

/** Gives a task back for later, unless another worker has claimed it since. `attempts` is set to what has really failed so far. */
export async function postponeTask(
  tx: Tx,
  task: ClaimedTask,
  next: { runAt: Date; attempts: number; error: string | null },
): Promise<void> {
  await tx.execute(sql`
    update tasks set run_at = ${next.runAt}, attempts = ${next.attempts}, last_error = coalesce(${next.error}, last_error)
     where application_id = ${task.applicationId} and task_id = ${task.taskId} and attempts = ${task.attempts}`);
}

/** Whether the Application has tasks of any other name still to run. */
export async function hasTasksBeside(tx: Tx, applicationId: ApplicationId, name: string): Promise<boolean> {
  return (await tx.maybe(sql`select 1 from tasks where application_id = ${applicationId} and name <> ${name} limit 1`)) !== null;
}
