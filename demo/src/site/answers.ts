import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';

const BODY_BYTES_MAX = 4096;

export function plain(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  });
  response.end(`${text}\n`);
}

/** Null when it is too long. */
export async function readBody(request: IncomingMessage, bytesMax: number): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > bytesMax) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Null when it is too long. */
export async function readForm(request: IncomingMessage): Promise<URLSearchParams | null> {
  const body = await readBody(request, BODY_BYTES_MAX);
  return body === null ? null : new URLSearchParams(body);
}

export function seeOther(response: ServerResponse, location: string): void {
  response.writeHead(303, { location, 'cache-control': 'no-store' }).end();
}

/** `path` is never of a request's making. */
export async function asset(response: ServerResponse, path: string, type: string): Promise<void> {
  const content = await readFile(path);
  response.writeHead(200, {
    'content-type': type,
    'content-length': content.byteLength,
    'cache-control': 'no-cache',
    'x-content-type-options': 'nosniff',
  });
  response.end(content);
}
