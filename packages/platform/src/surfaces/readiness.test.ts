import { ManualClock } from '@bulkhead/base';
import { World } from '@bulkhead/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Readiness } from './readiness.ts';

describe('S2: /readyz', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.create();
  });
  afterEach(() => world[Symbol.asyncDispose]());

  test('turns 503 before the listener closes, while every other call is still answered', async () => {
    expect((await world.call('GET', '/readyz')).status).toBe(200);
    const closed = world.platform.close({ graceMs: 6_000 });
    const leaving = await world.call('GET', '/readyz');
    expect(leaving).toMatchObject({ status: 503, json: { code: 'server.leaving' } });
    expect(leaving.headers.get('retry-after')).toBe('1');
    expect((await world.meta('GET', '/applications')).status).toBe(200);
    expect((await world.call('GET', '/healthz')).status).toBe(200);
    await closed;
    await expect(world.call('GET', '/healthz')).rejects.toThrow('fetch failed');
  });

  test('that nobody watches keeps no stop waiting', async () => {
    // The guard off: longer than the test may take.
    await expect(world.platform.close({ graceMs: 600_000 })).resolves.toBeUndefined();
  });
});

test('a balancer that has not asked for a minute is none', async () => {
  const clock = new ManualClock();
  const db = { ping: async () => undefined } as unknown as ConstructorParameters<typeof Readiness>[0]['db'];
  const readiness = new Readiness({ db, clock });
  await readiness.check();
  clock.advance(59_999);
  expect(readiness.leave()).toBe(true);
  clock.advance(1);
  expect(readiness.leave()).toBe(false);
});
