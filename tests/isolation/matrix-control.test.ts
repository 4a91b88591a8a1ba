import { createTwins, startFakeUpstream, World } from '@bulkhead/testkit';
import { describe, expect, test } from 'vitest';
import { type Broken, brokenDatabase } from './broken-database.ts';
import { attack } from './matrix.ts';
import { rowsOfTenant } from './rows-of-tenant.ts';

interface Outcome {
  readonly findings: readonly string[];
  readonly changed: boolean;
}

/** The matrix over the routes that do not name the same thing twice, in a world that is broken once its tenants are in it. */
async function attackedWhile(broken: Broken): Promise<Outcome> {
  const upstream = await startFakeUpstream();
  const given = { isBroken: false };
  await using world = await World.create({
    egressAllow: [upstream.address],
    database: (db) => {
      const loose = brokenDatabase(db, broken);
      return {
        ...db,
        withTenant: (...call) => (given.isBroken ? loose : db).withTenant(...call),
        tenantQuery: (...call) => (given.isBroken ? loose : db).tenantQuery(...call),
        tenantQueries: (...call) => (given.isBroken ? loose : db).tenantQueries(...call),
        recall: (...call) => (given.isBroken ? loose : db).recall(...call),
      };
    },
  });
  await using twins = await createTwins(world, upstream);
  const before = await rowsOfTenant(world.platform.db, twins.victim.applicationId);
  given.isBroken = true;
  const routes = world.platform.routes.filter(({ id }) => !id.endsWith('.legacy') && !id.endsWith('.service_keys'));
  const { findings } = await attack(world, twins, routes, 'strangers');
  const after = await rowsOfTenant(world.platform.db, twins.victim.applicationId);
  return { findings, changed: JSON.stringify(after) !== JSON.stringify(before) };
}

describe('T1: controls of the isolation matrix', { timeout: 240_000 }, () => {
  test('with both locks off it finds leaks, and the victim is changed', async () => {
    const { findings, changed } = await attackedWhile({ policies: true, clauses: true });
    const routes = new Set(findings.map((finding) => finding.split(':')[0]));
    for (const route of [
      'apikey.get',
      'redirect_uri.get',
      'trusted_domain.get',
      'oauth_key.get',
      'service.get',
      'webhook.get',
      'account.get',
      'account.delete',
    ])
      expect([...routes]).toContain(route);
    expect(findings.some((finding) => finding.includes("holds the victim's canary"))).toBe(true);
    expect(changed).toBe(true);
  });

  test('the policies of the database hold alone, where every statement has lost its tenant', async () => {
    expect(await attackedWhile({ policies: false, clauses: true })).toEqual({ findings: [], changed: false });
  });

  test('the statements hold alone, where the database has lost its policies', async () => {
    expect(await attackedWhile({ policies: true, clauses: false })).toEqual({ findings: [], changed: false });
  });
});
