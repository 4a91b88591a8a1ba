import { sql } from '@bulkhead/postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type DeliveryWorld, deliveryWorld } from '../../test/delivery-world.ts';
import { accept, type Answer, withStatus } from '../../test/receiver.ts';
import { replayDeliveries } from './index.ts';

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => world.reset());

const [second, minute, hour] = [1_000, 60_000, 3_600_000];

describe('W2: an endpoint that does not accept', () => {
  test('is asked eight times at the steps of the ladder, with the same id and bytes, and then no more', async () => {
    const id = await world.tenants.application();
    world.receiver.answer = withStatus(500);
    await world.write(id);
    const sending = world.worker();
    expect(await sending.runDue()).toBe(1);
    for (const wait of [5 * second, 5 * minute, 30 * minute, 2 * hour, 5 * hour, 10 * hour, 10 * hour]) {
      world.tenants.clock.advance(wait - 1);
      expect(await sending.runDue()).toBe(0);
      world.tenants.clock.advance(1);
      expect(await sending.runDue()).toBe(1);
    }
    world.tenants.clock.advance(48 * hour);
    expect(await sending.runDue()).toBe(0);
    expect(world.receiver.received).toHaveLength(8);
    expect(new Set(world.receiver.received.map(({ headers, body }) => `${headers['x-id']} ${body}`)).size).toBe(1);
    expect(await world.deliveries(id)).toMatchObject([{ status: 'failed', attempts: 8, nextAttemptAt: null }]);
  });

  const cases: readonly (readonly [string, Answer, string])[] = [
    ['500', withStatus(500), 'http_500'],
    ['a redirect, which is not followed', withStatus(307, { location: '/elsewhere' }), 'http_307'],
    ['a reset', (_, __, raw) => void raw.socket.resetAndDestroy(), 'unreachable'],
    ['no answer', () => undefined, 'timeout'],
    [
      'an answer that breaks off',
      (_, response) => void response.writeHead(200, { 'content-length': '100' }).write('x', () => response.destroy()),
      'unreachable',
    ],
    [
      'one byte now and then',
      (_, response) => {
        response.writeHead(200);
        const timer = setInterval(() => response.write('x'), 50);
        response.on('close', () => clearInterval(timer));
      },
      'timeout',
    ],
  ];
  test.each(cases)('%s is a failure, and tried again', async (_, answer, failure) => {
    const id = await world.tenants.application();
    world.receiver.answer = answer;
    await world.write(id);
    const sending = world.worker({ timeoutMs: 500 });
    await sending.runDue();
    expect(await world.deliveries(id)).toMatchObject([{ status: 'pending', attempts: 1, log: [{ failure }] }]);
    // Control: the same endpoint, answering.
    world.receiver.answer = accept;
    world.tenants.clock.advance(minute);
    await sending.runDue();
    expect(await world.deliveries(id)).toMatchObject([{ status: 'delivered', attempts: 2 }]);
    expect(world.receiver.received.every(({ path }) => path === '/hook/hook')).toBe(true);
  });

  test('an endless body is cut, and its status counts', async () => {
    const id = await world.tenants.application();
    world.receiver.answer = (_, response) => {
      response.writeHead(200);
      const pour = () => {
        while (!response.destroyed && response.write('x'.repeat(1_000)));
      };
      response.on('drain', pour);
      pour();
    };
    await world.write(id);
    await world.worker().runDue();
    const [row] = await world.deliveries(id);
    expect(row).toMatchObject({ status: 'delivered' });
    expect(row!.log[0]!.excerpt).toHaveLength(1_024);
  });

  test('429 with Retry-After is left alone that long, whatever else is due', async () => {
    const id = await world.tenants.application();
    world.receiver.answer = withStatus(429, { 'retry-after': '600' });
    await world.write(id);
    const sending = world.worker();
    await sending.runDue();
    world.receiver.answer = accept;
    await world.write(id);
    world.tenants.clock.advance(600 * second - 1);
    expect(await sending.runDue()).toBe(0);
    world.tenants.clock.advance(1);
    expect(await sending.runDue()).toBe(2);
  });

  test('410 stops it, once, and what comes later waits', async () => {
    const id = await world.tenants.application();
    world.receiver.answer = withStatus(410);
    await world.write(id);
    const sending = world.worker();
    await sending.runDue();
    expect(world.stops).toEqual(['hook gone']);
    expect(await world.deliveries(id)).toMatchObject([{ status: 'failed', attempts: 1 }]);
    world.receiver.answer = accept;
    await world.write(id);
    world.tenants.clock.advance(hour);
    expect(await sending.runDue()).toBe(0);
    // Control: another endpoint of the same Application is not stopped.
    await world.write(id, 'other');
    expect(await sending.runDue()).toBe(1);
  });

  test('five days of failures stop it; one success in between does not let it come to that', async () => {
    const id = await world.tenants.application();
    const sending = world.worker();
    const fail = async () => {
      world.receiver.answer = withStatus(503);
      await world.write(id);
      await sending.runDue();
    };
    await fail();
    for (let day = 0; day < 5; day++) {
      world.tenants.clock.advance(23.9 * hour);
      const asked = world.receiver.received.length;
      await fail();
      expect(world.receiver.received.length, 'it does fail once more').toBeGreaterThan(asked);
    }
    // After 119.5 of 120 hours.
    expect(world.stops).toEqual([]);
    world.tenants.clock.advance(0.4 * hour);
    world.receiver.answer = accept;
    await sending.runDue();
    world.tenants.clock.advance(24 * hour);
    await fail();
    expect(world.stops).toEqual([]);
    for (let day = 0; day < 5; day++) {
      expect(world.stops).toEqual([]);
      world.tenants.clock.advance(24 * hour);
      await fail();
    }
    expect(world.stops).toEqual(['hook failing']);
    expect(await world.health(id)).toMatchObject({ stoppedReason: 'failing' });
  });

  test('after failures in a row it rests, and then gets one call at a time', async () => {
    const id = await world.tenants.application();
    world.receiver.answer = withStatus(500);
    await world.write(id, 'hook', 40);
    const sending = world.worker({ perEndpoint: 8 });
    await sending.runDue();
    const before = world.receiver.received.length;
    expect(before).toBeLessThan(40);
    expect((await world.health(id))!.openUntil!.getTime()).toBeGreaterThan(world.tenants.clock.now());
    world.tenants.clock.advance(31 * second);
    await sending.runDue();
    expect(world.receiver.received.length).toBe(before + 1);
    world.receiver.answer = accept;
    world.tenants.clock.advance(hour);
    await sending.runDue();
    expect((await world.deliveries(id)).every(({ status }) => status === 'delivered')).toBe(true);
  });
});

