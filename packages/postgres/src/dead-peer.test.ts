import { setTimeout as delay } from 'node:timers/promises';
import { applicationId, silentLog } from '@bulkhead/base';
import { FaultProxy, HELD } from '@bulkhead/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Database, type DatabaseOptions, notify, openDatabase } from './database.ts';
import { Listener } from './listener.ts';
import { detour, exampleDatabase } from './scratch-database.ts';
import { sql } from './sql.ts';

let world: Awaited<ReturnType<typeof exampleDatabase>>;
let proxy: FaultProxy;
let database: Database;
beforeAll(async () => {
  world = await exampleDatabase();
});
afterAll(() => world.close());
afterEach(async () => {
  proxy.set({});
  await database?.close();
  await proxy[Symbol.asyncDispose]();
});

/** `url` by way of the proxy, past a pooler where there is one: this is about the server and the way to it. */
function through(url: string): string {
  return detour(url).by(proxy.address);
}

async function behindProxy(options: Partial<DatabaseOptions> = {}): Promise<Database> {
  proxy = await FaultProxy.start({ target: detour(world.listenUrl).target });
  database = openDatabase({
    appUrl: through(world.appUrl),
    controlUrl: through(world.controlUrl),
    systemUrl: through(world.systemUrl),
    log: silentLog,
    poolSize: 2,
    ...options,
  });
  return database;
}

const tenant = applicationId.generate();
const one = sql`select 1 as one`;
const read = () => database.withControl('test', (tx) => tx.query(one));
/** So many connections of the pool exist, and nobody uses them. */
async function fill(count: number): Promise<void> {
  const gate = Promise.withResolvers<void>();
  const taken = Array.from({ length: count }, () => database.withTenant(tenant, (tx) => tx.query(one).then(() => gate.promise)));
  await expect.poll(() => proxy.connections.length).toBeGreaterThanOrEqual(count);
  gate.resolve();
  await Promise.all(taken);
}
const unavailable = { code: 'database.unavailable', status: 503 };
// Without the guard a caller of these waits for half an hour; with it, for less than the test may take.
const patient = { statementTimeoutMs: 1_800_000, silenceMs: 200 };

describe('a server that has gone without a word', () => {
  test('is noticed: a statement under way is 503, not a hang', async () => {
    await behindProxy(patient);
    await read();
    proxy.set(HELD);
    await expect(read()).rejects.toMatchObject(unavailable);
  });

  test('takes no connection along: those that the network has forgotten are not handed out once it is back', async () => {
    await behindProxy(patient);
    await Promise.all([read(), read()]);
    proxy.set(HELD);
    await expect(read()).rejects.toMatchObject(unavailable);
    // Only new connections pass: the old ones stay dead for ever.
    proxy.setNew({});
    expect(await Promise.all([read(), read(), read()])).toEqual([[{ one: 1 }], [{ one: 1 }], [{ one: 1 }]]);
  });

  test('takes along no connection that came into use just before it was noticed', async () => {
    await behindProxy({ ...patient, poolSize: 4 });
    await fill(4);
    proxy.set(HELD);
    const reads = [database.tenantQuery(tenant, one)];
    // One more each second: some of them have been silent for less than the watch waits when it learns that nobody is there.
    while (reads.length < 4) {
      await delay(1_000);
      reads.push(database.tenantQuery(tenant, one));
    }
    proxy.setNew({});
    const outcomes = await Promise.allSettled(reads);
    for (const outcome of outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason: unavailable });
  });

  test('takes along no connection that comes into use only when others are answered again', async () => {
    await behindProxy({ ...patient, poolSize: 4 });
    await fill(4);
    proxy.set(HELD);
    proxy.setNew({});
    // Nobody is told of a loss, and whoever asks by a new connection is answered.
    await expect(database.tenantQuery(tenant, one)).rejects.toMatchObject(unavailable);
    expect(await Promise.all([1, 2, 3, 4].map(() => database.tenantQuery(tenant, one)))).toEqual(
      Array.from({ length: 4 }, () => [{ one: 1 }]),
    );
  });

  test('rolls back what was under way', async () => {
    await behindProxy(patient);
    await expect(
      database.withControl('test', async (tx) => {
        await tx.execute(sql`insert into organizations (organization_id, name) values ('half', 'done')`);
        proxy.set(HELD);
        await tx.query(one);
      }),
    ).rejects.toMatchObject(unavailable);
    proxy.setNew({});
    const half = sql`select 1 from organizations where organization_id = 'half'`;
    await expect.poll(() => database.withControl('test', (tx) => tx.query(half))).toEqual([]);
  });

  test('keeps no socket of ours open after `close`, so that the process can end', async () => {
    await behindProxy(patient);
    await read();
    proxy.set(HELD);
    await database.close();
    // The proxy's own are left: one for each connection, two where it goes on to a port.
    const itsOwn = proxy.connections.length * ('path' in detour(world.listenUrl).target ? 1 : 2);
    expect(process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap')).toHaveLength(itsOwn);
    // The second close, of `afterEach`, finds nothing to do.
    database = { ...database, close: async () => undefined };
  }, 60_000);

  test('control: a statement that takes its time is left alone while the server is there', async () => {
    await behindProxy(patient);
    const slow = sql`select pg_sleep(1.5) is null as slow`;
    expect(await database.withControl('test', (tx) => tx.query(slow))).toEqual([{ slow: false }]);
  });

  test('control: a transaction whose caller thinks for long is left alone while the server is there', async () => {
    await behindProxy(patient);
    const thought = database.withControl('test', async (tx) => {
      await tx.query(one);
      await delay(1_500);
      return tx.query(one);
    });
    expect(await thought).toEqual([{ one: 1 }]);
  });
});

