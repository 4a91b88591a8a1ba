import { type ApplicationId, applicationId, silentLog } from '@bulkhead/base';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { connect } from './connection.ts';
import { type Database, openDatabase } from './database.ts';
import { isForeignKeyViolation, isUniqueViolation } from './database-errors.ts';
import { exampleDatabase, runAs } from './scratch-database.ts';
import { sql } from './sql.ts';
import type { TenantTx } from './transaction.ts';

const a = applicationId.generate();
const b = applicationId.generate();
let world: Awaited<ReturnType<typeof exampleDatabase>>;
let database: Database;

const bodies = (of: ApplicationId, on: Database = database) =>
  on.tenantQuery<{ body: string }>(of, sql`select body from notes order by note_id`).then((rows) => rows.map((row) => row.body));
const write = (tx: TenantTx, id: number, body: string) =>
  tx.execute(sql`insert into notes (application_id, note_id, body) values (${tx.applicationId}, ${id}, ${body})`);

beforeAll(async () => {
  world = await exampleDatabase();
  database = world.database;
  await database.withSystem('fixture', async (tx) => {
    await tx.execute(sql`insert into organizations (organization_id, name) values ('org1', 'One'), ('org2', 'Two')`);
    await tx.execute(sql`insert into applications (application_id, organization_id, name) values (${a}, 'org1', 'A'), (${b}, 'org2', 'B')`);
    await tx.execute(
      sql`insert into notes (application_id, note_id, body) values (${a}, 1, 'of a'), (${b}, 1, 'of b'), (${b}, 2, 'of b too')`,
    );
  });
});
afterAll(() => world.close());

describe('a tenant transaction', () => {
  test('sees the rows of its Application and no others, without naming it in the statement', async () => {
    expect(await bodies(a)).toEqual(['of a']);
    expect(await bodies(b)).toEqual(['of b', 'of b too']);
    const seen = await database.withTenant(a, (tx) =>
      tx.query(sql`select application_id from notes union all select application_id from applications`),
    );
    expect(seen).toEqual([{ application_id: a }, { application_id: a }]);
  });

  test('cannot read, change or delete what it names of another', async () => {
    await database.withTenant(a, async (tx) => {
      expect(await tx.maybe(sql`select * from notes where application_id = ${b} and note_id = 1`)).toBeNull();
      expect(await tx.execute(sql`update notes set body = 'mine' where application_id = ${b}`)).toBe(0);
      expect(await tx.execute(sql`delete from notes where application_id = ${b}`)).toBe(0);
    });
    expect(await bodies(b)).toEqual(['of b', 'of b too']);
  });

  test('cannot write a row into another, nor move one there', async () => {
    const insert = database.withTenant(a, (tx) =>
      tx.execute(sql`insert into notes (application_id, note_id, body) values (${b}, 9, 'planted')`),
    );
    await expect(insert).rejects.toThrow(/row-level security/);
    const move = database.withTenant(a, (tx) => tx.execute(sql`update notes set application_id = ${b}, note_id = 9`));
    await expect(move).rejects.toThrow(/row-level security/);
    await database.withTenant(b, (tx) => write(tx, 9, 'its own'));
    expect(await database.withTenant(b, (tx) => tx.execute(sql`delete from notes where note_id = 9`))).toBe(1);
  });

  test('cannot reach control tables, the record of migrations, or a sibling role', async () => {
    for (const statement of [
      sql`select * from organizations`,
      sql`select * from bulkhead_migrations`,
      sql`select bulkhead_tenant_table('notes')`,
      sql`set local role bulkhead_system`,
      sql`set local role bulkhead_owner`,
      sql`create table mine ()`,
      sql`truncate notes`,
      sql`alter table notes disable row level security`,
      sql`create policy more on notes using (true)`,
    ]) {
      await expect(
        database.withTenant(a, (tx) => tx.execute(statement)),
        statement.text,
      ).rejects.toThrow(/permission denied|must be owner/);
    }
  });

  test.each(['', 'app', '*', `${a}' or true --`, `${a}\n`, null, undefined])(
    'is refused for a scope that is no Application id: %j',
    async (scope) => {
      const attempt = database.withTenant(scope as ApplicationId, (tx) => tx.query(sql`select * from notes`));
      await expect(attempt).rejects.toMatchObject({ code: 'database.misused' });
      await expect(database.tenantQuery(scope as ApplicationId, sql`select * from notes`)).rejects.toMatchObject({
        code: 'database.misused',
      });
    },
  );
});

