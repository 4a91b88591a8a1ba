import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from './eventually.ts';
import { FaultWorld, type Tenant } from './fault-world.ts';
import { JobReceiver } from './job-receiver.ts';
import { note } from './ledger.ts';
import type { ServerProcess } from './server-process.ts';

const TENANTS = 3;
const JOBS = 150;
/** Of a control, for each tenant. */
const CONTROL = 30;
const KILL_EVERY_MS = 1_500;
const LIMIT_MS = 240_000;

let world: FaultWorld;
let receiver: JobReceiver;
let api: ServerProcess;
const tenants: Tenant[] = [];

// Does a tenth of a second's work, then says outside that it was done: what is heard twice was done twice.
const code = (url: string) => `
  const host = async (service, body) => (await fetch('http://host.bulkhead.internal/' + service, { method: 'POST', body: JSON.stringify(body) })).json();
  export const fill = (count) => host('queue', { op: 'push', queue: 'work', jobs: Array.from({ length: count }, (_, nth) => ({ payload: nth })) });
  export const work = async (_, { job }) => {
    await new Promise((resolve) => setTimeout(resolve, 100));
    await fetch('${url}/jobs/' + job.id, { method: 'POST' });
  };`;

const server = (name: string) => world.server(name, { BULKHEAD_SANDBOX: 'process' });

beforeAll(async () => {
  world = await FaultWorld.create();
  receiver = await JobReceiver.start();
  api = await server('functions api');
  const descriptor = { key: 'labour', baseUrl: receiver.url, authentication: { type: 'jwt' }, lifecycle: { installed: '/installed' } };
  expect((await world.meta(api, 'POST', '/apps', { descriptor })).status).toBe(201);
  const manifest = {
    app: 'labour',
    functions: ['fill', 'work'].map((key) => ({ key, handler: `index.${key}` })),
    queues: [{ key: 'work', function: 'work', concurrency: 8 }],
    permissions: { external: { fetch: { backend: [receiver.url] } } },
  };
  const deployed = await world.meta(api, 'POST', '/apps/labour/deployments', {
    environment: 'production',
    manifest,
    code: code(receiver.url),
  });
  expect(deployed.status, deployed.text).toBe(201);
  for (let at = 0; at < TENANTS; at++) {
    const tenant = await world.tenant(api);
    expect((await world.meta(api, 'POST', `/applications/${tenant.id}/installs`, { app_key: 'labour' })).status).toBe(201);
    tenants.push(tenant);
  }
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
});

/** Pushes jobs for each tenant; answers the ids of all. */
async function fill(count: number): Promise<string[]> {
  const ids: string[] = [];
  for (const { id } of tenants)
    for (let left = count; left > 0; left -= 50) {
      const body = { function: 'fill', payload: Math.min(left, 50) };
      const answer = await world.meta(api, 'POST', `/applications/${id}/installs/labour/invoke`, body);
      expect(answer.json?.outcome?.kind, answer.text).toBe('ok');
      ids.push(...(answer.json.outcome.value.jobs as string[]));
    }
  return ids;
}

const missing = (ids: readonly string[]) => ids.filter((id) => !receiver.heard.has(id));
const again = (ids: readonly string[]) => ids.reduce((sum, id) => sum + Math.max(0, (receiver.heard.get(id) ?? 0) - 1), 0);
const percent = (part: number, whole: number) => `${((100 * part) / whole).toFixed(1)} %`;

/** The process that runs functions beside a server; null where none has been started. */
function runnerOf({ child }: ServerProcess): number | null {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
    try {
      const parent = / \(.*\) \S (\d+) /s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1];
      if (Number(parent) === child.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('runner-program')) return Number(pid);
    } catch {
      // It has ended meanwhile.
    }
  return null;
}

