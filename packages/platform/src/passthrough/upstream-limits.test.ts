import { Secret } from '@bulkhead/base';
import { describe, expect, test } from 'vitest';
import { wireCall, type WireMessage } from '../../test/raw-wire.ts';
import { head, useWireWorld, values, whole, type WireWorld } from '../../test/wire-world.ts';
import { askedToWaitMs } from './upstream-limits.ts';

let world: WireWorld['world'];
let upstream: WireWorld['upstream'];

useWireWorld((made) => {
  ({ world, upstream } = made);
});

const now = Date.parse('2026-11-25T10:00:00Z');
const at = (ms: number) => (now + ms) / 1000;

describe('how long an answer asks its account to wait', () => {
  test.each<[status: number, headers: string[], ms: number | null]>([
    [429, ['Retry-After', '30'], 30_000],
    [429, ['retry-after', ' 1.5 '], 1500],
    [429, ['Retry-After', 'Wed, 25 Nov 2026 10:01:00 GMT'], 60_000],
    [429, ['RateLimit', '"default";r=0;t=12'], 12_000],
    [429, ['RateLimit', 'limit=10, remaining=0, reset=7'], 7000],
    [429, ['RateLimit-Reset', '9'], 9000],
    [429, ['X-RateLimit-Reset', '8'], 8000],
    [429, ['X-RateLimit-Reset', String(at(20_000))], 20_000],
    [429, ['X-Rate-Limit-Reset', String(now + 20_000)], 20_000],
    [429, ['Retry-After', '2', 'X-RateLimit-Reset', '900'], 2000],
    [403, ['X-RateLimit-Remaining', '0', 'X-RateLimit-Reset', String(at(5000))], 5000],
    [403, ['X-RateLimit-Remaining', '0', 'Retry-After', '5'], 5000],
    // Says nothing, or nothing that can be meant
    [429, [], null],
    [429, ['Retry-After', '0'], null],
    [429, ['Retry-After', '-5'], null],
    [429, ['Retry-After', 'soon'], null],
    [429, ['Retry-After', '2026'.repeat(9)], null],
    [429, ['Retry-After', '0x10'], null],
    [429, ['Retry-After', 'Wed, 25 Nov 2026 09:00:00 GMT'], null],
    [429, ['X-RateLimit-Reset', String(at(-5000))], null],
    [429, ['X-RateLimit-Reset', '1e9'], null],
    [403, ['Retry-After', '5'], null],
    [403, ['X-RateLimit-Remaining', '10', 'X-RateLimit-Reset', '5'], null],
    [200, ['X-RateLimit-Remaining', '0', 'X-RateLimit-Reset', '5'], null],
    [503, ['Retry-After', '5'], null],
  ])('%i %j: %j ms', (status, headers, ms) => {
    expect(askedToWaitMs(status, headers, now)).toBe(ms);
  });
});

