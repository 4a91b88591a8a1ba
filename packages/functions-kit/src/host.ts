/** What the function is told about the call it is in. */
export interface CallContext {
  readonly applicationId: string;
  readonly clientKey: string;
  readonly appKey: string;
  readonly environment: string;
  readonly version: number;
  readonly invocationId: string;
  /** Key of the function that was called. */
  readonly function: string;
  /** The end user it was called for; null: none. */
  readonly userId: string | null;
  /** Where the call is an attempt at a job: of a queue, a schedule or an event. */
  readonly job?: JobContext;
}

/** The job of a call. A job runs at least once: whoever notes its id does nothing twice. */
export interface JobContext {
  readonly id: string;
  readonly source: 'queue' | 'schedule' | 'event';
  /** Of the queue, schedule or trigger. */
  readonly key: string;
  readonly pushId: string | null;
  /** From 1. */
  readonly attempt: number;
  readonly attemptsMax: number;
  /** What the attempt before has asked to be told. */
  readonly retry: { readonly reason: string | null; readonly data: unknown } | null;
}

/** What the instance offers its code. No secret of the platform is in it: who asks is known by the socket of the instance. */
export interface Host {
  context(): CallContext | null;
  /** What the manifest declares and somebody has set, or its defaults. */
  readonly variables: Readonly<Record<string, string>>;
  fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>;
}

/** Where the host of the code around stands. */
export const PLACE = Symbol.for('bulkhead.host');

/** Throws outside of a function. */
export function host(): Host {
  const found = (globalThis as Record<symbol, unknown>)[PLACE] as Host | undefined;
  if (found === undefined) throw new Error('There is no Bulkhead around this code: it runs where functions are deployed, not in Node');
  return found;
}
