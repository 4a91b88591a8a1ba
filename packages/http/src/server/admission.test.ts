import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { silentLog } from '@bulkhead/base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Admission, admission } from './admission.ts';
import { type AnyRoute, routeFor } from './route.ts';
import { createServer, type HttpServer } from './server.ts';

const route = routeFor<object, string>();
const base = { summary: 'x', credentials: [], scope: null, audit: null, answers: { 200: z.object({}) } } as const;
const LONG_MS = 60_000;

interface Held {
  readonly running: (() => void)[];
  server: HttpServer;
  url: string;
}

/** A server with two places and two to wait in per class, whose handlers wait to be told. */
async function held({ patienceMs = LONG_MS }: { readonly patienceMs?: number } = {}): Promise<Held> {
  const running: (() => void)[] = [];
  const slow = (id: string, rateClass: 'api' | 'passthrough' | 'health', path: string): AnyRoute =>
    route({
      ...base,
      id,
      method: 'GET',
      path,
      rateClass,
      cors: true,
      handler: async () => {
        if (rateClass !== 'health') await new Promise<void>((resolve) => running.push(resolve));
        return { status: 200, body: {} };
      },
    });
  const places = { running: 2, waiting: 2 };
  const server = await createServer({
    routes: [slow('a.get', 'api', '/api'), slow('b.get', 'passthrough', '/stream'), slow('c.get', 'health', '/healthz')],
    log: silentLog,
    bodyBytesMax: 1_000,
    admission: { places: { api: places, passthrough: places }, waitMs: Infinity, patienceMs },
    open: async () => ({}),
    close: () => undefined,
    idempotency: { claim: async () => ({ kind: 'first' }), complete: async () => undefined, release: async () => undefined },
    errorPage: async () => ({ status: 500, body: '' }),
    trustProxy: [],
  });
  return { running, server, url: `http://127.0.0.1:${await server.listen(0, '127.0.0.1')}` };
}

let world: Held | undefined;
afterEach(async () => {
  for (const release of world?.running ?? []) release();
  await world?.server.close();
  world = undefined;
});

describe('S2: more requests than can be served', () => {
  it('two run, two wait, and the fifth is turned away at once with 503 and Retry-After', async () => {
    world = await held();
    const { running, url } = world;
    const four = Array.from({ length: 4 }, async () => fetch(`${url}/api`));
    await expect.poll(() => running.length).toBe(2);
    // The fifth, and whoever of the others came later than it: just as many as there are places get through.
    const fifth = await fetch(`${url}/api`);
    expect(fifth.status).toBe(503);
    expect(fifth.headers.get('retry-after')).toBe('1');
    expect(await fifth.json()).toMatchObject({ code: 'server.overloaded', error_code: 'service_not_available' });
    expect(running).toHaveLength(2);
    running[0]!();
    await expect.poll(() => running.length).toBe(3);
    running[1]!();
    await expect.poll(() => running.length).toBe(4);
    for (const release of running) release();
    expect((await Promise.all(four)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    // Control: with places free again, the next one runs.
    const next = fetch(`${url}/api`);
    await expect.poll(() => running.length).toBe(5);
    running[4]!();
    expect((await next).status).toBe(200);
  });

  it('who waits too long is turned away, and takes no place when one becomes free', async () => {
    world = await held({ patienceMs: 50 });
    const { running, url } = world;
    const first = [fetch(`${url}/api`), fetch(`${url}/api`)];
    await expect.poll(() => running.length).toBe(2);
    expect((await fetch(`${url}/api`)).status).toBe(503);
    for (const release of running) release();
    expect((await Promise.all(first)).map(({ status }) => status)).toEqual([200, 200]);
    expect(running).toHaveLength(2);
  });

  it('one that is turned away is told like every other, and its connection stays open', async () => {
    world = await held();
    const { running, url } = world;
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const four = Array.from({ length: 4 }, async () => fetch(`${url}/api`));
    await expect.poll(() => running.length).toBe(2);
    const ask = async (path: string) => {
      const [answer] = (await once(request(`${url}${path}`, { agent, headers: { origin: 'https://app.example' } }).end(), 'response')) as [
        IncomingMessage,
      ];
      return { port: answer.socket.localPort, answer, body: JSON.parse(await text(answer)) as { id?: string } };
    };
    const refused = await ask('/api');
    expect(refused.answer.statusCode).toBe(503);
    expect(refused.answer.headers).toMatchObject({
      'x-request-id': refused.body.id,
      'retry-after': '1',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'access-control-allow-origin': 'https://app.example',
      connection: 'keep-alive',
    });
    const next = await ask('/healthz');
    expect([next.answer.statusCode, next.port]).toEqual([200, refused.port]);
    agent.destroy();
    running[0]!();
    running[1]!();
    await expect.poll(() => running.length).toBe(4);
    for (const release of running) release();
    await Promise.all(four);
  });

  it('who asks again at once on the same connection is heard later after the third time, others at once; a place makes it like any other', async () => {
    world = await held();
    const { running, url } = world;
    const four = Array.from({ length: 4 }, async () => fetch(`${url}/api`));
    await expect.poll(() => running.length).toBe(2);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ask = async (path: string, own?: Agent): Promise<number> => {
      const [answer] = (await once(request(`${url}${path}`, own === undefined ? {} : { agent: own }).end(), 'response')) as [
        IncomingMessage,
      ];
      answer.resume();
      await once(answer, 'end');
      return answer.statusCode!;
    };
    for (let time = 0; time < 3; time++) expect(await ask('/api', agent)).toBe(503);
    let heard: number | undefined;
    const fourth = ask('/api', agent).then((status) => (heard = status));
    // Control: whoever comes on another connection is answered meanwhile, the same, and so is a look at the health.
    expect(await ask('/api')).toBe(503);
    expect(await ask('/healthz')).toBe(200);
    expect(heard).toBe(undefined);
    running[0]!();
    running[1]!();
    await expect.poll(() => running.length).toBe(4);
    running[2]!();
    running[3]!();
    expect((await Promise.all(four)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    // It is heard after a second, finds a place, and is held no longer.
    await expect.poll(() => running.length).toBe(5);
    running[4]!();
    expect(await fourth).toBe(200);
    agent.destroy();
  });

  it('streams and health checks have places of their own', async () => {
    world = await held({ patienceMs: 50 });
    const { running, url } = world;
    const streams = [fetch(`${url}/stream`), fetch(`${url}/stream`)];
    await expect.poll(() => running.length).toBe(2);
    expect((await fetch(`${url}/stream`)).status).toBe(503);
    const api = fetch(`${url}/api`);
    await expect.poll(() => running.length).toBe(3);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    for (const release of running) release();
    expect((await Promise.all([...streams, api])).map(({ status }) => status)).toEqual([200, 200, 200]);
  });
});

describe('S2: admission', () => {
  let gate: Admission;
  beforeEach(() => {
    gate = admission({ places: { api: { running: 4, waiting: 1 } }, waitMs: Infinity, patienceMs: LONG_MS, log: silentLog });
  });
  afterEach(() => gate.close());

  it('a place is given back once, however often it is said', async () => {
    const places = await Promise.all(Array.from({ length: 4 }, async () => gate.enter('api')));
    places[0]!.leave();
    places[0]!.leave();
    await gate.enter('api');
    const waiting = gate.enter('api');
    expect(() => gate.enter('api')).toThrow(expect.objectContaining({ status: 503 }));
    places[1]!.leave();
    await waiting;
  });

  it('health has no limit', async () => {
    expect(await Promise.all(Array.from({ length: 10_000 }, async () => gate.enter('health')))).toHaveLength(10_000);
  });
});
