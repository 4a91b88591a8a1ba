import { callHost } from './host-service.ts';
import type { Json } from './storage-types.ts';

/** How many of the jobs that were asked after are in each state. */
export interface JobStats {
  readonly waiting: number;
  readonly running: number;
  readonly done: number;
  readonly failed: number;
  readonly cancelled: number;
}

export interface Pushed {
  /** Of the push: `job(id)` stands for all of its jobs. */
  readonly id: string;
  /** One id for each payload, in order. */
  readonly jobs: readonly string[];
}

/** What is known of one job, or of those of one push. What is done is known for an hour. */
export interface JobHandle {
  /** Throws `HostError` `not_found`. */
  stats(): Promise<JobStats>;
  /** Cancels what has not begun, and what waits for another attempt; answers how many. */
  cancel(): Promise<number>;
}

export interface Queue {
  /**
   * Has the function of the queue called once for each payload, soon or after a delay, at least once, in no order. An array is so many payloads:
   * one that is a payload stands in an array. At most 50, together 200,000 bytes of JSON; a delay of 900 seconds at most. Throws `HostError`:
   * `function.jobs_too_fast`, `function.jobs_full`, `function.jobs_in_circles`, `function.queue_unknown`.
   */
  push(payload: Json, options?: { readonly delaySeconds?: number }): Promise<Pushed>;
  /** By the id of a job or of a push. */
  job(id: string): JobHandle;
}

/** A queue of the manifest, as this installation has it in this environment. */
export function queue(key: string): Queue {
  return {
    async push(payload, { delaySeconds } = {}) {
      const payloads: readonly Json[] = Array.isArray(payload) ? payload : [payload];
      const delay = delaySeconds === undefined ? {} : { delay_seconds: delaySeconds };
      return callHost<Pushed>('queue', { op: 'push', queue: key, jobs: payloads.map((each) => ({ payload: each, ...delay })) });
    },
    job: (id) => ({
      stats: async () => (await callHost<{ stats: JobStats }>('queue', { op: 'stats', queue: key, id })).stats,
      cancel: async () => (await callHost<{ cancelled: number }>('queue', { op: 'cancel', queue: key, id })).cancelled,
    }),
  };
}

/** What a function returns to be called again for the same job, after some seconds; told to the next attempt as `context().job.retry`. */
export function retry({ afterSeconds, reason, data }: { afterSeconds?: number; reason?: string; data?: Json } = {}): Json {
  return {
    _retry: true,
    retryOptions: {
      ...(afterSeconds === undefined ? {} : { retryAfter: afterSeconds }),
      ...(reason === undefined ? {} : { retryReason: reason }),
      ...(data === undefined ? {} : { retryData: data }),
    },
  };
}
