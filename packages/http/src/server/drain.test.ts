import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { silentLog } from '@bulkhead/base';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ALREADY_SENT, routeFor } from './route.ts';
import { createServer, type HttpServer } from './server.ts';

const route = routeFor<Record<string, never>, string>();
const base = { summary: 'x', credentials: [], scope: null, rateClass: 'api', audit: null } as const;

let server: HttpServer;
let port: number;
let agent: Agent;
/** Lets the requests that wait go on. */
let goOn: PromiseWithResolvers<void>;
let arrived: PromiseWithResolvers<void>;

beforeEach(async () => {
  goOn = Promise.withResolvers();
  arrived = Promise.withResolvers();
  agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const answer = async () => ({ status: 200, body: { ok: true as const } });
  const answers = { 200: z.object({ ok: z.literal(true) }) };
  server = await createServer<Record<string, never>>({
    routes: [
      route({ ...base, id: 'quick', method: 'GET', path: '/quick', answers, handler: answer }),
      route({
        ...base,
        id: 'waits',
        method: 'GET',
        path: '/waits',
        answers,
        handler: async () => {
          arrived.resolve();
          await goOn.promise;
          return answer();
        },
      }),
      route({
        ...base,
        id: 'streams',
        method: 'POST',
        path: '/streams',
        bodyForm: 'stream',
        answers: { 200: null },
        handler: async (_context, { raw }) => {
          raw.response.writeHead(200, { 'content-length': '10' }).write('first');
          arrived.resolve();
          await goOn.promise;
          raw.response.end('ndend');
          return ALREADY_SENT;
        },
      }),
    ],
    log: silentLog,
    bodyBytesMax: 100,
    open: async () => ({}),
    close: () => undefined,
    idempotency: { claim: () => Promise.reject(new Error('unused')), complete: async () => undefined, release: async () => undefined },
    errorPage: async (error) => ({ status: error.status, body: '' }),
    trustProxy: [],
    // The guard off: a connection that is kept would hold the server up to here, longer than a test may take.
    drainMsMax: 600_000,
  });
  port = await server.listen(0, '127.0.0.1');
});
afterEach(() => agent.destroy());

interface Answer {
  readonly status: number | undefined;
  readonly connection: string | undefined;
  readonly body: string;
}

async function call(path: string, method = 'GET'): Promise<Answer> {
  const message = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ port, host: '127.0.0.1', path, method, agent }, resolve).on('error', reject).end();
  });
  return { status: message.statusCode, connection: message.headers.connection, body: await text(message) };
}

describe('RFC 9112 §9.6: a server that closes', () => {
  test.each([
    ['whose head is not out yet', 'GET', '/waits', '{"ok":true}', 'close'],
    ['of which a part is out', 'POST', '/streams', 'firstndend', 'keep-alive'],
  ])('sends an answer %s whole, and closes its connection behind it', async (_what, method, path, body, connection) => {
    const answer = call(path, method);
    await arrived.promise;
    const closed = server.close();
    await new Promise(setImmediate);
    goOn.resolve();
    expect(await answer).toEqual({ status: 200, connection, body });
    await closed;
  });

  test('control: a server that stays keeps the connection', async () => {
    expect(await call('/quick')).toMatchObject({ status: 200, connection: 'keep-alive' });
    await server.close();
  });

  test('serves for its grace, and lets no connection outlive an answer of that time', async () => {
    expect(await call('/quick')).toMatchObject({ connection: 'keep-alive' });
    const closed = server.close({ graceMs: 1_500 });
    expect(await call('/quick')).toMatchObject({ status: 200, connection: 'close' });
    expect(await call('/quick')).toMatchObject({ status: 200, connection: 'close' });
    await closed;
    const late = connect(port, '127.0.0.1');
    await expect(once(late, 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  test.each([
    ['nothing was ever asked', ''],
    ['a request was begun and never finished', 'GET /quick HTTP/1.1\r\nHo'],
  ])('is not held up by a connection on which %s', async (_what, begun) => {
    const idle = connect(port, '127.0.0.1');
    await once(idle, 'connect');
    idle.on('error', () => undefined).write(begun);
    expect(await call('/quick')).toMatchObject({ status: 200 });
    await server.close();
    if (!idle.closed) await once(idle, 'close');
  });
});
