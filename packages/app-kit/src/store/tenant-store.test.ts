import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '@bulkhead/base';
import { testCluster, testDatabase, type TestDatabase } from '@bulkhead/testkit';
import { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TenantRecord, withInstall } from '../tenant-record.ts';
import { openEnvelope, sealEnvelope } from './envelope.ts';
import { memoryTenantStore } from './memory-tenant-store.ts';
import { postgresSchema, tenantPolicy } from './postgres-schema.ts';
import { postgresTenantStore } from './postgres-tenant-store.ts';
import { sqliteTenantStore } from './sqlite-tenant-store.ts';
import type { TenantStore } from './tenant-store.ts';

const appKey = 'issue-notes';
const sealingKeys = { current: randomBytes(32) };
const secretText = 'a shared secret that nobody may find in a file';
const now = Date.UTC(2026, 0, 1);

const folder = mkdtempSync(join(tmpdir(), 'app-kit-store-'));
const file = join(folder, 'tenants.sqlite');
const databases: DatabaseSync[] = [];
let database: TestDatabase;
let owner: Pool;
let pool: Pool;

beforeAll(async () => {
  database = await testDatabase();
  owner = poolOf(database.ownerUrl.reveal());
  pool = poolOf(database.urls.appUrl.reveal());
  // Twice: an App runs it at each start.
  for (let time = 0; time < 2; time++) await owner.query(postgresSchema({ servingRole: 'bulkhead_app' }));
});
afterAll(async () => {
  for (const one of databases) one.close();
  rmSync(folder, { recursive: true });
  await Promise.all([owner.end(), pool.end()]);
  await database.close();
});

/** `end()` does not wait for the server's goodbye, and the database is dropped while that is under way: one that is idle hears it at the pool. */
function poolOf(connectionString: string, max = 10): Pool {
  const opened = new Pool({ connectionString, max });
  opened.on('error', () => undefined).on('connect', (client) => client.on('error', () => undefined));
  return opened;
}

function sqlite(of: string): TenantStore {
  const opened = new DatabaseSync(file);
  databases.push(opened);
  return sqliteTenantStore({ appKey: of, database: opened, sealingKeys });
}

/** Two of each: of one App on two processes, where the store has processes, and of another App beside it. */
const makers: readonly (readonly [name: string, make: () => { one: TenantStore; same: TenantStore; other: TenantStore }])[] = [
  [
    'memory',
    () => {
      const one = memoryTenantStore({ appKey });
      return { one, same: one, other: memoryTenantStore({ appKey: 'other-app' }) };
    },
  ],
  ['sqlite', () => ({ one: sqlite(appKey), same: sqlite(appKey), other: sqlite('other-app') })],
  [
    'postgres',
    () => {
      const of = (key: string) => postgresTenantStore({ appKey: key, pool, sealingKeys });
      return { one: of(appKey), same: of(appKey), other: of('other-app') };
    },
  ],
];

function installed(clientKey: string, changed: Partial<TenantRecord> = {}): TenantRecord {
  const record = withInstall(
    null,
    {
      clientKey,
      issuer: 'fake host',
      baseUrl: `https://host.example/t/${clientKey}`,
      sharedSecret: new Secret(secretText),
      details: { oauthClientId: 'client', productType: 'fake' },
      iat: now / 1000,
    },
    now,
  );
  return { ...record, ...changed };
}

const shown = (tenant: TenantRecord | null) =>
  tenant === null
    ? null
    : { ...tenant, secrets: tenant.secrets.map((secret) => ({ ...secret, sharedSecret: secret.sharedSecret.reveal() })) };

