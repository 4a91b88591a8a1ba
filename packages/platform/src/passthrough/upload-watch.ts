import type { IncomingMessage } from 'node:http';

export interface UploadWatch {
  /** Aborts when the caller has stopped sending. */
  readonly signal: AbortSignal;
  readonly stop: () => void;
}

/**
 * Watches a body on its way through: aborts where the caller sends nothing for `ms` although the service would take more. Where the
 * service takes nothing, what has come waits, and the service's own time limit counts.
 */
export function watchUpload(message: IncomingMessage, ms: number): UploadWatch {
  const leaving = new AbortController();
  let seen = message.socket.bytesRead;
  const timer = setInterval(() => {
    if (message.complete) return clearInterval(timer);
    const { bytesRead } = message.socket;
    if (bytesRead === seen && message.readableLength === 0) leaving.abort();
    seen = bytesRead;
  }, ms).unref();
  return { signal: leaving.signal, stop: () => clearInterval(timer) };
}