describe('without a scope no row comes back', () => {
  test.each(['appUrl', 'controlUrl'] as const)('as %s, before any scope was ever set on the connection', async (login) => {
    const attempt = runAs(world[login], 'select * from notes');
    // Behind a pooler no connection is new: the setting is there, and empty.
    if (!world.preparedStatements && login === 'appUrl') expect(await attempt.catch(() => [])).toEqual([]);
    else await expect(attempt).rejects.toThrow(/bulkhead.application_id|permission denied/);
  });

  test('on a connection that has served a tenant before', async () => {
    const client = await connect(world.appUrl, 'test');
    await client.query('begin');
    await client.query(`select set_config('bulkhead.application_id', $1, true)`, [a]);
    expect((await client.query('select * from notes')).rows).toHaveLength(1);
    await client.query('commit');
    expect((await client.query('select * from notes')).rows).toEqual([]);
    await client.end();
  });

  test('even for the owner of the tables', async () => {
    expect(await runAs(world.ownerUrl, 'select * from notes')).toEqual([]);
    expect(await runAs(world.adminHere, 'select * from notes')).toHaveLength(3); // the control: a superuser is not held
  });
});

describe('the control doors', () => {
  test('an organization sees its own Applications only, and nothing below them', async () => {
    const names = await database.withOrganization('org1', (tx) => tx.query(sql`select name from applications`));
    expect(names).toEqual([{ name: 'A' }]);
    await expect(database.withOrganization('org1', (tx) => tx.query(sql`select * from notes`))).rejects.toThrow(/permission denied/);
    await expect(database.withOrganization('org1', (tx) => tx.execute(sql`update applications set name = 'taken'`))).rejects.toThrow(
      /permission denied/,
    );
  });

  test('control work without an organization sees control tables and no Application', async () => {
    expect(await database.withControl('test', (tx) => tx.query(sql`select name from organizations order by name`))).toHaveLength(2);
    const applications = database.withControl('test', (tx) => tx.query(sql`select * from applications`));
    // Refused where the setting was never made on the connection, empty where it has been and has ended.
    await expect(applications.catch((error: unknown) => (/bulkhead.organization_id/.test(String(error)) ? [] : error))).resolves.toEqual(
      [],
    );
  });

  test.each(['', "org1' or true", 'a b'])('an organization scope that is no id is refused: %j', async (scope) => {
    await expect(database.withOrganization(scope, (tx) => tx.query(sql`select 1`))).rejects.toMatchObject({ code: 'database.misused' });
  });

  test('work across all Applications tells the log why', async () => {
    const debug = vi.fn();
    const log = { ...silentLog, debug, child: () => log };
    const own = openDatabase({ ...world, log });
    expect(await own.withSystem('sweep of expired notes', (tx) => tx.one(sql`select count(*) as count from notes`))).toEqual({ count: 3 });
    expect(debug).toHaveBeenCalledWith(expect.any(String), { reason: 'sweep of expired notes' });
    await own.close();
  });
});

