import { defineErrors } from '@bulkhead/base';
import { type Database, sql } from '@bulkhead/postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type DeliveryWorld, deliveryWorld, through } from '../../test/delivery-world.ts';
import { accept, withStatus } from '../../test/receiver.ts';
import type { DeliveryKind } from './index.ts';

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => world.reset());

describe('W1: a worker that dies or comes back late', () => {
  test('loses nothing: another one sends when the lease ends, and what the first brings changes nothing', async () => {
    const id = await world.tenants.application();
    const held = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    world.receiver.answer = (_, response) => {
      arrived.resolve();
      void held.promise.then(() => response.writeHead(500).end());
    };
    await world.write(id);
    const late = world.worker().runDue();
    await arrived.promise;
    const next = world.worker();
    expect(await next.runDue()).toBe(0);
    world.tenants.clock.advance(30_001);
    world.receiver.answer = accept;
    expect(await next.runDue()).toBe(1);
    held.resolve();
    await late;
    expect(await world.deliveries(id)).toMatchObject([{ status: 'delivered', attempts: 1, log: [{ failure: null }] }]);
    expect((await world.health(id))!.consecutiveFailures).toBe(0);
    expect(world.receiver.received.map(({ headers, body }) => [headers['x-id'], body])).toEqual(
      Array.from({ length: 2 }, () => [world.receiver.received[0]!.headers['x-id'], world.receiver.received[0]!.body]),
    );
  });

  test('changes nothing either while the call of another one is under way, which then counts', async () => {
    const id = await world.tenants.application();
    const calls = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const arrived = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let count = 0;
    world.receiver.answer = (_, response) => {
      const number = count++;
      arrived[number]!.resolve();
      // The first would end it for ever, the second accepts.
      void calls[number]!.promise.then(() => response.writeHead(number === 0 ? 410 : 204).end());
    };
    await world.write(id);
    const late = world.worker().runDue();
    await arrived[0]!.promise;
    world.tenants.clock.advance(30_001);
    const next = world.worker().runDue();
    await arrived[1]!.promise;
    calls[0]!.resolve();
    await late;
    expect(await world.deliveries(id)).toMatchObject([{ status: 'pending', attempts: 0, log: [] }]);
    expect(await world.health(id)).toBe(undefined);
    calls[1]!.resolve();
    await next;
    expect(await world.deliveries(id)).toMatchObject([{ status: 'delivered', attempts: 1, log: [{ status: 204 }] }]);
  });

  test('does not even call where it was held up before', async () => {
    const id = await world.tenants.application();
    const held = Promise.withResolvers<void>();
    const opening = Promise.withResolvers<void>();
    const slow: DeliveryKind = {
      ...world.kind,
      async open(tx, ids, now) {
        opening.resolve();
        await held.promise;
        return world.kind.open(tx, ids, now);
      },
    };
    await world.write(id);
    const late = world.worker({ kinds: [slow] }).runDue();
    await opening.promise;
    world.tenants.clock.advance(20_000);
    held.resolve();
    await late;
    expect(world.receiver.received).toEqual([]);
    world.tenants.clock.advance(20_000);
    // Control: within its lease a worker calls.
    await world.worker().runDue();
    expect(world.receiver.received).toHaveLength(1);
  });

  test('of two workers at once each delivery is sent by one', async () => {
    const id = await world.tenants.application();
    await world.write(id, 'hook', 120);
    await Promise.all([world.worker().runDue(), world.worker().runDue()]);
    expect(world.receiver.received).toHaveLength(120);
    expect(new Set(world.receiver.received.map(({ headers }) => headers['x-id'])).size).toBe(120);
  });
});

/** A worker on the same database, where something else happens when results are written; `run` is the transaction. */
function onResults(instead: <T>(run: () => Promise<T>) => Promise<T>) {
  const db: Database = through(world.tenants.database.database, 'results of deliveries', instead);
  return world.worker({ db });
}

const errors = defineErrors({ 'test.away': { status: 503, wire: 'service_not_available', text: 'Away.' } });
const away = () => errors('test.away');

describe('W1: results while the database is away', () => {
  test('are kept and written when it is back: what was accepted is not sent again', async () => {
    const id = await world.tenants.application();
    await world.write(id);
    let refused = 0;
    await onResults((run) => (++refused <= 3 ? Promise.reject(away()) : run())).runDue();
    expect(refused).toBe(4);
    expect(await world.deliveries(id)).toMatchObject([{ status: 'delivered', attempts: 1 }]);
    world.tenants.clock.advance(30_001);
    expect(await world.worker().runDue()).toBe(0);
    expect(world.receiver.received).toHaveLength(1);
  });

  test('are given up when their lease ends, and the same message is sent by another', async () => {
    const id = await world.tenants.application();
    await world.write(id);
    let refused = 0;
    const late = onResults((run) => {
      if (refused++ > 0) return run();
      world.tenants.clock.advance(30_001);
      return Promise.reject(away());
    });
    expect(await late.runDue()).toBe(2);
    expect(await world.deliveries(id)).toMatchObject([{ status: 'delivered', attempts: 1 }]);
    expect(world.receiver.received).toHaveLength(2);
    expect(new Set(world.receiver.received.map(({ headers, body }) => `${headers['x-id']} ${body}`)).size).toBe(1);
  });

  test('count once where the answer to the commit was lost', async () => {
    const id = await world.tenants.application();
    world.receiver.answer = withStatus(500);
    await world.write(id);
    let commits = 0;
    await onResults(async (run) => {
      const done = await run();
      if (++commits === 1) throw away();
      return done;
    }).runDue();
    expect(commits).toBe(2);
    expect(await world.deliveries(id)).toMatchObject([{ status: 'pending', attempts: 1, log: [{ failure: 'http_500' }] }]);
    expect((await world.health(id))!.consecutiveFailures).toBe(1);
  });

  test('do not keep a worker from stopping', async () => {
    const id = await world.tenants.application();
    await world.write(id);
    const refused = Promise.withResolvers<void>();
    const sending = onResults(() => {
      refused.resolve();
      return Promise.reject(away());
    });
    await sending.start();
    await refused.promise;
    await sending.close();
    expect(await world.deliveries(id)).toMatchObject([{ status: 'pending' }]);
  });
});

test('a delivery that another transaction is holding is passed over and not waited for', async () => {
  const id = await world.tenants.application();
  await world.write(id, 'hook', 3);
  await world.tenants.database.database.withTenant(id, async (tx) => {
    const [held] = await tx.query<{ delivery_id: string }>(sql`
      select delivery_id from deliveries where application_id = ${id} order by run_at, delivery_id limit 1 for update`);
    expect(await world.worker().runDue()).toBe(2);
    expect((await world.deliveries(id)).find(({ status }) => status === 'pending')!.deliveryId).toBe(held!.delivery_id);
  });
  // The control: let go, it is taken.
  expect(await world.worker().runDue()).toBe(1);
});
