import type { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { connect } from './connection.ts';
import { exampleSchema, migrateWith, scratchDatabase } from './scratch-database.ts';
import { gateFindings, tableGate } from './table-gate.ts';

const options = { controlTables: ['organizations'], organizationTables: ['applications'] };
let scratch: Awaited<ReturnType<typeof scratchDatabase>>;
/** A superuser in a transaction that acts as the owner and is never committed. */
let client: Client;
const find = (given = options) => gateFindings(client, given);
const asSuperuser = async (statement: string) => {
  await client.query(`reset role; ${statement}; set local role bulkhead_owner`);
};

beforeAll(async () => {
  scratch = await scratchDatabase();
  await migrateWith(scratch.ownerUrl, { '0001-example.sql': exampleSchema });
  client = await connect(scratch.adminHere, 'test');
});
afterAll(async () => {
  await client.end();
  await scratch.drop();
});
beforeEach(async () => {
  await client.query('begin; set local role bulkhead_owner');
});
afterEach(async () => {
  await client.query('rollback');
});

describe('the gate', () => {
  test('has nothing to say about a clean schema', async () => {
    expect(await find()).toEqual([]);
    expect(await tableGate(scratch.ownerUrl, options)).toEqual([]);
  });

  test.each([
    ['a table nobody spoke of', 'create table forgotten (id int primary key, body text)', /forgotten has no column application_id/],
    ['a tenant table without policies', 'create table bare (application_id text primary key)', /bare does not have row-level security/],
    ['security that is not forced', 'alter table notes no force row level security', /notes does not have row-level security both/],
    ['security that is off', 'alter table notes disable row level security', /notes does not have row-level security both/],
    [
      'a policy that reads but does not check',
      `drop policy tenant on notes; create policy tenant on notes to bulkhead_app using (application_id = (select current_setting('bulkhead.application_id')))`,
      /notes lacks the policy/,
    ],
    [
      'a policy without the sub-select',
      `drop policy tenant on notes; create policy tenant on notes to bulkhead_app using (application_id = current_setting('bulkhead.application_id')) with check (application_id = current_setting('bulkhead.application_id'))`,
      /notes lacks the policy/,
    ],
    [
      'a setting that may be missing',
      `drop policy tenant on notes; create policy tenant on notes to bulkhead_app using (application_id = (select current_setting('bulkhead.application_id', true))) with check (application_id = (select current_setting('bulkhead.application_id', true)))`,
      /notes lacks the policy/,
    ],
    ['one policy too many', 'create policy also on notes for select to bulkhead_app using (body is not null)', /notes has the policy also/],
    ['a policy for everyone', 'create policy everyone on notes using (true)', /notes has the policy everyone/],
    [
      'a policy for control on a table that is not its',
      `create policy organization on notes to bulkhead_control using (application_id = (select current_setting('bulkhead.organization_id')))`,
      /notes has the policy organization/,
    ],
    [
      'a wider policy for control on its own table',
      'create policy all_of_them on applications to bulkhead_control using (true)',
      /applications has the policy all_of_them/,
    ],
    ['rights of control on a tenant table', 'grant select on notes to bulkhead_control', /bulkhead_control has rights/],
    ['rights of control on one column of it', 'grant select (body) on notes to bulkhead_control', /bulkhead_control has rights/],
    ['the right to truncate', 'grant truncate on notes to bulkhead_app', /notes lets bulkhead_app do more/],
    ['the right to make triggers, by way of public', 'grant trigger on notes to public', /notes lets bulkhead_app do more/],
    ['a unique index without the tenant', 'create unique index by_body on notes (body)', /unique index by_body/],
    [
      'an exclusion constraint without the tenant',
      'alter table notes add constraint apart exclude using btree (body with =)',
      /unique index apart/,
    ],
    [
      "a trigger that runs with its owner's rights, although nobody may call its function",
      `create function spy() returns trigger language plpgsql security definer as 'begin return new; end'; revoke execute on function spy() from public;
       create trigger spying before insert on notes for each row execute function spy()`,
      /Trigger spying on public\.notes runs spy\(\)/,
    ],
    ['a rule', 'create rule also as on insert to notes do also delete from notes', /Rule also on public\.notes/],
    [
      'tables that are open as soon as they are made',
      'alter default privileges grant select on tables to bulkhead_app',
      /New tables of bulkhead_owner let bulkhead_app/,
    ],
    ['functions that are', 'alter default privileges grant execute on functions to public', /functions of bulkhead_owner (let|can)/],
    [
      'a sequence that can be read',
      'create sequence counter; grant select on sequence counter to bulkhead_app',
      /Sequence public\.counter lets bulkhead_app/,
    ],
    [
      'a sequence that can be set',
      'create sequence counter; grant update on sequence counter to public',
      /Sequence public\.counter lets bulkhead_system/,
    ],
    ['a foreign key without the tenant', 'alter table notes add column again text references applications', /foreign key notes_again_fkey/],
    [
      'a foreign key to an undeclared table',
      'create table strays (id int primary key); alter table notes add column stray int references strays',
      /notes_stray_fkey to strays/,
    ],
    ['a control table open to tenants', 'grant select on organizations to bulkhead_app', /organizations lets bulkhead_app in/],
    [
      'the record of migrations open to anyone',
      'grant select on bulkhead_migrations to public',
      /record of migrations lets bulkhead_app in/,
    ],
    [
      "a view with its owner's rights",
      'create view all_notes as select * from notes; grant select on all_notes to bulkhead_app',
      /View public.all_notes/,
    ],
    [
      'a materialized view',
      'create materialized view kept as select * from notes; grant select on kept to bulkhead_app',
      /Materialized view public.kept/,
    ],
    [
      "a function with its owner's rights",
      `create function peek() returns bigint language sql security definer as 'select count(*) from notes'; grant execute on function peek() to bulkhead_app`,
      /Function peek\(\) runs/,
    ],
    [
      'a partition within reach',
      `create table logs (application_id text, id int, primary key (application_id, id)) partition by list (application_id); create table logs_rest partition of logs default; select bulkhead_tenant_table('logs'); grant select on logs_rest to bulkhead_app`,
      /Partition public.logs_rest/,
    ],
    [
      'a table in another schema within reach',
      'create schema elsewhere; create table elsewhere.jobs (payload text); grant usage on schema elsewhere to bulkhead_app; grant select on elsewhere.jobs to bulkhead_app',
      /elsewhere.jobs lies outside/,
    ],
  ])('finds %s', async (_name, violation, finding) => {
    await client.query(violation);
    expect(await find()).toEqual(expect.arrayContaining([expect.stringMatching(finding)]));
  });

  test.each([
    ['the right to create', 'grant create on schema public to bulkhead_app', /bulkhead_app may create in schema public/],
    ['a mighty role', 'alter role bulkhead_app bypassrls createrole', /bulkhead_app may bypass row-level security/],
    ['a mighty owner', 'alter role bulkhead_owner superuser', /bulkhead_owner may do anything/],
    [
      'temporary tables, which would shadow the real ones for the next tenant of a connection',
      `do $$ begin execute format('grant temporary on database %I to bulkhead_app', current_database()); end $$`,
      /bulkhead_app may make temporary tables/,
    ],
    [
      'the right to make schemas',
      `do $$ begin execute format('grant create on database %I to bulkhead_app', current_database()); end $$`,
      /bulkhead_app may make schemas/,
    ],
    [
      'a database that everybody may reach',
      `do $$ begin execute format('grant connect on database %I to public', current_database()); end $$`,
      /Everybody may reach the database/,
    ],
    [
      'a scope that is there before anybody set one',
      `do $$ begin execute format('alter database %I set bulkhead.application_id = ''app1''', current_database()); end $$`,
      /Every session begins with bulkhead\.application_id=app1/,
    ],
    [
      'another search path',
      'alter role bulkhead_app set search_path = elsewhere, public',
      /A session of bulkhead_app begins with search_path=/,
    ],
    [
      'the right to switch triggers and foreign keys off',
      'grant set on parameter session_replication_role to bulkhead_app',
      /Role bulkhead_app may set session_replication_role/,
    ],
    [
      'an extension',
      "insert into pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion) values (99999, 'dblink', 10, 2200, true, '1')",
      /Extension dblink is installed/,
    ],
    ['large objects', "select lo_from_bytea(0, 'x')", /There are large objects/],
    [
      'a language that leaves the database',
      "create language loose handler plpgsql_call_handler; update pg_language set lanpltrusted = false where lanname = 'loose'",
      /Language loose/,
    ],
    ['a membership', 'grant bulkhead_system to bulkhead_app', /bulkhead_app is a member of bulkhead_system/],
    [
      'a function of a superuser',
      `create function peek() returns bigint language sql security definer as 'select count(*) from public.notes'`,
      /Function peek\(\) runs/,
    ],
  ])('finds %s', async (_name, violation, finding) => {
    await asSuperuser(violation);
    expect(await find()).toEqual(expect.arrayContaining([expect.stringMatching(finding)]));
  });

  test('finds what a serving role owns', async () => {
    await asSuperuser('create schema theirs authorization bulkhead_app');
    expect(await find()).toContain('Role bulkhead_app owns schema theirs.');
  });

  test('finds a control table that is declared and not there', async () => {
    expect(await find({ ...options, controlTables: ['organizations', 'ghosts'] })).toEqual(['Control table ghosts does not exist.']);
  });

  test('does not let a table pass as a control table by silence', async () => {
    expect(await find({ ...options, controlTables: [] })).toEqual(
      expect.arrayContaining([expect.stringMatching(/organizations has no column application_id/)]),
    );
  });

  test("is content with a view that runs with the caller's rights, and what is allowed by name", async () => {
    await client.query(
      'create view own_notes with (security_invoker = true) as select * from notes; grant select on own_notes to bulkhead_app',
    );
    await client.query(
      'create schema elsewhere; create table elsewhere.jobs (payload text); grant usage on schema elsewhere to bulkhead_app; grant insert on elsewhere.jobs to bulkhead_app',
    );
    const allowed = { ...options, allowed: ['elsewhere.jobs'] };
    expect(await find(allowed)).toEqual([]);
  });
});
