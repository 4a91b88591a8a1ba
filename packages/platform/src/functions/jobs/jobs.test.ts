import { sql } from '@bulkhead/postgres';
import { FakeRunner, type FakeApp, startFakeApp, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

let world: World;
let app: FakeApp;
let id: string;
const runner = new FakeRunner();
const limits = { pushedPerMinute: 20, waitingMax: 30, depthMax: 3 };

const queues = [
  { key: 'work', function: 'echo' },
  { key: 'once', function: 'echo', retries: 0 },
  { key: 'single', function: 'held', concurrency: 1 },
];
const manifest = { app: 'notes', functions: ['echo', 'held'].map((key) => ({ key, handler: `index.${key}` })), queues };
const deploy = (fields: Record<string, unknown> = {}) =>
  world.meta('POST', '/apps/notes/deployments', { environment: 'production', manifest: { ...manifest, ...fields }, code: 'export {};' });

beforeAll(async () => {
  app = await startFakeApp({ key: 'notes' });
  world = await World.create({ runner, egressAllow: [app.address], jobLimits: limits });
  await world.meta('POST', '/apps', { descriptor: app.descriptor });
  expect((await deploy()).status).toBe(201);
});
beforeEach(async () => {
  await world.platform.db.withSystem('forget the jobs of a test', (tx) => tx.execute(sql`delete from function_jobs`));
  ({ id } = await world.application());
  await install(id);
  runner.calls.length = 0;
  runner.answer = null;
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

const install = (of: string) => world.meta('POST', `/applications/${of}/installs`, { app_key: 'notes' });
const jobs = async (of = id, query = '') =>
  (await world.meta('GET', `/applications/${of}/installs/notes/jobs?page_size=100${query}`)).json.objects;

/** The token of a call of the install that goes on. */
async function running(of = id): Promise<string> {
  const before = runner.calls.length;
  void world.meta('POST', `/applications/${of}/installs/notes/invoke`, { function: 'held' }).catch(() => undefined);
  await expect.poll(() => runner.calls.length).toBe(before + 1);
  return runner.calls.at(-1)!.token;
}
const ask = (token: string, body: Record<string, unknown>) =>
  world.call('POST', '/internal/functions/queue', { headers: { authorization: `Bearer ${token}` }, body });
const push = (token: string, payloads: unknown[], more: Record<string, unknown> = {}, queue = 'work') =>
  ask(token, { op: 'push', queue, jobs: payloads.map((payload) => ({ payload, ...more })) });
const pushed = () => runner.calls.filter(({ context }) => JSON.parse(context).job !== undefined);
const payloads = () => pushed().map(({ payload }) => JSON.parse(payload));

describe('a queue', () => {
  test('has its function called once for each payload, which it is told with its job', async () => {
    const token = await running();
    const { status, json } = await push(token, [{ a: 1 }, 2]);
    expect([status, json.jobs.length]).toEqual([200, 2]);
    expect(await world.platform.runDueJobs()).toBe(2);
    expect(payloads()).toEqual(expect.arrayContaining([{ a: 1 }, 2]));
    const contexts = pushed().map(({ context }) => JSON.parse(context));
    expect(contexts.map(({ job }) => job.id).sort()).toEqual([...json.jobs].sort());
    expect(contexts[0]).toMatchObject({
      applicationId: id,
      function: 'echo',
      environment: 'production',
      job: { source: 'queue', key: 'work', pushId: json.id, attempt: 1, attemptsMax: 5, retry: null },
    });
    expect((await ask(token, { op: 'stats', queue: 'work', id: json.id })).json.stats).toMatchObject({ done: 2, waiting: 0 });
    expect((await ask(token, { op: 'stats', queue: 'work', id: json.jobs[0] })).json.stats).toMatchObject({ done: 1 });
    expect(await world.platform.runDueJobs()).toBe(0);
    runner.release();
  });

  test('keeps a payload sealed while it waits, and not at all when it is done', async () => {
    const token = await running();
    await push(token, ['a secret of the customer']);
    const stored = () =>
      world.platform.db.withSystem('look at jobs in a test', (tx) =>
        tx.query<{ text: string; sealed: Buffer | null }>(sql`
        select to_jsonb(j)::text as text, payload_sealed as sealed from function_jobs j`),
      );
    expect((await stored())[0]!.text).not.toContain('secret of');
    expect((await stored())[0]!.sealed).not.toBeNull();
    await world.platform.runDueJobs();
    expect((await stored())[0]!.sealed).toBeNull();
    runner.release();
  });

  test('holds a job back for its delay', async () => {
    const token = await running();
    await push(token, ['later'], { delay_seconds: 900 });
    expect(await world.platform.runDueJobs()).toBe(0);
    world.clock.advance(899_000);
    expect(await world.platform.runDueJobs()).toBe(0);
    world.clock.advance(1_000);
    expect(await world.platform.runDueJobs()).toBe(1);
    runner.release();
  });

  test.each([
    ['more than 50 jobs', { op: 'push', queue: 'work', jobs: Array.from({ length: 51 }, () => ({ payload: 1 })) }, 'request.invalid'],
    ['more than 200,000 bytes', { op: 'push', queue: 'work', jobs: [{ payload: 'x'.repeat(200_100) }] }, 'request.invalid'],
    ['a delay of more than 900 seconds', { op: 'push', queue: 'work', jobs: [{ payload: 1, delay_seconds: 901 }] }, 'request.invalid'],
    ['a queue that the manifest has not', { op: 'push', queue: 'other', jobs: [{ payload: 1 }] }, 'function.queue_unknown'],
    ['another install in the body', { op: 'push', queue: 'work', jobs: [{ payload: 1 }], client_key: 'another' }, 'request.invalid'],
  ])('refuses %s', async (_, body, code) => {
    expect((await ask(await running(), body)).json).toMatchObject({ status_code: 400, code });
    runner.release();
  });

  test('takes so many a minute of an install and no more, with the moment to come again; another install is not held up', async () => {
    const token = await running();
    const other = (await world.application()).id;
    await install(other);
    expect((await push(token, Array(20).fill(1))).status).toBe(200);
    const refused = await push(token, [1]);
    expect([refused.json.code, refused.status, refused.headers.get('retry-after')]).toEqual(['function.jobs_too_fast', 429, '30']);
    expect((await push(await running(other), [1])).status).toBe(200);
    runner.release();
    world.clock.advance(60_001);
    expect((await push(await running(), Array(10).fill(1))).status).toBe(200);
    expect((await push(await running(), [1])).json.code).toBe('function.jobs_full');
    runner.release();
  });

  test('of ten pushes at the same moment lets no more through than there is room', async () => {
    const token = await running();
    const answers = await Promise.all(Array.from({ length: 10 }, () => push(token, Array(5).fill(1))));
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array(4).fill(200), ...Array(6).fill(429)]);
    runner.release();
  });

  test('ends a chain of jobs that push each other', async () => {
    const statuses: number[] = [];
    runner.answer = async (call) => {
      statuses.push((await push(call.token, ['again'])).status);
      return null;
    };
    await push(await running(), ['first']);
    runner.release();
    for (let turn = 0; turn < 6; turn++) await world.platform.runDueJobs();
    expect(statuses).toEqual([200, 200, 409]);
  });

  test('lets what has not begun be cancelled, and no more of it', async () => {
    const token = await running();
    const { json } = await push(token, [1, 2], { delay_seconds: 5 });
    await push(token, [3]);
    expect((await ask(token, { op: 'cancel', queue: 'work', id: json.jobs[0] })).json).toEqual({ cancelled: 1 });
    expect((await ask(token, { op: 'cancel', queue: 'work', id: json.jobs[0] })).json).toEqual({ cancelled: 0 });
    world.clock.advance(5_000);
    await world.platform.runDueJobs();
    expect(payloads().sort()).toEqual([2, 3]);
    runner.release();
  });

  test("shows nothing of another install's, nor of another queue", async () => {
    const other = (await world.application()).id;
    await install(other);
    const own = await running();
    const { json } = await push(own, [1]);
    const foreign = await running(other);
    for (const op of ['stats', 'cancel']) {
      expect((await ask(foreign, { op, queue: 'work', id: json.id })).status).toBe(404);
      expect((await ask(own, { op, queue: 'once', id: json.id })).status).toBe(404);
    }
    expect(await jobs(other)).toEqual([]);
    runner.release();
  });
});

describe('a job that does not end well', () => {
  const failing = { outcome: { kind: 'threw', name: 'Error', message: 'no', stack: null } } as const;

  test('is tried again after ever longer waits, under one id, until its attempts are over; then it stays and says why', async () => {
    runner.answer = async () => failing;
    const { json } = await push(await running(), ['x']);
    runner.release();
    const waits: number[] = [];
    for (let attempt = 1; attempt <= 5; attempt++) {
      expect(await world.platform.runDueJobs()).toBe(1);
      const [job] = await jobs();
      expect(job).toMatchObject({ id: json.jobs[0], attempts: attempt, outcome: 'threw', status: attempt < 5 ? 'waiting' : 'failed' });
      if (job.next_attempt === null) break;
      waits.push(Date.parse(job.next_attempt) - world.clock.now());
      world.clock.advance(waits.at(-1)!);
    }
    for (const [index, wait] of waits.entries()) expect(wait / (5_000 * 2 ** index)).toBeGreaterThanOrEqual(1);
    expect(waits).toHaveLength(4);
    expect(new Set(pushed().map(({ context }) => JSON.parse(context).job.id)).size).toBe(1);
    world.clock.advance(24 * 60 * 60_000);
    expect(await world.platform.runDueJobs()).toBe(0);
    expect((await jobs(id, '&status=failed'))[0].invocation_id).toMatch(/^inv/);
  });

  test('can be tried again by hand, with all its attempts; another one cannot', async () => {
    runner.answer = async () => failing;
    const { json } = await push(await running(), ['x'], {}, 'once');
    runner.release();
    await world.platform.runDueJobs();
    const retry = () => world.meta('POST', `/applications/${id}/installs/notes/jobs/${json.jobs[0]}/retry`);
    runner.answer = null;
    expect((await retry()).json).toMatchObject({ status: 'waiting', attempts: 0 });
    expect((await retry()).json).toMatchObject({ status_code: 409, code: 'function.job_not_over' });
    await world.platform.runDueJobs();
    expect(payloads()).toEqual(['x', 'x']);
    expect((await jobs())[0]).toMatchObject({ status: 'done', attempts: 1 });
  });

  test('may ask for another attempt itself, and tell it something', async () => {
    runner.answer = async ({ context }) =>
      JSON.parse(context).job.attempt > 1
        ? null
        : {
            outcome: {
              kind: 'ok',
              value: JSON.stringify({ _retry: true, retryOptions: { retryAfter: 60, retryReason: 'later', retryData: { page: 2 } } }),
            },
          };
    await push(await running(), ['x']);
    runner.release();
    await world.platform.runDueJobs();
    world.clock.advance(59_000);
    expect(await world.platform.runDueJobs()).toBe(0);
    world.clock.advance(1_000);
    expect(await world.platform.runDueJobs()).toBe(1);
    expect(JSON.parse(pushed()[1]!.context).job).toMatchObject({ attempt: 2, retry: { reason: 'later', data: { page: 2 } } });
    expect(payloads()).toEqual(['x', 'x']);
  });

  test.each(['busy', 'suspended'] as const)(
    'because the runner is %s waits as long as that asks, and that is no attempt',
    async (reason) => {
      let refused = true;
      runner.answer = async () => (refused ? { outcome: { kind: 'denied', reason, retryAfterSeconds: 7 } } : null);
      await push(await running(), ['x']);
      runner.release();
      await world.platform.runDueJobs();
      const [job] = await jobs();
      expect(job).toMatchObject({ attempts: 0, outcome: reason, status: 'waiting' });
      expect(Date.parse(job.next_attempt) - world.clock.now()).toBeGreaterThanOrEqual(7_000);
      refused = false;
      world.clock.advance(8_000);
      await world.platform.runDueJobs();
      expect((await jobs())[0]).toMatchObject({ status: 'done', attempts: 1 });
    },
  );

  test('because the process of the runner was lost is run again soon, and that is no attempt', async () => {
    let lost = 3;
    runner.answer = async () => (lost-- > 0 ? { outcome: { kind: 'crashed', detail: 'the runner has ended' } } : null);
    await push(await running(), ['x'], {}, 'once');
    runner.release();
    for (let turn = 0; turn < 4; turn++) {
      await world.platform.runDueJobs();
      world.clock.advance(600);
    }
    expect((await jobs())[0]).toMatchObject({ status: 'done', attempts: 1 });
  });

  test('of a version without its queue fails like any other, and a version that has it again runs it', async () => {
    await push(await running(), ['x']);
    runner.release();
    await deploy({ queues: [] });
    await world.platform.runDueJobs();
    expect((await jobs())[0]).toMatchObject({ status: 'waiting', attempts: 1, outcome: 'job_without_function' });
    await deploy();
    world.clock.advance(6_000);
    await world.platform.runDueJobs();
    expect((await jobs())[0].status).toBe('done');
  });
});
