import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { PlatformError } from '@bulkhead/base';
import { httpErrors } from './http-errors.ts';

const HEADERS_MAX = 200;
/** RFC 9110 §7.2: `uri-host [ ":" port ]`; no user, no path, no space, no list. */
const HOST = /^(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253}))(?::\d{1,5})?$/;

/** Connections that an odd request came on. */
const suspects = new WeakSet<Socket>();

/**
 * Refuses a request that two parsers could see as two different ones, and with it whatever else comes on its connection, which is
 * closed after the answer: who wrote the one may have written it for somebody else's (RFC 9112 §11.2).
 * Throws `request.*`.
 */
export function refuseOddRequest(message: IncomingMessage, response: ServerResponse, targetBytes: number): void {
  const oddity = suspects.has(message.socket)
    ? malformed('An earlier request of this connection was refused.')
    : oddityOf(message, targetBytes);
  if (oddity === null) return;
  suspects.add(message.socket);
  response.shouldKeepAlive = false;
  throw oddity;
}

function oddityOf({ rawHeaders, headers, url }: IncomingMessage, targetBytes: number): PlatformError | null {
  if (rawHeaders.length / 2 > HEADERS_MAX) return httpErrors('request.too_many_headers', { params: { limit: HEADERS_MAX } });
  let hosts = 0;
  let credentials = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase();
    if (name === 'host') hosts++;
    else if (name === 'authorization') credentials++;
  }
  if (credentials > 1) return httpErrors('request.two_credentials');
  if (hosts !== 1 || !url?.startsWith('/')) return httpErrors('request.duplicate_host');
  if (!HOST.test(headers.host ?? '')) return httpErrors('request.bad_host');
  if (url.length > targetBytes) return httpErrors('request.target_too_long', { params: { limit: targetBytes } });
  // The parser undoes `chunked` alone and would hand the rest over as if it were the body (RFC 9112 §6.1).
  const coding = headers['transfer-encoding'];
  return coding === undefined || coding.toLowerCase() === 'chunked' ? null : malformed('A body comes with its length or in chunks only.');
}

function malformed(problem: string): PlatformError {
  return httpErrors('request.invalid', { params: { problem } });
}
