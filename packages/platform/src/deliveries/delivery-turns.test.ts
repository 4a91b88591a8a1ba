import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type DeliveryWorld, deliveryWorld } from '../../test/delivery-world.ts';
import { accept, type Answer } from '../../test/receiver.ts';

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => world.reset());

const second = 1_000;

describe('W3: turns', () => {
  test('a quiet Application is among the first although another has thousands waiting', async () => {
    const [noisy, quiet] = [await world.tenants.application(), await world.tenants.application()];
    await world.write(noisy, 'noisy', 3_000);
    world.tenants.clock.advance(second);
    await world.write(quiet, 'quiet');
    const sending = world.worker({ concurrency: 8, pollMs: 3_600_000 });
    const arrived = Promise.withResolvers<number>();
    world.receiver.answer = (request, response, raw) => {
      if (request.path.endsWith('/quiet')) arrived.resolve(world.receiver.received.length);
      accept(request, response, raw);
    };
    await sending.start();
    // Its own transaction and connection may take a moment, in which the other goes on; without turns it comes behind all 3,000.
    expect(await arrived.promise).toBeLessThan(1_500);
    await sending.close();
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
