import { type ApplicationId, applicationId, silentLog } from '@bulkhead/base';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConnectionPool } from './connection-pool.ts';
import { tenantScope } from './scope.ts';
import { exampleDatabase, runAs } from './scratch-database.ts';
import { Sql, sql } from './sql.ts';
import { Transaction, type TransactionOptions } from './transaction.ts';

const [a, b] = [applicationId.generate(), applicationId.generate()];
const limits = { statementTimeoutMs: 30_000, idleInTransactionTimeoutMs: 15_000 };
let world: Awaited<ReturnType<typeof exampleDatabase>>;
let oneLogin: string;

beforeAll(async () => {
  world = await exampleDatabase();
  await world.database.withSystem('fixture', async (tx) => {
    await tx.execute(sql`insert into organizations (organization_id, name) values ('org', 'One')`);
    for (const id of [a, b]) {
      await tx.execute(sql`insert into applications (application_id, organization_id, name) values (${id}, 'org', 'x')`);
      await tx.execute(sql`insert into notes (application_id, note_id, body) values (${id}, 1, ${id})`);
    }
  });
  const login = `${world.name}_login`;
  await runAs(
    world.adminHere,
    `create role ${login} login noinherit password 'test'; grant bulkhead_app, bulkhead_control, bulkhead_system to ${login}; grant connect on database ${world.name} to ${login}`,
  );
  oneLogin = world.appUrl.replace(/\/\/[^@]+@/, `//${login}:test@`);
});
afterAll(async () => {
  await world.close();
  await runAs(world.adminUrl, `drop role ${world.name}_login`);
});

function poolOf(url: string): ConnectionPool {
  return new ConnectionPool({ url, applicationName: 'test', size: 1, acquireTimeoutMs: 20_000, answerTimeoutMs: 20_000, log: silentLog });
}

const cannotBeSent = Sql.assemble(
  ['select ', ''],
  [
    {
      toPostgres() {
        throw new Error('no');
      },
    },
  ],
);
const disasters: Record<string, readonly Sql[]> = {
  'a read': [sql`select * from notes`],
  'no statement but the scope': [],
  'a statement that fails': [sql`select 1/0`],
  'a statement that fails with a value': [sql`select 1/${0}::int`],
  'a statement that does not parse': [sql`selec`],
  'a failure before a read': [sql`select 1/0`, sql`select * from notes`],
  'a failure after a read': [sql`select * from notes`, sql`select 1/0`],
  'a value that cannot be sent': [sql`select * from notes`, cannotBeSent],
  'a row that cannot be parsed': [sql`select 9007199254740993::int8`, sql`select * from notes`],
  'a commit of its own': [sql`commit`],
  'a rollback of its own': [sql`rollback`],
  'a constraint that fails when it ends': [
    sql`create temporary table late (id int unique deferrable initially deferred)`,
    sql`insert into late values (1), (1)`,
  ],
  'the death of its connection': [sql`select pg_terminate_backend(pg_backend_pid())`],
};

