import { randomInt } from 'node:crypto';
import type { ApplicationId } from '@bulkhead/base';
import { runPastDoors, sql, type TenantTx } from '@bulkhead/postgres';
import { appToken, type FakeApp, startFakeApp, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { COLLECTIONS_MAX, RECORDS_BYTES_MAX, RECORDS_MAX } from './app-record-store.ts';
import { forgetUninstalled } from './forget-uninstalled.ts';
import { enterInstall } from './install-scope.ts';

const apps: FakeApp[] = [];
let world: World;
let first: ApplicationId;
let second: ApplicationId;
const known = new Map<string, { clientKey: string; sharedSecret: string }>();

async function install(app: FakeApp, applicationId: string): Promise<string> {
  const { json } = await world.meta('POST', `/applications/${applicationId}/installs`, { app_key: app.key });
  known.set(`${app.key} ${applicationId}`, { clientKey: json.client_key, sharedSecret: app.calls.at(-1)!.body.sharedSecret });
  return json.client_key as string;
}

beforeAll(async () => {
  apps.push(await startFakeApp({ key: 'notes' }), await startFakeApp({ key: 'clocks' }));
  world = await World.create({ egressAllow: apps.map(({ address }) => address) });
  [first, second] = [(await world.application()).id as ApplicationId, (await world.application()).id as ApplicationId];
  for (const app of apps) {
    await world.meta('POST', '/apps', { descriptor: app.descriptor });
    for (const applicationId of [first, second]) await install(app, applicationId);
  }
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  for (const app of apps) await app[Symbol.asyncDispose]();
});

interface Asking {
  readonly by?: string;
  /** Of whose secret. */
  readonly of?: string;
  readonly at?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A call of an App at the records of an Application. */
function call(method: string, below: string, { by = 'notes', at = first, of = at, body, headers = {} }: Asking = {}) {
  const path = `/t/${at}/rest/bulkhead/1/records${below}`;
  const token = appToken({ appKey: by, ...known.get(`${by} ${of}`)! }, { method, path, now: world.clock.now() });
  return world.call(method, path, { headers: { ...headers, authorization: `JWT ${token}` }, ...(body === undefined ? {} : { body }) });
}
const put = (below: string, body: unknown, headers: Readonly<Record<string, string>> = {}, asking: Asking = {}) =>
  call('PUT', below, { ...asking, body: JSON.stringify(body), headers });

let collection = '';
let made = 0;
beforeEach(() => {
  collection = `/c${made++}`;
});

describe('records of an App', () => {
  test('are any JSON under a key, each with a version that is never given twice', async () => {
    const at = `${collection}/one`;
    const created = await put(at, { text: 'first' });
    expect([created.status, created.json]).toEqual([201, { key: 'one', version: expect.any(Number) }]);
    expect(created.headers.get('etag')).toBe(`"${created.json.version}"`);
    const got = await call('GET', at);
    expect(got.json).toMatchObject({ key: 'one', version: created.json.version, value: { text: 'first' } });
    expect(got.headers.get('etag')).toBe(created.headers.get('etag'));
    const updated = await put(at, 'second');
    expect(updated.status).toBe(200);
    expect(updated.json.version).toBeGreaterThan(created.json.version);
    expect((await call('DELETE', at)).status).toBe(204);
    expect((await call('GET', at)).status).toBe(404);
    expect((await call('DELETE', at)).status).toBe(404);
    expect((await put(at, null)).json.version).toBeGreaterThan(updated.json.version);
    for (const value of [null, 0, 1.5, '', [], {}, false, 'ü\u{1F600}']) {
      await put(at, value);
      expect((await call('GET', at)).json.value).toEqual(value);
    }
  });

  test('If-Match changes one version only, "If-None-Match: *" makes only what is not there', async () => {
    const at = `${collection}/one`;
    expect((await put(at, 1, { 'if-match': '*' })).json.code).toBe('app_record.version_differs');
    expect((await put(at, 1, { 'if-match': '"1"' })).status).toBe(412);
    const { version } = (await put(at, 1, { 'if-none-match': '*' })).json;
    expect((await put(at, 2, { 'if-none-match': '*' })).status).toBe(412);
    expect((await put(at, 2, { 'if-match': `"${version + 1}"` })).status).toBe(412);
    const next = await put(at, 2, { 'if-match': `"${version}"` });
    expect(next.status).toBe(200);
    expect((await put(at, 3, { 'if-match': `"${version}"` })).status).toBe(412);
    expect((await call('DELETE', at, { headers: { 'if-match': `"${version}"` } })).status).toBe(412);
    expect((await call('GET', at)).json.value).toBe(2);
    expect((await put(at, 3, { 'if-match': '*' })).status).toBe(200);
    // Deleted and made anew it is another, whatever version the first one had.
    const before = (await call('GET', at)).json.version as number;
    await call('DELETE', at, { headers: { 'if-match': `"${before}"` } });
    await put(at, 4);
    expect((await put(at, 5, { 'if-match': `"${before}"` })).status).toBe(412);
    for (const headers of [
      { 'if-match': '1' },
      { 'if-match': 'W/"1"' },
      { 'if-match': '"1", "2"' },
      { 'if-match': '"x"' },
      { 'if-none-match': '"1"' },
      { 'if-match': '*', 'if-none-match': '*' },
    ])
      expect([headers, (await put(at, 1, headers)).status]).toEqual([headers, 400]);
  });

  test('of many who change one version at the same moment one does', async () => {
    const at = `${collection}/counter`;
    const { version } = (await put(at, 0)).json;
    const answers = await Promise.all(Array.from({ length: 8 }, (_, n) => put(at, n, { 'if-match': `"${version}"` })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 7 }, () => 412)]);
    const makers = await Promise.all(Array.from({ length: 8 }, (_, n) => put(`${collection}/new`, n, { 'if-none-match': '*' })));
    expect(makers.filter(({ status }) => status === 201)).toHaveLength(1);
  });

  test('are listed in the order of their keys, by prefix and page; a page is bounded in bytes, too', async () => {
    const keys = ['a', 'a/1', 'a/2', 'a/3', 'a0', 'b', 'ä', '\u{1F600}'];
    for (const key of keys.toReversed()) await put(`${collection}/${encodeURIComponent(key)}`, key);
    const all = async (query: string): Promise<string[]> => {
      const found: string[] = [];
      let cursor: string | null = null;
      do {
        const more: string = cursor === null ? '' : `&cursor=${cursor}`;
        const { json, status, text } = await call('GET', `${collection}?page_size=2${query}${more}`);
        expect(status, text).toBe(200);
        expect(json.records.length).toBeLessThanOrEqual(2);
        found.push(...json.records.map((each: { key: string; value: string }) => each.key));
        cursor = json.cursor;
      } while (cursor !== null);
      return found;
    };
    expect(await all('')).toEqual(keys);
    expect(await all('&prefix=a')).toEqual(['a', 'a/1', 'a/2', 'a/3', 'a0']);
    expect(await all('&prefix=a%2F')).toEqual(['a/1', 'a/2', 'a/3']);
    expect(await all('&prefix=zz')).toEqual([]);
    expect((await call('GET', '/none-of-that-name')).json).toEqual({ records: [], cursor: null });
    for (const cursor of ['x', 'YQ==', 'YR', 'AA'])
      expect([cursor, (await call('GET', `${collection}?cursor=${cursor}`)).status]).toEqual([cursor, 400]);

    for (let n = 0; n < 20; n++) await put(`${collection}/large-${String(n).padStart(2, '0')}`, 'x'.repeat(65_000));
    const page = await call('GET', `${collection}?prefix=large&page_size=1000`);
    expect(page.json.records).toHaveLength(16);
    const rest = await call('GET', `${collection}?prefix=large&page_size=1000&cursor=${page.json.cursor}`);
    expect([rest.json.records.length, rest.json.cursor]).toEqual([4, null]);
  });

  test('have keys and values of bounded size and depth', async () => {
    const value = (length: number) => call('PUT', `${collection}/v`, { body: JSON.stringify('x'.repeat(length - 2)) });
    expect((await value(65_536)).status).toBe(201);
    expect((await value(65_537)).json).toMatchObject({ code: 'app_record.too_large', message: expect.stringContaining('several records') });
    expect((await call('PUT', `${collection}/v`, { body: JSON.stringify('ü'.repeat(33_000)) })).status).toBe(413);
    const nested = (depth: number) => call('PUT', `${collection}/v`, { body: '['.repeat(depth) + ']'.repeat(depth) });
    expect([(await nested(100)).status, (await nested(102)).status, (await nested(20_000)).status]).toEqual([200, 400, 400]);
    for (const body of ['', '{', 'undefined', '"\u0000"', '{"a":1}x'])
      expect([body, (await call('PUT', `${collection}/v`, { body })).status]).toEqual([body, 400]);
    expect((await put(`${collection}/${'k'.repeat(255)}`, 1)).status).toBe(201);
    expect((await put(`${collection}/${'k'.repeat(256)}`, 1)).status).toBe(400);
    expect((await put(`${collection}/a%0Ab`, 1)).status).toBe(400);
    for (const name of ['-a', '.a', 'a%20b', 'a%2Fb', 'a'.repeat(101), '%C3%A4']) {
      expect([name, (await put(`/${name}/k`, 1)).json]).toEqual([
        name,
        expect.objectContaining({ status_code: 400, message: expect.stringContaining('letters') }),
      ]);
      expect([name, (await call('GET', `/${name}/k`)).status]).toEqual([name, 404]);
    }
  });

  test('are kept through an uninstall as properties are, and forgotten after 30 days', async () => {
    const { id } = await world.application();
    const at = id as ApplicationId;
    const clientKey = await install(apps[0]!, at);
    await put('/kept/one', 1, {}, { at });
    const uninstalled = async (days: number) => {
      await world.meta('DELETE', `/applications/${at}/installs/notes`);
      expect((await call('GET', '/kept/one', { at })).status).toBe(401);
      world.clock.advance(days * 86_400_000);
      await forgetUninstalled(world.platform.db, new Date(world.clock.now()));
    };
    await uninstalled(29);
    expect(await install(apps[0]!, at)).toBe(clientKey);
    expect((await call('GET', '/kept/one', { at })).json.value).toBe(1);
    await uninstalled(31);
    expect(await install(apps[0]!, at)).not.toBe(clientKey);
    expect((await call('GET', '/kept/one', { at })).status).toBe(404);
    expect((await call('GET', '', { at })).json).toMatchObject({ collections: [], records: { used: 0 }, bytes: { used: 0 } });
  });
});

