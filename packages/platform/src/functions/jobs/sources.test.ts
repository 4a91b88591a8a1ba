import { sql } from '@bulkhead/postgres';
import { FakeRunner, type FakeApp, startFakeApp, World } from '@bulkhead/testkit';
import { afterAll, beforeEach, afterEach, beforeAll, describe, expect, test } from 'vitest';

let world: World;
let app: FakeApp;
let id: string;
let runner: FakeRunner;
const MINUTE = 60_000;

beforeAll(async () => {
  app = await startFakeApp({ key: 'notes', scopes: ['READ'] });
});
afterAll(() => app[Symbol.asyncDispose]());
beforeEach(async () => {
  runner = new FakeRunner();
  world = await World.create({ runner, egressAllow: [app.address], jobLimits: { eventsPerMinute: 5 } });
  // A whole hour, so that what a schedule says is easily seen.
  world.clock.advance(60 * MINUTE - (world.clock.now() % (60 * MINUTE)));
  await world.meta('POST', '/apps', { descriptor: app.descriptor });
  id = await tenant();
});
afterEach(() => world[Symbol.asyncDispose]());

async function tenant(): Promise<string> {
  const made = await world.application();
  await world.meta('POST', `/applications/${made.id}/installs`, { app_key: 'notes', scopes: ['READ'] });
  return made.id;
}
async function deploy(fields: Record<string, unknown>, environment = 'production') {
  const manifest = { app: 'notes', functions: [{ key: 'echo', handler: 'index.echo' }], ...fields };
  await world.platform.writeDueJobs();
  const answer = await world.meta('POST', '/apps/notes/deployments', { environment, manifest, code: 'export {};' });
  await world.platform.runDueJobs();
  return answer;
}
const every = (minutes: number, more: Record<string, unknown> = {}) => ({
  schedules: [{ key: 'tick', function: 'echo', cron: `*/${minutes} * * * *`, ...more }],
});
async function after(minutes: number): Promise<void> {
  world.clock.advance(minutes * MINUTE);
  await world.platform.runDueJobs();
}
/** What an install was called with, but for the news that Apps were installed. */
const called = (of = id) =>
  runner.calls
    .filter(({ applicationId }) => applicationId === of)
    .map(({ payload }) => JSON.parse(payload))
    .filter(({ data }) => data === undefined || !data.fields?.includes('installs'));
const jobs = async () => (await world.meta('GET', `/applications/${id}/installs/notes/jobs?page_size=100`)).json.objects;

