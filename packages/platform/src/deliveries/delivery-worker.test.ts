import { type ApplicationId, silentLog } from '@bulkhead/base';
import { createEgress, type Egress } from '@bulkhead/http';
import { sql } from '@bulkhead/postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { accept, type Answer, type Receiver, startReceiver, withStatus } from '../../test/receiver.ts';
import { type TenantWorld, tenantWorld } from '../../test/tenant-world.ts';
import { type DeliveryKind, type DeliveryWorker, deliveryWorker, endpointHealth, listDeliveries } from './index.ts';
import type { DeliveryWorkerOptions } from './delivery-worker.ts';

let world: TenantWorld;
let receiver: Receiver;
let egress: Egress;
/** What a name of this test resolves to. */
let resolved = '127.0.0.1';
const stops: string[] = [];

beforeAll(async () => {
  world = await tenantWorld();
  receiver = await startReceiver();
  egress = createEgress({
    allow: [receiver.address],
    ownListeners: () => [],
    log: silentLog,
    clock: world.clock,
    resolve: async () => [resolved],
  });
});
afterAll(async () => {
  await egress.close();
  await receiver[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await world.database.database.withSystem('empty', (tx) => tx.execute(sql`delete from deliveries`));
  receiver.received.length = 0;
  receiver.answer = accept;
  stops.length = 0;
});

const [second, minute, hour] = [1_000, 60_000, 3_600_000];

const kind: DeliveryKind = {
  kind: 'test',
  policy: 'webhook',
  open: async (_, endpointIds) =>
    new Map(
      endpointIds
        .filter((id) => id !== 'closed')
        .map((id) => [
          id,
          {
            url: id.startsWith('http') ? id : `${receiver.url}/${id}`,
            sign: ({ messageId }) => ({
              headers: { 'x-id': messageId, 'x-signature': 'signature+of/it==' },
              confidential: ['signature+of/it=='],
            }),
          },
        ]),
    ),
  stopped: async (_, { endpointId, reason }) => void stops.push(`${endpointId} ${reason}`),
};

function worker(options: Partial<DeliveryWorkerOptions> = {}): DeliveryWorker {
  const { clock, database } = world;
  return deliveryWorker({
    db: database.database,
    egress,
    kinds: [kind],
    clock,
    log: silentLog,
    random: () => new Uint8Array([0]),
    ...options,
  });
}

let written = 0;
async function write(id: ApplicationId, endpoint = 'hook', count = 1): Promise<void> {
  const first = written;
  written += count;
  await world.database.database.withTenant(id, (tx) =>
    tx.execute(sql`
      insert into deliveries (application_id, delivery_id, kind, endpoint_id, message_id, subject, content_type, body, run_at, created_at)
      select ${id}, 'dlv' || lpad(n::text, 24, '0'), 'test', ${endpoint}, 'msg' || n, 'test.event', 'text/plain', 'body ' || n, ${world.now()}, ${world.now()}
        from generate_series(${first}::int, ${first + count - 1}::int) n`),
  );
}

const deliveries = async (id: ApplicationId, endpoint = 'hook') =>
  (await world.database.database.withTenant(id, (tx) => listDeliveries(tx, id, endpoint, { page: 1, page_size: 100 }))).rows;
const health = async (id: ApplicationId, endpoint = 'hook') =>
  (await world.database.database.withTenant(id, (tx) => endpointHealth(tx, id, [endpoint]))).get(endpoint);

describe('W2: an endpoint that does not accept', () => {
  test('is asked eight times at the steps of the ladder, with the same id and bytes, and then no more', async () => {
    const id = await world.application();
    receiver.answer = withStatus(500);
    await write(id);
    const sending = worker();
    expect(await sending.runDue()).toBe(1);
    for (const wait of [5 * second, 5 * minute, 30 * minute, 2 * hour, 5 * hour, 10 * hour, 10 * hour]) {
      world.clock.advance(wait - 1);
      expect(await sending.runDue()).toBe(0);
      world.clock.advance(1);
      expect(await sending.runDue()).toBe(1);
    }
    world.clock.advance(48 * hour);
    expect(await sending.runDue()).toBe(0);
    expect(receiver.received).toHaveLength(8);
    expect(new Set(receiver.received.map(({ headers, body }) => `${headers['x-id']} ${body}`)).size).toBe(1);
    expect(await deliveries(id)).toMatchObject([{ status: 'failed', attempts: 8, nextAttemptAt: null }]);
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
    const id = await world.application();
    receiver.answer = answer;
    await write(id);
    const sending = worker({ timeoutMs: 500 });
    await sending.runDue();
    expect(await deliveries(id)).toMatchObject([{ status: 'pending', attempts: 1, log: [{ failure }] }]);
    // Control: the same endpoint, answering.
    receiver.answer = accept;
    world.clock.advance(minute);
    await sending.runDue();
    expect(await deliveries(id)).toMatchObject([{ status: 'delivered', attempts: 2 }]);
    expect(receiver.received.every(({ path }) => path === '/hook/hook')).toBe(true);
  });

  test('an endless body is cut, and its status counts', async () => {
    const id = await world.application();
    receiver.answer = (_, response) => {
      response.writeHead(200);
      const pour = () => {
        while (!response.destroyed && response.write('x'.repeat(1_000)));
      };
      response.on('drain', pour);
      pour();
    };
    await write(id);
    await worker().runDue();
    const [row] = await deliveries(id);
    expect(row).toMatchObject({ status: 'delivered' });
    expect(row!.log[0]!.excerpt).toHaveLength(1_024);
  });

  test('429 with Retry-After is left alone that long, whatever else is due', async () => {
    const id = await world.application();
    receiver.answer = withStatus(429, { 'retry-after': '600' });
    await write(id);
    const sending = worker();
    await sending.runDue();
    receiver.answer = accept;
    await write(id);
    world.clock.advance(600 * second - 1);
    expect(await sending.runDue()).toBe(0);
    world.clock.advance(1);
    expect(await sending.runDue()).toBe(2);
  });

  test('410 stops it, once, and what comes later waits', async () => {
    const id = await world.application();
    receiver.answer = withStatus(410);
    await write(id);
    const sending = worker();
    await sending.runDue();
    expect(stops).toEqual(['hook gone']);
    expect(await deliveries(id)).toMatchObject([{ status: 'failed', attempts: 1 }]);
    receiver.answer = accept;
    await write(id);
    world.clock.advance(hour);
    expect(await sending.runDue()).toBe(0);
    // Control: another endpoint of the same Application is not stopped.
    await write(id, 'other');
    expect(await sending.runDue()).toBe(1);
  });

  test('five days of failures stop it; one success in between does not let it come to that', async () => {
    const id = await world.application();
    const sending = worker();
    const fail = async () => {
      receiver.answer = withStatus(503);
      await write(id);
      await sending.runDue();
    };
    for (let day = 0; day < 5; day++) {
      await fail();
      world.clock.advance(23.9 * hour);
    }
    expect(stops).toEqual([]);
    receiver.answer = accept;
    await sending.runDue();
    world.clock.advance(24 * hour);
    await fail();
    expect(stops).toEqual([]);
    for (let day = 0; day < 6; day++) {
      world.clock.advance(24 * hour);
      await fail();
    }
    expect(stops).toEqual(['hook failing']);
    expect(await health(id)).toMatchObject({ stoppedReason: 'failing' });
  });

  test('after failures in a row it rests, and then gets one call at a time', async () => {
    const id = await world.application();
    receiver.answer = withStatus(500);
    await write(id, 'hook', 40);
    const sending = worker({ perEndpoint: 8 });
    await sending.runDue();
    const before = receiver.received.length;
    expect(before).toBeLessThan(40);
    expect((await health(id))!.openUntil!.getTime()).toBeGreaterThan(world.clock.now());
    world.clock.advance(31 * second);
    await sending.runDue();
    expect(receiver.received.length).toBe(before + 1);
    receiver.answer = accept;
    world.clock.advance(hour);
    await sending.runDue();
    expect((await deliveries(id)).every(({ status }) => status === 'delivered')).toBe(true);
  });
});

describe('W1: a worker that dies or comes back late', () => {
  test('loses nothing: another one sends when the lease ends, and what the first brings changes nothing', async () => {
    const id = await world.application();
    const held = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    receiver.answer = (_, response) => {
      arrived.resolve();
      void held.promise.then(() => response.writeHead(500).end());
    };
    await write(id);
    const late = worker().runDue();
    await arrived.promise;
    const next = worker();
    expect(await next.runDue()).toBe(0);
    world.clock.advance(30_001);
    receiver.answer = accept;
    expect(await next.runDue()).toBe(1);
    held.resolve();
    await late;
    expect(await deliveries(id)).toMatchObject([{ status: 'delivered', attempts: 1, log: [{ failure: null }] }]);
    expect((await health(id))!.consecutiveFailures).toBe(0);
    expect(receiver.received.map(({ headers, body }) => [headers['x-id'], body])).toEqual(
      Array.from({ length: 2 }, () => [receiver.received[0]!.headers['x-id'], receiver.received[0]!.body]),
    );
  });

  test('does not even call where it was held up before', async () => {
    const id = await world.application();
    const held = Promise.withResolvers<void>();
    const opening = Promise.withResolvers<void>();
    const slow: DeliveryKind = {
      ...kind,
      async open(tx, ids, now) {
        opening.resolve();
        await held.promise;
        return kind.open(tx, ids, now);
      },
    };
    await write(id);
    const late = worker({ kinds: [slow] }).runDue();
    await opening.promise;
    world.clock.advance(20_000);
    held.resolve();
    await late;
    expect(receiver.received).toEqual([]);
    world.clock.advance(20_000);
    // Control: within its lease a worker calls.
    await worker().runDue();
    expect(receiver.received).toHaveLength(1);
  });

  test('of two workers at once each delivery is sent by one', async () => {
    const id = await world.application();
    await write(id, 'hook', 120);
    await Promise.all([worker().runDue(), worker().runDue()]);
    expect(receiver.received).toHaveLength(120);
    expect(new Set(receiver.received.map(({ headers }) => headers['x-id'])).size).toBe(120);
  });
});

describe('W3: turns', () => {
  test('a quiet Application is among the first although another has thousands waiting', async () => {
    const [noisy, quiet] = [await world.application(), await world.application()];
    await write(noisy, 'noisy', 3_000);
    world.clock.advance(second);
    await write(quiet, 'quiet');
    const sending = worker({ concurrency: 8, pollMs: 3_600_000 });
    const arrived = Promise.withResolvers<number>();
    receiver.answer = (request, response, raw) => {
      if (request.path.endsWith('/quiet')) arrived.resolve(receiver.received.length);
      accept(request, response, raw);
    };
    await sending.start();
    // Its own transaction and connection may take a moment, in which the other goes on; without turns it comes behind all 3,000.
    expect(await arrived.promise).toBeLessThan(1_500);
    await sending.close();
  });

  test('an endpoint gets no more calls at once than its cap, an Application no more than its own', async () => {
    const id = await world.application();
    let now = 0;
    let most = 0;
    receiver.answer = (_, response) => {
      most = Math.max(most, ++now);
      setTimeout(() => {
        now--;
        response.end();
      }, 20);
    };
    await write(id, 'one', 30);
    await worker({ perEndpoint: 3 }).runDue();
    expect(most).toBeLessThanOrEqual(3);
    most = 0;
    for (const endpoint of ['a', 'b', 'c', 'd']) await write(id, endpoint, 10);
    await worker({ perEndpoint: 4, perTenant: 5 }).runDue();
    expect(most).toBeLessThanOrEqual(5);
    expect(receiver.received).toHaveLength(70);
  });
});

describe('P4: an address that may not be called', () => {
  test.each(['10.0.0.1', '169.254.169.254', '127.0.0.2'])(
    'is refused when it is sent, though the name was good before: %s',
    async (address) => {
      const id = await world.application();
      const port = receiver.address.split(':')[1]!;
      const endpoint = `http://hooks.example:${port}/hook`;
      await write(id, endpoint);
      resolved = address;
      await worker().runDue();
      expect(receiver.received).toEqual([]);
      expect(await deliveries(id, endpoint)).toMatchObject([
        { status: 'pending', log: [{ status: null, failure: 'refused', excerpt: null }] },
      ]);
      // Control: the name leads where the operator allows it.
      resolved = '127.0.0.1';
      world.clock.advance(minute);
      await worker().runDue();
      expect(receiver.received).toHaveLength(1);
    },
  );
});

describe('what is kept of an answer', () => {
  test.each(['signature+of/it==', 'signature+of\\/it==', 'signature%2Bof%2Fit%3D%3D', 'whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='])(
    'is never our signature or a secret: %s',
    async (echoed) => {
      const id = await world.application();
      receiver.answer = withStatus(200, {}, `you sent "${echoed}"\u0000 to me`);
      await write(id);
      await worker().runDue();
      expect((await deliveries(id))[0]!.log[0]!.excerpt).toBe('you sent "[redacted]"· to me');
    },
  );
});

test('what is for an endpoint that is gone or switched off is cancelled without a call', async () => {
  const id = await world.application();
  await write(id, 'closed');
  await worker().runDue();
  expect(await deliveries(id, 'closed')).toMatchObject([{ status: 'cancelled', attempts: 0 }]);
  expect(receiver.received).toEqual([]);
});

test('a started worker is woken by the commit of an event and stops with nothing under way', async () => {
  const id = await world.application();
  const sending = worker({ pollMs: 3_600_000 });
  const arrived = Promise.withResolvers<void>();
  receiver.answer = (request, response, raw) => {
    arrived.resolve();
    accept(request, response, raw);
  };
  await sending.start();
  await write(id);
  await world.database.database.withTenant(id, (tx) => tx.execute(sql`select pg_notify('bulkhead_deliveries', '')`));
  await arrived.promise;
  await sending.close();
  expect(await deliveries(id)).toMatchObject([{ status: 'delivered' }]);
});
