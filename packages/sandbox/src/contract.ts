/** Whose code runs: one instance per identity and version, and nothing of two identities in one process. */
export interface InstanceIdentity {
  readonly applicationId: string;
  readonly clientKey: string;
  readonly environment: string;
}

/** What a call may cost. Enforced outside the guest, except the heap, which V8 keeps to itself. */
export interface Limits {
  /** CPU time of one call, in milliseconds of the instance's process. */
  readonly cpuMs: number;
  /** From the moment a call is handed to its instance until its answer. */
  readonly wallMs: number;
  /** From the start of a process until it listens. */
  readonly startMs: number;
  /** Old space of V8, in MiB. */
  readonly heapMb: number;
  /** Resident memory of the process above which it is killed, in MiB. */
  readonly residentMb: number;
  /** RLIMIT_DATA of the process, in bytes; below 900 MiB the engine does not hold out. */
  readonly dataBytes: number;
  readonly payloadBytesMax: number;
  readonly answerBytesMax: number;
  /** Of one call; further lines are counted and dropped. */
  readonly logLinesMax: number;
  /** Of one line; what is longer is cut. */
  readonly logLineBytesMax: number;
  /** Calls that run in one instance at a time. */
  readonly inFlightMax: number;
  /** Calls that wait for one instance. */
  readonly waitingMax: number;
  /** From the request until a place for the call is free, and once more until a process may start. */
  readonly waitMs: number;
}

export const DEFAULT_LIMITS: Limits = {
  cpuMs: 1_000,
  wallMs: 25_000,
  startMs: 3_000,
  heapMb: 128,
  residentMb: 450,
  dataBytes: 900 * 1024 * 1024,
  payloadBytesMax: 1024 * 1024,
  answerBytesMax: 5 * 1024 * 1024,
  logLinesMax: 200,
  logLineBytesMax: 2_000,
  inFlightMax: 16,
  waitingMax: 64,
  waitMs: 10_000,
};

/** Of V8, in MiB: with less the engine itself does not come up, or hardly. */
export const HEAP_MB_MIN = 32;

/** The limits of memory for a heap of so many MiB: beside it there is room for the engine, and for buffers, which lie outside of it. */
export function limitsOfMemory(heapMb: number): Pick<Limits, 'heapMb' | 'residentMb' | 'dataBytes'> {
  const more = heapMb - DEFAULT_LIMITS.heapMb;
  return {
    heapMb,
    residentMb: DEFAULT_LIMITS.residentMb + more,
    // Less than that does not hold, however small the heap.
    dataBytes: DEFAULT_LIMITS.dataBytes + Math.max(0, more) * 1024 * 1024,
  };
}

/** What an instance is started with. */
export interface Variables {
  /** What `process.env` has. */
  readonly values: Readonly<Record<string, string>>;
  /** Names of those that are taken out of what the guest writes and throws. */
  readonly secrets: readonly string[];
}

export interface InvocationRequest {
  readonly identity: InstanceIdentity;
  /** Of the code; another version is another instance. */
  readonly version: string;
  /** Asked for when no process runs this version: one ECMAScript module that exports the functions. */
  readonly loadCode: () => Promise<string>;
  /** Asked for together with the code: what `process.env` has. Default: nothing. */
  readonly loadVariables?: () => Promise<Variables>;
  readonly functionName: string;
  /**
   * What may see the state that a call leaves in its process: the next calls of the same installation and version with the same limits
   * (`installation`), or nothing: a process for this call alone (`call`). Default `installation`.
   */
  readonly isolation?: 'installation' | 'call';
  /** JSON text. */
  readonly payload: string;
  /** JSON text of what the function is told about the call. */
  readonly context: string;
  /** The host's own proof of this call. The guest never sees it: it is handed to `Doors` with each request of the call. */
  readonly token: string;
  readonly limits?: Partial<Limits>;
}

/** A line that the function wrote. */
export interface LogLine {
  /** Milliseconds since the epoch, as the engine says. */
  readonly at: number;
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
}

/** How a call ended: a value, because each of these is normal here. */
export type Outcome =
  /** `value` is JSON text, not parsed. */
  | { readonly kind: 'ok'; readonly value: string }
  /** The function, or the code around it, threw. All of it is the guest's word. */
  | { readonly kind: 'threw'; readonly name: string; readonly message: string; readonly stack: string | null }
  | { readonly kind: 'timeout'; readonly limit: 'cpu' | 'wall' | 'start' }
  | { readonly kind: 'memory' }
  | { readonly kind: 'denied'; readonly reason: Denial; readonly retryAfterSeconds?: number }
  /** The process ended, or answered what is no answer. */
  | { readonly kind: 'crashed'; readonly detail: string };

export type Denial =
  /** The function let a refusal of the gateway pass through. */
  | 'egress'
  /** Too many calls wait for this instance, or the machine has no place for it. */
  | 'busy'
  /** Killed too often lately. */
  | 'suspended'
  | 'payload_too_large'
  | 'answer_too_large'
  | 'answer_too_deep';

export interface InvocationResult {
  readonly outcome: Outcome;
  readonly durationMs: number;
  readonly logs: readonly LogLine[];
  /** Lines beyond the limit. */
  readonly logsDropped: number;
}

/** What leaves an instance, as the gateway hands it on. Whose it is, is known by the socket it came in on. */
export interface DoorRequest {
  readonly identity: InstanceIdentity;
  /** Of a call that is running in this instance. */
  readonly token: string;
  readonly method: string;
  /** Absolute URL as the guest wrote it. */
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
  readonly signal: AbortSignal;
}

export interface DoorResponse {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
  /** Refused by policy, not by whoever was asked. */
  readonly denied?: boolean;
}

/** The one way out of an instance, provided by whoever runs the supervisor. May throw: the guest then reads 502. */
export type Doors = (request: DoorRequest) => Promise<DoorResponse>;
