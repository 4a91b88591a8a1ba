import { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { ApplicationId, PlatformError } from '@bulkhead/base';
import type { Dispatcher, Pool } from 'undici';
import type { EgressPolicy } from './destination.ts';
import { brokeAfterUse } from './connect.ts';
import { asEgressError, egressErrors } from './egress-errors.ts';
import { isCodedForTransfer, outgoingHeaders, type RawHeaders, rawHeadersFrom } from './headers.ts';
import { limits } from './limits.ts';

export interface StreamRequest {
  readonly url: string | URL;
  /**
   * The request target to send instead of the URL's own path and query: `/…`, byte for byte. It cannot change the
   * destination, however it is written (`//host`, `@host`, `/../`).
   */
  readonly target?: string;
  readonly policy: EgressPolicy;
  readonly tenant: ApplicationId | null;
  readonly method: string;
  /** As on the wire. Hop-by-hop fields, `Host` and `Expect` are dropped; the rest goes out as it is. */
  readonly headers: RawHeaders;
  /** The incoming request itself may be given; whether it has a body is read from it. Bytes can be sent again, a stream cannot. */
  readonly body: Readable | Uint8Array | null;
  readonly signal?: AbortSignal;
  /** From the request being written until the head of the answer. Default 60 s. */
  readonly headersTimeoutMs?: number;
  /** Between two pieces of the answer. Default 120 s. */
  readonly bodyIdleTimeoutMs?: number;
}

/** RFC 9110 §9.2.2. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

/** What a sink may tell the stream that feeds it. */
export interface StreamFlow {
  /** Ask for data again after `data` returned false. */
  resume(): void;
  /** Nobody is listening any more: the upstream is dropped at once. */
  leave(): void;
}

/** Where an answer goes, piece by piece. */
export interface StreamSink {
  start(flow: StreamFlow): void;
  /** Once. `headers` without hop-by-hop fields is the sink's business: it gets them as they came. */
  head(status: number, headers: string[]): void;
  /** False asks for a pause until `flow.resume()`. */
  data(chunk: Buffer): boolean;
  /** The answer is whole. */
  end(trailers: string[]): void;
  /** The answer broke off after its head: what was written must not look whole. */
  fail(error: PlatformError): void;
}

export interface StreamOutcome {
  readonly ended: 'complete' | 'truncated' | 'caller_left';
  /** Null if the caller left before an answer came. */
  readonly status: number | null;
  readonly receivedBytes: number;
  /** Why it was truncated; for the log. */
  readonly error?: PlatformError;
}

/**
 * Sends one request and feeds the answer to `sink` as it comes, never holding more than the sockets do.
 * Resolves when the answer is whole, broken off, or not wanted any more.
 * Rejects with a PlatformError `egress.*` if nothing reached the sink, so that the caller can still be answered.
 */
export function streamThrough(pool: Pool, target: string, request: StreamRequest, sink: StreamSink): Promise<StreamOutcome> {
  return new Promise((resolve, reject) => new Streaming(sink, request, resolve, reject).send(pool, target));
}

class Streaming implements Dispatcher.DispatchHandler, StreamFlow {
  readonly #sink: StreamSink;
  readonly #request: StreamRequest;
  readonly #resolve: (outcome: StreamOutcome) => void;
  readonly #reject: (error: PlatformError) => void;
  #controller: Dispatcher.DispatchController | null = null;
  #queueTimer: NodeJS.Timeout | null = null;
  #status: number | null = null;
  #receivedBytes = 0;
  #settled = false;
  #pool: Pool | null = null;
  #target = '';
  /** A byte of the answer has come. */
  #begun = false;
  #repeated = false;

  constructor(sink: StreamSink, request: StreamRequest, resolve: (outcome: StreamOutcome) => void, reject: (error: PlatformError) => void) {
    this.#sink = sink;
    this.#request = request;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  send(pool: Pool, target: string): void {
    const { signal } = this.#request;
    if (signal?.aborted) return this.leave();
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#sink.start(this);
    if (this.#settled) return;
    this.#pool = pool;
    this.#target = target;
    this.#dispatch(pool, target);
  }

  #dispatch(pool: Pool, target: string): void {
    const { method, headers, body, headersTimeoutMs, bodyIdleTimeoutMs } = this.#request;
    pool.dispatch(
      {
        path: target,
        method,
        headers: outgoingHeaders(headers),
        body: body instanceof IncomingMessage && isEmpty(body) ? null : body,
        headersTimeout: headersTimeoutMs ?? limits.headersTimeoutMs,
        bodyTimeout: bodyIdleTimeoutMs ?? limits.bodyIdleTimeoutMs,
      },
      this,
    );
    // A free connection takes the request within dispatch. Only one that has to wait needs a clock of its own.
    if (!this.#controller && !this.#settled) {
      this.#queueTimer = setTimeout(
        () => this.#fail(egressErrors('egress.timeout', { detail: 'no free connection' })),
        limits.queueTimeoutMs,
      );
    }
  }

  resume(): void {
    this.#controller?.resume();
  }

  leave(): void {
    if (!this.#settle()) return;
    this.#resolve(this.#outcome('caller_left'));
    this.#controller?.abort(new Error('the caller left'));
  }

  readonly #onAbort = (): void => this.leave();

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#queueTimer) clearTimeout(this.#queueTimer);
    if (this.#settled) controller.abort(new Error('given up while waiting'));
  }

  /** The first byte of an answer; undici calls it, though its types do not say so. */
  onResponseStarted(): void {
    this.#begun = true;
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (this.#settled || status < 200) return;
    const headers = rawHeadersFrom(controller.rawHeaders);
    if (isCodedForTransfer(headers)) return this.#fail(egressErrors('egress.unreachable', { detail: 'transfer coding' }));
    this.#sink.head(status, headers);
    // After the sink: had it thrown, nothing would have been sent, and the caller could still be answered.
    this.#status = status;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#settled) return;
    this.#receivedBytes += chunk.length;
    if (!this.#sink.data(chunk)) controller.pause();
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    if (!this.#settle()) return;
    try {
      this.#sink.end(rawHeadersFrom(controller.rawTrailers));
      this.#resolve(this.#outcome('complete'));
    } catch (thrown) {
      const error = asEgressError(thrown);
      this.#sink.fail(error);
      this.#resolve({ ...this.#outcome('truncated'), error });
    }
  }

  onResponseError(_: Dispatcher.DispatchController | null, error: Error): void {
    if (this.#mayRepeat(error)) return this.#repeat();
    this.#fail(asEgressError(error));
  }

  /** Once, where the service cannot have meant the request: it closed a resting connection just as the request was written to it. */
  #mayRepeat(error: Error): boolean {
    const { method, body } = this.#request;
    if (this.#settled || this.#repeated || this.#begun || this.#status !== null) return false;
    return IDEMPOTENT.has(method) && (body === null || body instanceof Uint8Array || isEmpty(body)) && brokeAfterUse(error);
  }

  #repeat(): void {
    this.#repeated = true;
    this.#controller = null;
    if (this.#pool) this.#dispatch(this.#pool, this.#target);
  }

  #fail(error: PlatformError): void {
    // A request body that breaks off is the caller going away, seen from the other side.
    if (isBrokenOff(this.#request.body)) return this.leave();
    if (!this.#settle()) return;
    this.#controller?.abort(error);
    if (this.#status === null) return this.#reject(error);
    this.#sink.fail(error);
    this.#resolve({ ...this.#outcome('truncated'), error });
  }

  #outcome(ended: StreamOutcome['ended']): StreamOutcome {
    return { ended, status: this.#status, receivedBytes: this.#receivedBytes };
  }

  /** True the first time. */
  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    if (this.#queueTimer) clearTimeout(this.#queueTimer);
    this.#request.signal?.removeEventListener('abort', this.#onAbort);
    return true;
  }
}

function isEmpty(body: Readable): boolean {
  return body instanceof IncomingMessage && !carriesBody(body.rawHeaders);
}

/** Whether a message with these headers, as received, has a body (RFC 9112 §6.3): it is framed, and not empty by its own words. */
function carriesBody(headers: RawHeaders): boolean {
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index]!.toLowerCase();
    if (name === 'transfer-encoding') return true;
    if (name === 'content-length') return headers[index + 1]!.trim() !== '0';
  }
  return false;
}

function isBrokenOff(body: Readable | Uint8Array | null): boolean {
  // undici takes the socket away from a body that it destroys itself, so this is the caller's doing.
  return body instanceof IncomingMessage && (body.socket as Socket | null)?.destroyed === true;
}
