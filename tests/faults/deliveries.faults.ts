import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from './eventually.ts';
import { FaultWorld, type Tenant } from './fault-world.ts';
import { HostileReceiver } from './hostile-receiver.ts';
import { note } from './ledger.ts';
import type { ServerProcess } from './server-process.ts';

const EVENTS = 1_500;
const TENANTS = 3;
const WRITERS = 6;
const WORKERS = 3;
/** A worker dies this often, where one is up. */
const KILL_EVERY_MS = 500;
const DATABASE_CRASHES = 3;

let world: FaultWorld;
let receiver: HostileReceiver;
beforeAll(async () => {
  world = await FaultWorld.create();
  receiver = await HostileReceiver.start();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
});

/** Three of them, one dying by kill -9 every half second, where one is up, and another started in its place, until told to stop; answers how many died. */
function dyingWorkers(): { stop: () => Promise<number> } {
  const up = new Set<ServerProcess>();
  let isOn = true;
  let died = 0;
  const places = Array.from({ length: WORKERS }, async (_, place) => {
    for (let life = 1; isOn; life++) {
      const worker = await world.server(`worker ${place}.${life}`, { BULKHEAD_ROLES: 'worker' }).catch(() => null);
      if (worker === null) continue;
      up.add(worker);
      await worker.ended;
      up.delete(worker);
    }
  });
  const killing = (async () => {
    while (isOn) {
      await delay(KILL_EVERY_MS);
      const [oldest] = up;
      if (oldest === undefined) continue;
      died++;
      await oldest.end('SIGKILL');
    }
    for (const worker of up) await worker.end('SIGKILL');
  })();
  return {
    stop: async () => {
      isOn = false;
      await killing;
      await Promise.race([Promise.all(places), delay(10_000)]);
      for (const worker of up) await worker.end('SIGKILL');
      return died;
    },
  };
}

/** What was committed, whether or not the answer arrived: endpoint and message of each. */
async function owed(): Promise<string[]> {
  const rows = await world.cluster.query(
    `select e.application_id || ' ' || e.event_id as key from events e join webhooks w using (application_id) order by 1`,
  );
  return rows.map(({ key }) => String(key));
}

describe('W1: workers die by kill -9 as soon as they are up, PostgreSQL three times, receivers have bad days', () => {
  test('every event that was committed arrives, under one id and with the same bytes, few of them twice', async () => {
    const api = await world.server('api', { BULKHEAD_ROLES: 'api' });
    const tenants: Tenant[] = [];
    for (let at = 0; at < TENANTS; at++) {
      const tenant = await world.tenant(api);
      const hook = { url: receiver.url(tenant.id), events: ['application.updated'] };
      expect((await world.meta(api, 'PATCH', `/applications/${tenant.id}`, { events_enabled: true })).status).toBe(200);
      expect((await world.meta(api, 'POST', `/applications/${tenant.id}/webhooks`, hook)).status).toBe(201);
      tenants.push(tenant);
    }
    await world.cluster.query('delete from deliveries; delete from events');
    const workers = dyingWorkers();
    let acknowledged = 0;
    let asked = 0;
    const writers = Array.from({ length: WRITERS }, async () => {
      while (acknowledged < EVENTS) {
        const { id } = tenants[asked++ % TENANTS]!;
        const answer = await world.meta(api, 'PATCH', `/applications/${id}`, { description: `change ${asked}` }).catch(() => null);
        if (answer?.status === 200) acknowledged++;
        else await delay(100);
      }
    });
    for (let crash = 1; crash <= DATABASE_CRASHES; crash++) {
      await eventually(() => acknowledged >= (EVENTS * crash) / (DATABASE_CRASHES + 1), true, 100_000);
      world.cluster.crash('SIGQUIT');
    }
    await Promise.all(writers);
    const died = await workers.stop();
    await Promise.all([world.server('survivor 1', { BULKHEAD_ROLES: 'worker' }), world.server('survivor 2', { BULKHEAD_ROLES: 'worker' })]);
    const committed = await owed();
    const missing = () => committed.filter((key) => (receiver.got.get(key)?.accepted ?? 0) === 0).length;
    // Whoever fails twice waits for five minutes.
    await eventually(missing, 0, 340_000).catch(() => undefined);
    const lost = missing();

    const got = [...receiver.got.entries()];
    const twice = got.reduce((sum, [, { accepted }]) => sum + Math.max(0, accepted - 1), 0);
    note({
      clause: 'W1',
      what: `${died} workers and ${DATABASE_CRASHES} PostgreSQLs killed under ${WRITERS} writers, receivers that fail`,
      value: `committed ${committed.length} (${acknowledged} acknowledged), delivered ${committed.length - lost}, lost ${lost}, accepted twice ${twice}`,
      reach: '0 lost, ≤ 10 % twice, one id and the same bytes',
    });
    expect(lost).toBe(0);
    expect(committed.length).toBeGreaterThanOrEqual(acknowledged);
    expect(got.map(([key]) => key).toSorted()).toEqual(committed);
    expect(got.filter(([, { bodies }]) => bodies.size !== 1)).toEqual([]);
    expect(twice / committed.length).toBeLessThanOrEqual(0.1);
    expect(died).toBeGreaterThan(0);
    // The control: one that has not arrived is seen.
    receiver.got.delete(committed[0]!);
    expect(missing()).toBe(1);
  }, 760_000);
});
