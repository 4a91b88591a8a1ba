import { type ApplicationId, applicationId, silentLog } from '@bulkhead/base';
import type { PoolClient } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConnectionPool } from './connection-pool.ts';
import { openDatabase } from './database.ts';
import { tenantScope } from './scope.ts';
import { exampleDatabase, runAs } from './scratch-database.ts';
import { Sql, sql } from './sql.ts';
import { Transaction, type TransactionOptions, type Tx } from './transaction.ts';

const tenants = Array.from({ length: 7 }, () => applicationId.generate());
const [a, b] = tenants as [ApplicationId, ApplicationId];
const limits = { statementTimeoutMs: 30_000, idleInTransactionTimeoutMs: 15_000 };
const inScopeOf = (id: ApplicationId): TransactionOptions => ({
  scope: tenantScope(id, limits),
  preparedStatements: world.preparedStatements,
  log: silentLog,
  origin: {},
});
let world: Awaited<ReturnType<typeof exampleDatabase>>;
/** One login for all roles, as an operator's own PostgreSQL has it. */
let oneLogin: { appUrl: string; controlUrl: string; systemUrl: string };

beforeAll(async () => {
  world = await exampleDatabase();
  await world.database.withSystem('fixture', async (tx) => {
    await tx.execute(sql`insert into organizations (organization_id, name) values ('org', 'One')`);
    for (const id of tenants) {
      await tx.execute(sql`insert into applications (application_id, organization_id, name) values (${id}, 'org', 'x')`);
      await tx.execute(sql`insert into notes (application_id, note_id, body) values (${id}, 1, ${id})`);
    }
  });
  const login = `${world.name}_login`;
  await runAs(
    world.adminHere,
    `create role ${login} login noinherit password 'test'; grant bulkhead_app, bulkhead_control, bulkhead_system to ${login}; grant connect on database ${world.name} to ${login}`,
  );
  const url = world.appUrl.replace(/\/\/[^@]+@/, `//${login}:test@`);
  oneLogin = { appUrl: url, controlUrl: url, systemUrl: url };
});
afterAll(async () => {
  await world.close();
  await runAs(world.adminUrl, `drop role ${world.name}_login`);
});

test('one login for all, by itself and outside of any scope, sees nothing', async () => {
  await expect(runAs(oneLogin.appUrl, 'select * from public.notes')).rejects.toThrow(/permission denied/);
});

const disasters: Record<string, (tx: Tx) => Promise<unknown>> = {
  'nothing at all': async () => undefined,
  'a read': (tx) => tx.query(sql`select * from notes`),
  'a throw before any statement': () => {
    throw new Error('early');
  },
  'a throw between statements': async (tx) => {
    await tx.query(sql`select * from notes`);
    throw new Error('between');
  },
  'a statement that fails': (tx) => tx.query(sql`select 1/0`),
  'a statement that does not parse': (tx) => tx.query(sql`selec`),
  'a statement that fails, swallowed': (tx) => tx.query(sql`select 1/0`).catch(() => undefined),
  'a forgotten statement': async (tx) => void tx.query(sql`select pg_sleep(0.01)`).catch(() => undefined),
  'a forgotten statement that fails': async (tx) => void tx.query(sql`select 1/0`).catch(() => undefined),
  'a throw with statements under way': async (tx) => {
    void tx.query(sql`select pg_sleep(0.01)`).catch(() => undefined);
    void tx.query(sql`select 1/0`).catch(() => undefined);
    throw new Error('meanwhile');
  },
  'a value that cannot be sent': (tx) =>
    tx.query(
      Sql.assemble(
        ['select ', ''],
        [
          {
            toPostgres() {
              throw new Error('no');
            },
          },
        ],
      ),
    ),
  'a row that cannot be parsed': (tx) => tx.query(sql`select 9007199254740993::int8`),
  'a commit of its own': (tx) => tx.query(sql`commit`),
  'a rollback of its own': (tx) => tx.query(sql`rollback`),
  'a constraint that fails at commit': async (tx) => {
    await tx.execute(sql`create temporary table late (id int unique deferrable initially deferred)`);
    await tx.execute(sql`insert into late values (1), (1)`);
  },
  'the death of its connection': async (tx) => {
    await tx.query(sql`select pg_terminate_backend(pg_backend_pid())`);
  },
};

