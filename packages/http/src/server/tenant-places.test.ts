import { silentLog } from '@bulkhead/base';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Admission, admission, type AdmissionOptions, type Place } from './admission.ts';
import { routeFor } from './route.ts';
import { createServer } from './server.ts';

const LONG_MS = 60_000;

let gate: Admission | undefined;
afterEach(() => gate?.close());

function open(options: Partial<AdmissionOptions>): void {
  gate = admission({ waitMs: Infinity, patienceMs: LONG_MS, log: silentLog, ...options });
}

/** Requests of parties, named `a1`, `a2`, `b1`: who runs, in the order in which they came to, and who was refused with what. */
class Requests {
  readonly running: string[] = [];
  readonly refused: Record<string, string> = {};
  readonly #places = new Map<string, Place>();

  /** All of them at once; `proven` false: the party is claimed only. */
  async send(names: string, { proven = true } = {}): Promise<void> {
    for (const name of names.split(' ')) void this.#send(name, proven);
    await settled();
  }

  async end(name: string): Promise<void> {
    this.running.splice(this.running.indexOf(name), 1);
    this.#places.get(name)!.leave();
    await settled();
  }

  async #send(name: string, proven: boolean): Promise<void> {
    let place: Place | undefined;
    try {
      place = await gate!.enter('api', () => name[0]!);
      if (proven) await place.belongTo(name[0]!);
      this.#places.set(name, place);
      this.running.push(name);
    } catch (thrown) {
      place?.leave();
      this.refused[name] = (thrown as { code: string }).code;
    }
  }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

describe('T5: places for requests', () => {
  it('one tenant holds its share of them, however many it asks for; another finds one at once', async () => {
    open({ places: { api: { running: 8, waiting: 16 } }, share: 0.25 });
    const requests = new Requests();
    await requests.send('a1 a2 a3 a4 a5 a6');
    expect(requests.running).toEqual(['a1', 'a2']);
    await requests.send('b1 c1');
    expect(requests.running).toEqual(['a1', 'a2', 'b1', 'c1']);
    await requests.end('a1');
    expect(requests.running).toEqual(['a2', 'b1', 'c1', 'a3']);
    // Control: without shares it takes them all.
    gate?.close();
    open({ places: { api: { running: 4, waiting: 16 } }, share: 1 });
    const unfair = new Requests();
    await unfair.send('a1 a2 a3 a4 a5 a6 b1');
    expect(unfair.running).toEqual(['a1', 'a2', 'a3', 'a4']);
  });

  it('one that waits for its own holds no place of others', async () => {
    open({ places: { api: { running: 4, waiting: 16 } }, share: 0.25 });
    const requests = new Requests();
    await requests.send('a1 a2 a3 a4 a5 b1 c1 d1');
    expect(requests.running).toEqual(['a1', 'b1', 'c1', 'd1']);
  });

  it('one that has waited for its own takes its turn for one of all', async () => {
    open({ places: { api: { running: 2, waiting: 16 } }, share: 0.5 });
    const requests = new Requests();
    await requests.send('a1 a2 b1 c1');
    expect(requests.running).toEqual(['a1', 'b1']);
    await requests.end('a1');
    expect(requests.running).toEqual(['b1', 'c1']);
    await requests.end('b1');
    expect(requests.running).toEqual(['c1', 'a2']);
  });

  it('who asks for more than may wait is told that these are its own too many, with 429', async () => {
    open({ places: { api: { running: 8, waiting: 8 } }, share: 0.25 });
    const requests = new Requests();
    await requests.send('a1 a2 a3 a4 a5 a6 b1');
    expect(requests.refused).toEqual({ a5: 'server.too_many_at_once', a6: 'server.too_many_at_once' });
    expect(requests.running).toEqual(['a1', 'a2', 'b1']);
  });

  it('who waits too long for its own is told the same, and takes no place afterwards', async () => {
    open({ places: { api: { running: 4, waiting: 8 } }, share: 0.25, patienceMs: 10 });
    const requests = new Requests();
    await requests.send('a1 a2 b1');
    await expect.poll(() => requests.refused).toEqual({ a2: 'server.too_many_at_once' });
    await requests.end('a1');
    await requests.end('b1');
    await requests.send('c1 d1 e1 f1');
    expect(requests.running).toEqual(['c1', 'd1', 'e1', 'f1']);
  });

  it('who is refused a place of all after it had waited for its own gives that one back', async () => {
    open({ places: { api: { running: 2, waiting: 4 } }, share: 0.5, patienceMs: 10 });
    const requests = new Requests();
    await requests.send('a1 b1 c1 c2');
    await expect.poll(() => Object.keys(requests.refused).toSorted()).toEqual(['c1', 'c2']);
    await requests.end('a1');
    await requests.send('c3');
    expect(requests.running).toEqual(['b1', 'c3']);
  });

  it('shares are of each class by itself', async () => {
    open({ places: { api: { running: 4, waiting: 8 }, oauth: { running: 4, waiting: 8 } }, share: 0.25 });
    const place = (await gate!.enter('api')) as Place;
    expect(place.belongTo('a')).toBe(undefined);
    const other = (await gate!.enter('oauth')) as Place;
    expect(other.belongTo('a')).toBe(undefined);
    // Control: a second one of the same class waits.
    expect(((await gate!.enter('api')) as Place).belongTo('a')).toBeInstanceOf(Promise);
  });
});

