import type { ApplicationId } from '@bulkhead/base';
import type { Tx } from '@bulkhead/postgres';
import type { TaskKind } from './task.ts';
import { insertTask, insertTasks } from './task-store.ts';

export interface EnqueueOptions {
  /** Not before this moment. Default: at once. */
  readonly runAt?: Date;
}

/**
 * Writes a task in the caller's transaction: it exists if and only if the change does. The transaction must be scoped to
 * `applicationId`. Throws where the payload does not have the task's form, before anything is written.
 */
export async function enqueueTask<Payload>(
  tx: Tx,
  applicationId: ApplicationId,
  task: TaskKind<Payload>,
  payload: Payload,
  options: EnqueueOptions = {},
): Promise<void> {
  await insertTask(tx, {
    applicationId,
    name: task.name,
    payload: JSON.stringify(task.schema.parse(payload)),
    runAt: options.runAt ?? new Date(0),
  });
}

/** The same for any number of payloads, in one statement. */
export async function enqueueTasks<Payload>(
  tx: Tx,
  applicationId: ApplicationId,
  task: TaskKind<Payload>,
  payloads: readonly Payload[],
): Promise<void> {
  await insertTasks(tx, {
    applicationId,
    name: task.name,
    payloads: payloads.map((payload) => JSON.stringify(task.schema.parse(payload))),
    runAt: new Date(0),
  });
}