describe.each([
  ['a login for each role', () => world.appUrl],
  ['one login for all', () => oneLogin.appUrl],
] as const)('with %s, a scope ends with its transaction:', (_name, url) => {
  test.each(Object.entries(disasters))('after %s', async (_disaster, work) => {
    const pool = new ConnectionPool({
      url: url(),
      applicationName: 'test',
      size: 1,
      acquireTimeoutMs: 5_000,
      answerTimeoutMs: 10_000,
      log: silentLog,
    });
    let first: PoolClient | undefined;
    try {
      first = await pool.acquire();
      await Transaction.run(first, inScopeOf(a), (tx) => tx, work).catch(() => undefined);
      const next = await pool.acquire();
      const { rows } = await next.query<Record<string, string | null>>(
        `select nullif(current_setting('bulkhead.application_id', true), '') as application, current_setting('role') as role, current_setting('statement_timeout') as timeout`,
      );
      expect(rows).toEqual([{ application: null, role: 'none', timeout: '0' }]);
      expect(next.getTransactionStatus()).toBe('I');
      next.release();
      const seen = await Transaction.run(
        await pool.acquire(),
        inScopeOf(b),
        (tx) => tx,
        (tx) => tx.query(sql`select body from notes`),
      );
      expect(seen).toEqual([{ body: b }]);
    } finally {
      await pool.end();
    }
  });

  test('the control: a scope that is not local to the transaction does leak', async () => {
    const pool = new ConnectionPool({
      url: url(),
      applicationName: 'test',
      size: 1,
      acquireTimeoutMs: 5_000,
      answerTimeoutMs: 10_000,
      log: silentLog,
    });
    const leaky = {
      ...inScopeOf(a),
      scope: sql`select set_config('role', 'bulkhead_app', false), set_config('bulkhead.application_id', ${a}, false)`,
    };
    await Transaction.run(
      await pool.acquire(),
      leaky,
      (tx) => tx,
      async () => undefined,
    );
    const next = await pool.acquire();
    expect((await next.query('select body from notes')).rows).toEqual([{ body: a }]);
    next.release();
    await pool.end();
  });
});

describe.each([
  ['a login for each role, prepared', () => world, true],
  ['one login for all, prepared', () => oneLogin, true],
  ['one login for all, unprepared', () => oneLogin, false],
] as const)('with %s', (_name, urls, preparedStatements) => {
  test('two thousand transactions at once, a third of them failing, each see their own tenant alone', async () => {
    const database = openDatabase({
      ...urls(),
      log: silentLog,
      poolSize: 4,
      acquireTimeoutMs: 60_000,
      // A pooler that loses them makes every row the unprepared one.
      preparedStatements: preparedStatements && world.preparedStatements,
    });
    const wrong: unknown[] = [];
    const expectOwn = (id: ApplicationId, rows: readonly { body: string }[]) => {
      if (rows.length !== 1 || rows[0]?.body !== id) wrong.push({ id, rows });
    };
    const kinds: ((id: ApplicationId, other: ApplicationId) => Promise<void>)[] = [
      async (id) => expectOwn(id, await database.tenantQuery(id, sql`select body from notes`)),
      async (id) => expectOwn(id, await database.withTenant(id, (tx) => tx.query(sql`select body from notes`))),
      async (id, other) => {
        const rows = await database.tenantQuery(id, sql`select body from notes where application_id = ${other}`);
        if (rows.length > 0) wrong.push({ id, other, rows });
      },
      async (id) => {
        const outcome = await database.tenantQuery(id, sql`select 1/0`).catch(() => 'refused');
        if (outcome !== 'refused') wrong.push({ id, outcome });
      },
      async (id) => {
        const outcome = await database
          .withTenant(id, async (tx) => {
            expectOwn(id, await tx.query(sql`select body from notes`));
            await tx.execute(sql`update notes set body = 'spoiled'`);
            throw new Error('back');
          })
          .catch(() => 'refused');
        if (outcome !== 'refused') wrong.push({ id, outcome });
      },
      async (id) => {
        await database.withTenant(id, async (tx) => {
          const answers = await Promise.all([
            tx.query<{ body: string }>(sql`select body from notes`),
            tx.query<{ body: string }>(sql`select body from notes where note_id = ${1}`),
          ]);
          for (const rows of answers) expectOwn(id, rows);
        });
      },
    ];
    await Promise.all(
      Array.from({ length: 2_000 }, (_, index) =>
        kinds[index % kinds.length]!(tenants[index % tenants.length]!, tenants[(index + 1) % tenants.length]!),
      ),
    );
    expect(wrong).toEqual([]);
    await database.close();
  });
});
