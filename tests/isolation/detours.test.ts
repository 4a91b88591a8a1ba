import { sql } from '@bulkhead/postgres';
import { createTwins, startFakeUpstream, type Twins, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { brokenDatabase } from './broken-database.ts';
import { deadCells, detourCells } from './detours.ts';
import { judgeAll } from './matrix.ts';
import { rowsOfTenant } from './rows-of-tenant.ts';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 });

const ofTenants = ['api_key', 'bearer', 'client'];

describe('T1: the ways round', () => {
  let world: World;
  let twins: Twins;
  const given = { isBroken: false };
  beforeAll(async () => {
    const upstream = await startFakeUpstream();
    world = await World.create({
      egressAllow: [upstream.address],
      database: (db) => {
        const loose = brokenDatabase(db, { policies: true, clauses: true });
        return {
          ...db,
          withTenant: (...call) => (given.isBroken ? loose : db).withTenant(...call),
          tenantQuery: (...call) => (given.isBroken ? loose : db).tenantQuery(...call),
          tenantQueries: (...call) => (given.isBroken ? loose : db).tenantQueries(...call),
          recall: (...call) => (given.isBroken ? loose : db).recall(...call),
        };
      },
    });
    twins = await createTwins(world, upstream);
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    await twins[Symbol.asyncDispose]();
  });
  const routes = () => world.platform.routes.filter(({ id }) => !id.endsWith('.legacy'));

  test('no other spelling of a place, and no name that rides along, tells or changes anything of another', async () => {
    const before = await rowsOfTenant(world.platform.db, twins.victim.applicationId);
    const cells = detourCells(routes(), twins);
    expect(cells.length).toBeGreaterThan(700);
    expect(await judgeAll(world, cells, [twins.victim.canary])).toEqual([]);
    expect(await rowsOfTenant(world.platform.db, twins.victim.applicationId)).toEqual(before);
  });

  test('an alias of old is no way round either', async () => {
    const aliases = world.platform.routes.filter(({ id }) => id.endsWith('.legacy'));
    expect(aliases.length).toBeGreaterThan(10);
    expect(await judgeAll(world, detourCells(aliases, twins), [twins.victim.canary])).toEqual([]);
  });

  test('of an Application that is switched off no credential is good anywhere; switched on again, they are', async () => {
    const { sibling } = twins;
    const active = (on: boolean) => world.meta('PATCH', `/applications/${sibling.applicationId}`, { active: on });
    expect((await active(false)).status).toBe(200);
    expect(await judgeAll(world, deadCells(routes(), sibling, ofTenants), [])).toEqual([]);
    expect((await active(true)).status).toBe(200);
    const own = await world.call('GET', '/v1/accounts', { headers: { authorization: `APIKey ${sibling.apiKey}` } });
    expect(own.status).toBe(200);
  });

  test('of a deleted Application no credential is good, and its own Meta token finds what never existed', async () => {
    const { sibling } = twins;
    expect((await world.meta('DELETE', `/applications/${sibling.applicationId}`)).status).toBe(204);
    expect(await judgeAll(world, deadCells(routes(), sibling, ofTenants), [sibling.canary])).toEqual([]);
    const below = routes().filter(
      ({ id, path }) => path.includes('{application_id}') && !['application.diff', 'application.sync'].includes(id),
    );
    expect(await judgeAll(world, deadCells(below, sibling, ['meta_token']), [sibling.canary])).toEqual([]);
  });

  test('an access token and a Meta token are nothing after their time', async () => {
    const { victim, stranger } = twins;
    const as = (token: string, path: string) => world.call('GET', path, { headers: { authorization: `Bearer ${token}` } });
    const bearer = () => as(victim.names.access_token, '/v1/accounts/me');
    const meta = () => as(stranger.readingMetaToken, '/v1/meta/applications');
    expect([(await bearer()).status, (await meta()).status]).toEqual([200, 200]);
    await world.platform.db.withControl('let a Meta token of a test expire', (tx) =>
      tx.execute(sql`update meta_tokens set expires_at = ${new Date(world.clock.now() + 60_000)} where name = 'reading'`),
    );
    world.clock.advance(3_601_000);
    expect([(await bearer()).status, (await meta()).status]).toEqual([401, 401]);
    const bearerOnly = routes().filter(({ credentials }) => credentials.includes('bearer'));
    expect(await judgeAll(world, deadCells(bearerOnly, victim, ['bearer']), [victim.canary])).toEqual([]);
  });

  test('control: with the walls of the database down, the same ways round are found open', async () => {
    given.isBroken = true;
    const findings = await judgeAll(world, detourCells(routes(), twins), [twins.victim.canary]);
    const open = findings.map((finding) => finding.split(': ').slice(0, 2).join(': '));
    for (const how of ['as HEAD', 'with a slash at its end', 'with an id in percent encoding'])
      expect(
        open.some((finding) => finding.endsWith(how)),
        how,
      ).toBe(true);
  });
});