describe('jobs of functions: runners and whole servers die by kill -9 in the middle of them', () => {
  test('every job that was pushed is done at least once, few of them twice', async () => {
    const ids = await fill(JOBS);
    const kills = { runners: 0, servers: 0 };
    let victim = await server('functions 0');
    for (let turn = 1; missing(ids).length > 0 && turn <= 60; turn++) {
      await delay(KILL_EVERY_MS);
      const runner = runnerOf(turn % 2 === 0 ? api : victim);
      if (runner !== null) {
        process.kill(runner, 'SIGKILL');
        kills.runners++;
      }
      if (turn % 3 !== 0) continue;
      await victim.end('SIGKILL');
      kills.servers++;
      victim = await server(`functions ${turn}`);
    }
    await eventually(() => missing(ids).length, 0, LIMIT_MS).catch(() => undefined);
    const lost = missing(ids).length;
    const twice = again(ids);
    note({
      clause: 'functions',
      what: `${kills.runners} runners and ${kills.servers} servers killed in the middle of queued work`,
      value: `pushed ${ids.length}, done ${ids.length - lost}, lost ${lost}, done once more ${twice} (${percent(twice, ids.length)})`,
      reach: '0 lost, each at least once',
    });
    expect(lost).toBe(0);
    expect(kills.runners).toBeGreaterThan(1);
    expect(kills.servers).toBeGreaterThan(0);
    const unfinished = () => world.cluster.query(`select status from function_jobs where status <> 'done'`);
    await eventually(async () => (await unfinished()).length, 0, LIMIT_MS);
    await victim.end('SIGKILL');
    // The control: one that was not done is seen.
    receiver.heard.delete(ids[0]!);
    expect(missing(ids)).toEqual([ids[0]]);
  }, 600_000);
});

/** What a claim writes as the end of its lease is something else until the guard is on again. */
async function withLeaseUntil(moment: string, run: () => Promise<void>): Promise<void> {
  await world.cluster.query(`
    create function no_lease() returns trigger language plpgsql as $$ begin new.run_at := ${moment}; return new; end $$;
    create trigger no_lease before update on function_jobs for each row when (new.status = 'running') execute function no_lease()`);
  try {
    await run();
  } finally {
    await world.cluster.query('drop trigger no_lease on function_jobs; drop function no_lease()');
  }
}

describe('the controls: the same product, a guard taken out of its database', () => {
  test('a lease that does not keep others away: many are done twice', async () => {
    let ids: string[] = [];
    await withLeaseUntil('old.run_at', async () => {
      ids = await fill(CONTROL);
      await eventually(() => again(ids) > ids.length / 4, true, LIMIT_MS);
    });
    note({
      clause: 'functions',
      what: 'control: claims without a lease',
      value: `${again(ids)} of ${ids.length} once more`,
      reach: 'many',
    });
    await eventually(() => missing(ids).length, 0, LIMIT_MS);
    expect(again(ids)).toBeGreaterThan(ids.length / 4);
  }, 360_000);

  test('a lease that does not end: what a killed server held is lost', async () => {
    let ids: string[] = [];
    await withLeaseUntil("'infinity'", async () => {
      const before = receiver.heard.size;
      const filled = fill(CONTROL).catch(() => [] as string[]);
      await eventually(() => receiver.heard.size > before, true, LIMIT_MS);
      ids = await filled;
      await api.end('SIGKILL');
    });
    api = await server('functions successor');
    const held = async () =>
      (await world.cluster.query(`select job_id from function_jobs where run_at = 'infinity' order by 1`)).map(({ job_id }) =>
        String(job_id),
      );
    const lost = await held();
    await delay(5_000);
    note({ clause: 'functions', what: 'control: leases that never end', value: `${lost.length} of ${ids.length} lost`, reach: 'some' });
    expect(lost.length).toBeGreaterThan(0);
    expect(await held()).toEqual(lost);
    // The guard on again: they are done.
    await world.cluster.query(`update function_jobs set run_at = now() where run_at = 'infinity'`);
    await eventually(async () => (await world.cluster.query(`select 1 from function_jobs where run_at is not null`)).length, 0, LIMIT_MS);
    expect(missing(lost)).toEqual([]);
  }, 360_000);
});
