import { afterAll, beforeAll, expect, test } from 'vitest';
import { type DeliveryWorld, deliveryWorld, through } from '../../test/delivery-world.ts';
import { accept, withStatus } from '../../test/receiver.ts';

const MINUTE = 60_000;
const DAYS_14 = 14 * 24 * 60 * MINUTE;

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

test('after 14 days a worker forgets what is finished or waits for a stopped endpoint, and nothing that may still be sent', async () => {
  const id = await world.tenants.application();
  const send = async (endpoint: string, answer = accept) => {
    world.receiver.answer = answer;
    await world.write(id, endpoint);
    await world.worker().runDue();
  };
  await send('delivered');
  await send('stopped', withStatus(410));
  await send('stopped');
  await send('failing', withStatus(500));
  const left = async () =>
    Promise.all(
      ['delivered', 'stopped', 'failing'].map(async (endpoint) =>
        (await world.deliveries(id, endpoint)).map(({ status }) => status).toSorted(),
      ),
    );

  let forgets = 0;
  const db = through(world.tenants.database.database, 'forget old deliveries', (run) => run().finally(() => forgets++));
  // One that sends nothing.
  const sending = world.worker({ db, kinds: [], pollMs: 10 });
  await sending.start();
  world.tenants.clock.advance(DAYS_14);
  await expect.poll(() => forgets).toBe(1);
  expect(await left()).toEqual([['delivered'], ['failed', 'pending'], ['pending']]);
  world.tenants.clock.advance(MINUTE);
  await expect.poll(() => forgets).toBe(2);
  expect(await left()).toEqual([[], [], ['pending']]);
  await sending.close();
});