describe('a schedule', () => {
  test('calls its function at each tick, for each install, with the moment that it is for', async () => {
    const other = await tenant();
    await deploy(every(10));
    const begin = world.clock.now();
    await after(9);
    expect(called()).toEqual([]);
    await after(1);
    await after(10);
    const moments = [10, 20].map((minutes) => ({ scheduledAt: new Date(begin + minutes * MINUTE).toISOString(), missed: 0 }));
    expect(called()).toEqual(moments);
    expect(called(other)).toEqual(moments);
    expect(JSON.parse(runner.calls[0]!.context).job).toMatchObject({ source: 'schedule', key: 'tick', attempt: 1, attemptsMax: 1 });
  });

  test('is one job per tick, however many workers look', async () => {
    await deploy(every(10, { overlap: 'allow' }));
    const others = [await world.beside(), await world.beside()];
    for (let tick = 1; tick <= 5; tick++) {
      world.clock.advance(10 * MINUTE);
      await Promise.all([world, ...others, world, ...others].map(({ platform }) => platform.writeDueJobs()));
      expect(await jobs()).toHaveLength(tick);
    }
    await world.platform.runDueJobs();
    expect(new Set(called().map(({ scheduledAt }) => scheduledAt)).size).toBe(5);
    expect(called()).toHaveLength(5);
  });

  test('runs once for what was missed while nobody looked, and says how much that was', async () => {
    await deploy(every(10));
    const begin = world.clock.now();
    await after(35);
    expect(called()).toEqual([{ scheduledAt: new Date(begin + 30 * MINUTE).toISOString(), missed: 2 }]);
    await after(5);
    expect(called()).toHaveLength(2);
  });

  test('that is as it was keeps its next time with a new version, though that has passed; one that has changed counts anew', async () => {
    const hourly = { key: 'hourly', function: 'echo', cron: '0 * * * *' };
    await deploy({ schedules: [hourly, ...every(30).schedules] });
    world.clock.advance(61 * MINUTE);
    // Nobody has looked since: both are due, and the new version is there first.
    const manifest = { app: 'notes', functions: [{ key: 'echo', handler: 'index.echo' }] };
    const schedules = [{ ...hourly, retries: 1 }, ...every(20).schedules];
    await world.meta('POST', '/apps/notes/deployments', {
      environment: 'production',
      manifest: { ...manifest, schedules },
      code: 'export {};',
    });
    await world.platform.runDueJobs();
    expect(runner.calls.map(({ context }) => JSON.parse(context).job.key)).toEqual(['hourly']);
    await after(19);
    expect(runner.calls.map(({ context }) => JSON.parse(context).job.key)).toEqual(['hourly', 'tick']);
    await deploy({});
    await after(120);
    expect(runner.calls).toHaveLength(2);
  });

  test('is spread over its jitter, each install at a moment of its own that stays', async () => {
    const tenants = [id, ...(await Promise.all(Array.from({ length: 7 }, tenant)))];
    await deploy(every(10, { jitter_seconds: 300 }));
    const due = () =>
      world.platform.db.withSystem('look at schedules in a test', (tx) =>
        tx.query<{ application_id: string; late: number }>(sql`
          select application_id, extract(epoch from due_at - tick_at)::float8 as late from function_schedules order by 1`),
      );
    const first = await due();
    expect(new Set(first.map(({ late }) => late)).size).toBe(tenants.length);
    for (const { late } of first) expect(late).toBeLessThan(300);
    await after(15);
    expect(await due()).toEqual(first);
    expect(tenants.every((each) => called(each).length === 1)).toBe(true);
  });

  test.each([
    ['passed over', 'skip', 1, 1],
    ['put behind it', 'queue', 3, 1],
    ['run beside it', 'allow', 3, 3],
  ] as const)('whose run before is not over is %s where that is said', async (_, overlap, written, atATime) => {
    let begun = 0;
    let release = () => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    runner.answer = async () => {
      begun++;
      await released;
      return null;
    };
    await deploy(every(10, { overlap }));
    for (let turn = 0; turn < 3; turn++) {
      world.clock.advance(10 * MINUTE);
      await world.platform.writeDueJobs();
    }
    expect(await jobs()).toHaveLength(written);
    const running = world.platform.runDueJobs();
    await expect.poll(() => begun).toBe(atATime);
    release();
    await running;
    await world.platform.runDueJobs();
    expect([begun, (await jobs()).map(({ status }: { status: string }) => status)]).toEqual([written, Array(written).fill('done')]);
  });

  test('is silent while its App is disabled, counts from there when it is enabled, and ends with it', async () => {
    await deploy(every(10));
    const change = (to: string) => world.meta('POST', `/applications/${id}/installs/notes/${to}`);
    await change('disable');
    await after(25);
    expect(called()).toEqual([]);
    await change('enable');
    await world.platform.runDueJobs();
    expect(called()).toEqual([]);
    await after(5);
    expect(called()).toHaveLength(1);
    expect(called()[0].missed).toBe(0);
    await world.meta('DELETE', `/applications/${id}/installs/notes`);
    await after(60);
    expect(called()).toHaveLength(1);
  });

  test('of another environment is of the installs in it', async () => {
    await deploy(every(10), 'staging');
    await after(10);
    expect(called()).toEqual([]);
    await world.meta('PUT', `/applications/${id}/installs/notes/environments/staging`, { permissions: [] });
    await after(5);
    await after(5);
    expect(runner.calls.map(({ environment }) => environment)).toEqual(['staging']);
  });

  test.each([
    ['a time that is none', { cron: '61 * * * *' }, /time that comes/],
    ['a day that never comes', { cron: '0 0 31 2 *' }, /time that comes/],
    ['seconds', { cron: '* * * * * *' }, /five fields/],
    ['a zone that is none', { timezone: 'Europe/Atlantis' }, /time zone/],
  ])('with %s is refused', async (_, fields, said) => {
    const { status, json } = await deploy(every(10, fields));
    expect([status, json.message]).toEqual([400, expect.stringMatching(said)]);
  });
});

