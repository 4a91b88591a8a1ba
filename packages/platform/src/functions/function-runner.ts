import type { InvocationResult, LogLine, Outcome } from '@bulkhead/sandbox';
import type { FunctionLimits } from '../config/index.ts';

export type { FunctionLimits };
export type { InvocationResult, LogLine, Outcome };

/** A call as it is handed to what runs functions. */
export interface RunnerCall {
  readonly applicationId: string;
  readonly clientKey: string;
  readonly environment: string;
  /** Of the code: number and SHA-256. */
  readonly version: string;
  readonly functionKey: string;
  /** `call`: in a process that has run nothing before and runs nothing after. */
  readonly isolation: 'installation' | 'call';
  readonly limits: FunctionLimits;
  /** JSON text. */
  readonly payload: string;
  /** JSON text. */
  readonly context: string;
  /** By which the runner may ask for the code, and for what the function asks for, while the call runs. */
  readonly token: string;
}

/** What runs functions: a process that holds no database connection and no key. */
export interface FunctionRunner {
  /** Never rejects: however a call ends is a value. */
  invoke(call: RunnerCall): Promise<InvocationResult>;
  /** Why it can run nothing, as a sentence without an end; null: it can. */
  refusal(): Promise<string | null>;
}

/** Of a process without the role. */
export const noRunner: FunctionRunner = {
  invoke: async () => ({ outcome: { kind: 'crashed', detail: 'no runner' }, durationMs: 0, logs: [], logsDropped: 0 }),
  refusal: async () => 'this process has not the role runner',
};
