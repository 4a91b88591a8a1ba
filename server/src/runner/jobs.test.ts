import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { silentLog } from '@bulkhead/base';
import { type FakeApp, startFakeApp, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RunnerProcess } from './runner-process.ts';

// Through the real doors: the queue as a guest reaches it, the process of the runner, the engine in its own processes.
let world: World;
let runner: RunnerProcess;
let app: FakeApp;
let outside: Server;
let address: string;
const heard: string[] = [];
const tenants: string[] = [];

const code = () => `
  const host = async (service, body) => (await fetch('http://host.bulkhead.internal/' + service, { method: 'POST', body: JSON.stringify(body) })).json();
  export const push = (jobs) => host('queue', { op: 'push', queue: 'work', jobs: jobs.map((payload) => ({ payload })) });
  export const work = async (payload, { job, applicationId }) => {
    await new Promise((resolve) => setTimeout(resolve, payload.ms));
    await fetch('http://${address}/' + applicationId + '/' + job.id + '/' + job.attempt, { method: 'POST' });
  };`;

beforeAll(async () => {
  outside = createServer((request, response) => {
    heard.push(request.url!);
    response.end();
  }).listen(0, '127.0.0.1');
  await once(outside, 'listening');
  address = `127.0.0.1:${(outside.address() as AddressInfo).port}`;
  app = await startFakeApp({ key: 'notes' });
  runner = new RunnerProcess({ acceptProcess: true, apiUrl: () => world.url, log: silentLog });
  world = await World.create({ runner, egressAllow: [app.address, address] });
  await world.meta('POST', '/apps', { descriptor: app.descriptor });
  const manifest = {
    app: 'notes',
    functions: ['push', 'work'].map((key) => ({ key, handler: `index.${key}` })),
    queues: [{ key: 'work', function: 'work', concurrency: 8 }],
    permissions: { external: { fetch: { backend: [`http://${address}`] } } },
  };
  const deployed = await world.meta('POST', '/apps/notes/deployments', { environment: 'production', manifest, code: code() });
  expect(deployed.status, deployed.text).toBe(201);
  for (let made = 0; made < 2; made++) {
    const { id } = await world.application();
    await world.meta('POST', `/applications/${id}/installs`, { app_key: 'notes' });
    tenants.push(id);
  }
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await runner.close();
  await app[Symbol.asyncDispose]();
  outside.close();
});

async function push(tenant: string, count: number, ms: number): Promise<string[]> {
  const body = { function: 'push', payload: Array.from({ length: count }, () => ({ ms })) };
  const { json } = await world.meta('POST', `/applications/${tenant}/installs/notes/invoke`, body);
  expect(json.outcome.kind, JSON.stringify(json)).toBe('ok');
  return json.outcome.value.jobs;
}

describe('jobs of two tenants', () => {
  test('are done when the runner is killed in the middle of them, each at least once, for the tenant that pushed it and no other', async () => {
    const pushed = new Map<string, string[]>();
    for (const tenant of tenants) pushed.set(tenant, await push(tenant, 25, 200));
    await world.platform.startJobs();
    for (const many of [5, 15]) {
      await expect.poll(() => heard.length, { timeout: 30_000 }).toBeGreaterThan(many);
      runner.kill();
    }
    const ids = [...pushed.values()].flat();
    const done = () => new Set(heard.map((path) => path.split('/')[2]));
    const until = Date.now() + 60_000;
    while (done().size < ids.length && Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      // What was lost waits for half a second of the world's clock.
      world.clock.advance(100);
    }
    expect([...done()].toSorted()).toEqual(ids.toSorted());
    for (const [tenant, own] of pushed)
      expect(new Set(heard.filter((path) => path.startsWith(`/${tenant}/`)).map((path) => path.split('/')[2]))).toEqual(new Set(own));
    // A call that was lost with its runner is no attempt.
    expect(heard.every((path) => path.endsWith('/1'))).toBe(true);
    process.stdout.write(`${ids.length} jobs, 2 runners killed: ${heard.length - ids.length} done once more\n`);
  }, 120_000);
});