describe('an event', () => {
  const triggers = [
    { key: 'on-change', events: ['application.updated'], function: 'echo' },
    { key: 'on-account', events: ['account.connected', 'account.deleted'], function: 'echo' },
  ];
  const change = (of = id, description = 'changed') => world.meta('PATCH', `/applications/${of}`, { description });

  test('becomes a job of each trigger that asks for its type, whether or not the log of the Application keeps it', async () => {
    await deploy({ triggers });
    expect((await change()).status).toBe(200);
    await world.platform.runDueJobs();
    expect(called()).toEqual([
      {
        id: expect.stringMatching(/^evt/),
        type: 'application.updated',
        accountId: null,
        at: new Date(world.clock.now()).toISOString(),
        data: { fields: ['description'] },
      },
    ]);
    expect(JSON.parse(runner.calls[0]!.context).job).toMatchObject({ source: 'event', key: 'on-change' });
  });

  test('is written with its change: what was rolled back is no job', async () => {
    await deploy({ triggers });
    const rolledBack = world.platform.db.withSystem('change and fail in a test', async (tx) => {
      const event = [
        { application_id: id, event_id: 'evt1', type: 'application.updated', account_id: null, at: new Date(world.clock.now()), data: {} },
      ];
      await tx.execute(sql`select bulkhead_events_happened(${JSON.stringify(event)}::jsonb)`);
      throw new Error('no');
    });
    await expect(rolledBack).rejects.toThrow('no');
    await world.platform.runDueJobs();
    expect(called()).toEqual([]);
  });

  test("concerns nobody else's install, none that is disabled, none of a version without the trigger, and is kept for none", async () => {
    const other = await tenant();
    await deploy({ triggers });
    await change();
    await world.platform.runDueJobs();
    expect(called(other)).toEqual([]);
    await world.meta('POST', `/applications/${id}/installs/notes/disable`);
    await change(id, 'again');
    await deploy({});
    await change(other, 'other');
    await world.platform.runDueJobs();
    expect([called().length, called(other).length]).toEqual([1, 0]);
    const left = await world.platform.db.withSystem('look at events in a test', (tx) => tx.query(sql`select * from function_events`));
    expect(left).toEqual([]);
  });

  test('that its own function causes goes round at the pace that a trigger is allowed, and another tenant does not wait for it', async () => {
    const other = await tenant();
    await deploy({ triggers });
    let round = 0;
    runner.answer = async ({ applicationId }) => {
      if (applicationId === id) await change(id, `round ${round++}`);
      return null;
    };
    await change();
    for (let turn = 0; turn < 20; turn++) await world.platform.runDueJobs();
    expect(called()).toHaveLength(5);
    await change(other, 'other');
    await world.platform.runDueJobs();
    expect(called(other)).toHaveLength(1);
    for (let second = 0; second < 60; second += 10) {
      world.clock.advance(10_000);
      for (let turn = 0; turn < 5; turn++) await world.platform.runDueJobs();
    }
    expect(called().length).toBeGreaterThan(5);
    expect(called().length).toBeLessThanOrEqual(11);
  });

  test('is told to no App that may not READ: its triggers are refused, and silent where an install grants less', async () => {
    await using deaf = await startFakeApp({ key: 'deaf' });
    await using bound = await World.create({ runner, egressAllow: [deaf.address] });
    const put = () => bound.meta('POST', '/apps', { descriptor });
    let descriptor: Record<string, unknown> = deaf.descriptor;
    await put();
    const { id: quiet } = await bound.application();
    expect((await bound.meta('POST', `/applications/${quiet}/installs`, { app_key: 'deaf' })).status).toBe(201);
    const manifest = { app: 'deaf', functions: [{ key: 'echo', handler: 'index.echo' }], triggers };
    const deployed = () => bound.meta('POST', '/apps/deaf/deployments', { environment: 'production', manifest, code: 'export {};' });
    expect((await deployed()).json).toMatchObject({ status_code: 409, code: 'function.triggers_without_read', field: 'manifest.triggers' });

    descriptor = { ...descriptor, scopes: ['READ'] };
    expect((await put()).status).toBe(200);
    expect((await deployed()).status).toBe(201);
    const { id: heard } = await bound.application();
    expect((await bound.meta('POST', `/applications/${heard}/installs`, { app_key: 'deaf', scopes: ['READ'] })).status).toBe(201);
    for (const each of [quiet, heard]) await bound.meta('PATCH', `/applications/${each}`, { description: 'changed' });
    await bound.platform.runDueJobs();
    // Control: the one that was granted READ is called.
    expect([called(quiet).length, called(heard).length]).toEqual([0, 1]);
  });

  test('of a type that there is not is refused when it is deployed', async () => {
    const answer = await deploy({ triggers: [{ key: 'x', events: ['account.eaten'], function: 'echo' }] });
    expect(answer.json).toMatchObject({ status_code: 400, code: 'request.invalid', field: 'manifest.triggers.0.events.0' });
    const unknown = await deploy({ triggers: [{ key: 'x', events: ['account.deleted'], function: 'other' }] });
    expect(unknown.json).toMatchObject({ status_code: 400, field: 'manifest.triggers.0.function' });
  });
});

