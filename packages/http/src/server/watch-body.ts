import type { IncomingMessage } from 'node:http';
import { httpErrors } from './http-errors.ts';

const SLOWEST_BYTES_PER_SECOND = 100;

/**
 * Ends a streamed body that hardly comes: fewer than 100 bytes a second over half of `ms`, while whoever reads it is waiting. One
 * that is slow because its reader is (a slow upstream) goes on. Answers how to stop watching.
 */
export function watchBody(message: IncomingMessage, ms: number): () => void {
  const every = Math.max(1, ms / 2);
  let before = message.socket.bytesRead;
  const timer = setInterval(() => {
    if (message.complete || message.destroyed) {
      clearInterval(timer);
      return;
    }
    const came = message.socket.bytesRead - before;
    before += came;
    if (message.readableLength === 0 && came < (SLOWEST_BYTES_PER_SECOND * every) / 1000)
      message.destroy(httpErrors('request.too_slow', { params: { limit: Math.ceil(ms / 1000) } }));
  }, every).unref();
  return () => clearInterval(timer);
}
