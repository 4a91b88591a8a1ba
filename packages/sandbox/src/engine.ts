import type { InstanceIdentity, Limits } from './contract.ts';
import type { Isolation } from './isolation.ts';

/** What an engine is given to start one instance. */
export interface InstanceSpec {
  readonly identity: InstanceIdentity;
  readonly version: string;
  /** One ECMAScript module. */
  readonly code: string;
  /** What `process.env` has. May hold secrets: nowhere when the instance listens but in its own memory. */
  readonly variables: Readonly<Record<string, string>>;
  readonly limits: Limits;
  /** A folder of this incarnation alone; the gateway listens at `run/gw.sock` in it before the start. */
  readonly folder: string;
  readonly onLine: (line: EngineLine) => void;
  /** Once, when the process is gone, however it went. */
  readonly onExit: (exit: EngineExit) => void;
}

/** A line of the guest's standard output. */
export interface EngineLine {
  readonly at: number;
  readonly level: string;
  readonly message: string;
}

export interface EngineExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** The end of what the process said on standard error. */
  readonly errorText: string;
}

export interface CallRequest {
  readonly invocationId: string;
  readonly functionName: string;
  readonly payload: string;
  readonly context: string;
  readonly signal: AbortSignal;
}

export type CallAnswer =
  | { readonly kind: 'answer'; readonly text: string }
  | { readonly kind: 'too_large' }
  /** The connection ended without an answer. */
  | { readonly kind: 'broken'; readonly detail: string };

export interface Running {
  /** Of the process that holds the guest, as the host counts; null when it is gone. */
  readonly pid: () => number | null;
  invoke(call: CallRequest): Promise<CallAnswer>;
  /** `drain`: what runs may end, nothing new begins. `kill`: now. Does not wait. */
  stop(how: 'drain' | 'kill'): void;
}

/** What runs untrusted code. Another one may take the place of workerd. */
export interface Engine {
  readonly isolation: Isolation;
  /** Resolves when the instance takes calls. Throws `StartFailure`; then nothing runs any more. */
  start(spec: InstanceSpec): Promise<Running>;
}

/** The code did not come up: its own error, or the time to start. */
export class StartFailure extends Error {
  override readonly name = 'StartFailure';
  readonly timedOut: boolean;

  constructor(message: string, { timedOut }: { timedOut: boolean }) {
    super(message);
    this.timedOut = timedOut;
  }
}
