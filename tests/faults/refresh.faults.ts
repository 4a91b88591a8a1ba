import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, FaultWorld, type Tenant } from './fault-world.ts';
import { note } from './ledger.ts';
import type { ServerProcess } from './server-process.ts';

let world: FaultWorld;
let servers: ServerProcess[];
let tenant: Tenant;
beforeAll(async () => {
  world = await FaultWorld.create();
  servers = await world.servers('one', 'two', 'three', 'four');
  tenant = await world.tenant(servers[0]!);
  await world.service(servers[0]!, tenant, 'harbour');
});
afterAll(() => world[Symbol.asyncDispose]());

const account = (family: string, options: { readonly graceMs?: number } = {}) =>
  world.expiredAccount(servers[0]!, tenant, 'harbour', family, options);

/** So many callers on each of these processes at the same moment. */
function callers(count: number, on: readonly ServerProcess[], id: number): Promise<Answer[]> {
  return Promise.all(on.flatMap((server) => Array.from({ length: count }, () => world.proxied(server, tenant, id))));
}

const tokens = (answers: readonly Answer[]) => [...new Set(answers.map((answer) => answer.json?.token as unknown))];
/** 200, or what was said instead. */
const outcomes = (answers: readonly Answer[]) => [...new Set(answers.map(({ status, text }) => (status === 200 ? 200 : text)))];

describe('V6: any number of callers on any number of processes', () => {
  test('four processes × 25 callers on one expired credential make one upstream call and get 100 good answers', async () => {
    const id = await account('storm');
    const answers = await callers(25, servers, id);
    expect(outcomes(answers)).toEqual([200]);
    expect(tokens(answers)).toEqual(['access.storm.2']);
    expect(world.provider.calls('storm')).toEqual(['refresh.storm.1']);
    const slowest = Math.round(Math.max(...answers.map(({ ms }) => ms)));
    note({
      clause: 'V6',
      what: '100 callers, 4 processes, one expired credential',
      value: `${world.provider.calls('storm').length} upstream call, ${answers.length} good answers, slowest ${slowest} ms`,
      reach: 'exactly 1, 100',
    });
  });

  test('control: with the lease taken away under them, more than one asks', async () => {
    const id = await account('naive');
    const held = Promise.withResolvers<void>();
    world.provider.behave('naive', async (call) => {
      await held.promise;
      call.answer();
    });
    const answers = callers(25, servers, id);
    await expect.poll(() => world.provider.calls('naive').length, { timeout: 30_000 }).toBe(1);
    await world.cluster.query(`update credentials set lease_until = null where broken_reason is null`);
    await expect.poll(() => world.provider.calls('naive').length, { timeout: 30_000 }).toBeGreaterThan(1);
    held.resolve();
    await answers;
    expect(world.provider.isRevoked('naive')).toBe(true);
    note({
      clause: 'V6',
      what: 'control: the same without the lease',
      value: `${world.provider.calls('naive').length} upstream calls, the provider revoked the account`,
      reach: 'more than 1',
    });
  });
});