// Unprepared, as behind a pooler, it is a transaction spelled out; the guarantees are the same.
describe.each([
  ['a login for each role, prepared', () => world.appUrl, true],
  ['one login for all, prepared', () => oneLogin, true],
  ['one login for all, unprepared', () => oneLogin, false],
] as const)('statements in one flight, with %s:', (_name, url, preparedStatements) => {
  const inScopeOf = (id: ApplicationId): TransactionOptions => ({
    scope: tenantScope(id, limits),
    preparedStatements: preparedStatements && world.preparedStatements,
    log: silentLog,
    origin: {},
  });

  test.each(Object.entries(disasters))('the scope ends with the flight, after %s', async (_disaster, statements) => {
    const pool = poolOf(url());
    try {
      const attempt = async () => Transaction.single(await pool.acquire(), inScopeOf(a), statements).catch((error: Error) => error.message);
      const first = await attempt();
      const next = await pool.acquire();
      const { rows } = await next.query<Record<string, string | null>>(
        `select nullif(current_setting('bulkhead.application_id', true), '') as application, current_setting('role') as role, current_setting('statement_timeout') as timeout`,
      );
      expect(rows).toEqual([{ application: null, role: 'none', timeout: '0' }]);
      expect(next.getTransactionStatus()).toBe('I');
      next.release();
      // The same statements again, and others after them: no name was left behind, no answer is taken for another's.
      expect(await attempt()).toEqual(first);
      const seen = await Transaction.single(await pool.acquire(), inScopeOf(b), [
        sql`select body from notes`,
        sql`select ${'x'}::text as x`,
      ]);
      expect(seen).toEqual([[{ body: b }], [{ x: 'x' }]]);
    } finally {
      await pool.end();
    }
  });

  test('the control: a scope that is not local does outlive the flight', async () => {
    const pool = poolOf(url());
    const scope = sql`select set_config('role', 'bulkhead_app', false), set_config('bulkhead.application_id', ${a}, false)`;
    await Transaction.single(await pool.acquire(), { ...inScopeOf(a), scope }, []);
    const next = await pool.acquire();
    expect((await next.query('select body from notes')).rows).toEqual([{ body: a }]);
    // Behind a pooler the session outlives this pool.
    await next.query('discard all');
    next.release();
    await pool.end();
  });

  test('a flight is one transaction: what a later statement refuses, an earlier one has not written', async () => {
    const pool = poolOf(url());
    const write = sql`insert into notes (application_id, note_id, body) values (${a}, ${2}, 'second')`;
    try {
      const refused = Transaction.single(await pool.acquire(), inScopeOf(a), [write, sql`select 1/0`]);
      await expect(refused).rejects.toThrow('division by zero');
      const count = sql`select count(*) as notes from notes`;
      expect(await Transaction.single(await pool.acquire(), inScopeOf(a), [count])).toEqual([[{ notes: 1 }]]);
      // The control: without the refusal it is written.
      await Transaction.single(await pool.acquire(), inScopeOf(a), [write]);
      expect(await Transaction.single(await pool.acquire(), inScopeOf(a), [count])).toEqual([[{ notes: 2 }]]);
      await Transaction.single(await pool.acquire(), inScopeOf(a), [sql`delete from notes where note_id = 2`]);
    } finally {
      await pool.end();
    }
  });

  test('a flight that fails keeps its connection, whatever it asked to be prepared and wherever it failed', async () => {
    const pool = poolOf(url());
    // The connection as we see it: behind a pooler each transaction may be another backend's.
    const connection = async () => {
      const client = await pool.acquire();
      client.release();
      return client;
    };
    // Texts that no connection has seen, in front of the failure, in it, and behind it; each of them as a mistake and as no mistake.
    const fresh = (n: number, divisor: number) => [
      sql`select ${n}::int + ${sql.raw('1')} as before`,
      sql`select ${n}::int / ${divisor}::int as here, ${sql.identifier(`n${n}`)} from (select 1) as t (${sql.identifier(`n${n}`)})`,
      sql`select ${n}::int as ${sql.identifier(`after${n}`)}`,
    ];
    try {
      const first = await connection();
      for (let n = 0; n < 20; n += 1) {
        const attempt = async (divisor: number) => Transaction.single(await pool.acquire(), inScopeOf(a), fresh(n, divisor));
        await expect(attempt(0)).rejects.toThrow('division by zero');
        await expect(Transaction.single(await pool.acquire(), inScopeOf(a), [sql`selec ${n}`, ...fresh(n, 1)])).rejects.toThrow('syntax');
        expect(await attempt(1)).toEqual([[{ before: n + 1 }], [{ here: n, [`n${n}`]: 1 }], [{ [`after${n}`]: n }]]);
        await expect(attempt(0)).rejects.toThrow('division by zero');
      }
      expect(await connection()).toBe(first);
      // The control: where the connection is closed, there is another.
      (await pool.acquire()).release(true);
      expect(await connection()).not.toBe(first);
    } finally {
      await pool.end();
    }
  });

  test('rows are read alike whether the server has described them in this flight or in an earlier one', async () => {
    const pool = poolOf(url());
    const every = sql`select ${7}::int8 as large, ${'x'}::text as text, null::int as nothing, '{"a":1}'::jsonb as json, '\\x00ff'::bytea as bytes,
      '2026-01-02 03:04:05+00'::timestamptz as moment, true as yes, ${['p', 'q']}::text[] as list`;
    const expected = {
      large: 7,
      text: 'x',
      nothing: null,
      json: { a: 1 },
      bytes: Buffer.from([0, 255]),
      moment: new Date('2026-01-02T03:04:05Z'),
      yes: true,
      list: ['p', 'q'],
    };
    try {
      for (let time = 0; time < 3; time += 1)
        expect(await Transaction.single(await pool.acquire(), inScopeOf(a), [every, every])).toEqual([[expected], [expected]]);
    } finally {
      await pool.end();
    }
  });

  test('a scope that cannot be taken on lets no statement run', async () => {
    const pool = poolOf(url());
    const options = { ...inScopeOf(a), scope: sql`select set_config('role', 'bulkhead_nobody', true) is null` };
    try {
      await expect(Transaction.single(await pool.acquire(), options, [sql`select body from notes`])).rejects.toMatchObject({
        code: '22023',
      });
    } finally {
      await pool.end();
    }
  });
});
