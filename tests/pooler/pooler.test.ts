import { silentLog } from '@bulkhead/base';
import { openDatabase, sql } from '@bulkhead/postgres';
import { type TestDatabase, testDatabase } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase({ poolSize: 10 });
});
afterAll(() => database.close());

/** The server's own connections that ten transactions at the same moment ran on. */
async function backends(): Promise<number[]> {
  const answers = await Promise.all(
    Array.from({ length: 10 }, () =>
      database.database.withControl('test', (tx) => tx.one<{ pid: number }>(sql`select pg_backend_pid() as pid, pg_sleep(0.05)`)),
    ),
  );
  return answers.map(({ pid }) => pid);
}

describe('what these tests run on', () => {
  it('is PostgreSQL 15, the oldest that will do', async () => {
    const { version } = await database.database.withControl('test', (tx) =>
      tx.one<{ version: number }>(sql`select current_setting('server_version_num')::int as version`),
    );
    expect(Math.floor(version / 10_000)).toBe(15);
  });

  it('shares three connections between all transactions of a role, whoever opened them', async () => {
    expect(new Set(await backends()).size).toBeLessThanOrEqual(3);
  });

  it('gives connections numbers that are not the server’s: a long statement is not taken for one the server knows nothing of', async () => {
    const watched = openDatabase({ ...database.urls, preparedStatements: false, log: silentLog, silenceMs: 200 });
    const slow = sql`select pg_sleep(1.5) is null as slow`;
    await expect(watched.withControl('test', (tx) => tx.one(slow))).resolves.toEqual({ slow: false });
    await watched.close();
  });

  it('control: loses what is prepared on a connection', async () => {
    const prepared = openDatabase({ ...database.urls, preparedStatements: true, log: silentLog, poolSize: 10 });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 60 }, () => prepared.withControl('test', (tx) => tx.one(sql`select ${'x'}::text as x, pg_sleep(0.01)`))),
    );
    await prepared.close();
    const refused = outcomes.filter((each) => each.status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]!.reason).toMatchObject({ code: 'database.busy' });
  });
});