describe('readiness', () => {
  test('is 503 while the server says nothing, for all who ask at the same moment by one connection', async () => {
    await behindProxy(patient);
    await database.ping();
    proxy.set(HELD);
    const asked = await Promise.allSettled(Array.from({ length: 20 }, () => database.ping()));
    expect(asked.every((each) => each.status === 'rejected')).toBe(true);
    expect(asked[0]).toMatchObject({ reason: unavailable });
    proxy.setNew({});
    await expect.poll(() => database.ping().then(() => 'there'), { timeout: 20_000 }).toBe('there');
  });

  test('is not asked over a connection that the network has forgotten', async () => {
    await behindProxy(patient);
    await Promise.all([database.ping(), read()]);
    proxy.set(HELD);
    await expect(read()).rejects.toMatchObject(unavailable);
    proxy.setNew({});
    await expect(database.ping()).resolves.toBeUndefined();
  });

  test('does not wait for a busy pool', async () => {
    await behindProxy(patient);
    const held = Promise.withResolvers<void>();
    const busy = Array.from({ length: 2 }, () => database.withControl('test', () => held.promise));
    await expect(database.ping()).resolves.toBeUndefined();
    held.resolve();
    await Promise.all(busy);
  });
});

describe('the connection that hears notifications', () => {
  test('notices a server that has gone without a word, comes back and says so', async () => {
    await behindProxy();
    const heard: string[] = [];
    const onReconnect = vi.fn();
    const listener = new Listener(through(world.systemUrl), silentLog, 200);
    await listener.listen('test', (payload) => heard.push(payload), { onReconnect });
    proxy.set(HELD);
    proxy.setNew({});
    await vi.waitFor(() => expect(onReconnect).toHaveBeenCalled(), { timeout: 20_000 });
    await world.database.withSystem('test', (tx) => notify(tx, 'test', 'after'));
    await vi.waitFor(() => expect(heard).toEqual(['after']), { timeout: 20_000 });
    await listener.close();
  });

  test('does not keep `close` from ending', async () => {
    await behindProxy();
    const listener = new Listener(through(world.systemUrl), silentLog);
    await listener.listen('test', () => undefined);
    proxy.set(HELD);
    await expect(listener.close()).resolves.toBeUndefined();
  });
});
