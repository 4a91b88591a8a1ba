import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { applicationId, silentLog } from '@bulkhead/base';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openDatabase } from './database.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded/embedded-postgres.ts';
import { ensureRoles } from './roles.ts';
import { exampleSchema, migrateWith, runAs } from './scratch-database.ts';
import { sql } from './sql.ts';
import { tableGate } from './table-gate.ts';

/** Roles belong to a whole cluster, so these tests have one of their own. */
let folder: string;
let cluster: EmbeddedPostgres;
/** An operator's one login: it may make roles and owns its database, and is not superuser. */
let operatorUrl: string;
let admin: string;
const roleNames = ['bulkhead_app', 'bulkhead_control', 'bulkhead_owner', 'bulkhead_system'];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bulkhead-roles-'));
  cluster = await startEmbeddedPostgres({ dataDir: folder, log: silentLog, durable: false });
  admin = cluster.adminUrl.reveal();
});
afterAll(async () => {
  await cluster.stop();
  await rm(folder, { recursive: true });
});
beforeEach(async () => {
  await runAs(admin, `drop database if exists bulkhead with (force)`);
  await runAs(admin, `drop database if exists operated with (force)`);
  await runAs(admin, `drop role if exists ${[...roleNames, 'operator', 'visitor'].join(', ')}`);
  await runAs(admin, `create role operator login password 'test' createrole`);
  await runAs(admin, 'create database operated owner operator');
  operatorUrl = admin.replace(/\/\/[^@]+@/, '//operator:test@').replace('/postgres?', '/operated?');
});
const rolesThere = async () =>
  (await runAs(admin, `select rolname as name from pg_roles where rolname like 'bulkhead%' order by 1`)).map((row) => row['name']);

describe('ensureRoles', () => {
  test.each(['inherit', 'noinherit'])(
    "on an operator's own PostgreSQL makes all that one login (%s) without superuser needs",
    async (form) => {
      await runAs(admin, `alter role operator ${form}`);
      await ensureRoles({ url: operatorUrl, log: silentLog });
      expect(await rolesThere()).toEqual(roleNames);
      await migrateWith(operatorUrl, { '0001-example.sql': exampleSchema });
      expect(await tableGate(operatorUrl, { controlTables: ['organizations'], organizationTables: ['applications'] })).toEqual([]);

      const database = openDatabase({ appUrl: operatorUrl, controlUrl: operatorUrl, systemUrl: operatorUrl, log: silentLog });
      const [a, b] = [applicationId.generate(), applicationId.generate()];
      await database.withSystem('fixture', async (tx) => {
        await tx.execute(sql`insert into organizations (organization_id, name) values ('org', 'One')`);
        await tx.execute(
          sql`insert into applications (application_id, organization_id, name) values (${a}, 'org', 'A'), (${b}, 'org', 'B')`,
        );
      });
      expect(await database.tenantQuery(a, sql`select name, current_user as role, session_user as login from applications`)).toEqual([
        { name: 'A', role: 'bulkhead_app', login: 'operator' },
      ]);
      await database.close();
      // The login by itself, outside of any door, has no right to the tables at all.
      await expect(runAs(operatorUrl, 'select * from applications')).rejects.toThrow(/permission denied/);
    },
  );

  test('may be run again, and by eight processes at once on a cluster that has none', async () => {
    await Promise.all(Array.from({ length: 8 }, () => ensureRoles({ url: operatorUrl, log: silentLog })));
    await ensureRoles({ url: operatorUrl, log: silentLog });
    expect(await rolesThere()).toEqual(roleNames);
  });

  test('is content with roles an administrator made for a login that may not make any', async () => {
    await runAs(admin, `create role visitor login password 'test'`);
    const visitorUrl = operatorUrl.replace('operator:', 'visitor:');
    const refused = ensureRoles({ url: visitorUrl, log: silentLog });
    await expect(refused).rejects.toMatchObject({
      code: 'database.roles_unfit',
      message: expect.stringMatching(/administrator create bulkhead_owner, bulkhead_app/),
    });
    expect(await rolesThere()).toEqual([]);
    await ensureRoles({ url: operatorUrl, log: silentLog });
    await runAs(
      admin,
      `grant ${roleNames.join(', ')} to visitor with inherit false, set true; grant connect on database operated to visitor`,
    );
    await expect(ensureRoles({ url: visitorUrl, log: silentLog })).resolves.toBeUndefined();
  });

  test.each(['superuser', 'bypassrls', 'createrole', 'createdb', 'replication'])(
    'refuses a role that was there already with %s',
    async (power) => {
      await runAs(admin, `create role bulkhead_app ${power}`);
      await expect(ensureRoles({ url: admin.replace('/postgres?', '/operated?'), log: silentLog })).rejects.toMatchObject({
        code: 'database.roles_unfit',
        message: expect.stringContaining('bulkhead_app may bypass'),
      });
      await runAs(admin, `alter role bulkhead_app no${power}`);
      await expect(ensureRoles({ url: admin.replace('/postgres?', '/operated?'), log: silentLog })).resolves.toBeUndefined();
    },
  );

  test('says so where the schema is not for this login to open', async () => {
    await runAs(operatorUrl.replace('operator:test', admin.split('//')[1]!.split('@')[0]!), 'alter schema public owner to postgres');
    await expect(ensureRoles({ url: operatorUrl, log: silentLog })).rejects.toMatchObject({
      code: 'database.roles_unfit',
      message: expect.stringContaining('schema public'),
    });
  });

  test('lets nobody else into the database', async () => {
    await runAs(admin, `create role visitor login password 'test'`);
    await expect(runAs(operatorUrl.replace('operator:', 'visitor:'), 'select 1')).resolves.toHaveLength(1);
    await ensureRoles({ url: operatorUrl, log: silentLog });
    await expect(runAs(operatorUrl.replace('operator:', 'visitor:'), 'select 1')).rejects.toThrow(/permission denied for database/);
  });
});
