import { PlatformError } from '@bulkhead/base';
import { parseJsonExactly } from './json-pointer.ts';
import { servicesErrors } from './services-errors.ts';

/** The way out, handed in: `egress.customFetch(…)` in the platform, a fake in a test. */
export type UpstreamFetch = (input: string, init?: RequestInit) => Promise<Response>;

/** What every call to an upstream needs. */
export interface UpstreamCall {
  readonly fetch: UpstreamFetch;
  /** Ends the call; the error is `upstream.timeout`. */
  readonly signal?: AbortSignal;
  /** Longest duration of one request, answer included. Default 15,000. */
  readonly timeoutMs?: number;
}

export interface UpstreamAnswer {
  readonly status: number;
  /** Media type without parameters, lower-case; empty where there is none. */
  readonly mediaType: string;
  readonly text: string;
  /** From `Retry-After`: whole seconds, at most a day. Dates are not understood and read as absent. */
  readonly retryAfterSeconds: number | undefined;
}

const TIMEOUT_MS = 15_000;

function retryAfter(value: string | null): number | undefined {
  return value !== null && /^[0-9]{1,9}$/.test(value.trim()) ? Math.min(Number(value), 86_400) : undefined;
}

async function readBounded(response: Response, bytesMax: number, signal: AbortSignal): Promise<string> {
  if (response.body === null) return '';
  const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader();
  // A body that never ends must not outlive its signal, even where the fetch behind it ignores one.
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  aborted.promise.catch(() => undefined);
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    if (signal.aborted) throw signal.reason;
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), aborted.promise]);
      if (done) return Buffer.concat(chunks).toString('utf8');
      size += value.byteLength;
      if (size > bytesMax) throw servicesErrors('upstream.answer_too_large', { detail: `more than ${bytesMax} bytes` });
      chunks.push(value);
    }
  } finally {
    signal.removeEventListener('abort', abort);
    reader.cancel().catch(() => undefined);
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError');
}

/** What went wrong on the way, as one of our errors. The cause is left out: it may quote the request, secrets included. */
function toCallError(error: unknown): PlatformError {
  if (error instanceof PlatformError) return error;
  if (isTimeout(error)) return servicesErrors('upstream.timeout');
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  return servicesErrors('upstream.unavailable', { detail: typeof code === 'string' ? code : 'no code' });
}

/**
 * One request to an upstream, redirects not followed, the answer read whole within a limit. Throws `upstream.unavailable`,
 * `upstream.timeout`, `upstream.answer_too_large`, or what the fetch itself throws as a PlatformError.
 */
export async function callUpstream(call: UpstreamCall, url: string, init: RequestInit, bytesMax: number): Promise<UpstreamAnswer> {
  const timeout = AbortSignal.timeout(call.timeoutMs ?? TIMEOUT_MS);
  const signals = [timeout, ...(call.signal ? [call.signal] : []), ...(init.signal ? [init.signal] : [])];
  const signal = AbortSignal.any(signals);
  try {
    const response = await call.fetch(url, { ...init, redirect: 'manual', signal });
    const declared = Number(response.headers.get('content-length') ?? 0);
    if (declared > bytesMax) {
      await response.body?.cancel();
      throw servicesErrors('upstream.answer_too_large', { detail: `${declared} bytes declared` });
    }
    return {
      status: response.status,
      mediaType: (response.headers.get('content-type') ?? '').split(';', 1)[0]!.trim().toLowerCase(),
      text: await readBounded(response, bytesMax, signal),
      retryAfterSeconds: retryAfter(response.headers.get('retry-after')),
    };
  } catch (error) {
    throw toCallError(error);
  }
}

/** The JSON object of a text, else undefined. Integers beyond 2^53 stay exact, as text. */
export function parseJsonObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value = parseJsonExactly(text.startsWith('\uFEFF') ? text.slice(1) : text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