describe('what an install may keep', () => {
  let at: ApplicationId;
  beforeEach(async () => {
    at = (await world.application()).id as ApplicationId;
    await install(apps[0]!, at);
  });
  const filled = (records: number, bytes: number) =>
    world.platform.db.withSystem('fill up a test', (tx) =>
      tx.execute(sql`update app_record_usage set records = ${records}, bytes = ${bytes} where application_id = ${at}`),
    );

  test('is counted as it comes and goes', async () => {
    const used = async () => (await call('GET', '', { at })).json;
    await put('/a/1', 'four', {}, { at });
    await put('/b/1', '', {}, { at });
    await put('/a/1', 'fourteen', {}, { at });
    expect(await used()).toEqual({
      collections: ['a', 'b'],
      records: { used: 2, most: RECORDS_MAX },
      bytes: { used: 12, most: RECORDS_BYTES_MAX },
    });
    await call('DELETE', '/b/1', { at });
    await call('DELETE', '/a/1', { at });
    expect(await used()).toMatchObject({ collections: [], records: { used: 0 }, bytes: { used: 0 } });
  });

  test('is what is there, however puts and deletes come at once', async () => {
    for (let round = 0; round < 6; round++) {
      const asked = Array.from({ length: 16 }, () => {
        const below = `/${'ab'[randomInt(2)]}/${randomInt(5)}`;
        const condition: Readonly<Record<string, string>>[] = [{}, { 'if-match': '*' }, { 'if-none-match': '*' }];
        return randomInt(3) === 0
          ? call('DELETE', below, { at })
          : put(below, 'x'.repeat(randomInt(50)), condition[randomInt(condition.length)]!, { at });
      });
      const statuses = new Set((await Promise.all(asked)).map(({ status }) => status));
      expect([...statuses].filter((status) => ![200, 201, 204, 404, 412].includes(status))).toEqual([]);
      const there = await world.platform.db.withSystem('count in a test', (tx) =>
        tx.one<{ records: number; bytes: number; versions: number }>(sql`
          select count(*)::int as records, coalesce(sum(value_bytes), 0)::int as bytes, count(distinct version)::int as versions
            from app_records where application_id = ${at}`),
      );
      expect(there.versions).toBe(there.records);
      expect((await call('GET', '', { at })).json).toMatchObject({ records: { used: there.records }, bytes: { used: there.bytes } });
    }
  });

  test('ends at so many records, bytes and collections; what is there can be shortened and deleted', async () => {
    await put('/a/1', 'four', {}, { at });
    await filled(RECORDS_MAX, 6);
    expect((await put('/a/2', 1, {}, { at })).json).toMatchObject({ status_code: 409, code: 'app_record.limit' });
    expect((await put('/a/1', 'five!', {}, { at })).status).toBe(200);
    await filled(1, RECORDS_BYTES_MAX);
    const full = await put('/a/2', 1, {}, { at });
    expect(full.json).toMatchObject({ code: 'app_record.bytes_limit', message: expect.stringContaining('Delete or shorten') });
    expect((await put('/a/1', 'longer', {}, { at })).json.code).toBe('app_record.bytes_limit');
    expect((await put('/a/1', 'less', {}, { at })).status).toBe(200);
    expect((await call('DELETE', '/a/1', { at })).status).toBe(204);
    await filled(0, 0);
    for (let n = 0; n < COLLECTIONS_MAX; n++) expect((await put(`/c${n}/1`, 1, {}, { at })).status).toBe(201);
    expect((await put('/another/1', 1, {}, { at })).json.code).toBe('app_record.collection_limit');
    expect((await put('/c5/2', 1, {}, { at })).status).toBe(201);
    await call('DELETE', '/c7/1', { at });
    expect((await put('/another/1', 1, {}, { at })).status).toBe(201);
    // Of another install nothing is taken.
    expect((await put(`${collection}/1`, 1)).status).toBe(201);
  });
});