describe.each(makers)('tenants in %s', (name, make) => {
  let one: TenantStore;
  let same: TenantStore;
  let other: TenantStore;
  beforeAll(() => {
    ({ one, same, other } = make());
  });

  test('what is stored is what is found, in another process too, and nothing of another tenant or App', async () => {
    expect(await one.find('a')).toBeNull();
    const changed = installed('a', { enabled: true, uninstalledAt: now + 1, purgeAfter: now + 2, enabledIat: 7 });
    expect(shown(await one.change('a', () => changed))).toEqual(shown(changed));
    expect(shown(await same.find('a'))).toEqual(shown(changed));
    expect(await one.find('b')).toBeNull();
    expect(await other.find('a')).toBeNull();
    expect(await one.change('a', () => null)).not.toBeNull();
    expect(await one.change('b', () => null)).toBeNull();
  });

  test('what throws changes nothing', async () => {
    const change = one.change('a', () => {
      throw new Error('refused');
    });
    await expect(async () => change).rejects.toThrow('refused');
    expect(await one.find('a')).not.toBeNull();
  });

  test('40 changes at once on two processes: each sees the one before it, and there is one record', async () => {
    const changes = Array.from({ length: 40 }, (_, at) =>
      (at % 2 === 0 ? one : same).change('counted', (current) =>
        current === null ? installed('counted', { enabledIat: 1 }) : { ...current, enabledIat: current.enabledIat + 1 },
      ),
    );
    await Promise.all(changes);
    expect((await one.find('counted'))?.enabledIat).toBe(40);
  });

  test('a token is spent by one caller of twenty, on two processes; by each tenant and App for itself', async () => {
    const spends = await Promise.all(
      Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? one : same).spendToken('a', 'd1', now + 1000, now)),
    );
    expect(spends.filter((outcome) => outcome === 'spent')).toHaveLength(1);
    expect(await one.spendToken('b', 'd1', now + 1000, now)).toBe('spent');
    expect(await other.spendToken('a', 'd1', now + 1000, now)).toBe('spent');
    expect(await one.spendToken('a', 'd2', now + 5000, now + 1001)).toBe('spent');
    expect(await one.spendToken('a', 'd2', now + 5000, now + 1001)).toBe('used');
  });

  test('records: kept, replaced, listed in order, deleted, for this tenant of this App and no other', async () => {
    for (const [store, clientKey] of [
      [one, 'r1'],
      [one, 'r2'],
      [other, 'r1'],
    ] as const)
      await store.change(clientKey, () => installed(clientKey));
    const mine = one.records('r1');
    for (const key of ['note/b', 'note/a', 'note/é', 'note/Z', 'other', '%', 'note_x']) await mine.put(key, { key });
    await mine.put('note/a', { text: 'second', list: [1, null, 'x'] });
    expect(await same.records('r1').get('note/a')).toEqual({ text: 'second', list: [1, null, 'x'] });
    expect((await mine.list({ prefix: 'note/' })).map(({ key }) => key)).toEqual(['note/Z', 'note/a', 'note/b', 'note/é']);
    expect((await mine.list({ prefix: 'note/', after: 'note/Z', limit: 2 })).map(({ key }) => key)).toEqual(['note/a', 'note/b']);
    expect((await mine.list({ prefix: '%' })).map(({ key }) => key)).toEqual(['%']);
    for (const foreign of [one.records('r2'), other.records('r1'), one.records('nobody')]) {
      expect(await foreign.get('note/a')).toBeNull();
      expect(await foreign.list()).toEqual([]);
      expect(await foreign.delete('note/a')).toBe(false);
    }
    expect(await mine.delete('note/a')).toBe(true);
    expect(await mine.get('note/a')).toBeNull();
    await expect(async () => one.records('nobody').put('k', 1)).rejects.toThrow();
  });

  test('bounds: keys, values and pages', async () => {
    const mine = one.records('r1');
    await expect(async () => mine.put('', 1)).rejects.toThrow(RangeError);
    await expect(async () => mine.put('k'.repeat(256), 1)).rejects.toThrow(RangeError);
    await expect(async () => mine.put('k', 'x'.repeat(262_144))).rejects.toThrow(RangeError);
    await expect(async () => mine.list({ limit: 1001 })).rejects.toThrow(RangeError);
    await mine.put('k'.repeat(255), 1);
  });

  test('purge takes what is past its time with its records, and nothing else', async () => {
    await one.change('gone', () => installed('gone', { state: 'uninstalled', secrets: [], purgeAfter: now + 10 }));
    await other.change('gone', () => installed('gone', { state: 'uninstalled', secrets: [], purgeAfter: now + 10 }));
    await one.records('gone').put('k', 1);
    await one.change('a', () => installed('a'));
    expect(await one.purge(now + 9)).toBe(0);
    expect(await one.purge(now + 10)).toBe(1);
    expect(await one.find('gone')).toBeNull();
    expect(await one.records('gone').get('k')).toBeNull();
    expect(await one.find('a')).not.toBeNull();
    expect(await one.find('r1')).not.toBeNull();
    expect(await other.find('gone')).not.toBeNull();
  });

  test('a clientKey is data, whatever is written in it', async () => {
    for (const clientKey of ['__proto__', "x' or '1'='1", 'a"b', '%', 'é\u{1f600}', 'x'.repeat(255)]) {
      expect(await one.find(clientKey)).toBeNull();
      await one.change(clientKey, () => installed(clientKey));
      expect((await one.find(clientKey))?.clientKey).toBe(clientKey);
    }
    if (name !== 'memory') await expect(async () => one.change('a', () => installed('b'))).rejects.toThrow(RangeError);
  });
});