describe('a transaction', () => {
  test('rolls back whatever the work throws, and passes it on', async () => {
    const thrown = new Error('changed my mind');
    await expect(
      database.withTenant(a, async (tx) => {
        await write(tx, 50, 'never');
        throw thrown;
      }),
    ).rejects.toBe(thrown);
    await expect(
      database.withTenant(a, () => {
        throw thrown;
      }),
    ).rejects.toBe(thrown);
    expect(await bodies(a)).toEqual(['of a']);
  });

  test('whose statement was started and forgotten fails loudly and writes nothing', async () => {
    await expect(
      database.withTenant(a, async (tx) => {
        void write(tx, 51, 'forgotten');
      }),
    ).rejects.toMatchObject({ code: 'database.misused', detail: expect.stringContaining('not awaited') });
    expect(await bodies(a)).toEqual(['of a']);
    await database.withTenant(a, async (tx) => {
      await write(tx, 51, 'awaited');
    });
    expect(await bodies(a)).toEqual(['of a', 'awaited']);
    await database.withTenant(a, (tx) => tx.execute(sql`delete from notes where note_id = 51`));
  });

  test('that has ended takes no more statements', async () => {
    let kept: TenantTx | undefined;
    await database.withTenant(a, async (tx) => {
      kept = tx;
    });
    await expect(kept!.query(sql`select * from notes`)).rejects.toMatchObject({ code: 'database.misused' });
    expect(() => kept!.onCommit(() => undefined)).toThrow(expect.objectContaining({ code: 'database.misused' }));
  });

  test('in which an error was swallowed does not pretend to have committed', async () => {
    await expect(
      database.withTenant(a, async (tx) => {
        await write(tx, 52, 'lost');
        await tx.query(sql`select * from nowhere`).catch(() => undefined);
      }),
    ).rejects.toMatchObject({ code: 'database.misused', cause: expect.objectContaining({ code: '42P01' }) });
    expect(await bodies(a)).toEqual(['of a']);
  });

  test('runs its callbacks after the commit, in order, and none if it rolls back', async () => {
    const order: string[] = [];
    await database.withTenant(a, async (tx) => {
      tx.onCommit(async () => {
        order.push(`sees ${(await bodies(a)).length}`);
      });
      tx.onCommit(() => {
        throw new Error('logged, not thrown');
      });
      tx.onCommit(() => void order.push('last'));
      await write(tx, 53, 'there');
      order.push('work');
    });
    expect(order).toEqual(['work', 'sees 2', 'last']);
    await database
      .withTenant(a, async (tx) => {
        tx.onCommit(() => void order.push('never'));
        await tx.execute(sql`delete from notes where note_id = 53`);
        throw new Error('no');
      })
      .catch(() => undefined);
    expect(order).not.toContain('never');
    await database.withTenant(a, (tx) => tx.execute(sql`delete from notes where note_id = 53`));
  });

  test('tells a taken key and a missing parent apart', async () => {
    const taken = await database.withTenant(a, (tx) => write(tx, 1, 'again')).catch((error: unknown) => error);
    expect([
      isUniqueViolation(taken),
      isUniqueViolation(taken, 'notes_pkey'),
      isUniqueViolation(taken, 'other'),
      isForeignKeyViolation(taken),
    ]).toEqual([true, true, false, false]);
    const orphan = applicationId.generate();
    const missing = await database.withTenant(orphan, (tx) => write(tx, 1, 'x')).catch((error: unknown) => error);
    expect([isUniqueViolation(missing), isForeignKeyViolation(missing)]).toEqual([false, true]);
    expect(isUniqueViolation(new Error('23505')) || isUniqueViolation(null) || isUniqueViolation({ code: '23505' })).toBe(false);
  });

  test('insists on the number of rows it was told to expect', async () => {
    await database.withTenant(b, async (tx) => {
      await expect(tx.one(sql`select * from notes where note_id = 77`)).rejects.toMatchObject({ code: 'database.misused' });
      await expect(tx.one(sql`select * from notes`)).rejects.toMatchObject({ code: 'database.misused' });
      await expect(tx.maybe(sql`select * from notes`)).rejects.toMatchObject({ code: 'database.misused' });
      expect(await tx.maybe(sql`select * from notes where note_id = 77`)).toBeNull();
    });
  });

  test('queues its statements without waiting for the answers', async () => {
    const rows = await database.withTenant(a, (tx) =>
      Promise.all(Array.from({ length: 50 }, (_, index) => tx.one<{ n: number }>(sql`select ${index}::int as n`))),
    );
    expect(rows.map((row) => row.n)).toEqual(Array.from({ length: 50 }, (_, index) => index));
  });
});