describe('T6: what waits for functions', () => {
  async function left(): Promise<number> {
    const { count } = await world.platform.db.withSystem('count in a test', (tx) =>
      tx.one<{ count: number }>(sql`
        select (select count(*) from function_jobs where application_id = ${id}) + (select count(*) from function_timetables where application_id = ${id})
             + (select count(*) from function_events where application_id = ${id}) as count`),
    );
    return Number(count);
  }
  const triggers = [{ key: 'on-change', events: ['application.updated'], function: 'echo' }];
  const failing = { outcome: { kind: 'threw', name: 'Error', message: 'no', stack: null } } as const;

  test('is gone with its App when that is uninstalled, and does not come back with it', async () => {
    runner.answer = async () => failing;
    await deploy({ triggers, ...every(10) });
    await world.meta('PATCH', `/applications/${id}`, { description: 'changed' });
    await after(10);
    const before = called().length;
    expect(before).toBeGreaterThan(0);
    expect((await world.meta('DELETE', `/applications/${id}/installs/notes`)).status).toBe(204);
    await after(1);
    expect(await left()).toBe(0);
    await world.meta('POST', `/applications/${id}/installs`, { app_key: 'notes' });
    await after(9);
    expect(called()).toHaveLength(before);
  });

  test('is gone with its Application within a minute, and never called meanwhile', async () => {
    runner.answer = async () => failing;
    await deploy({ triggers, ...every(1) });
    await world.meta('PATCH', `/applications/${id}`, { description: 'changed' });
    await after(1);
    const before = called().length;
    expect(before).toBeGreaterThan(0);
    expect((await world.meta('DELETE', `/applications/${id}`)).status).toBe(204);
    await after(1);
    await world.platform.runDueTasks();
    expect(await left()).toBe(0);
    expect(called()).toHaveLength(before);
  });
});

describe('jobs that are over', () => {
  test('are forgotten after an hour, those that have failed after 14 days', async () => {
    let fails = false;
    runner.answer = async () => (fails ? { outcome: { kind: 'memory' } } : null);
    await deploy(every(10));
    await after(10);
    fails = true;
    await after(10);
    expect((await jobs()).map(({ status }: { status: string }) => status)).toEqual(['failed', 'done']);
    await deploy({});
    await after(61);
    expect((await jobs()).map(({ status }: { status: string }) => status)).toEqual(['failed']);
    await after(14 * 24 * 60);
    expect(await jobs()).toEqual([]);
  });
});
