import type { JobStats } from '../queue.ts';
import type { Json } from '../storage-types.ts';
import { MemoryRefusal } from './memory-refusal.ts';

/** A job as it was pushed. Nothing runs it: a test calls the function itself. */
export interface TestJob {
  readonly id: string;
  readonly pushId: string;
  readonly queue: string;
  readonly payload: Json;
  readonly delaySeconds: number;
  readonly status: 'waiting' | 'cancelled';
}

const PUSH_MAX = 50;
const BYTES_MAX = 200_000;
const DELAY_MAX = 900;

type QueueCall =
  | { readonly op: 'push'; readonly queue: string; readonly jobs: readonly { readonly payload: Json; readonly delay_seconds?: number }[] }
  | { readonly op: 'stats' | 'cancel'; readonly queue: string; readonly id: string };

/** What `queue` asks of the host, for the queues of a manifest. */
export class MemoryQueues {
  readonly #declared: ReadonlySet<string>;
  readonly #jobs: TestJob[] = [];

  constructor(declared: readonly string[]) {
    this.#declared = new Set(declared);
  }

  get jobs(): readonly TestJob[] {
    return this.#jobs;
  }

  /** @throws MemoryRefusal */
  answer(call: QueueCall): unknown {
    if (!this.#declared.has(call.queue)) throw new MemoryRefusal('function.queue_unknown', `no queue "${call.queue}" is declared`);
    return call.op === 'push' ? this.#push(call.queue, call.jobs) : this.#known(call);
  }

  #push(queue: string, pushed: Extract<QueueCall, { op: 'push' }>['jobs']): { id: string; jobs: string[] } {
    const bytes = pushed.reduce((sum, { payload }) => sum + Buffer.byteLength(JSON.stringify(payload)), 0);
    if (pushed.length === 0 || pushed.length > PUSH_MAX) throw new MemoryRefusal('request.invalid', `jobs: 1 to ${PUSH_MAX} at a time`);
    if (bytes > BYTES_MAX) throw new MemoryRefusal('request.invalid', `jobs: at most ${BYTES_MAX} bytes of JSON`);
    if (pushed.some(({ delay_seconds: delay = 0 }) => !Number.isInteger(delay) || delay < 0 || delay > DELAY_MAX))
      throw new MemoryRefusal('request.invalid', `jobs.delay_seconds: 0 to ${DELAY_MAX}`);
    const pushId = `push${this.#jobs.length + 1}`;
    const made = pushed.map(
      ({ payload, delay_seconds: delaySeconds = 0 }, at): TestJob => ({
        id: `job${this.#jobs.length + at + 1}`,
        pushId,
        queue,
        payload,
        delaySeconds,
        status: 'waiting',
      }),
    );
    this.#jobs.push(...made);
    return { id: pushId, jobs: made.map(({ id }) => id) };
  }

  #known({ op, queue, id }: Extract<QueueCall, { id: string }>): unknown {
    const isAsked = (job: TestJob) => job.queue === queue && (job.id === id || job.pushId === id);
    const asked = this.#jobs.filter(isAsked);
    if (asked.length === 0) throw new MemoryRefusal('not_found', 'not found');
    const of = (status: TestJob['status']) => asked.filter((job) => job.status === status).length;
    if (op === 'stats')
      return { stats: { waiting: of('waiting'), running: 0, done: 0, failed: 0, cancelled: of('cancelled') } satisfies JobStats };
    const cancelled = of('waiting');
    for (const [at, job] of this.#jobs.entries()) if (isAsked(job)) this.#jobs[at] = { ...job, status: 'cancelled' };
    return { cancelled };
  }
}