describe('values', () => {
  test('come back as JavaScript knows them', async () => {
    const row = await database.withTenant(a, (tx) =>
      tx.one(sql`select
      ${Number.MAX_SAFE_INTEGER}::int8 as big, ${new Date('2026-03-04T05:06:07.089Z')}::timestamptz as at, '2026-03-04'::date as day,
      ${sql.json({ list: [1, null], quote: "'" })} as json, ${new Uint8Array([0, 255])}::bytea as bytes, ${['x', "y'"]}::text[] as list, ${null}::text as nothing`),
    );
    expect(row).toEqual({
      big: Number.MAX_SAFE_INTEGER,
      at: new Date('2026-03-04T05:06:07.089Z'),
      day: '2026-03-04',
      json: { list: [1, null], quote: "'" },
      bytes: Buffer.from([0, 255]),
      list: ['x', "y'"],
      nothing: null,
    });
  });

  test('an integer past 2^53 is an error, never a neighbour of itself', async () => {
    await expect(database.withTenant(a, (tx) => tx.one(sql`select 9007199254740993::int8 as big`))).rejects.toThrow(RangeError);
    expect(await database.withTenant(a, (tx) => tx.one(sql`select 9007199254740993::int8::text as big`))).toEqual({
      big: '9007199254740993',
    });
  });

  test("a NUL in a text is the caller's mistake, not ours", async () => {
    await expect(database.tenantQuery(a, sql`select ${'a\0b'}::text`)).rejects.toMatchObject({
      code: 'database.text_refused',
      status: 400,
    });
  });
});

test('a migration under a running process costs each connection one retry at most, then it sees the new shape', async () => {
  const own = openDatabase({ ...world, log: silentLog, poolSize: 1 });
  const every = () => own.tenantQuery(a, sql`select * from notes where note_id = ${1}`);
  expect(Object.keys((await every())[0]!)).toHaveLength(3);
  await runAs(world.ownerUrl, 'alter table notes add column later text');
  // Without prepared statements there is no plan to be out of date.
  if (world.preparedStatements) await expect(every()).rejects.toMatchObject({ code: 'database.busy', status: 503 });
  expect(Object.keys((await every())[0]!)).toHaveLength(4);
  await runAs(world.ownerUrl, 'alter table notes drop column later');
  await own.close();
});

describe('T5: where every connection is taken', () => {
  /** In what order these get the only connection, all asked for while somebody holds it. */
  async function order(asked: readonly (readonly [string, ApplicationId])[]): Promise<string[]> {
    const own = openDatabase({ ...world, log: silentLog, poolSize: 1 });
    const gate = Promise.withResolvers<void>();
    const holder = own.withTenant(a, async (tx) => {
      await tx.query(sql`select 1`);
      await gate.promise;
    });
    const served: string[] = [];
    const all = asked.map(([name, id]) => own.withTenant(id, async (tx) => tx.query(sql`select 1`).then(() => served.push(name))));
    gate.resolve();
    await Promise.all([holder, ...all]);
    await own.close();
    return served;
  }

  test('tenants take turns: one that asks once does not wait for all that another has asked before', async () => {
    const many = ['1', '2', '3', '4', '5'].map((name) => [name, a] as const);
    expect(await order([...many, ['other', b]])).toEqual(['1', 'other', '2', '3', '4', '5']);
    // Control: where it is one and the same tenant, it is last.
    expect(await order([...many, ['other', a]])).toEqual(['1', '2', '3', '4', '5', 'other']);
  });

  test('who has given up leaves nothing behind: the connection goes to the next, and the one after is served at once', async () => {
    const own = openDatabase({ ...world, log: silentLog, poolSize: 1, acquireTimeoutMs: 200 });
    const gate = Promise.withResolvers<void>();
    const holder = own.withTenant(a, async (tx) => {
      await tx.query(sql`select 1`);
      await gate.promise;
    });
    await expect(own.tenantQuery(b, sql`select 1`)).rejects.toMatchObject({ code: 'database.unavailable' });
    gate.resolve();
    await holder;
    for (let time = 0; time < 3; time++) expect(await own.tenantQuery(b, sql`select 1 as one`)).toEqual([{ one: 1 }]);
    await own.close();
  });
});