describe('at rest', () => {
  test('no secret stands in the file of SQLite, its journal, or a row of PostgreSQL', async () => {
    const [, make] = makers[1]!;
    const { one } = make();
    await one.change('sealed', () => installed('sealed'));
    const bytes = Buffer.concat(readdirSync(folder).map((entry) => readFileSync(join(folder, entry))));
    expect(bytes.includes(secretText)).toBe(false);
    expect(bytes.includes('https://host.example/t/sealed')).toBe(true);
    const stored = postgresTenantStore({ appKey, pool, sealingKeys });
    await stored.change('sealed', () => installed('sealed'));
    const row = await stored.withTenant('sealed', (tx) =>
      tx.query(`select t::text as row, encode(sealed_secrets, 'escape') as bytes from app_kit.tenants t`),
    );
    expect(row.rows).toHaveLength(1);
    expect(JSON.stringify(row.rows)).not.toContain(secretText);
    expect(JSON.stringify(row.rows)).toContain('https://host.example/t/sealed');
  });

  test('V3: a sealed secret opens in its own tenant, App and key only', () => {
    const sealed = sealEnvelope(sealingKeys, 'text', 'here');
    expect(openEnvelope(sealingKeys, sealed, 'here')).toBe('text');
    const next = { current: randomBytes(32), former: [sealingKeys.current] };
    expect(openEnvelope(next, sealed, 'here')).toBe('text');
    expect(openEnvelope(next, sealEnvelope(next, 'text', 'here'), 'here')).toBe('text');
    expect(() => openEnvelope(sealingKeys, sealed, 'there')).toThrow();
    expect(() => openEnvelope({ current: randomBytes(32) }, sealed, 'here')).toThrow();
    for (let at = 0; at < sealed.length; at++) {
      const broken = Buffer.from(sealed);
      broken[at]! ^= 1;
      expect(() => openEnvelope(sealingKeys, broken, 'here'), `byte ${at}`).toThrow();
      expect(() => openEnvelope(sealingKeys, sealed.subarray(0, at), 'here')).toThrow();
    }
  });
});

describe('T2, T3: PostgreSQL keeps tenants apart, whatever a statement says', () => {
  const store = () => postgresTenantStore({ appKey, pool, sealingKeys });

  test('no statement without a tenant sees or changes a row; with one, only its own', async () => {
    await store().change('x', () => installed('x'));
    await store().change('y', () => installed('y'));
    await store().records('x').put('k', 'of x');
    for (const table of ['tenants', 'records', 'spent_tokens']) {
      expect((await pool.query(`select * from app_kit.${table}`)).rows).toEqual([]);
      expect((await pool.query(`delete from app_kit.${table}`)).rowCount).toBe(0);
      // The owner too.
      expect((await owner.query(`delete from app_kit.${table}`)).rowCount).toBe(0);
    }
    await expect(pool.query(`update app_kit.tenants set client_key = 'x'`)).resolves.toMatchObject({ rowCount: 0 });
    await store().withTenant('y', async (tx) => {
      expect((await tx.query('select client_key from app_kit.tenants')).rows).toEqual([{ client_key: 'y' }]);
      expect((await tx.query('select * from app_kit.records')).rows).toEqual([]);
    });
    await expect(
      store().withTenant('y', (tx) => tx.query(`insert into app_kit.records values ($1, 'x', 'k2', '1')`, [appKey])),
    ).rejects.toThrow(/row-level security/);
    expect(await store().records('x').get('k')).toBe('of x');
  });

  test('a connection carries no tenant into the next transaction, whatever was thrown', async () => {
    const single = poolOf(database.urls.appUrl.reveal(), 1);
    const on = postgresTenantStore({ appKey, pool: single, sealingKeys });
    try {
      await on.withTenant('x', async () => undefined);
      await expect(on.withTenant('x', (tx) => tx.query('select 1/0'))).rejects.toThrow();
      await on.find('x');
      await on.purge(now);
      expect((await single.query('select * from app_kit.tenants')).rows).toEqual([]);
      expect((await single.query(`select current_setting('app_kit.client_key', true) as of`)).rows[0]?.['of']).toBeFalsy();
    } finally {
      await single.end();
    }
  });

  test("a table of the App's own is kept apart and purged the same way", async () => {
    await owner.query(`create table public.notes (app_key text, client_key text, text text,
      foreign key (app_key, client_key) references app_kit.tenants on delete cascade)`);
    await owner.query(`${tenantPolicy('public.notes')} grant select, insert, delete on public.notes to bulkhead_app;`);
    await store().withTenant('x', (tx) => tx.query(`insert into notes values ($1, 'x', 'mine')`, [appKey]));
    expect((await store().withTenant('y', (tx) => tx.query('select * from notes'))).rows).toEqual([]);
    expect((await store().withTenant('x', (tx) => tx.query('select text from notes'))).rows).toEqual([{ text: 'mine' }]);
    await store().change('x', (current) => (current === null ? null : { ...current, state: 'uninstalled', purgeAfter: now }));
    await store().purge(now);
    const admin = poolOf(await adminUrl());
    expect((await admin.query('select * from public.notes')).rows).toEqual([]);
    await admin.end();
  });

  test('a role that bypasses row-level security is refused before the first row', async () => {
    const admin = poolOf(await adminUrl());
    await expect(postgresTenantStore({ appKey, pool: admin, sealingKeys }).find('x')).rejects.toThrow(/row-level security/);
    await admin.end();
  });

  /** A superuser on this test's database. */
  async function adminUrl(): Promise<string> {
    const name = /\/(test_\w+)\?/.exec(database.ownerUrl.reveal())?.[1] ?? '';
    return (await testCluster()).adminUrl.replace('/postgres?', `/${name}?`);
  }
});
