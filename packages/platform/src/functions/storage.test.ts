import { sql } from '@bulkhead/postgres';
import { FakeRunner, type FakeApp, startFakeApp, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { enterInstall } from '../installs/index.ts';
import { forgetStorage } from './forget-storage.ts';

const DAY = 24 * 60 * 60_000;
let world: World;
let app: FakeApp;
let id: string;
const runner = new FakeRunner();

const deploy = (entities: readonly unknown[], environment = 'production') =>
  world.meta('POST', '/apps/notes/deployments', {
    environment,
    manifest: { app: 'notes', functions: [{ key: 'held', handler: 'index.held' }], storage: { entities } },
    code: 'export {};',
  });
const NOTE = { name: 'note', attributes: { due: { type: 'integer' }, text: { type: 'string' } }, indexes: ['due'] };

beforeAll(async () => {
  app = await startFakeApp({ key: 'notes' });
  world = await World.create({ runner, egressAllow: [app.address] });
  await world.meta('POST', '/apps', { descriptor: app.descriptor });
  await deploy([NOTE]);
});
beforeEach(async () => {
  ({ id } = await world.application());
  await world.meta('POST', `/applications/${id}/installs`, { app_key: 'notes' });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

/** The token of a call that goes on. */
async function running(): Promise<string> {
  runner.release();
  runner.calls.length = 0;
  void world.meta('POST', `/applications/${id}/installs/notes/invoke`, { function: 'held' }).catch(() => undefined);
  await expect.poll(() => runner.calls.length).toBe(1);
  return runner.calls[0]!.token;
}
const ask = (token: string, body: Record<string, unknown>) =>
  world.call('POST', '/internal/functions/storage', { headers: { authorization: `Bearer ${token}` }, body });
const of = (rest = '') => `/applications/${id}/installs/notes/storage${rest}`;
const stores = async () => (await world.meta('GET', of())).json.stores;
const exported = async () =>
  (await world.meta('GET', of('/export'))).text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
async function reinstall(): Promise<void> {
  runner.release();
  expect((await world.meta('DELETE', `/applications/${id}/installs/notes`)).status).toBeLessThan(300);
  expect((await world.meta('POST', `/applications/${id}/installs`, { app_key: 'notes' })).status).toBe(200);
}
const rows = (table: string) =>
  world.platform.db.withSystem('count rows in a test', async (tx) =>
    Number((await tx.one<{ n: number }>(sql`select count(*) as n from ${sql.identifier(table)} where application_id = ${id}`)).n),
  );

describe('a call of storage', () => {
  test.each([
    ['an empty key', { op: 'get', key: '' }],
    ['another install in the body', { op: 'get', key: 'k', client_key: 'another' }],
    ['another environment', { op: 'get', key: 'k', environment: 'staging' }],
    ['a secret in an entity', { op: 'get', key: 'k', entity: 'note', secret: true }],
    ['an operation that there is not', { op: 'drop', key: 'k' }],
    ['a batch of 26', { op: 'batch', items: Array.from({ length: 26 }, () => ({ op: 'get', key: 'k' })) }],
    ['a check alone in a batch', { op: 'batch', items: [{ op: 'check', key: 'k', if: 'absent' }] }],
    ['a page of 101', { op: 'query', limit: 101 }],
  ])('with %s is refused', async (_, body) => {
    expect((await ask(await running(), body)).status).toBe(400);
  });

  test('of which many come at once counts none twice and lets none through too many', async () => {
    const token = await running();
    await ask(token, { op: 'set', key: 'first', value: 1 });
    await world.platform.db.withSystem('nearly fill a storage in a test', (tx) =>
      tx.execute(sql`update function_stores set value_count = 9995 where application_id = ${id}`),
    );
    const answers = await Promise.all(Array.from({ length: 12 }, (_, n) => ask(token, { op: 'set', key: `k${n}`, value: n })));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(5);
    expect(answers.filter(({ json }) => json.code === 'function.storage_full')).toHaveLength(7);
    const turns = await Promise.all(Array.from({ length: 8 }, () => ask(token, { op: 'set', key: 'first', value: 2, if: { version: 1 } })));
    expect(turns.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  test('finds values by an index that was declared after them, and by one of that name that is over something else', async () => {
    await ask(await running(), { op: 'set', entity: 'note', key: 'n', value: { due: 1, text: 'b' } });
    await ask(await running(), { op: 'set', entity: 'note', key: 'm', value: { due: 2, text: 'a' } });
    const query = { op: 'entity_query', entity: 'note', index: 'sorted' };
    try {
      await deploy([{ ...NOTE, indexes: [{ name: 'sorted', range: ['text'] }] }]);
      const old = await running();
      expect((await ask(old, query)).json.records.map(({ key }: { key: string }) => key)).toEqual(['m', 'n']);
      await deploy([{ name: 'note', attributes: { due: { type: 'integer' } }, indexes: [{ name: 'sorted', range: ['due'] }] }]);
      const token = await running();
      expect((await ask(token, query)).json.records.map(({ key }: { key: string }) => key)).toEqual(['n', 'm']);
      await ask(token, { op: 'set', entity: 'note', key: 'o', value: { due: 0 } });
      expect((await ask(token, query)).json.records.map(({ key }: { key: string }) => key)).toEqual(['o', 'n', 'm']);
    } finally {
      await deploy([NOTE]);
    }
  });
});

describe('what is kept at rest', () => {
  test('is neither values nor partitions; keys and ranges are', async () => {
    await deploy([{ ...NOTE, indexes: [{ name: 'all', partition: ['text'], range: ['due'] }] }]);
    try {
      await ask(await running(), { op: 'set', entity: 'note', key: 'a-key-in-clear', value: { due: 4711, text: 'what-a-customer-wrote' } });
    } finally {
      await deploy([NOTE]);
    }
    const dump = await world.platform.db.withSystem('look at what is stored in a test', async (tx) => {
      const found = [];
      for (const table of ['function_stores', 'function_values', 'function_indexes', 'function_index_entries'])
        found.push(
          ...(await tx.query<{ text: string }>(
            sql`select to_jsonb(row)::text as text from ${sql.identifier(table)} row where application_id = ${id}`,
          )),
        );
      return found.map(({ text }) => text).join('\n');
    });
    expect(dump).toContain('a-key-in-clear');
    for (const form of ['what-a-customer-wrote', Buffer.from('what-a-customer-wrote').toString('hex')]) expect(dump).not.toContain(form);
  });

  test('is shown by the database to nobody but the install that a transaction has entered', async () => {
    await ask(await running(), { op: 'set', entity: 'note', key: 'k', value: { due: 1 } });
    const { clientKey, applicationId } = runner.calls[0]!;
    const counted = (entered: string) =>
      world.platform.db.withTenant(applicationId as never, async (tenantTx) => {
        const tx = await enterInstall(tenantTx, entered);
        const counts = [];
        for (const table of ['function_stores', 'function_values', 'function_indexes', 'function_index_entries'])
          counts.push(Number((await tx.one<{ n: number }>(sql`select count(*) as n from ${sql.identifier(table)}`)).n));
        return counts;
      });
    expect(await counted(clientKey)).toEqual([1, 1, 1, 1]);
    expect(await counted('insOfAnother')).toEqual([0, 0, 0, 0]);
  });
});

describe('usage and export', () => {
  test('say how much there is, and give all of it but secrets, to the last line', async () => {
    const token = await running();
    await ask(token, {
      op: 'transaction',
      items: [
        { op: 'set', key: 'plain', value: { constructor: 'kept' } },
        { op: 'set', key: 'plain', entity: 'note', value: { due: 1, text: 'of an entity' } },
        { op: 'set', key: 'plain', secret: true, value: 'a-secret-of-the-customer' },
        { op: 'set', key: 'over', value: 1, ttl_seconds: 1 },
      ],
    });
    world.clock.advance(1_000);
    expect(await stores()).toMatchObject([
      { environment: 'production', values: { used: 4, most: 10_000 }, kept_since: null, forgotten: null },
    ]);
    await forgetStorage(world.platform.db, new Date(world.clock.now()));
    expect((await stores())[0].values.used).toBe(3);
    const lines = await exported();
    expect(lines.map(({ type, key }) => [type, key])).toEqual([
      ['storage', undefined],
      ['entity', 'plain'],
      ['value', 'plain'],
      ['secret', 'plain'],
      ['end', undefined],
    ]);
    expect(lines[1]).toMatchObject({ entity: 'note', value: { due: 1, text: 'of an entity' }, version: 2, expires: null });
    expect(lines[2]).toMatchObject({ value: { constructor: 'kept' } });
    expect(lines.at(-1)).toEqual({ type: 'end', values: 3 });
    expect(JSON.stringify(lines)).not.toContain('a-secret-of-the-customer');
    expect((await world.meta('GET', of('/export?environment=staging'))).text.trim().split('\n')).toHaveLength(2);
  });

  test('an export of more than a page has each value once', async () => {
    const token = await running();
    for (let from = 0; from < 450; from += 25)
      await ask(token, {
        op: 'batch',
        items: Array.from({ length: 25 }, (_, n) => ({ op: 'set', key: `k${from + n}`, value: 'x'.repeat(n === 0 ? 200_000 : 10) })),
      });
    const keys = (await exported()).filter(({ type }) => type === 'value').map(({ key }) => key);
    expect([keys.length, new Set(keys).size]).toEqual([450, 450]);
  });
});

describe('after an uninstall', () => {
  test('a fresh install begins with nothing; relinked it has all of it again, indexes and secrets too', async () => {
    const token = await running();
    await ask(token, { op: 'set', key: 'k', value: 'before' });
    await ask(token, { op: 'set', key: 's', secret: true, value: 'secret' });
    await ask(token, { op: 'set', key: 'n', entity: 'note', value: { due: 1 } });
    await reinstall();
    expect((await ask(token, { op: 'get', key: 'k' })).status).toBe(401);
    const fresh = await running();
    expect((await ask(fresh, { op: 'get', key: 'k' })).json).toEqual({ found: false });
    expect((await exported()).map(({ type }) => type)).toEqual(['storage', 'end']);
    const [kept] = await stores();
    expect(kept).toMatchObject({ environment: 'production', values: { used: 3 }, kept_since: expect.any(String) });
    expect(new Date(kept.forgotten).getTime() - new Date(kept.kept_since).getTime()).toBe(28 * DAY);

    const relinked = await world.meta('POST', of('/relink'), {});
    expect([relinked.status, relinked.json.stores]).toEqual([200, [{ ...kept, kept_since: null, forgotten: null }]]);
    expect((await ask(fresh, { op: 'get', key: 'k' })).json).toMatchObject({ found: true, value: 'before' });
    expect((await ask(fresh, { op: 'get', key: 's', secret: true })).json).toMatchObject({ value: 'secret' });
    expect((await ask(fresh, { op: 'entity_query', entity: 'note', index: 'due' })).json.records).toMatchObject([{ key: 'n' }]);
    expect(await world.meta('POST', of('/relink'), {})).toMatchObject({ status: 409, json: { code: 'function.storage_none_kept' } });
  });

  test('a relink over what is kept by now is refused; with "replace" that is kept in turn', async () => {
    await ask(await running(), { op: 'set', key: 'k', value: 'before' });
    await reinstall();
    await ask(await running(), { op: 'set', key: 'k', value: 'after' });
    expect((await world.meta('POST', of('/relink'), {})).json).toMatchObject({ status_code: 409, code: 'function.storage_in_use' });
    const { stores: now } = (await world.meta('POST', of('/relink'), { replace: true })).json;
    expect(now.map((store: Record<string, unknown>) => store['kept_since'] === null)).toEqual([true, false]);
    const token = await running();
    expect((await ask(token, { op: 'get', key: 'k' })).json.value).toBe('before');
    await world.meta('POST', of('/relink'), { replace: true, store: now[1].id });
    expect((await ask(token, { op: 'get', key: 'k' })).json.value).toBe('after');
  });

  test('what is kept is read by no route, also where the App is not installed again', async () => {
    await ask(await running(), { op: 'set', key: 'k', value: 1 });
    runner.release();
    await world.meta('DELETE', `/applications/${id}/installs/notes`);
    expect((await world.meta('GET', of('/export'))).status).toBe(404);
    expect((await world.meta('POST', of('/relink'), {})).status).toBe(404);
    expect(await stores()).toMatchObject([{ values: { used: 1 }, kept_since: expect.any(String) }]);
  });

  test('it is kept for 28 days to the minute, and then gone', async () => {
    await ask(await running(), { op: 'set', key: 'n', entity: 'note', value: { due: 1 } });
    await reinstall();
    const at = world.clock.now();
    await forgetStorage(world.platform.db, new Date(at + 28 * DAY - 60_000));
    expect(await rows('function_values')).toBe(1);
    // Also where nobody has swept yet.
    world.clock.advance(28 * DAY);
    expect((await world.meta('POST', of('/relink'), {})).json).toMatchObject({ code: 'function.storage_none_kept' });
    await forgetStorage(world.platform.db, new Date(world.clock.now()));
    for (const table of ['function_stores', 'function_values', 'function_indexes', 'function_index_entries'])
      expect(await rows(table), table).toBe(0);
  });

  test('of many uninstalls five are kept, and none that held nothing', async () => {
    for (let turn = 0; turn < 7; turn++) {
      await ask(await running(), { op: 'set', key: 'k', value: turn });
      if (turn === 3) await ask(await running(), { op: 'delete', key: 'k' });
      world.clock.advance(1_000);
      await reinstall();
    }
    await forgetStorage(world.platform.db, new Date(world.clock.now()));
    expect(await rows('function_stores')).toBe(5);
    expect(await stores()).toHaveLength(5);
  });

  test('it ends with its Application at once', async () => {
    await ask(await running(), { op: 'set', key: 'k', value: 1 });
    await reinstall();
    await world.meta('DELETE', `/applications/${id}`);
    await world.platform.runDueTasks();
    expect([await rows('function_stores'), await rows('function_values')]).toEqual([0, 0]);
  });
});
