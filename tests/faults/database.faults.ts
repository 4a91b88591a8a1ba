import { setTimeout as delay } from 'node:timers/promises';
import { HELD } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FaultWorld, send, type Tenant } from './fault-world.ts';
import { note } from './ledger.ts';
import { counted, Load, type LoadResult } from './load.ts';
import type { ServerProcess } from './server-process.ts';

let world: FaultWorld;
let servers: ServerProcess[];
let tenant: Tenant;
let stranger: Tenant;
let account: number;
beforeAll(async () => {
  world = await FaultWorld.create();
  servers = await world.servers('one', 'two');
  tenant = await world.tenant(servers[0]!);
  stranger = await world.tenant(servers[0]!);
  await world.service(servers[0]!, tenant, 'harbour');
  account = await world.account(servers[0]!, tenant, 'harbour', 'steady');
});
afterAll(() => world[Symbol.asyncDispose]());

/** Far above what is required: a call that takes longer hangs. */
const ANSWER_LIMIT_MS = 20_000;
/** Required are 5 s; the rest is for a machine that does other things meanwhile. */
const RECOVERY_LIMIT_MS = 15_000;

/** Many callers on both processes: the tenant's own, a stranger's key on the same account, no key, a worthless key. */
function load(callers: number): Load {
  let turn = 0;
  const at = (path: string) => () => servers[turn++ % servers.length]!.url + path;
  const path = `/v1/accounts/${account}`;
  return new Load(
    [
      { name: 'own', url: at(path), headers: { authorization: `APIKey ${tenant.apiKey}` } },
      { name: 'foreign', url: at(path), headers: { authorization: `APIKey ${stranger.apiKey}` } },
      { name: 'own', url: at('/v1/accounts'), headers: { authorization: `APIKey ${tenant.apiKey}` } },
      { name: 'nobody', url: at(path), headers: {} },
      { name: 'own', url: at(`/v1/accounts/${account}/proxy/who`), headers: { authorization: `APIKey ${tenant.apiKey}` } },
      { name: 'worthless', url: at(path), headers: { authorization: `APIKey ${tenant.apiKey.slice(0, -6)}xxxxxx` } },
    ],
    callers,
  );
}

const allowed: Readonly<Record<string, readonly (number | string)[]>> = {
  own: [200, 503],
  foreign: [404, 503],
  nobody: [401],
  worthless: [401, 503],
};

/** What may not be, whatever happens to the database: a hang, an answer of another kind, a 503 that does not say when to come back. */
function wrong(results: readonly LoadResult[]): LoadResult[] {
  return results.filter(
    ({ name, outcome, hasRetryAfter, ms }) =>
      !allowed[name]!.includes(outcome) || (outcome === 503 && !hasRetryAfter) || ms > ANSWER_LIMIT_MS,
  );
}

interface Fault {
  /** Default 18. More than the pools of both processes together starves them. */
  readonly callers?: number;
  readonly what: string;
  /** Breaks it, and mends it again; from when this resolves recovery counts. */
  readonly happens: () => Promise<void>;
}

const faults: readonly Fault[] = [
  {
    what: 'stopped at once and started again',
    happens: async () => world.cluster.crash('SIGQUIT'),
  },
  {
    what: 'killed and recovered',
    happens: async () => world.cluster.crash('SIGKILL'),
  },
  {
    what: 'away for 4 s',
    happens: async () => {
      await world.cluster.stop();
      await delay(4_000);
      await world.cluster.start();
    },
  },
  {
    what: 'unreachable for 4 s, its connections reset',
    happens: async () => {
      await world.cluster.proxy.refuse();
      world.cluster.proxy.reset();
      await delay(4_000);
      await world.cluster.proxy.accept();
    },
  },
  {
    what: 'silent for 8 s, nothing closed',
    happens: async () => {
      world.cluster.proxy.set(HELD);
      await delay(8_000);
      world.cluster.proxy.set({});
    },
  },
  {
    what: 'silent for 8 s, its old connections forgotten by the network',
    happens: async () => {
      world.cluster.proxy.set(HELD);
      await delay(8_000);
      world.cluster.proxy.setNew({});
    },
  },
  {
    what: 'never away, but all connections of that moment forgotten by the network',
    happens: async () => {
      world.cluster.proxy.set(HELD);
      world.cluster.proxy.setNew({});
    },
  },
  {
    callers: 60,
    what: 'so busy that every connection of the pool waits for 8 s',
    happens: async () => {
      // Transactions that the case before has left in PostgreSQL, whose callers are gone, would be waited for first.
      await world.cluster.query(
        `select pg_terminate_backend(pid, 5000) from pg_stat_activity where state = 'idle in transaction' and state_change < now() - interval '1 s'`,
      );
      await world.cluster.query('begin; lock table accounts in access exclusive mode; select pg_sleep(8); commit; select 1');
    },
  },
];

