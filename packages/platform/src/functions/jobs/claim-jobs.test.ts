import type { ApplicationId } from '@bulkhead/base';
import { sql } from '@bulkhead/postgres';
import { FakeRunner, type FakeApp, startFakeApp, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { claimJobs } from './claim-jobs.ts';
import type { ClaimedJob } from './job.ts';
import { endJob, renewLeases } from './job-store.ts';

let world: World;
let app: FakeApp;
const runner = new FakeRunner();
const tenants: { id: ApplicationId; clientKey: string }[] = [];
const LEASE_MS = 30_000;

beforeAll(async () => {
  app = await startFakeApp({ key: 'notes' });
  world = await World.create({ runner, egressAllow: [app.address] });
  await world.meta('POST', '/apps', { descriptor: app.descriptor });
  const functions = ['echo', 'held'].map((key) => ({ key, handler: `index.${key}` }));
  const queues = [
    { key: 'work', function: 'echo' },
    { key: 'other', function: 'echo' },
    { key: 'single', function: 'held', concurrency: 1 },
  ];
  await world.meta('POST', '/apps/notes/deployments', {
    environment: 'production',
    manifest: { app: 'notes', functions, queues },
    code: 'export {};',
  });
  for (let made = 0; made < 3; made++) {
    const { id } = await world.application();
    const { json } = await world.meta('POST', `/applications/${id}/installs`, { app_key: 'notes' });
    tenants.push({ id: id as ApplicationId, clientKey: json.client_key });
  }
});
beforeEach(async () => {
  await world.platform.db.withSystem('forget the jobs of a test', (tx) => tx.execute(sql`delete from function_jobs`));
  runner.calls.length = 0;
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

/** Writes jobs past the product, due since so many milliseconds. */
async function fill(tenant: number, count: number, { queue = 'work', concurrency = 16, dueMs = 0, from = 1 } = {}): Promise<void> {
  const { id, clientKey } = tenants[tenant]!;
  const due = new Date(world.clock.now() - dueMs);
  await world.platform.db.withSystem('fill a queue in a test', (tx) =>
    tx.execute(sql`
      insert into function_jobs (application_id, job_id, client_key, environment, source, source_key, function_key, run_at, attempts_max, concurrency,
                                 created_at, asked_at)
      select ${id}, ${`job${queue}`} || n, ${clientKey}, 'production', 'queue', ${queue}, 'echo', ${due}, 5, ${concurrency}::int, ${due}, ${due}
        from generate_series(${from}::int, ${from + count - 1}::int) n`),
  );
}
const claim = (limit: number, fields: { perTenant?: number; busy?: { applicationId: ApplicationId; running: number }[] } = {}) =>
  world.platform.db.withSystem('claim in a test', (tx) =>
    claimJobs(tx, {
      now: new Date(world.clock.now()),
      leaseUntil: new Date(world.clock.now() + LEASE_MS),
      limit,
      perTenant: fields.perTenant ?? 100,
      busy: fields.busy ?? [],
    }),
  );
const of = (jobs: readonly ClaimedJob[]) => jobs.map(({ applicationId }) => tenants.findIndex(({ id }) => id === applicationId));

describe('turns', () => {
  test('a backlog of one tenant, however old, adds nothing to the wait of another', async () => {
    await fill(0, 5_000, { dueMs: 3_600_000 });
    await fill(1, 2);
    await fill(2, 1);
    const first = of(await claim(5));
    expect([first.slice(0, 3).toSorted(), first.slice(3).toSorted()]).toEqual([
      [0, 1, 2],
      [0, 1],
    ]);
    // Those that run count: the next two places are of those who have fewer.
    await fill(2, 5, { queue: 'other' });
    expect(of(await claim(2))).toEqual([2, 0]);
  });

  test('a tenant has so many places of a worker and no more', async () => {
    await fill(0, 20);
    expect(await claim(10, { perTenant: 4 })).toHaveLength(4);
    expect(await claim(10, { perTenant: 4, busy: [{ applicationId: tenants[0]!.id, running: 4 }] })).toEqual([]);
    // The control: another worker has places of its own.
    expect(await claim(10, { perTenant: 4 })).toHaveLength(4);
  });

  test('the queues of an install take turns too', async () => {
    await fill(0, 50, { dueMs: 60_000 });
    await fill(0, 3, { queue: 'other' });
    expect((await claim(4)).map(({ sourceKey }) => sourceKey)).toEqual(['work', 'other', 'work', 'other']);
  });
});

describe('the bound of a queue', () => {
  test('holds over all workers, also where they claim at the same moment', async () => {
    await fill(0, 10, { concurrency: 3 });
    const claimed = await Promise.all(Array.from({ length: 6 }, () => claim(10)));
    expect(claimed.flat()).toHaveLength(3);
    expect(new Set(claimed.flat().map(({ jobId }) => jobId)).size).toBe(3);
  });

  test('holds where a job that is due earlier comes in while another worker claims', async () => {
    await fill(0, 5, { concurrency: 3 });
    const claimSome = (tx: Parameters<typeof claimJobs>[0]) =>
      claimJobs(tx, {
        now: new Date(world.clock.now()),
        leaseUntil: new Date(world.clock.now() + LEASE_MS),
        limit: 10,
        perTenant: 100,
        busy: [],
      });
    let others: Promise<ClaimedJob[]> | undefined;
    const first = await world.platform.db.withSystem('claim slowly in a test', async (tx) => {
      const claimed = await claimSome(tx);
      await fill(0, 1, { queue: 'work', concurrency: 3, dueMs: 60_000, from: 100 });
      others = claim(10);
      await new Promise((resolve) => setTimeout(resolve, 300));
      return claimed;
    });
    expect([first.length, (await others!).length]).toEqual([3, 0]);
  });

  test('is one for one: what is pushed runs after what runs', async () => {
    const { platform } = await world.beside();
    await fill(0, 3, { queue: 'single', concurrency: 1 });
    const running = Promise.all([world.platform.runDueJobs(), platform.runDueJobs()]);
    for (let done = 1; done <= 3; done++) {
      await expect.poll(() => runner.calls.length).toBe(done);
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(runner.calls).toHaveLength(done);
      runner.release();
      if (done < 3) void world.platform.runDueJobs();
    }
    await running;
  });
});

describe('a worker that is lost', () => {
  const done = { status: 'done', runAt: null, isAttempt: true, isClaim: true, outcome: 'ok', invocationId: null } as const;

  test('gives its jobs back when its lease is over, and not before', async () => {
    await fill(0, 2);
    expect(await claim(10)).toHaveLength(2);
    world.clock.advance(LEASE_MS - 1);
    expect(await claim(10)).toEqual([]);
    world.clock.advance(1);
    expect(await claim(10)).toHaveLength(2);
  });

  test('has none to give back while it renews its lease', async () => {
    await fill(0, 1);
    const held = await claim(10);
    for (let turn = 0; turn < 3; turn++) {
      world.clock.advance(LEASE_MS - 1);
      await world.platform.db.withSystem('renew in a test', (tx) => renewLeases(tx, held, new Date(world.clock.now() + LEASE_MS)));
      expect(await claim(10)).toEqual([]);
    }
  });

  test('changes nothing any more when it comes back: another one has the job', async () => {
    await fill(0, 1);
    const [late] = await claim(10);
    world.clock.advance(LEASE_MS);
    const [taken] = await claim(10);
    const now = new Date(world.clock.now());
    const end = (job: ClaimedJob) =>
      world.platform.db.withTenant(job.applicationId, (tx) => endJob(tx, world.platform.vault, job, done, now));
    await world.platform.db.withSystem('renew in a test', (tx) => renewLeases(tx, [late!], new Date(0)));
    expect(await end(late!)).toBe(false);
    expect(await end(taken!)).toBe(true);
  });
});

describe('jobs of an App that is disabled, in an Application that is off', () => {
  test('wait, and go on where they were', async () => {
    await fill(0, 1);
    const { id } = tenants[0]!;
    await world.meta('POST', `/applications/${id}/installs/notes/disable`);
    expect(await claim(10)).toEqual([]);
    await world.meta('POST', `/applications/${id}/installs/notes/enable`);
    await world.meta('PATCH', `/applications/${id}`, { active: false });
    expect(await claim(10)).toEqual([]);
    await world.meta('PATCH', `/applications/${id}`, { active: true });
    expect(await claim(10)).toHaveLength(1);
  });
});
