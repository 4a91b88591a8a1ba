import { brotliDecompress, gunzip, inflate } from 'node:zlib';
import { promisify } from 'node:util';
import type { Dispatcher, Pool } from 'undici';
import { asEgressError, egressErrors, errorCode } from './egress-errors.ts';
import { isCodedForTransfer, rawHeadersFrom } from './headers.ts';

export interface ExchangeRequest {
  readonly target: string;
  readonly method: string;
  readonly headers: string[];
  readonly body: Uint8Array | null;
  /** Of the answer's body, before and after decoding. */
  readonly maxBytes: number;
  readonly excess: 'refuse' | 'cut';
  /** For the whole exchange: waiting, connecting, head and body. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface ExchangeAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
}

/**
 * One request, one whole answer in memory.
 * @throws PlatformError `egress.*`; the signal's reason when the caller gave up.
 */
export async function exchange(pool: Pool, request: ExchangeRequest): Promise<ExchangeAnswer> {
  const { wasCut, ...answer } = await receive(pool, request);
  const encoding = answer.headers.get('content-encoding')?.trim().toLowerCase();
  const decode = encoding === undefined || answer.body.length === 0 ? undefined : DECODERS[encoding];
  if (!decode || wasCut) return answer;
  try {
    // A few kilobytes can decode to gigabytes; the decoder stops at the limit.
    const body = await decode(answer.body, { maxOutputLength: Math.max(1, request.maxBytes) });
    answer.headers.delete('content-encoding');
    answer.headers.delete('content-length');
    return { ...answer, body };
  } catch (cause) {
    if (errorCode(cause) === 'ERR_BUFFER_TOO_LARGE' && request.excess === 'cut') return answer;
    throw errorCode(cause) === 'ERR_BUFFER_TOO_LARGE'
      ? egressErrors('egress.too_large', { detail: 'after decoding' })
      : egressErrors('egress.unreachable', { cause, detail: 'the body does not decode' });
  }
}

type Decode = (body: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>;
const DECODERS: Readonly<Record<string, Decode | undefined>> = {
  __proto__: null as never,
  gzip: promisify(gunzip) as Decode,
  'x-gzip': promisify(gunzip) as Decode,
  deflate: promisify(inflate) as Decode,
  br: promisify(brotliDecompress) as Decode,
};

function receive(pool: Pool, request: ExchangeRequest): Promise<ExchangeAnswer & { wasCut: boolean }> {
  const { target, method, headers, body, maxBytes, excess, timeoutMs, signal } = request;
  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | null = null;
    let failure: Error | null = null;
    let settled = false;
    let status = 0;
    let answerHeaders = new Headers();
    let received = 0;
    const chunks: Buffer[] = [];
    const deadline = performance.now() + timeoutMs;

    const settle = (): boolean => {
      if (settled) return false;
      settled = true;
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      return true;
    };
    const fail = (error: Error): void => {
      if (!settle()) return;
      failure = error;
      reject(error);
      controller?.abort(error);
    };
    const succeed = (wasCut: boolean): void => {
      if (settle()) resolve({ status, headers: answerHeaders, body: Buffer.concat(chunks), wasCut });
    };
    const onAbort = (): void =>
      fail(signal?.reason instanceof Error ? signal.reason : new DOMException('The call was given up.', 'AbortError'));
    const timer = setTimeout(() => fail(egressErrors('egress.timeout', { detail: `no whole answer in ${timeoutMs} ms` })), timeoutMs);
    if (signal?.aborted) return onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });

    const takeHead = (rawHeaders: unknown): void => {
      const raw = rawHeadersFrom(rawHeaders);
      if (isCodedForTransfer(raw)) return fail(egressErrors('egress.unreachable', { detail: 'transfer coding' }));
      answerHeaders = new Headers();
      for (let index = 0; index + 1 < raw.length; index += 2) answerHeaders.append(raw[index]!, raw[index + 1]!);
      if (Number(answerHeaders.get('content-length')) > maxBytes && method !== 'HEAD' && excess === 'refuse')
        fail(egressErrors('egress.too_large', { detail: 'by its content-length' }));
    };

    pool.dispatch(
      { path: target, method, headers, body, headersTimeout: 0, bodyTimeout: 0 },
      {
        onRequestStart(started) {
          controller = started;
          // A process that was suspended while it waited for a connection finds its own time-out only after this.
          if (performance.now() > deadline) fail(egressErrors('egress.timeout', { detail: `not sent in ${timeoutMs} ms` }));
          if (failure) started.abort(failure);
        },
        onResponseStart(started, statusCode) {
          // 1xx are notes on the way (RFC 9110 §15.2), not the answer.
          if (statusCode < 200) return;
          status = statusCode;
          takeHead(started.rawHeaders);
        },
        onResponseData(_, chunk) {
          if (settled) return;
          const room = maxBytes - received;
          received += chunk.length;
          if (received <= maxBytes) return void chunks.push(chunk);
          if (excess === 'refuse') return fail(egressErrors('egress.too_large', { detail: 'while reading' }));
          chunks.push(chunk.subarray(0, room));
          succeed(true);
          controller?.abort(new Error('the rest is not wanted'));
        },
        onResponseEnd() {
          succeed(false);
        },
        onResponseError(_, error) {
          fail(asEgressError(error));
        },
      },
    );
  });
}