describe('S2: with the database', () => {
  test.each(faults)(
    '$what, every answer is right or a 503 that says when to come back; then all is as before',
    async ({ what, happens, callers = 18 }) => {
      const running = load(callers);
      await expect.poll(() => running.results.length).toBeGreaterThan(30);
      const brokenAt = performance.now();
      await happens();
      // Its own recovery is PostgreSQL's; ours counts from when it takes connections again.
      await expect
        .poll(() =>
          world.cluster.query('select 1').then(
            () => 'there',
            () => 'away',
          ),
        )
        .toBe('there');
      const mendedAt = performance.now();
      // Until every process has answered a tenant well again.
      await Promise.all(
        servers.map((server) =>
          expect
            .poll(async () => (await world.proxied(server, tenant, account)).status, { timeout: RECOVERY_LIMIT_MS, interval: 50 })
            .toBe(200),
        ),
      );
      const recoveredMs = Math.round(performance.now() - mendedAt);
      await delay(1_500);
      const recoveredAt = performance.now();
      await expect.poll(() => running.results.filter(({ startedAt }) => startedAt > recoveredAt).length).toBeGreaterThan(30);
      const results = await running.stop();

      expect(wrong(results), JSON.stringify(counted(results))).toEqual([]);
      // Control: the load did see the fault, and is as it was before.
      const own = results.filter(({ name }) => name === 'own');
      expect(own.filter(({ startedAt, ms, outcome }) => startedAt + ms < brokenAt && outcome !== 200)).toEqual([]);
      expect(own.filter(({ startedAt, outcome }) => startedAt > recoveredAt && outcome !== 200)).toEqual([]);
      // Both processes hear notifications again.
      await expect
        .poll(
          async () =>
            (await world.cluster.query(`select count(*)::int as n from pg_stat_activity where application_name = 'bulkhead-listener'`))[0]![
              'n'
            ],
        )
        .toBeGreaterThanOrEqual(2);
      for (const server of servers) expect((await send(`${server.url}/readyz`, 'GET', null)).status).toBe(200);

      const during = results.filter(({ startedAt }) => startedAt >= brokenAt - 500 && startedAt <= mendedAt);
      const refused = results.filter(({ outcome }) => outcome === 503).length;
      note({
        clause: 'S2',
        what: `database ${what}`,
        value: `${results.length} answers, ${refused} × 503, slowest ${(Math.max(...during.map(({ ms }) => ms), 0) / 1_000).toFixed(1)} s, well again after ${(recoveredMs / 1_000).toFixed(1)} s`,
        reach: '503 + Retry-After or right, never a hang; ≤5 s',
      });
    },
  );
});

describe('S2: /readyz', () => {
  test('says no while the database is silent and yes again after it, and the process never goes', async () => {
    world.cluster.proxy.set(HELD);
    const asked = await send(`${servers[0]!.url}/readyz`, 'GET', null);
    expect(asked.status).toBe(503);
    expect(asked.headers.get('retry-after')).not.toBeNull();
    expect((await send(`${servers[0]!.url}/healthz`, 'GET', null)).status).toBe(200);
    world.cluster.proxy.set({});
    await expect.poll(async () => (await send(`${servers[0]!.url}/readyz`, 'GET', null)).status).toBe(200);
    expect(servers.map(({ hasEnded }) => hasEnded)).toEqual([false, false]);
  });
});
