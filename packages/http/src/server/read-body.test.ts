import { connect } from 'node:net';
import { silentLog } from '@bulkhead/base';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { routeFor } from './route.ts';
import { createServer, type HttpServer } from './server.ts';

const LIMIT = 1024;
let server: HttpServer;
let port: number;
beforeEach(async () => {
  const route = routeFor<object, never>();
  const common = { credentials: [], scope: null, rateClass: 'api', audit: null, idempotent: false } as const;
  server = await createServer<object>({
    routes: [
      route({
        ...common,
        id: 'thing.take',
        method: 'POST',
        path: '/take',
        summary: 'Takes a body',
        body: z.looseObject({}),
        answers: { 200: z.object({}) },
        handler: async () => ({ status: 200, body: {} }),
      }),
      route({
        ...common,
        id: 'thing.get',
        method: 'GET',
        path: '/get',
        summary: 'Answers',
        answers: { 200: z.object({}) },
        handler: async () => ({ status: 200, body: {} }),
      }),
    ],
    log: silentLog,
    bodyBytesMax: LIMIT,
    trustProxy: [],
    open: async () => ({}),
    close: () => undefined,
    idempotency: { claim: async () => ({ kind: 'first' }), complete: async () => undefined, release: async () => undefined },
    errorPage: async (error) => ({ status: error.status, body: error.publicText }),
  });
  port = await server.listen(0, '127.0.0.1');
});
afterEach(async () => {
  await server.close();
});

const post = (bytes: number) =>
  `POST /take HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\ncontent-length: ${bytes}\r\n\r\n{}${' '.repeat(bytes - 2)}`;

/** What one connection answers to these bytes, until as many answers have come. */
async function answersTo(text: string, count: number): Promise<string[]> {
  const socket = connect(port, '127.0.0.1');
  try {
    return await new Promise((resolve, reject) => {
      let heard = '';
      socket.on('error', reject).on('close', () => reject(new Error(`closed after ${heard}`)));
      socket.on('data', (bytes: Buffer) => {
        heard += bytes.toString('latin1');
        const statuses = [...heard.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => status!);
        if (statuses.length >= count) resolve(statuses);
      });
      socket.write(text);
    });
  } finally {
    socket.removeAllListeners('close').destroy();
  }
}

describe('a body that is too large', () => {
  test.each([LIMIT + 1, 100 * LIMIT, 3000 * LIMIT])(
    'of %i bytes is refused, and the next request on its connection is answered',
    async (bytes) => {
      expect(await answersTo(`${post(bytes)}GET /get HTTP/1.1\r\nhost: here\r\n\r\n`, 2)).toEqual(['413', '200']);
    },
  );

  test('control: one that is just small enough is taken', async () => {
    expect(await answersTo(`${post(LIMIT)}GET /get HTTP/1.1\r\nhost: here\r\n\r\n`, 2)).toEqual(['200', '200']);
  });
});
