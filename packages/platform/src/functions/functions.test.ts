import { FakeRunner, type FakeApp, startFakeApp, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { forgetInvocations } from './forget-invocations.ts';

const DAY = 24 * 60 * 60_000;
let world: World;
let app: FakeApp;
let id: string;
const runner = new FakeRunner();

beforeAll(async () => {
  app = await startFakeApp({ key: 'notes' });
  world = await World.create({ runner, egressAllow: [app.address] });
  await world.meta('POST', '/apps', { descriptor: app.descriptor });
  const manifest = { app: 'notes', functions: ['echo', 'held'].map((key) => ({ key, handler: `index.${key}` })) };
  await world.meta('POST', '/apps/notes/deployments', { environment: 'production', manifest, code: 'export {};' });
});
beforeEach(async () => {
  ({ id } = await world.application());
  await world.meta('POST', `/applications/${id}/installs`, { app_key: 'notes' });
  runner.calls.length = 0;
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

const invoke = (body: Record<string, unknown> = {}, headers: Record<string, string> = {}) =>
  world.meta('POST', `/applications/${id}/installs/notes/invoke`, { function: 'echo', payload: 1, ...body }, headers);
const logs = async (query = '') => (await world.meta('GET', `/applications/${id}/installs/notes/logs${query}`)).json;

/** The token of a call that goes on. */
async function running(): Promise<string> {
  void invoke({ function: 'held' }).catch(() => undefined);
  await expect.poll(() => runner.calls.length).toBe(1);
  return runner.calls[0]!.token;
}
const storage = (token: string, body: Record<string, unknown>) =>
  world.call('POST', '/internal/functions/storage', { headers: { authorization: `Bearer ${token}` }, body });

describe('calls of a function', () => {
  test('are made once under an Idempotency-Key', async () => {
    const answers = [];
    for (let turn = 0; turn < 2; turn++) answers.push(await invoke({}, { 'idempotency-key': `call-of-${id}` }));
    expect(answers.map(({ status, json }) => [status, json.id])).toEqual([
      [200, answers[0]!.json.id],
      [200, answers[0]!.json.id],
    ]);
    expect(runner.calls).toHaveLength(1);
  });

  test('are read by cursor in the order in which they ended, each once, however many end at a time', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, payload) => invoke({ payload })));
    const seen: string[] = [];
    let page = await logs('?page_size=7');
    for (; page.objects.length > 0; page = await logs(`?page_size=7&cursor=${page.cursor}`))
      seen.push(...page.objects.map((call: { id: string }) => call.id));
    expect(new Set(seen).size).toBe(20);
    expect(page.cursor).toBe('20');
  });

  test('are forgotten after a week, but for the newest of an install, after which the next is counted', async () => {
    for (let call = 0; call < 3; call++) await invoke();
    const now = world.clock.now();
    await forgetInvocations(world.platform.db, new Date(now + 6 * DAY));
    expect((await logs()).objects).toHaveLength(3);
    await forgetInvocations(world.platform.db, new Date(now + 8 * DAY));
    expect(await logs()).toMatchObject({ cursor: '3', objects: [expect.anything()] });
    await invoke();
    expect((await logs('?cursor=3')).cursor).toBe('4');
  });

  test.each([
    ['busy', 'function.busy'],
    ['suspended', 'function.suspended'],
  ] as const)('that were not begun because the runner is %s are answered 429, and when to come again', async (reason, code) => {
    const answered = runner.invoke.bind(runner);
    runner.invoke = async () => ({ outcome: { kind: 'denied', reason, retryAfterSeconds: 7 }, durationMs: 0, logs: [], logsDropped: 0 });
    try {
      const answer = await invoke();
      expect([answer.status, answer.json.code, answer.headers.get('retry-after')]).toEqual([429, code, '7']);
    } finally {
      runner.invoke = answered;
    }
  });

  test('are refused with 503 where nothing runs functions', async () => {
    runner.refusal = (async () => 'it rains') as never;
    try {
      const answer = await invoke();
      expect([answer.status, answer.json.code, answer.json.message]).toEqual([
        503,
        'function.no_runner',
        'Functions cannot run here: it rains.',
      ]);
    } finally {
      runner.refusal = async () => null;
    }
  });
});

describe('what a call keeps', () => {
  test('ends with the call: its token opens nothing more', async () => {
    const token = await running();
    expect((await storage(token, { op: 'get', key: 'k' })).json).toEqual({ found: false });
    runner.release();
    await expect.poll(async () => (await storage(token, { op: 'get', key: 'k' })).status).toBe(401);
  });

  test('ends with the time of a token, though its call has never ended', async () => {
    const token = await running();
    expect((await storage(token, { op: 'get', key: 'k' })).status).toBe(200);
    world.clock.advance(61_000);
    expect((await storage(token, { op: 'get', key: 'k' })).status).toBe(401);
    runner.release();
  });
});
