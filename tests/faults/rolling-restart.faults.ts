import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Balancer } from './balancer.ts';
import { FaultWorld, type Tenant } from './fault-world.ts';
import { note } from './ledger.ts';
import { counted, Load } from './load.ts';
import type { ServerProcess } from './server-process.ts';

let world: FaultWorld;
let servers: ServerProcess[];
let balancer: Balancer;
let tenant: Tenant;
let account: number;
beforeAll(async () => {
  world = await FaultWorld.create();
  servers = await world.servers('one', 'two', 'three');
  balancer = await Balancer.start();
  for (const { url } of servers) balancer.add(url);
  tenant = await world.tenant(servers[0]!);
  await world.service(servers[0]!, tenant, 'harbour');
  account = await world.account(servers[0]!, tenant, 'harbour', 'steady');
});
afterAll(async () => {
  await balancer[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

function load(): Load {
  const headers = { authorization: `APIKey ${tenant.apiKey}` };
  return new Load(
    [
      { name: 'proxied', url: () => `${balancer.url}/v1/accounts/${account}/proxy/who`, headers },
      { name: 'list', url: () => `${balancer.url}/v1/accounts`, headers },
      { name: 'brief stream', url: () => `${balancer.url}/v1/accounts/${account}/proxy/x?pieces=5&ms=20`, headers },
    ],
    12,
  );
}

const PIECES = 36;
const streamed = [...Array.from({ length: PIECES }, (_, at) => `piece ${at + 1}\n`), 'end\n'].join('');

describe('S2: a rolling restart under load', () => {
  test('gives nobody an error: not the load, not a stream, not a request of ten seconds', async () => {
    const running = load();
    await expect.poll(() => running.results.length).toBeGreaterThan(100);
    const stops: number[] = [];
    for (const old of servers.slice()) {
      const stream = world.proxied(old, tenant, account, `/stream?pieces=${PIECES}&ms=250`);
      const long = world.proxied(old, tenant, account, '/slow?ms=10000');
      const asked = running.results.length;
      await expect.poll(() => running.results.length).toBeGreaterThan(asked + 20);
      const stoppedAt = performance.now();
      expect(await old.end('SIGTERM'), old.stderr).toBe(0);
      stops.push(performance.now() - stoppedAt);
      expect(await stream).toMatchObject({ status: 200, text: streamed });
      expect(await long).toMatchObject({ status: 200, json: { token: 'access.steady.1' } });
      balancer.remove(old.url);
      const young = await world.server(`${old.name} again`);
      balancer.add(young.url);
      servers = [...servers.filter((each) => each !== old), young];
    }
    const results = await running.stop();
    expect(counted(results.filter(({ outcome }) => outcome !== 200))).toEqual({});
    note({
      clause: 'S2',
      what: `rolling restart of ${stops.length} processes under 12 callers`,
      value: `${results.length} requests, 0 errors; stream and 10 s request whole each time; a stop took ${Math.round(Math.max(...stops) / 1_000)} s at most`,
      reach: '0 errors',
    });
  }, 400_000);

  test('control: processes that are killed instead do give errors', async () => {
    const running = load();
    await expect.poll(() => running.results.length).toBeGreaterThan(50);
    await servers[0]!.end('SIGKILL');
    await expect.poll(() => running.results.filter(({ outcome }) => outcome !== 200).length).toBeGreaterThan(0);
    const results = await running.stop();
    note({
      clause: 'S2',
      what: 'control: one process killed instead of drained',
      value: `${results.filter(({ outcome }) => outcome !== 200).length} errors in ${results.length}`,
      reach: 'some',
    });
  });
});