describe('when the database does not answer', () => {
  test('a full pool answers 503 with a time to come back, and serves again once there is room', async () => {
    const own = openDatabase({ ...world, log: silentLog, poolSize: 1, acquireTimeoutMs: 3_000 });
    const { promise: gate, resolve: openGate } = Promise.withResolvers<void>();
    const holder = own.withTenant(a, async (tx) => {
      await tx.query(sql`select 1`);
      await gate;
    });
    await expect(own.withTenant(a, (tx) => tx.query(sql`select 1`))).rejects.toMatchObject({
      code: 'database.unavailable',
      status: 503,
      retryAfterSeconds: expect.any(Number),
    });
    openGate();
    await holder;
    expect(await bodies(a, own)).toEqual(['of a']);
    await own.close();
  });

  test('nothing at the address is 503, and so is a wrong password', async () => {
    for (const url of ['postgresql://bulkhead_app:x@/none?host=/nonexistent', world.appUrl.replace(/:[^:@]+@/, ':wrong@')]) {
      const own = openDatabase({ ...world, appUrl: url, controlUrl: url, log: silentLog });
      await expect(own.tenantQuery(a, sql`select 1`)).rejects.toMatchObject({ code: 'database.unavailable', status: 503 });
      await expect(own.ping()).rejects.toMatchObject({ code: 'database.unavailable' });
      await own.close();
    }
    await expect(database.ping()).resolves.toBeUndefined();
  });

  test('a connection killed in the middle is 503, and the next transaction gets a new one', async () => {
    const own = openDatabase({ ...world, log: silentLog, poolSize: 1 });
    const killed = own.withTenant(a, async (tx) => {
      const { pid } = await tx.one<{ pid: number }>(sql`select pg_backend_pid() as pid`);
      await runAs(world.adminHere, `select pg_terminate_backend(${pid}, 5000)`);
      await tx.query(sql`select 1`);
    });
    await expect(killed).rejects.toMatchObject({ code: 'database.unavailable' });
    expect(await bodies(a, own)).toEqual(['of a']);
    await own.close();
  });

  test('a statement that takes too long is stopped and answers 503', async () => {
    const own = openDatabase({ ...world, log: silentLog, statementTimeoutMs: 50 });
    await expect(own.tenantQuery(a, sql`select pg_sleep(20)`)).rejects.toMatchObject({
      code: 'database.busy',
      status: 503,
      retryAfterSeconds: 1,
    });
    expect(await own.withSystem('long', (tx) => tx.query(sql`select pg_sleep(0.2)`), { statementTimeoutMs: 10_000 })).toHaveLength(1);
    await own.close();
  });

  test('a transaction that idles is ended by the server and its connection not used again', async () => {
    const own = openDatabase({ ...world, log: silentLog, idleInTransactionTimeoutMs: 30, poolSize: 1 });
    const { promise: ended, resolve: sawEnd } = Promise.withResolvers<void>();
    const idle = own.withTenant(a, async (tx) => {
      const { pid } = await tx.one<{ pid: number }>(sql`select pg_backend_pid() as pid`);
      while ((await runAs(world.adminHere, `select from pg_stat_activity where pid = ${pid}`)).length > 0) continue;
      sawEnd();
      await tx.query(sql`select 1`);
    });
    await ended;
    await expect(idle).rejects.toMatchObject({ code: 'database.unavailable' });
    expect(await bodies(a, own)).toEqual(['of a']);
    await own.close();
  });
});
