import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '@bulkhead/base';
import { MIGRATIONS_FOLDER } from '@bulkhead/platform';
import { migrate, tableGate } from '@bulkhead/postgres';
import { testDatabase } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { controlTables, gateOptions } from './tables.ts';

let database: Awaited<ReturnType<typeof testDatabase>>;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(async () => {
  await database.close();
});

describe('T2: the migrated database', () => {
  test('keeps every tenant table behind forced row-level security, keyed by its tenant', async () => {
    expect(await tableGate(database.ownerUrl, gateOptions)).toEqual([]);
  });

  test('has no control table that the gate was not told of, and was told of none that is not there', async () => {
    const undeclared = await tableGate(database.ownerUrl, { ...gateOptions, controlTables: [] });
    const missed = controlTables.filter((table) => !undeclared.some((finding) => new RegExp(`\\b${table}\\b`).test(finding)));
    expect(missed).toEqual([]);
  });
});

describe('T2: a migration that forgets', () => {
  test.each([
    [
      'row-level security',
      'create table notes (application_id text not null, note_id text, primary key (application_id, note_id));',
      /notes/,
    ],
    ['the tenant', 'create table notes (note_id text primary key, body text);', /notes/],
    [
      'the tenant in a unique index',
      "create table notes (application_id text not null, note_id text, slug text, primary key (application_id, note_id)); select bulkhead_tenant_table('notes'); create unique index notes_by_slug on notes (slug);",
      /notes_by_slug/,
    ],
    ['the tenant in a foreign key', 'alter table grants add column given_by text references applications;', /grants_given_by_fkey/],
    ['to force it on the owner', 'alter table accounts no force row level security;', /accounts/],
    [
      'to check what is written',
      "drop policy tenant on grants; create policy tenant on grants to bulkhead_app using (application_id = (select current_setting('bulkhead.application_id')));",
      /grants/,
    ],
    [
      'that a view runs as its owner',
      'create view everyone as select * from accounts; grant select on everyone to bulkhead_app;',
      /everyone/,
    ],
    [
      'that a function may run as its owner',
      "create function peek() returns bigint language sql security definer as 'select count(*) from accounts'; grant execute on function peek() to bulkhead_app;",
      /peek/,
    ],
    ['that a tenant must not see the control plane', 'grant select on meta_tokens to bulkhead_app;', /meta_tokens/],
  ])('%s is found', async (_what, statement, finding) => {
    const own = await testDatabase();
    const folder = await mkdtemp(join(tmpdir(), 'bulkhead-gate-'));
    try {
      await cp(MIGRATIONS_FOLDER, folder, { recursive: true });
      const count = (await readdir(folder)).filter((file) => /^\d{4}-/.test(file)).length;
      await writeFile(join(folder, `${String(count + 1).padStart(4, '0')}-forgetful.sql`), statement);
      await migrate({ ownerUrl: own.ownerUrl, folder, log: silentLog });
      expect(await tableGate(own.ownerUrl, gateOptions)).toEqual(expect.arrayContaining([expect.stringMatching(finding)]));
    } finally {
      await rm(folder, { recursive: true, force: true });
      await own.close();
    }
  });
});
