import { sealAudit } from '@bulkhead/platform';
import { createTwins, startFakeUpstream, type Twins, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attack, ownersCalls, routesWithoutRow } from './matrix.ts';
import { rowsOfTenant } from './rows-of-tenant.ts';

let world: World;
let twins: Twins;
beforeAll(async () => {
  const upstream = await startFakeUpstream();
  world = await World.create({ egressAllow: [upstream.address] });
  twins = await createTwins(world, upstream);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await twins[Symbol.asyncDispose]();
});

describe('T1: the isolation matrix', () => {
  test('has a row for every registered route', () => {
    expect(routesWithoutRow(world.platform.routes)).toEqual([]);
  });

  test('the victim has something in every table of tenants', async () => {
    // A transaction of another test on the same server may hold a seal back.
    await expect.poll(() => sealAudit(world.platform.db, new Date(world.clock.now())), { timeout: 20_000 }).not.toEqual([]);
    const found = await rowsOfTenant(world.platform.db, twins.victim.applicationId);
    const empty = Object.keys(found).filter((table) => found[table]!.length === 0);
    expect(empty).toEqual([]);
  });

  test('no credential but the own tells anything, changes anything, or tells the existing from what never existed', {
    timeout: 240_000,
  }, async () => {
    const before = await rowsOfTenant(world.platform.db, twins.victim.applicationId);
    const { findings, cells } = await attack(world, twins, world.platform.routes);
    expect(findings).toEqual([]);
    expect(cells).toBeGreaterThan(world.platform.routes.length * 10);
    expect(await rowsOfTenant(world.platform.db, twins.victim.applicationId)).toEqual(before);
  });

  test('a stranger gets what is its own, and nothing of the others', { timeout: 120_000 }, async () => {
    expect(await ownersCalls(world, twins.stranger, world.platform.routes, [twins.victim, twins.sibling])).toEqual([]);
  });

  test('control: with its own credential the victim gets by the same requests what all others were refused', {
    timeout: 120_000,
  }, async () => {
    // C1: an answer that came to another browser ends the flow it belongs to.
    expect(await ownersCalls(world, twins.victim, world.platform.routes, [twins.stranger], ['authorization.callback'])).toEqual([]);
  });
});
