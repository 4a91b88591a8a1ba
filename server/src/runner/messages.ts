import type { RunnerCall, RunnerCheck } from '@bulkhead/platform';
import type { InvocationResult, Isolation } from '@bulkhead/sandbox';

/** To the process of the runner. */
export type ToRunner =
  /** `apiUrl`: where the api role answers, for what the call asks for. */
  | { readonly type: 'invoke'; readonly id: number; readonly call: RunnerCall; readonly apiUrl: string }
  | { readonly type: 'check'; readonly id: number; readonly check: RunnerCheck };

/** From it. */
export type FromRunner =
  /** Once, first. Null: the engine has no program for this machine. */
  | { readonly type: 'ready'; readonly isolation: Isolation | null }
  | { readonly type: 'result'; readonly id: number; readonly result: InvocationResult };
