import { randomBytes } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { ManualClock, Secret } from '@bulkhead/base';
import { describe, expect, test } from 'vitest';
import { createAppKit } from '../app-kit.ts';
import { defineDescriptor } from '../descriptor.ts';
import { sqliteTenantStore } from '../store/sqlite-tenant-store.ts';
import { FakeHost } from '../testkit/fake-host.ts';
import { aceSettings, type AceRow, importAceSettings } from './import-settings.ts';

const key = 'issue-notes';
const clock = new ManualClock();
const host = new FakeHost({ appKey: key, appBaseUrl: 'https://app.example', clock });

function world() {
  const store = sqliteTenantStore({ appKey: key, database: new DatabaseSync(':memory:'), sealingKeys: { current: randomBytes(32) } });
  const kit = createAppKit({
    descriptor: defineDescriptor({ key, baseUrl: 'https://app.example' }),
    issuers: [host.issuer],
    store,
    sessionSecret: new Secret('a session secret of thirty-two characters'),
    fetch: host.fetch,
    clock,
  });
  return { store, kit };
}

const secretOf = (letter: string) => letter.repeat(40);
const info = (clientKey: string, sharedSecret: string, said: object = {}) => ({
  key,
  clientKey,
  baseUrl: `${host.origin}/t/${clientKey}`,
  sharedSecret,
  productType: 'jira',
  oauthClientId: 'client',
  publicKey: 'old',
  serverVersion: '1',
  eventType: 'installed',
  ...said,
});
const row = (clientKey: string | null, val: unknown, rowKey: string | null = 'clientInfo'): AceRow => ({ clientKey, key: rowKey, val });
const requestBy = (clientKey: string, secret: string) => {
  const tenant = host.tenant(clientKey);
  tenant.sharedSecret = new Secret(secret);
  return tenant.request('GET', '/page');
};

describe('what an App of atlassian-connect-express kept', () => {
  test('is taken over: tenants answer with their secrets, other rows are their records, cached tokens are left', async () => {
    const { store, kit } = world();
    const report = await importAceSettings({
      store,
      issuers: [host.issuer],
      now: () => clock.now(),
      rows: [
        row('a', info('a', secretOf('a'))),
        row('b', JSON.stringify(info('b', secretOf('b')))),
        row('a', { theme: 'dark' }, 'settings'),
        row('a', { token: 'x' }, 'bearer:0123'),
        row(null, 1, 'global'),
        row('nobody', 1, 'settings'),
      ],
    });
    expect(report).toEqual({
      tenants: 2,
      records: 1,
      skipped: [
        { clientKey: 'a', key: 'bearer:0123', why: 'a cached token' },
        { clientKey: null, key: 'global', why: 'of no tenant' },
        { clientKey: 'nobody', key: 'settings', why: 'its tenant was not imported' },
      ],
    });
    expect(await kit.verifyRequest(requestBy('a', secretOf('a')))).toMatchObject({
      tenant: { clientKey: 'a', enabled: true, details: { oauthClientId: 'client' } },
    });
    expect(await kit.verifyRequest(requestBy('b', secretOf('b')))).toMatchObject({ tenant: { clientKey: 'b' } });
    await expect(kit.verifyRequest(requestBy('a', secretOf('b')))).rejects.toMatchObject({ status: 401 });
    expect(await store.records('a').get('settings')).toEqual({ theme: 'dark' });
    expect(await store.records('b').list()).toEqual([]);
  });

  test('a tenant that stands there three times is one, and the secret that its host signs with counts', async () => {
    const { store, kit } = world();
    const rows = ['x', 'y', 'z', 'y'].map((letter) => row('a', info('a', secretOf(letter))));
    expect(await importAceSettings({ store, issuers: [host.issuer], rows, now: () => clock.now() })).toMatchObject({
      tenants: 1,
      skipped: [],
    });
    await kit.verifyRequest(requestBy('a', secretOf('y')));
    clock.advance(15 * 60_000 + 1);
    for (const letter of ['x', 'z'])
      await expect(kit.verifyRequest(requestBy('a', secretOf(letter)))).rejects.toMatchObject({ status: 401 });
    await kit.verifyRequest(requestBy('a', secretOf('y')));
  });

  test('again, it changes nothing; a signed install is newer than any copy', async () => {
    const { store, kit } = world();
    const rows = [row('a', info('a', secretOf('a')))];
    await importAceSettings({ store, issuers: [host.issuer], rows });
    const tenant = host.tenant('a');
    expect((await kit.answer(tenant.installed()))?.status).toBe(204);
    await kit.verifyRequest(tenant.request('GET', '/page'));
    expect(await importAceSettings({ store, issuers: [host.issuer], rows })).toEqual({
      tenants: 0,
      records: 0,
      skipped: [{ clientKey: 'a', key: 'clientInfo', why: 'there already' }],
    });
    await kit.verifyRequest(tenant.request('GET', '/page'));
    await kit.answer(tenant.uninstalled());
    await importAceSettings({ store, issuers: [host.issuer], rows });
    await expect(kit.verifyRequest(requestBy('a', secretOf('a')))).rejects.toMatchObject({ status: 401 });
  });

  test.each([
    ['a base URL of no issuer', row('a', info('a', secretOf('a'), { baseUrl: 'https://evil.example' })), 'its base URL is of no issuer'],
    ['another clientKey inside', row('a', info('b', secretOf('a'))), 'stored under another clientKey'],
    ['a short secret', row('a', info('a', 'short')), 'not as expected: sharedSecret'],
    ['no object', row('a', 'nonsense'), 'not as expected: '],
  ])('%s is left out, with the reason and no value', async (_, bad, why) => {
    const { store } = world();
    const report = await importAceSettings({ store, issuers: [host.issuer], rows: [bad] });
    expect(report).toEqual({ tenants: 0, records: 0, skipped: [{ clientKey: 'a', key: 'clientInfo', why }] });
    expect(await store.find('a')).toBeNull();
    expect(await store.find('b')).toBeNull();
  });

  test('the table is read 500 rows at a time, each once', async () => {
    const all = Array.from({ length: 1_200 }, (_, at) => ({ id: at + 1, clientKey: `t${at}`, key: 'clientInfo', val: at }));
    const asked: unknown[] = [];
    const pool = {
      query: (text: string, values: readonly unknown[] = []) => {
        asked.push(text);
        const rows = all.filter(({ id }) => id > Number(values[0])).slice(0, 500);
        return Promise.resolve({ rows, rowCount: rows.length });
      },
    };
    const seen: (string | null)[] = [];
    for await (const { clientKey } of aceSettings(pool)) seen.push(clientKey);
    expect(seen).toEqual(all.map(({ clientKey }) => clientKey));
    expect(asked).toHaveLength(3);
    await expect(aceSettings(pool, 'x"; drop').next()).rejects.toThrow(RangeError);
  });
});