describe('a service that asks an account to wait', () => {
  const api = () => ({ base_url: `${upstream.url}/api` });
  const service = () => ({
    id: 'wire',
    friendly_name: 'Wire',
    auth: { type: 'api_key' as const, in: 'header' as const, name: 'X-Key' },
    api: api(),
  });
  async function tenant() {
    const application = await world.application();
    await world.addService(application, service());
    const key = world.apiKey(application)['authorization'] ?? '';
    let newest = 0;
    const account = async (name: string) => {
      const id = await world.addAccount(application, 'wire', { apiKey: new Secret(name) });
      newest = id;
      return async (...fields: string[]): Promise<WireMessage> => whole(await wireCall(world.url, request(id, key, fields)));
    };
    return { account, idOf: () => newest };
  }
  const request = (id: number, key: string, fields: readonly string[] = []) =>
    head(`GET /v1/accounts/${id}/proxy/x HTTP/1.1`, ['Host: x', `Authorization: ${key}`, 'Connection: close', ...fields]);
  /** Refuses the account whose key is `limited`, serves the others. */
  const limits = (answer: string) => {
    upstream.answer = ({ socket }, request) =>
      void socket.write(values(request, 'x-key').join() === 'limited' ? answer : head('HTTP/1.1 200 OK', ['Content-Length: 0']));
  };
  const told = (seconds: number) =>
    `${head('HTTP/1.1 429 Too Many Requests', ['X-Said: it', `Retry-After: ${seconds}`, 'Content-Length: 4'])}wait`;
  const ours = (answer: WireMessage) => [
    answer.start.split(' ')[1],
    (JSON.parse(answer.body.toString()) as { code: string }).code,
    ...values(answer, 'retry-after'),
  ];

  test('has its answer passed on unchanged; then the account is answered by us until the time has come', async () => {
    const { account } = await tenant();
    const call = await account('limited');
    limits(told(30));
    const first = await call();
    expect([first.start, first.body.toString(), values(first, 'retry-after'), values(first, 'x-said')]).toEqual([
      'HTTP/1.1 429 Too Many Requests',
      'wait',
      ['30'],
      ['it'],
    ]);
    expect(ours(await call())).toEqual(['429', 'passthrough.upstream_limited', '30']);
    world.clock.advance(29_000);
    expect(ours(await call())).toEqual(['429', 'passthrough.upstream_limited', '1']);
    expect(upstream.requests()).toHaveLength(1);
    world.clock.advance(1000);
    limits(head('HTTP/1.1 200 OK', ['Content-Length: 0']));
    expect((await call()).start).toBe('HTTP/1.1 200 OK');
    expect(upstream.requests()).toHaveLength(2);
  });

  test('is asked again after five minutes, whatever it said', async () => {
    const { account } = await tenant();
    const call = await account('limited');
    limits(told(86_400));
    await call();
    expect(ours(await call())).toEqual(['429', 'passthrough.upstream_limited', '300']);
    world.clock.advance(300_000);
    expect((await call()).body.toString()).toBe('wait');
    expect(upstream.requests()).toHaveLength(2);
  });

  test('says nothing of another account, nor of another Application (T4)', async () => {
    const [mine, theirs] = [await tenant(), await tenant()];
    const limited = await mine.account('limited');
    const neighbours = [await mine.account('other'), await theirs.account('third')];
    limits(told(60));
    await limited();
    for (const call of neighbours) expect((await call()).start).toBe('HTTP/1.1 200 OK');
    // The control: the one that was told is answered by us.
    expect(ours(await limited())[1]).toBe('passthrough.upstream_limited');
    expect(upstream.requests()).toHaveLength(3);
  });

  test('is asked all the same by a caller that says so, and never hears of that header', async () => {
    const { account } = await tenant();
    const call = await account('limited');
    limits(told(60));
    await call();
    expect((await call('X-Bulkhead-Upstream-Limit: ignore')).body.toString()).toBe('wait');
    expect(ours(await call('X-Bulkhead-Upstream-Limit: no'))[1]).toBe('passthrough.upstream_limited');
    const seen = upstream.requests();
    expect(seen).toHaveLength(2);
    for (const request of seen) expect(values(request, 'x-bulkhead-upstream-limit')).toEqual([]);
  });

  test.each(['HTTP/1.1 429 Too Many Requests', 'HTTP/1.1 503 Service Unavailable', 'HTTP/1.1 403 Forbidden', 'HTTP/1.1 200 OK'])(
    'without saying until when is asked each time: %s',
    async (start) => {
      const { account } = await tenant();
      const call = await account('limited');
      limits(head(start, ['Content-Length: 0']));
      for (let round = 0; round < 2; round++) expect((await call()).start).toBe(start);
      expect(upstream.requests()).toHaveLength(2);
    },
  );

  test('answers 404 to a stranger, limited or not', async () => {
    const { account, idOf } = await tenant();
    const call = await account('limited');
    limits(told(60));
    await call();
    const stranger = world.apiKey(await world.application())['authorization'] ?? '';
    const foreign = await wireCall(world.url, request(idOf(), stranger));
    expect(whole(foreign).start).toBe('HTTP/1.1 404 Not Found');
    expect(ours(await call())[1]).toBe('passthrough.upstream_limited');
  });
});
