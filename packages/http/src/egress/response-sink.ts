import type { ServerResponse } from 'node:http';
import { forwardableResponseHeaders, forwardableTrailers } from './headers.ts';
import { limits } from './limits.ts';
import type { StreamFlow, StreamSink } from './stream.ts';

export interface ResponseSinkOptions {
  /** Last word on the headers, which come without hop-by-hop fields and without those that act on our origin. */
  readonly transformHeaders?: (headers: string[], status: number) => string[];
  /** A caller that reads nothing for this long while data waits is dropped. Default 120 s. */
  readonly stallTimeoutMs?: number;
}

/**
 * Pipes an upstream's answer into a `node:http` response (Fastify: `reply.hijack()`, then `reply.raw`): bytes as they
 * came, no decoding. Back-pressure reaches the upstream's socket; a caller that leaves drops the upstream; an answer
 * that breaks off breaks the caller's connection.
 */
export function pipeTo(response: ServerResponse, options: ResponseSinkOptions = {}): StreamSink {
  const { transformHeaders, stallTimeoutMs = limits.stallTimeoutMs } = options;
  let flow: StreamFlow | null = null;
  let done = false;
  let wrote = false;
  let stalled: NodeJS.Timeout | null = null;

  const onClose = (): void => {
    if (stalled) clearTimeout(stalled);
    if (!done) flow?.leave();
  };
  const onDrain = (): void => {
    if (stalled) clearTimeout(stalled);
    stalled = null;
    flow?.resume();
  };

  return {
    start(started) {
      flow = started;
      if (response.destroyed) return started.leave();
      response.once('close', onClose);
    },
    head(status, headers) {
      const passed = forwardableResponseHeaders(headers);
      response.writeHead(status, transformHeaders ? transformHeaders(passed, status) : passed);
      // Head and first piece mostly arrive together and then leave in one packet; a head that came alone must not wait.
      process.nextTick(() => {
        if (!wrote && !done && !response.destroyed) response.flushHeaders();
      });
    },
    data(chunk) {
      wrote = true;
      if (response.write(chunk)) return true;
      if (stalled === null) {
        stalled = setTimeout(() => response.destroy(), stallTimeoutMs).unref();
        response.once('drain', onDrain);
      }
      return false;
    },
    end(trailers) {
      done = true;
      const passed = trailers.length === 0 ? [] : forwardableTrailers(trailers);
      if (passed.length > 0) response.addTrailers(pairs(passed));
      response.end();
    },
    fail() {
      done = true;
      const { socket } = response;
      // HTTP/1.0 ends a body by closing: only a reset tells a broken answer from a whole one.
      if (response.req.httpVersionMinor === 0 && socket && !('encrypted' in socket)) socket.resetAndDestroy();
      else response.destroy();
    },
  };
}

function pairs(raw: readonly string[]): [string, string][] {
  return raw.flatMap((name, index) => (index % 2 === 0 ? [[name, raw[index + 1] ?? '']] : [])) as [string, string][];
}
