import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import type { PlatformError } from '@bulkhead/base';
import { restErrorBody } from './error-response.ts';
import { httpErrors } from './http-errors.ts';

function errorFor(code: string | undefined): PlatformError {
  if (code === 'HPE_HEADER_OVERFLOW') return httpErrors('request.headers_too_large');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return httpErrors('request.headers_too_slow');
  return httpErrors('request.invalid', { params: { problem: 'This is not a well-formed HTTP request.' } });
}

/** Answers what never became a request, in the shape of every other error, and closes: nobody knows where the next would begin. */
export function answerClientError(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  if (!socket.writable) return void socket.destroy();
  const refused = errorFor(error.code);
  const id = randomUUID();
  const body = JSON.stringify(restErrorBody(refused, id));
  const head = [
    `HTTP/1.1 ${refused.status} ${refused.status === 431 ? 'Request Header Fields Too Large' : refused.status === 408 ? 'Request Timeout' : 'Bad Request'}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${id}`,
    'cache-control: no-store',
    'x-content-type-options: nosniff',
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroySoon());
}
