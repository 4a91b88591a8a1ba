import { type ApplicationId, applicationId, silentLog } from '@bulkhead/base';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Database, openDatabase } from './database.ts';
import { exampleDatabase, runAs } from './scratch-database.ts';
import { sql } from './sql.ts';

const [a, b] = [applicationId.generate(), applicationId.generate()];
let world: Awaited<ReturnType<typeof exampleDatabase>>;
let here: Database;
let elsewhere: Database;

beforeAll(async () => {
  world = await exampleDatabase();
  await runAs(
    world.adminHere,
    'create trigger tell_change after update or delete on notes for each row execute function bulkhead_tell_change()',
  );
  here = world.database;
  elsewhere = openDatabase({ ...world, log: silentLog, poolSize: 2 });
});
afterAll(async () => {
  await elsewhere.close();
  await world.close();
});
beforeEach(async () => {
  await here.withSystem('fixture', async (tx) => {
    await tx.execute(sql`delete from notes`);
    await tx.execute(sql`insert into organizations (organization_id, name) values ('org', 'One') on conflict do nothing`);
    for (const id of [a, b]) {
      await tx.execute(
        sql`insert into applications (application_id, organization_id, name) values (${id}, 'org', 'x') on conflict do nothing`,
      );
      await tx.execute(sql`insert into notes (application_id, note_id, body) values (${id}, 1, ${`first of ${id}`})`);
    }
  });
});

const read = (database: Database, id: ApplicationId) =>
  database.recall(
    id,
    'note 1',
    () => sql`select body from notes where application_id = ${id} and note_id = 1`,
    ([row]) => (row as { body: string } | undefined)?.body ?? null,
  );

/** Reads until it is remembered: changes the row behind everybody's back until nobody notices. Leaves it changed. */
async function remembered(database: Database, id: ApplicationId): Promise<string> {
  for (let round = 0; ; round++) {
    const before = await read(database, id);
    await behindTheirBacks(`update notes set body = 'round ${round}' where application_id = '${id}'`);
    if (before !== null && (await read(database, id)) === before) return before;
  }
}

/** No trigger fires: as if the notification were lost. */
const behindTheirBacks = (statement: string) =>
  runAs(world.adminHere, `set session_replication_role = 'replica'; ${statement}; set session_replication_role = 'origin'`);

describe('what was read within the last second', () => {
  test('is not read again', async () => {
    const old = await remembered(here, a);
    expect(await here.tenantQuery(a, sql`select body from notes`)).not.toEqual([{ body: old }]);
  });

  test('is forgotten within a second although nobody was told', async () => {
    const old = await remembered(here, a);
    await expect.poll(() => read(here, a)).not.toBe(old);
  });

  test.each<[string, (database: Database) => Promise<unknown>]>([
    ['a tenant transaction', (database) => database.withTenant(a, (tx) => tx.execute(sql`update notes set body = 'new'`))],
    ['a single statement', (database) => database.tenantQuery(a, sql`update notes set body = 'new'`)],
    [
      'a statement that changes although it begins as a read',
      (database) => database.withTenant(a, (tx) => tx.execute(sql`with w as (update notes set body = 'new') select 1`)),
    ],
    ['a transaction across all', (database) => database.withSystem('test', (tx) => tx.execute(sql`update notes set body = 'new'`))],
  ])('is forgotten at once where this process changes it by %s, and soon where another does', async (_, change) => {
    await remembered(here, a);
    await remembered(elsewhere, a);
    await change(here);
    expect(await read(here, a)).toBe('new');
    await expect.poll(() => read(elsewhere, a)).toBe('new');
  });

  test('survives a transaction across all that changed nothing of it', async () => {
    const old = await remembered(here, a);
    await here.withSystem('test', (tx) => tx.execute(sql`update organizations set name = 'Two'`));
    expect(await read(here, a)).toBe(old);
  });

  test('is gone with the row', async () => {
    await remembered(here, a);
    await here.withTenant(a, (tx) => tx.execute(sql`delete from notes`));
    expect(await read(here, a)).toBeNull();
    await here.withTenant(a, (tx) => tx.execute(sql`insert into notes (application_id, note_id, body) values (${a}, 1, 'again')`));
    expect(await read(here, a)).toBe('again');
    // Nothing told the other one of the insertion: what was not there is not remembered.
    await expect.poll(() => read(elsewhere, a)).toBe('again');
  });

  test("is one tenant's: under the same name another gets its own", async () => {
    await remembered(here, a);
    expect(await read(here, b)).toBe(`first of ${b}`);
  });

  test('is not remembered while changes cannot be heard, and again once they can', async () => {
    const connections = (limit: number) =>
      runAs(world.adminHere, `do $$ begin execute format('alter database %I connection limit ${limit}', current_database()); end $$`);
    await remembered(here, a);
    // Whoever is connected stays so; the listener, cut off, cannot come back.
    await connections(0);
    await runAs(
      world.adminHere,
      `select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'bulkhead-listener' and datname = current_database()`,
    );
    const changed = async (): Promise<boolean> => {
      const first = await read(here, a);
      await behindTheirBacks(`update notes set body = body || '.' where application_id = '${a}'`);
      return (await read(here, a)) !== first;
    };
    await expect.poll(changed).toBe(true);
    for (let time = 0; time < 10; time++) expect(await changed()).toBe(true);
    await connections(-1);
    await remembered(here, a);
  });

  test('is not remembered at all where that is switched off', async () => {
    const database = openDatabase({ ...world, log: silentLog, poolSize: 2, recalls: false });
    for (let round = 0; round < 5; round++) {
      await behindTheirBacks(`update notes set body = 'off ${round}' where application_id = '${a}'`);
      expect(await read(database, a)).toBe(`off ${round}`);
    }
    await database.close();
  });
});
