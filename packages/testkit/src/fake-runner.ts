import type { FunctionRunner, RunnerCall, RunnerCheck } from '@bulkhead/platform';

type Result = Awaited<ReturnType<FunctionRunner['invoke']>>;

/** Runs nothing: a call is answered with its payload, one of `held` not before `release`, one of `answer` as a web trigger is. */
export class FakeRunner implements FunctionRunner {
  /** Every call, in order. */
  readonly calls: RunnerCall[] = [];
  /** What a call of a job is answered instead; null: as any other. */
  answer: ((call: RunnerCall) => Promise<Partial<Result> | null>) | null = null;
  readonly #held: (() => void)[] = [];

  refusal = async (): Promise<null> => null;

  async invoke(call: RunnerCall): Promise<Result> {
    this.calls.push(call);
    if (call.functionKey === 'held') await new Promise<void>((resolve) => this.#held.push(resolve));
    const isJob = (JSON.parse(call.context) as { job?: unknown }).job !== undefined;
    const answer = isJob ? ((await this.answer?.(call)) ?? {}) : {};
    const logs = [{ at: 0, level: 'info' as const, message: `called with ${call.payload}` }];
    const value = call.functionKey === 'answer' ? JSON.stringify({ statusCode: 200, body: call.payload }) : call.payload;
    return { outcome: { kind: 'ok', value }, durationMs: 1, logs, logsDropped: 0, ...answer };
  }

  /** Whatever the code is, it exports what it is to export. */
  async check({ functions }: RunnerCheck): Promise<Result> {
    return { outcome: { kind: 'ok', value: JSON.stringify(functions) }, durationMs: 1, logs: [], logsDropped: 0 };
  }

  release(): void {
    for (const resolve of this.#held.splice(0)) resolve();
  }
}