describe('whose they are', () => {
  test('an App finds its own; another App in the same Application, and itself in another one, find nothing', async () => {
    const at = `${collection}/secret`;
    await put(at, 'of notes');
    expect((await call('GET', at, { by: 'clocks' })).status).toBe(404);
    expect((await call('GET', collection, { by: 'clocks' })).json.records).toEqual([]);
    expect((await call('GET', '', { by: 'clocks' })).json).toMatchObject({ collections: [], records: { used: 0 } });
    expect((await call('DELETE', at, { by: 'clocks' })).status).toBe(404);
    expect((await put(at, 'of clocks', { 'if-match': '*' }, { by: 'clocks' })).status).toBe(412);
    expect((await put(at, 'of clocks', {}, { by: 'clocks' })).status).toBe(201);
    expect((await call('GET', at, { at: second })).status).toBe(404);
    expect((await call('GET', at, { at: first, of: second })).status).toBe(401);
    expect((await call('GET', at, { at: second, of: first })).status).toBe(401);
    expect((await call('GET', at)).json.value).toBe('of notes');
    // Control: each finds its own.
    expect((await call('GET', at, { by: 'clocks' })).json.value).toBe('of clocks');
  });

  const asOwner = (text: string) => runPastDoors(world.database.ownerUrl, text);
  const tables = ['app_records', 'app_record_usage'] as const;
  const count = (tx: TenantTx, table: string) => tx.one<{ count: number }>(sql`select count(*) as count from ${sql.identifier(table)}`);
  const counted = async (appKey: string, at: ApplicationId): Promise<number[]> => {
    const found: number[] = [];
    for (const table of tables)
      found.push(
        await world.platform.db.withTenant(at, async (tx) => {
          await enterInstall(tx, known.get(`${appKey} ${first}`)!.clientKey);
          return Number((await count(tx, table)).count);
        }),
      );
    return found;
  };

  test('is said by the policy of the install, whatever a statement forgets; without it everybody in the Application would see them', async () => {
    const owner = await startOver();
    expect(await counted('notes', owner)).toEqual([2, 1]);
    expect(await counted('clocks', owner)).toEqual([1, 1]);
    expect(await counted('notes', second)).toEqual([0, 0]);
    // Without having entered one there is nothing to be had, not everything.
    for (const table of tables) {
      const without = await world.platform.db.withTenant(owner, (tx) => count(tx, table)).catch(() => ({ count: 0 }));
      expect(Number(without.count)).toBe(0);
    }
    const [mine, theirs] = ['notes', 'clocks'].map((key) => known.get(`${key} ${owner}`)!.clientKey);
    const slip = (clientKey: string) =>
      world.platform.db.withTenant(owner, async (tx) => {
        await enterInstall(tx, mine!);
        await tx.execute(sql`
          insert into app_records (application_id, client_key, collection, record_key, version, value_bytes, value_sealed, created_at, modified_at)
          values (${owner}, ${clientKey}, 'slipped', 'in', 1, 1, ${Buffer.from('x')}, now(), now())`);
      });
    await expect(slip(theirs!)).rejects.toThrow();
    await expect(slip('ins0000000000000000000000')).rejects.toThrow();

    // Control: with the policy taken down the same statements see and write the other's.
    for (const table of tables) await asOwner(`drop policy install on ${table}`);
    try {
      expect(await counted('clocks', owner)).toEqual([3, 2]);
      await slip(theirs!);
      expect(await counted('notes', second)).toEqual([0, 0]);
    } finally {
      for (const table of tables)
        await asOwner(
          `create policy install on ${table} as restrictive to bulkhead_app
             using (client_key = (select current_setting('bulkhead.client_key')))
             with check (client_key = (select current_setting('bulkhead.client_key')))`,
        );
    }
  });

  /** The first Application with two records of the one App and one of the other, and nothing else. */
  async function startOver(): Promise<ApplicationId> {
    await world.platform.db.withSystem('start over', async (tx) => {
      for (const table of tables) await tx.execute(sql`delete from ${sql.identifier(table)}`);
    });
    await put('/a/1', 1);
    await put('/a/2', 2);
    await put('/a/1', 1, {}, { by: 'clocks' });
    return first;
  }
});
