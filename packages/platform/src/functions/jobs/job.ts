import { type ApplicationId, defineId } from '@bulkhead/base';

/** What made a job. */
export type JobSource = 'queue' | 'schedule' | 'event';
export type JobStatus = 'waiting' | 'running' | 'done' | 'failed' | 'cancelled';
export const JOB_STATUSES = ['waiting', 'running', 'done', 'failed', 'cancelled'] as const satisfies readonly JobStatus[];

export const jobIds = defineId('job');
export const pushIds = defineId('psh');

/** Told when jobs are written, so that a worker need not wait for its next look. */
export const JOBS_CHANNEL = 'bulkhead_function_jobs';

/** Bounds of jobs, each of one install in one environment unless it says otherwise. */
export interface JobLimits {
  /** Jobs of one push. Default 50. */
  readonly pushMax: number;
  /** Bytes of the payloads of one push, as JSON. Default 200,000. */
  readonly pushBytesMax: number;
  /** Default 900. */
  readonly delaySecondsMax: number;
  /** Jobs pushed within a minute. Default 500. */
  readonly pushedPerMinute: number;
  /** Jobs that wait or run. Default 10,000. */
  readonly waitingMax: number;
  /** Jobs in a row, each pushed by the one before. Default 1,000. */
  readonly depthMax: number;
  /** Events that become jobs of one trigger within a minute; what is more waits. Default 300. */
  readonly eventsPerMinute: number;
}

export const DEFAULT_JOB_LIMITS: JobLimits = {
  pushMax: 50,
  pushBytesMax: 200_000,
  delaySecondsMax: 900,
  pushedPerMinute: 500,
  waitingMax: 10_000,
  depthMax: 1_000,
  eventsPerMinute: 300,
};

/** Attempts after the first, where the manifest names no other number. A schedule comes again by itself. */
export const DEFAULT_RETRIES: Readonly<Record<JobSource, number>> = { queue: 4, schedule: 0, event: 4 };
/** Jobs of one queue or trigger that run at a time, where the manifest names no other number. */
export const DEFAULT_CONCURRENCY = 4;

/** A job that a worker holds until the end of its lease. */
export interface ClaimedJob {
  readonly applicationId: ApplicationId;
  readonly organizationId: string;
  readonly jobId: string;
  readonly clientKey: string;
  readonly appKey: string;
  readonly environment: string;
  readonly source: JobSource;
  readonly sourceKey: string;
  readonly pushId: string | null;
  readonly fence: number;
  readonly attempts: number;
  readonly attemptsMax: number;
  readonly claims: number;
  readonly depth: number;
  readonly cause: unknown;
  readonly sealed: Buffer | null;
  readonly askedAt: Date;
}

/** A job as it is listed; its payload is not. */
export interface Job {
  readonly jobId: string;
  readonly environment: string;
  readonly source: JobSource;
  readonly sourceKey: string;
  readonly functionKey: string;
  readonly pushId: string | null;
  readonly status: JobStatus;
  readonly attempts: number;
  readonly attemptsMax: number;
  readonly outcome: string | null;
  readonly invocationId: string | null;
  readonly nextAttemptAt: Date | null;
  readonly createdAt: Date;
  readonly finishedAt: Date | null;
}

/** What is sealed of a job: what it was given, and what its last attempt has asked to be told. */
export interface JobContent {
  readonly payload?: unknown;
  readonly retry?: { readonly reason: string | null; readonly data: unknown };
}

/** What the function is told of its job. The id stays over all attempts: whoever notes it does nothing twice. */
export interface JobContext {
  readonly id: string;
  readonly source: JobSource;
  /** Of the queue, schedule or trigger. */
  readonly key: string;
  readonly pushId: string | null;
  /** From 1. One that was lost with its process counts as not made. */
  readonly attempt: number;
  readonly attemptsMax: number;
  /** What the attempt before has returned. */
  readonly retry: { readonly reason: string | null; readonly data: unknown } | null;
}
