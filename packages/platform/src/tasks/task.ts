import type { ApplicationId } from '@bulkhead/base';
import type { z } from 'zod';

/** What is written down when a task is asked for: its name and the form of its payload. Needs nothing to be run with. */
export interface TaskKind<Payload> {
  /** `slice.verb`, unique, never renamed while rows of it may exist. */
  readonly name: string;
  readonly schema: z.ZodType<Payload>;
}

/** One attempt at a task. */
export interface TaskRun<Payload> {
  readonly applicationId: ApplicationId;
  /** Ids only. */
  readonly payload: Payload;
  /** From 1. */
  readonly attempt: number;
  /** No other attempt will follow: finish, whatever the outside says. */
  readonly isLastAttempt: boolean;
  readonly now: Date;
  /** Stops when the lease runs out; whoever goes on after that works beside another worker. */
  readonly signal: AbortSignal;
}

/** Not done: run again at this moment, without that counting as a failure. For a lease that another process holds. */
export interface TaskDelay {
  readonly runAgainAt: Date;
}

export type TaskHandler<Payload> = (run: TaskRun<Payload>) => Promise<TaskDelay | void>;

/** A task whose payload type is forgotten, as the worker keeps it; only what its own schema parsed reaches its handler. */
export interface AnyTask {
  readonly name: string;
  readonly run: (run: TaskRun<unknown>) => Promise<TaskDelay | void>;
}

/** A task as the worker runs it. A handler that throws is run again later, with back-off; one that answers a `TaskDelay`, when it says. */
export function defineTask<Payload>(name: string, schema: z.ZodType<Payload>, handler: TaskHandler<Payload>): AnyTask & TaskKind<Payload> {
  return { name, schema, run: (run) => handler({ ...run, payload: schema.parse(run.payload) }) };
}