describe('T5: a line before the places', () => {
  it('tenants take turns in it: one request of another waits for one of the many, not for all', async () => {
    open({ places: { api: { running: 1, waiting: 100 } }, share: 1 });
    const requests = new Requests();
    await requests.send(`${Array.from({ length: 9 }, (_, at) => `a${at + 1}`).join(' ')} b1`);
    await requests.end('a1');
    expect(requests.running).toEqual(['a2']);
    await requests.end('a2');
    expect(requests.running).toEqual(['b1']);
    // Control: where all claim to be one, it comes last.
    gate?.close();
    open({ places: { api: { running: 1, waiting: 100 } }, share: 1 });
    const order: string[] = [];
    for (const name of ['a1', 'a2', 'a3', 'b1'])
      void Promise.resolve(gate!.enter('api', () => 'one and the same')).then((place) => {
        order.push(name);
        place.leave();
      });
    await expect.poll(() => order).toEqual(['a1', 'a2', 'a3', 'b1']);
  });

  it('who fills it keeps nobody out who has less in it, and loses none that it has in it', async () => {
    open({ places: { api: { running: 1, waiting: 4 } }, share: 1 });
    const requests = new Requests();
    await requests.send('a1 a2 a3 a4 a5 a6 b1 c1', { proven: false });
    expect(requests.refused).toEqual({ a6: 'server.overloaded' });
    // Control: nor is there room for one that has as much in it already as the others.
    await requests.send('b2 b3', { proven: false });
    expect(Object.keys(requests.refused)).toEqual(['a6', 'b3']);
    for (const name of ['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4', 'a5']) await requests.end(name);
    expect(requests.running).toEqual([]);
  });

  it('who has too many waiting for its own is told so before it stands in the line, not after', async () => {
    open({ places: { api: { running: 4, waiting: 16 } }, share: 0.25 });
    const requests = new Requests();
    // One runs, four wait for its own: all that may.
    await requests.send('a1 a2 a3 a4 a5');
    await requests.send('b1 c1 d1 e1');
    expect(requests.running).toEqual(['a1', 'b1', 'c1', 'd1']);
    await requests.send('a6 e2');
    expect(requests.refused).toEqual({ a6: 'server.too_many_at_once' });
    // Control: who has none waiting for its own stands in the line.
    await requests.end('b1');
    await requests.end('c1');
    expect(requests.running).toContain('e1');
    expect(requests.refused).not.toHaveProperty('e2');
  });

  it('who has stood in it is not turned away for its own too many', async () => {
    open({ places: { api: { running: 4, waiting: 16 } }, share: 0.25 });
    const requests = new Requests();
    await requests.send('b1 c1 d1 e1');
    await requests.send('a1 a2 a3 a4 a5 a6 a7');
    for (const name of ['b1', 'c1', 'd1', 'e1']) await requests.end(name);
    for (const name of ['a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7']) await requests.end(name);
    expect([requests.running, requests.refused]).toEqual([[], {}]);
    // Control: of as many that have not, what goes beyond its own line is refused.
    for (const name of ['a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7']) await requests.send(name);
    expect(Object.keys(requests.refused)).toEqual(['a6', 'a7']);
  });
});

describe('T5: a server that is told whose a request is', () => {
  it('asks who it claims to come from when it has to wait, and whose it is when that is known', async () => {
    const running: { readonly name: string; readonly end: () => void }[] = [];
    const claims: string[] = [];
    const route = routeFor<{ readonly party: string }, string>();
    const server = await createServer<{ readonly party: string }>({
      routes: [
        route({
          id: 'a.get',
          method: 'GET',
          path: '/{name}',
          summary: 'x',
          credentials: [],
          scope: null,
          rateClass: 'api',
          audit: null,
          params: z.object({ name: z.string() }),
          answers: { 200: z.object({}) },
          handler: async (_context, { params }) => {
            await new Promise<void>((end) => running.push({ name: params.name, end }));
            return { status: 200, body: {} };
          },
        }),
      ],
      log: silentLog,
      bodyBytesMax: 1_000,
      admission: { places: { api: { running: 2, waiting: 8 } }, share: 0.5, waitMs: Infinity, patienceMs: LONG_MS },
      open: async ({ params }) => ({ party: params['name']![0]! }),
      partyOf: ({ party }) => party,
      claimedBy: ({ params }) => {
        claims.push(params['name']!);
        return params['name']![0]!;
      },
      close: () => undefined,
      idempotency: { claim: async () => ({ kind: 'first' }), complete: async () => undefined, release: async () => undefined },
      errorPage: async () => ({ status: 500, body: '' }),
      trustProxy: [],
    });
    const url = `http://127.0.0.1:${await server.listen(0, '127.0.0.1')}`;
    const ask = async (name: string) => (await fetch(`${url}/${name}`)).status;
    const names = () => running.map(({ name }) => name);
    // Two places, one for each of two; the third finds none, and the second of a party waits for its own even though one is free.
    const calls = [ask('a1')];
    await expect.poll(names).toEqual(['a1']);
    calls.push(ask('a2'), ask('b1'));
    await expect.poll(names).toEqual(['a1', 'b1']);
    for (const name of ['c1', 'c2', 'd1']) {
      calls.push(ask(name));
      await expect.poll(() => claims.includes(name)).toBe(true);
    }
    running[1]!.end();
    await expect.poll(names).toEqual(['a1', 'b1', 'c1']);
    running[2]!.end();
    await expect.poll(names).toEqual(['a1', 'b1', 'c1', 'd1']);
    for (let ended = 0; ended < 6; ) {
      for (; ended < running.length; ended++) running[ended]!.end();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await Promise.all(calls)).toEqual([200, 200, 200, 200, 200, 200]);
    await server.close();
  });
});
