import { type ApplicationId, applicationId, silentLog } from '@bulkhead/base';
import { FaultProxy, type Flows, HELD } from '@bulkhead/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Database, openDatabase } from './database.ts';
import { detour, exampleDatabase, runAs } from './scratch-database.ts';
import { sql } from './sql.ts';
import type { TenantTx } from './transaction.ts';

const [a, b] = [applicationId.generate(), applicationId.generate()] as const;
let world: Awaited<ReturnType<typeof exampleDatabase>>;
let proxy: FaultProxy;
let database: Database;

beforeAll(async () => {
  world = await exampleDatabase();
  await world.database.withSystem('fixture', async (tx) => {
    await tx.execute(sql`insert into organizations (organization_id, name) values ('org', 'One')`);
    for (const id of [a, b]) {
      await tx.execute(sql`insert into applications (application_id, organization_id, name) values (${id}, 'org', 'x')`);
      await tx.execute(sql`insert into notes (application_id, note_id, body) values (${id}, 1, ${id})`);
    }
  });
});
afterAll(() => world.close());
afterEach(async () => {
  proxy.set({});
  await database.close();
  await proxy[Symbol.asyncDispose]();
});

async function open(poolSize = 1): Promise<void> {
  proxy = await FaultProxy.start({ target: detour(world.appUrl).target });
  const through = (url: string) => detour(url).by(proxy.address);
  database = openDatabase({
    appUrl: through(world.appUrl),
    controlUrl: through(world.controlUrl),
    systemUrl: through(world.systemUrl),
    preparedStatements: world.preparedStatements,
    log: silentLog,
    poolSize,
    statementTimeoutMs: 500,
    silenceMs: 300,
  });
}

const names = sql`select body from notes`;
const backend = async (tx: TenantTx) => (await tx.one<{ pid: number }>(sql`select pg_backend_pid() as pid`)).pid;

/** What happens to the only connection while a transaction of tenant A is under way on it. */
const faults: Record<string, (tx: TenantTx) => Promise<unknown>> = {
  'its backend is ended by an administrator': async (tx) => {
    await runAs(world.adminUrl, `select pg_terminate_backend(${await backend(tx)}, 5000)`);
    await tx.query(names);
  },
  'its backend is ended between the last statement and the commit': async (tx) => {
    const pid = await backend(tx);
    await tx.execute(sql`update notes set body = 'spoiled'`);
    await runAs(world.adminUrl, `select pg_terminate_backend(${pid}, 5000)`);
  },
  'a statement runs into its time-out': (tx) => tx.query(sql`select pg_sleep(60)`),
  'a statement is cancelled': async (tx) => {
    const pid = await backend(tx);
    const asleep = tx.query(sql`select pg_sleep(60)`);
    asleep.catch(() => undefined);
    await runAs(world.adminUrl, `select pg_cancel_backend(${pid})`);
    await asleep;
  },
  'its connection is reset': async (tx) => {
    await tx.execute(sql`update notes set body = 'spoiled'`);
    proxy.reset();
    await tx.query(names);
  },
  'its connection is reset in the middle of a pipeline': async (tx) => {
    await tx.query(names);
    const pipeline = Array.from({ length: 50 }, () => tx.query(sql`select body, repeat('x', 10000) as filler from notes`));
    for (const each of pipeline) each.catch(() => undefined);
    await pipeline[2];
    proxy.reset();
    await Promise.all(pipeline);
  },
  'its connection falls silent': async (tx) => {
    await tx.execute(sql`update notes set body = 'spoiled'`);
    proxy.set(HELD);
    await tx.query(names).finally(() => proxy.setNew({}));
  },
  ...Object.fromEntries(
    [0, 1, 7, 60, 300, 900].flatMap((bytes): [string, (tx: TenantTx) => Promise<unknown>][] => [
      [`its connection breaks ${bytes} bytes further on the way back`, cutting({ toClient: { cutAfterBytes: bytes } })],
      [`its connection breaks ${bytes} bytes further on the way there`, cutting({ toTarget: { cutAfterBytes: bytes } })],
    ]),
  ),
};

function cutting(flows: Flows): (tx: TenantTx) => Promise<unknown> {
  return async (tx) => {
    await tx.execute(sql`update notes set body = 'spoiled'`);
    for (const connection of proxy.connections) connection.set(flows);
    for (let at = 0; at < 20; at++) await tx.query(sql`select body, repeat('x', 1000) as filler from notes`);
  };
}

describe('T3: when a transaction ends because', () => {
  test.each(Object.entries(faults))('%s, the next one sees its own tenant and no scope is left behind', async (_what, happens) => {
    await open();
    const outcome = await database.withTenant(a, happens).then(
      () => 'committed',
      (error: unknown) => (error as { status?: number }).status ?? String(error),
    );
    expect(outcome).toBe(503);
    expect(await database.tenantQuery(b, names)).toEqual([{ body: b }]);
    expect(await database.tenantQuery(a, names)).toEqual([{ body: a }]);
    const left = await database.withTenant(b, (tx) => tx.query(sql`select body from notes where application_id = ${a}`));
    expect(left).toEqual([]);
  });

  test('control: the same transaction commits where nothing happens', async () => {
    await open();
    const twenty = async (tx: TenantTx) => {
      await tx.execute(sql`update notes set body = ${a}`);
      for (let at = 0; at < 20; at++) await tx.query(sql`select body, repeat('x', 1000) as filler from notes`);
    };
    await expect(database.withTenant(a, twenty)).resolves.toBeUndefined();
  });

  test('connections break at random under many tenants’ work, every answer is the asking tenant’s own', async () => {
    await open(4);
    const ids: readonly ApplicationId[] = [a, b];
    const wrong: unknown[] = [];
    let good = 0;
    const caller = async (offset: number): Promise<void> => {
      for (let turn = offset; turn < offset + 12; turn++) {
        const id = ids[turn % 2]!;
        const rows = await (turn % 3 === 0 ? database.tenantQuery(id, names) : database.withTenant(id, (tx) => tx.query(names))).catch(
          (error: unknown) => error as { status?: number },
        );
        if (Array.isArray(rows) && rows.length === 1 && (rows[0] as { body: string }).body === id) {
          good++;
          // By progress, not by time: a slow machine is to see some good answers too.
          if (good % 7 === 0) proxy.connections[good % 4]?.reset();
        } else if (Array.isArray(rows) || rows.status !== 503) wrong.push({ id, rows });
      }
    };
    await Promise.all(Array.from({ length: 12 }, (_, at) => caller(at)));
    expect(wrong).toEqual([]);
    expect(good).toBeGreaterThan(0);
  });
});
