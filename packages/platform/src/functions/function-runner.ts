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
  /** Of the variables: with another one the call is given to another instance. */
  readonly revision: string;
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

/** The detail of `crashed` where the process that runs functions was lost with the call: the function itself may have done nothing wrong. */
export const RUNNER_ENDED = 'the runner has ended';

/** Code that is to be started once, before it is kept. */
export interface RunnerCheck {
  readonly code: string;
  /** Keys of functions it is to export. */
  readonly functions: readonly string[];
  /** What stands in the place of its variables. */
  readonly variables: Readonly<Record<string, string>>;
}

/** What runs functions: a process that holds no database connection and no key. */
export interface FunctionRunner {
  /** Never rejects: however a call ends is a value. */
  invoke(call: RunnerCall): Promise<InvocationResult>;
  /**
   * Starts code for nobody, without a token, with every door shut. The value of `ok` is a JSON list of the functions it exports; any other
   * outcome says why it does not load. Never rejects.
   */
  check(check: RunnerCheck): Promise<InvocationResult>;
  /** Why it can run nothing, as a sentence without an end; null: it can. */
  refusal(): Promise<string | null>;
}

const nothing: InvocationResult = { outcome: { kind: 'crashed', detail: 'no runner' }, durationMs: 0, logs: [], logsDropped: 0 };

/** Of a process without the role. */
export const noRunner: FunctionRunner = {
  invoke: async () => nothing,
  check: async () => nothing,
  refusal: async () => 'this process has not the role runner',
};
