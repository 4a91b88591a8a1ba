import type { ApplicationId } from '@bulkhead/base';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type DeliveryWorld, deliveryWorld } from '../../test/delivery-world.ts';
import { accept, type Answer } from '../../test/receiver.ts';
import { type BusyLane, claimDeliveries } from './delivery-store.ts';

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => world.reset());

const second = 1_000;

/** Endpoints of what a worker would take now. */
async function claimed(claim: { limit: number; busy?: readonly BusyLane[]; after?: ApplicationId }): Promise<string[]> {
  const now = world.tenants.now();
  const leaseUntil = new Date(now.getTime() + 30_000);
  const caps = { kinds: ['test'], perEndpoint: 16, perTenant: 64, busy: [], after: null, ...claim };
  const taken = await world.tenants.database.database.withSystem('claim due deliveries', (tx) =>
    claimDeliveries(tx, { now, leaseUntil, ...caps }),
  );
  return taken.map(({ endpointId }) => endpointId).toSorted();
}

describe('W3: turns', () => {
  test('an Application with one delivery is next, although another has 100,000 waiting', async () => {
    const [noisy, quiet] = [await world.tenants.application(), await world.tenants.application()];
    await world.write(noisy, 'noisy', 100_000);
    world.tenants.clock.advance(second);
    await world.write(quiet, 'quiet', 3);
    expect(await claimed({ limit: 2 })).toEqual(['noisy', 'quiet']);
    expect(await claimed({ limit: 6 })).toEqual(['noisy', 'noisy', 'noisy', 'noisy', 'quiet', 'quiet']);
    // One place at a time: whoever has calls under way comes after who has none, and whoever had its turn last comes after all others.
    await world.write(quiet, 'quiet', 2);
    expect(await claimed({ limit: 1, busy: [{ applicationId: noisy, endpointId: 'noisy', running: 1 }] })).toEqual(['quiet']);
    expect(await claimed({ limit: 1, after: noisy })).toEqual(['quiet']);
    await world.write(quiet, 'quiet', 2);
    expect(await claimed({ limit: 1, after: quiet })).toEqual(['noisy']);
    // The control: with nothing said of either, one and the same is always the first.
    expect(await claimed({ limit: 1 })).toEqual(await claimed({ limit: 1 }));

    await world.write(quiet, 'quiet');
    const sending = world.worker({ concurrency: 8, pollMs: 3_600_000 });
    const arrived = Promise.withResolvers<number>();
    world.receiver.answer = (request, response, raw) => {
      if (request.path.endsWith('/quiet')) arrived.resolve(world.receiver.received.length);
      accept(request, response, raw);
    };
    await sending.start();
    // The first place, until it has widened, then a transaction of its own, in which the other goes on.
    expect(await arrived.promise).toBeLessThan(1_500);
    await sending.close();
  });

  test('with one place at a time, three Applications with a backlog have one delivery each before any has its second', async () => {
    const applications = await Promise.all(Array.from({ length: 3 }, () => world.tenants.application()));
    for (const [at, id] of applications.entries()) {
      await world.write(id, `of-${at}`, 20);
      world.tenants.clock.advance(second);
    }
    const sending = world.worker({ concurrency: 1, pollMs: 3_600_000 });
    const paths: string[] = [];
    const six = Promise.withResolvers<void>();
    world.receiver.answer = (request, response, raw) => {
      paths.push(request.path.split('/').at(-1)!);
      if (paths.length === 6) six.resolve();
      accept(request, response, raw);
    };
    await sending.start();
    await six.promise;
    await sending.close();
    expect(new Set(paths.slice(0, 3)).size).toBe(3);
    expect(paths.slice(3, 6)).toEqual(paths.slice(0, 3));
  });

  test('an endpoint gets no more calls at once than its cap, an Application no more than its own', async () => {
    const id = await world.tenants.application();
    let now = 0;
    let most = 0;
    const slow: Answer = (_, response) => {
      most = Math.max(most, ++now);
      setTimeout(() => {
        now--;
        response.end();
      }, 20);
    };
    // A worker that has written enough to make many calls at once.
    const widened = async (caps: { perEndpoint: number; perTenant?: number }) => {
      const sending = world.worker(caps);
      world.receiver.answer = accept;
      await world.write(id, 'one', 160);
      await sending.runDue();
      world.receiver.answer = slow;
      most = 0;
      return sending;
    };
    const three = await widened({ perEndpoint: 3 });
    await world.write(id, 'one', 30);
    await three.runDue();
    expect(most).toBeLessThanOrEqual(3);
    const five = await widened({ perEndpoint: 4, perTenant: 5 });
    for (const endpoint of ['a', 'b', 'c', 'd']) await world.write(id, endpoint, 10);
    await five.runDue();
    expect(most).toBeLessThanOrEqual(5);
    // The control: with wider caps there are more.
    const more = await widened({ perEndpoint: 12, perTenant: 12 });
    await world.write(id, 'one', 60);
    await more.runDue();
    expect(most).toBeGreaterThan(5);
  });
});
