import { defineErrors, type Log, type LogFields } from '@bulkhead/base';
import { runPastDoors } from '@bulkhead/postgres';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type DeliveryWorld, deliveryWorld, through } from '../../test/delivery-world.ts';
import type { ClaimedDelivery } from './delivery.ts';
import { claimDeliveries } from './delivery-store.ts';
import { ResultWriter } from './write-results.ts';

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => world.reset());

const errors = defineErrors({ 'test.away': { status: 503, wire: 'service_not_available', text: 'Away.' } });
const LEASE_MS = 30_000;

/** Takes whatever is due, as a worker would. */
function claim(): Promise<readonly ClaimedDelivery[]> {
  const now = world.tenants.now();
  const leaseUntil = new Date(now.getTime() + LEASE_MS);
  const caps = { limit: 100, perEndpoint: 100, perTenant: 100 };
  return world.tenants.database.database.withSystem('claim due deliveries', (tx) =>
    claimDeliveries(tx, { kinds: ['test'], now, leaseUntil, busy: [], after: null, ...caps }),
  );
}

function writer(instead: <T>(run: () => Promise<T>) => Promise<T> = (run) => run()) {
  const logged: string[] = [];
  const note = (message: string, fields?: LogFields) =>
    void logged.push(`${message} ${fields?.['applicationIds']?.toString() ?? ''}`.trim());
  const log: Log = { debug: note, info: note, warn: note, error: note, child: () => log };
  const { clock, database, now } = world.tenants;
  const db = through(database.database, 'results of deliveries', instead);
  const results = new ResultWriter({ db, log, clock, kinds: new Map(), unwrittenMax: 4 });
  const attempt = { at: now().toISOString(), elapsed_ms: 1, status: 200, failure: null, excerpt: null };
  const write = (claimed: readonly ClaimedDelivery[]) =>
    Promise.all(
      claimed.map((delivery) =>
        results.write(
          { delivery, status: 'delivered', runAt: null, attempt, now: now(), isGone: false, openUntil: null },
          clock.now() + LEASE_MS,
        ),
      ),
    );
  return { results, write, logged };
}

test('an Application whose results cannot be written costs no other one its own; they come back when the lease ends', async () => {
  const [bad, good] = [await world.tenants.application(), await world.tenants.application()];
  await world.write(bad);
  await world.write(good);
  const { ownerUrl } = world.tenants.database;
  await runPastDoors(
    ownerUrl,
    `create function refuse_results() returns trigger language plpgsql as $$ begin raise 'refused'; end $$;
     create trigger refuse_results before update on deliveries for each row
       when (new.application_id = '${bad}' and new.status = 'delivered') execute function refuse_results()`,
  );
  const { write, logged } = writer();
  await write(await claim());
  expect([await world.deliveries(bad), await world.deliveries(good)]).toMatchObject([[{ status: 'pending' }], [{ status: 'delivered' }]]);
  expect(logged).toEqual(['results of deliveries are written one Application at a time', `results of deliveries were not written ${bad}`]);
  await runPastDoors(ownerUrl, 'drop trigger refuse_results on deliveries; drop function refuse_results()');
  expect(await claim()).toEqual([]);
  // The control: nothing refuses it, after the lease.
  world.tenants.clock.advance(LEASE_MS + 1);
  await write(await claim());
  expect(await world.deliveries(bad)).toMatchObject([{ status: 'delivered', attempts: 1 }]);
});

test('there is room for one until results are written, then for more; what waits takes it, and a database that is away all but one', async () => {
  const id = await world.tenants.application();
  await world.write(id, 'hook', 80);
  let isAway = false;
  const { results, write } = writer((run) => (isAway ? Promise.reject(errors('test.away')) : run()));
  expect(results.room).toBe(1);
  const claimed = await claim();
  const first = write(claimed.slice(0, 32));
  expect(results.room).toBe(1 - 32);
  await first;
  expect(results.room).toBe(3);
  await write(claimed.slice(32, 79));
  expect(results.room).toBe(4);
  isAway = true;
  const last = write(claimed.slice(79));
  await expect.poll(() => results.room).toBe(0);
  isAway = false;
  await last;
  expect(results.room).toBe(1);
});
