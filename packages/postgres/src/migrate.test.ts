import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '@bulkhead/base';
import { migrate } from './migrate.ts';
import { migrateWith, runAs, scratchDatabase } from './scratch-database.ts';

let scratch: Awaited<ReturnType<typeof scratchDatabase>>;
const scratches: (typeof scratch)[] = [];
beforeEach(async () => {
  scratch = await scratchDatabase();
  scratches.push(scratch);
});
afterAll(async () => {
  for (const each of scratches) await each.drop();
});

const one = { '0001-first.sql': 'create table first_table (id int primary key); insert into first_table values (1);' };
const two = { ...one, '0002-second.sql': 'create table second_table (id int primary key)' };
const refusal = (text: string | RegExp) =>
  expect.objectContaining({ code: 'database.migration_refused', message: expect.stringMatching(text) });

describe('migrations', () => {
  test('run once each, in order, and are remembered', async () => {
    expect(await migrateWith(scratch.ownerUrl, one)).toBe(1);
    expect(await migrateWith(scratch.ownerUrl, one)).toBe(0);
    expect(await migrateWith(scratch.ownerUrl, two)).toBe(1);
    expect(await runAs(scratch.ownerUrl, 'select number, name from bulkhead_migrations order by number')).toEqual([
      { number: 1, name: '0001-first.sql' },
      { number: 2, name: '0002-second.sql' },
    ]);
    expect(
      await runAs(
        scratch.adminHere,
        `select distinct relowner::regrole::text as owner from pg_class where relnamespace = 'public'::regnamespace`,
      ),
    ).toEqual([{ owner: 'bulkhead_owner' }]);
  });

  test('run once each, even by eight processes that start at once', async () => {
    const slow = {
      ...two,
      '0003-third.sql': `select pg_sleep(0.1); create table third_table (id int); insert into first_table select max(id) + 1 from first_table`,
    };
    const counts = await Promise.all(Array.from({ length: 8 }, () => migrateWith(scratch.ownerUrl, slow)));
    expect(counts.reduce((sum, count) => sum + count)).toBe(3);
    expect(await runAs(scratch.ownerUrl, 'select count(*) as count from first_table')).toEqual([{ count: 2 }]);
  });

  test('leave nothing behind when a file fails, and go on from there once it is mended', async () => {
    const broken = { ...one, '0002-second.sql': 'create table half (id int); select 1/0;' };
    await expect(migrateWith(scratch.ownerUrl, broken)).rejects.toEqual(refusal(/0002-second.sql failed: division by zero/));
    expect(await runAs(scratch.ownerUrl, `select to_regclass('half') as half, to_regclass('first_table')::text as first`)).toEqual([
      { half: null, first: 'first_table' },
    ]);
    expect(await migrateWith(scratch.ownerUrl, two)).toBe(1);
  });

  test('refuse a file that has changed since it was run', async () => {
    await migrateWith(scratch.ownerUrl, two);
    const changed = { ...two, '0001-first.sql': `${one['0001-first.sql']} -- tidied` };
    await expect(migrateWith(scratch.ownerUrl, changed)).rejects.toEqual(refusal(/0001-first.sql has changed/));
  });

  test('refuse a database that is newer than the program, and do not touch it', async () => {
    await migrateWith(scratch.ownerUrl, two);
    await runAs(
      scratch.ownerUrl,
      `create or replace function bulkhead_tenant_table(tenant_table regclass) returns void language sql as $$ select /* newer */ $$`,
    );
    await expect(migrateWith(scratch.ownerUrl, one)).rejects.toEqual(refusal(/newer than this program/));
    expect(await runAs(scratch.ownerUrl, `select count(*) as kept from pg_proc where prosrc like '%newer%'`)).toEqual([{ kept: 1 }]);
  });

  test('refuse a file that took the place of one that was run', async () => {
    await migrateWith(scratch.ownerUrl, one);
    await expect(migrateWith(scratch.ownerUrl, { '0001-other.sql': 'select 1', '0002-second.sql': 'select 1' })).rejects.toEqual(
      refusal(/has had 0001-first.sql/),
    );
  });

  test.each(['0003-gap.sql', '1-short.sql', '0002_underscore.sql', 'readme.sql', '0001-twice.sql'])(
    'refuse the file %s beside 0001-first.sql',
    async (name) => {
      await expect(migrateWith(scratch.ownerUrl, { ...one, [name]: 'select 1' })).rejects.toEqual(refusal(/unbroken sequence/));
    },
  );

  test('refuse a file that ends the transaction by itself', async () => {
    await expect(migrateWith(scratch.ownerUrl, { '0001-first.sql': 'create table t (id int); commit' })).rejects.toEqual(
      refusal(/ended its transaction/),
    );
  });

  test('refuse a login that cannot act as the owner', async () => {
    await expect(migrateWith(scratch.appUrl, one)).rejects.toEqual(refusal(/ensureRoles/));
  });

  test('of a folder that is not there leave the database ready', async () => {
    expect(await migrate({ ownerUrl: scratch.ownerUrl, folder: '/nonexistent', log: silentLog })).toBe(0);
    expect(await runAs(scratch.ownerUrl, `select to_regprocedure('bulkhead_tenant_table(regclass)') is not null as ready`)).toEqual([
      { ready: true },
    ]);
  });
});

describe('bulkhead_tenant_table', () => {
  const table = (columns: string, rest = '') => ({
    '0001-table.sql': `create table parents (application_id text, id int, primary key (application_id, id)); create table t (${columns}); ${rest}; select bulkhead_tenant_table('t')`,
  });

  test.each([
    ['no application_id', 'id int primary key', '', /has no column application_id/],
    ['no primary key', 'application_id text not null', '', /has no primary key/],
    ['another column first in its primary key', 'application_id text, id int, primary key (id, application_id)', '', /unique index t_pkey/],
    ['a unique index without the tenant', 'application_id text primary key, name text unique', '', /unique index t_name_key/],
    [
      'a partial unique index without the tenant',
      'application_id text primary key, name text',
      `create unique index t_partial on t (name) where name <> ''`,
      /unique index t_partial/,
    ],
    [
      'a unique index on an expression',
      'application_id text primary key, name text',
      `create unique index t_lower on t (lower(application_id))`,
      /unique index t_lower/,
    ],
    [
      'a foreign key that leaves the tenant out',
      'application_id text, parent int, other text, primary key (application_id, parent), foreign key (other, parent) references parents',
      '',
      /foreign key t_other_parent_fkey/,
    ],
  ])('refuses a table with %s', async (_name, columns, rest, reason) => {
    await expect(migrateWith(scratch.ownerUrl, table(columns, rest))).rejects.toEqual(refusal(reason));
  });

  test('takes one whose keys all begin with the tenant, twice as well', async () => {
    const good = table(
      'application_id text, id int, name text, primary key (application_id, id), unique (application_id, name), foreign key (application_id, id) references parents',
      `create index on t (name); select bulkhead_tenant_table('t')`,
    );
    expect(await migrateWith(scratch.ownerUrl, good)).toBe(1);
  });
});
