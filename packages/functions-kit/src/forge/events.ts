import { callHost } from '../host-service.ts';
import { HostError, type Json, queue as hostQueue } from '../index.ts';

export { InvocationError, InvocationErrorCode } from './invocation-error.ts';

/** A refusal of a queue. Which class it is of says why. */
class EventsError extends Error {}
export class InvalidQueueNameError extends EventsError {
  override readonly name = 'InvalidQueueNameError';
}
export class NoEventsToPushError extends EventsError {
  override readonly name = 'NoEventsToPushError';
}
export class TooManyEventsError extends EventsError {
  override readonly name = 'TooManyEventsError';
}
export class PayloadTooBigError extends EventsError {
  override readonly name = 'PayloadTooBigError';
}
export class InvalidPushSettingsError extends EventsError {
  override readonly name = 'InvalidPushSettingsError';
}
export class RateLimitError extends EventsError {
  override readonly name = 'RateLimitError';
}
export class InvocationLimitReachedError extends EventsError {
  override readonly name = 'InvocationLimitReachedError';
}
export class JobDoesNotExistError extends EventsError {
  override readonly name = 'JobDoesNotExistError';
}
export class InternalServerError extends EventsError {
  override readonly name = 'InternalServerError';
}

const EVENTS_MAX = 50;
const BYTES_MAX = 200_000;
const DELAY_SECONDS_MAX = 900;

const KINDS: Readonly<Record<string, new (message: string, options?: ErrorOptions) => EventsError>> = {
  'function.queue_unknown': InvalidQueueNameError,
  'function.jobs_too_fast': RateLimitError,
  'function.jobs_full': RateLimitError,
  'function.jobs_in_circles': InvocationLimitReachedError,
  not_found: JobDoesNotExistError,
  'request.invalid': InvalidPushSettingsError,
};

async function asked<Value>(work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (thrown) {
    if (!(thrown instanceof HostError)) throw thrown;
    throw new (KINDS[thrown.code] ?? InternalServerError)(thrown.message, { cause: thrown });
  }
}

export interface PushEvent {
  readonly body: { readonly [field: string]: Json };
  readonly delayInSeconds?: number;
  /** Not heeded: how many run at a time is of the queue here. */
  readonly concurrency?: { readonly key: string; readonly limit: number };
}

export interface PushResult {
  readonly jobId: string;
}

/** What becomes of the events of one push. */
export class JobProgress {
  readonly #queue: string;
  readonly id: string;

  constructor(queue: string, id: string) {
    this.#queue = queue;
    this.id = id;
  }

  async getStats(): Promise<{ success: number; inProgress: number; failed: number }> {
    const { waiting, running, done, failed, cancelled } = await asked(() => hostQueue(this.#queue).job(this.id).stats());
    return { success: done, inProgress: waiting + running, failed: failed + cancelled };
  }

  /** What has not begun does not begin. */
  async cancel(): Promise<void> {
    await asked(() => hostQueue(this.#queue).job(this.id).cancel());
  }
}

function isPushEvent(event: unknown): event is PushEvent {
  const body = typeof event === 'object' && event !== null && 'body' in event ? event.body : undefined;
  return typeof body === 'object' && body !== null && !Array.isArray(body);
}

/** What goes into the queue: the wrapper of a consumer makes an event of it. */
type Pushed = { readonly body: Json } | { readonly payload: Json };

export class Queue {
  readonly #key: string;

  constructor({ key }: { readonly key: string }) {
    if (typeof key !== 'string' || !/^[a-zA-Z0-9_-]+$/.test(key))
      throw new InvalidQueueNameError('The key of a queue has letters, digits, _ and - alone');
    this.#key = key;
  }

  /**
   * Events with a `body`, as since version 2: answers `{jobId}`. Any other JSON is an event of version 1, with a delay for all of them: answers
   * the id itself. Throws one of the errors above.
   */
  push(events: PushEvent | readonly PushEvent[]): Promise<PushResult>;
  push(payload: Json, settings?: { readonly delayInSeconds?: number }): Promise<string>;
  async push(
    given: PushEvent | readonly PushEvent[] | Json,
    settings: { readonly delayInSeconds?: number } = {},
  ): Promise<PushResult | string> {
    const events: readonly unknown[] = Array.isArray(given) ? given : [given];
    if (events.length === 0) throw new NoEventsToPushError('There is no event to push');
    if (events.length > EVENTS_MAX) throw new TooManyEventsError(`At most ${EVENTS_MAX} events are pushed at a time`);
    const isNew = events.every(isPushEvent);
    const jobs = events.map((event): { payload: Pushed; delay_seconds: number } => {
      const pushed = isPushEvent(event) && isNew ? event : null;
      const delaySeconds = (pushed ?? settings).delayInSeconds ?? 0;
      if (!Number.isInteger(delaySeconds) || delaySeconds < 0 || delaySeconds > DELAY_SECONDS_MAX)
        throw new InvalidPushSettingsError(`A delay is between 0 and ${DELAY_SECONDS_MAX} seconds`);
      return { payload: pushed === null ? { payload: event as Json } : { body: pushed.body }, delay_seconds: delaySeconds };
    });
    if (new TextEncoder().encode(JSON.stringify(jobs)).length > BYTES_MAX)
      throw new PayloadTooBigError(`The events of a push are ${BYTES_MAX} bytes of JSON at most`);
    const { id } = await asked(() => callHost<{ id: string }>('queue', { op: 'push', queue: this.#key, jobs }));
    return isNew ? { jobId: id } : id;
  }

  getJob(jobId: string): JobProgress {
    return new JobProgress(this.#key, jobId);
  }
}
