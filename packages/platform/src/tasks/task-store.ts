import { type ApplicationId, defineId } from '@bulkhead/base';
import { notify, type Sql, sql, type Tx } from '@bulkhead/postgres';

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
  place: number;
}

/** How many tasks of one kind of one Application a worker runs at the moment. */
export interface BusyKind {
  readonly applicationId: ApplicationId;
  readonly name: string;
  readonly running: number;
}

/** Candidates of one kind of one Application: more than a worker takes, because another one may be holding the first. */
const CANDIDATES_MAX = 100;

/** What a worker knows of itself when it claims. */
export interface TaskClaim {
  readonly names: readonly string[];
  readonly now: Date;
  readonly leaseUntil: Date;
  readonly limit: number;
  /** Most tasks of one kind of one Application that it runs at the same moment, those in `busy` counted. */
  readonly perKind: number;
  readonly busy: readonly BusyKind[];
  /** The kind that had its turn last. */
  readonly after: Pick<BusyKind, 'applicationId' | 'name'> | null;
}

/**
 * Takes due tasks and moves their `run_at` to the end of the lease; answers them in the order in which it took them. Each kind of each
 * Application gives its oldest first; no second one of them is taken or running before every other has had its first, and among equals
 * they take turns, however old what they have is. So neither ten thousand revocations of one Application nor a provider that does not
 * answer them keep another one's, or its own erasure, waiting behind the last.
 */
export async function claimTasks(tx: Tx, claim: TaskClaim): Promise<ClaimedTask[]> {
  const inTurn = (alias: Sql) => sql`
    ${alias}.turn, (${alias}.application_id, ${alias}.name) <= (${claim.after?.applicationId ?? ''}, ${claim.after?.name ?? ''}),
    ${alias}.application_id, ${alias}.name`;
  const rows = await tx.query<ClaimedRow>(sql`
    with kinds as (
      select distinct application_id, name from tasks where run_at <= ${claim.now} and name = any(${claim.names})
    ), busy as (
      select * from unnest(
        ${claim.busy.map((kind) => kind.applicationId)}::text[], ${claim.busy.map((kind) => kind.name)}::text[],
        ${claim.busy.map((kind) => kind.running)}::int[]) as busy (application_id, name, running)
    ), due as (
      select oldest.*, coalesce(running, 0) as running, coalesce(running, 0)
             + row_number() over (partition by oldest.application_id, oldest.name order by oldest.run_at, oldest.task_id) as turn
        from kinds left join busy using (application_id, name) cross join lateral (
          select t.application_id, t.name, t.task_id, t.run_at from tasks t
           where t.application_id = kinds.application_id and t.name = kinds.name and t.run_at <= ${claim.now}
           order by t.run_at, t.task_id limit ${CANDIDATES_MAX}) as oldest
    ), locked as materialized (
      select t.application_id, t.task_id, t.name, due.turn, due.running from tasks t join due using (application_id, task_id)
       where t.run_at <= ${claim.now} and due.turn <= 2 * ${claim.perKind}::int - due.running
       order by ${inTurn(sql`due`)} limit ${claim.limit * 2} for update of t skip locked
    ), ranked as (
      select *, running + row_number() over (partition by application_id, name order by turn) as in_kind from locked
    ), taken as (
      select *, row_number() over (order by ${inTurn(sql`ranked`)}) as place
        from ranked where in_kind <= ${claim.perKind}::int order by place limit ${claim.limit}
    )
    update tasks t set run_at = ${claim.leaseUntil}, attempts = t.attempts + 1
      from taken where t.application_id = taken.application_id and t.task_id = taken.task_id
    returning t.application_id, t.task_id, t.name, t.payload, t.attempts, taken.place::int as place`);
  return rows
    .toSorted((one, other) => one.place - other.place)
    .map((row) => ({
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