describe('P4: an address that may not be called', () => {
  test.each(['10.0.0.1', '169.254.169.254', '127.0.0.2'])(
    'is refused when it is sent, though the name was good before: %s',
    async (address) => {
      const id = await world.tenants.application();
      const port = world.receiver.address.split(':')[1]!;
      const endpoint = `http://hooks.example:${port}/hook`;
      await world.write(id, endpoint);
      world.address = address;
      await world.worker().runDue();
      expect(world.receiver.received).toEqual([]);
      expect(await world.deliveries(id, endpoint)).toMatchObject([
        { status: 'pending', log: [{ status: null, failure: 'refused', excerpt: null }] },
      ]);
      // Control: the name leads where the operator allows it.
      world.address = '127.0.0.1';
      world.tenants.clock.advance(minute);
      await world.worker().runDue();
      expect(world.receiver.received).toHaveLength(1);
    },
  );
});

describe('what is kept of an answer', () => {
  test.each(['signature+of/it==', 'signature+of\\/it==', 'signature%2Bof%2Fit%3D%3D', 'whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='])(
    'is never our signature or a secret: %s',
    async (echoed) => {
      const id = await world.tenants.application();
      world.receiver.answer = withStatus(200, {}, `you sent "${echoed}"\u0000 to me`);
      await world.write(id);
      await world.worker().runDue();
      expect((await world.deliveries(id))[0]!.log[0]!.excerpt).toBe('you sent "[redacted]"· to me');
    },
  );
});

test('what is for an endpoint that is gone or switched off is cancelled without a call', async () => {
  const id = await world.tenants.application();
  await world.write(id, 'closed');
  await world.worker().runDue();
  expect(await world.deliveries(id, 'closed')).toMatchObject([{ status: 'cancelled', attempts: 0 }]);
  expect(world.receiver.received).toEqual([]);
});

test('a started worker is woken by the commit of an event and stops with nothing under way', async () => {
  const id = await world.tenants.application();
  const sending = world.worker({ pollMs: 3_600_000 });
  const arrived = Promise.withResolvers<void>();
  world.receiver.answer = (request, response, raw) => {
    arrived.resolve();
    accept(request, response, raw);
  };
  await sending.start();
  await world.write(id);
  await world.tenants.database.database.withTenant(id, (tx) => tx.execute(sql`select pg_notify('bulkhead_deliveries', '')`));
  await arrived.promise;
  await sending.close();
  expect(await world.deliveries(id)).toMatchObject([{ status: 'delivered' }]);
});

test('a span of time is sent again in steps, each from where the one before ended', async () => {
  const id = await world.tenants.application();
  const times: Date[] = [];
  for (let n = 0; n < 3; n++) {
    times.push(world.tenants.now());
    await world.write(id);
    world.tenants.clock.advance(second);
  }
  await world.worker().runDue();
  const replay = (since: Date) =>
    world.tenants.database.database.withTenant(id, (tx) =>
      replayDeliveries(tx, {
        applicationId: id,
        endpointId: 'hook',
        since,
        until: world.tenants.now(),
        statuses: ['delivered'],
        limit: 2,
        now: world.tenants.now(),
      }),
    );
  expect(await replay(times[0]!)).toEqual({ replayed: 2, last: times[1] });
  expect(await replay(times[1]!)).toEqual({ replayed: 1, last: times[2] });
  await world.worker().runDue();
  expect(world.receiver.received).toHaveLength(6);
});
