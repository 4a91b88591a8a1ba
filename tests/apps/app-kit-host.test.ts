import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  answerNode,
  type AppKit,
  bulkhead,
  createAppKit,
  defineDescriptor,
  memoryTenantStore,
  Secret,
  type TenantClient,
} from '@bulkhead/app-kit';
import { sql } from '@bulkhead/postgres';
import { World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const key = 'kit-app';
const scopes = ['WRITE', 'ACT_AS_USER'] as const;
let world: World;
let server: Server;
let kit: AppKit;
let calls: string[];

beforeAll(async () => {
  server = createServer((request, response) => void answerNode(kit, request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  world = await World.create({ egressAllow: [`127.0.0.1:${port}`] });
  const descriptor = defineDescriptor({
    key,
    baseUrl: `http://127.0.0.1:${port}`,
    lifecycle: { installed: '/installed', uninstalled: '/uninstalled' },
    scopes: [...scopes],
  });
  kit = createAppKit({
    descriptor,
    issuers: [bulkhead(world.url)],
    store: memoryTenantStore({ appKey: key }),
    sessionSecret: new Secret('a session secret of thirty-two characters'),
    clock: world.clock,
    fetch: (url, init) => {
      calls.push(`${init.method} ${new URL(url).pathname.replace(/^\/t\/\w+/, '')}`);
      return fetch(url, init);
    },
  });
  calls = [];
  const registered = await world.meta('POST', '/apps', { descriptor });
  expect(registered.status, registered.text).toBe(201);
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await world[Symbol.asyncDispose]();
});

async function tenant(...users: readonly string[]): Promise<{ id: string; client: TenantClient }> {
  const { id, apiKey } = await world.application();
  for (const user of users) {
    const body = { service: 'gdrive', account: `${user} at gdrive`, token: 'x', end_user: user };
    await world.call('POST', '/v1/accounts', { headers: { authorization: `APIKey ${apiKey}` }, body });
  }
  const installed = await world.meta('POST', `/applications/${id}/installs`, { app_key: key, scopes });
  expect(installed.status, installed.text).toBe(201);
  const client = await kit.findTenant(installed.json.client_key);
  calls.length = 0;
  return { id, client: client! };
}

async function listed<T>(all: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const each of all) found.push(each);
  return found;
}

describe('an App on app-kit, at a real host', () => {
  test('acts for a user by one token, and by a new one where that has ended', async () => {
    const { id, client } = await tenant('ada', 'eve');
    const seen = async (who: Pick<TenantClient, 'fetch'>): Promise<string[]> => {
      const answer = await who.fetch('/rest/bulkhead/1/accounts');
      expect(answer.status).toBe(200);
      return ((await answer.json()) as { accounts: { end_user: string }[] }).accounts.map((each) => each.end_user).sort();
    };
    const asAda = client.asUser('ada', ['READ']);
    expect(await Promise.all([1, 2, 3].map(() => seen(asAda)))).toEqual([['ada'], ['ada'], ['ada']]);
    expect(calls.filter((call) => call === 'POST /oauth2/token')).toHaveLength(1);
    // Two assertions of one second are two.
    expect(await Promise.all([seen(client.asUser('ada', ['WRITE'])), seen(client.asUser('eve'))])).toEqual([['ada'], ['eve']]);
    expect(await seen(client)).toEqual(['ada', 'eve']);
    await world.meta('POST', `/applications/${id}/installs/${key}/disable`);
    await world.meta('POST', `/applications/${id}/installs/${key}/enable`);
    expect(await seen(asAda)).toEqual(['ada']);
    const reading = await asAda.fetch('/rest/bulkhead/1/accounts/1/proxy/x', { method: 'POST', body: 'x' });
    expect(reading.status).toBe(404);
    await expect(seen(client.asUser('nobody'))).rejects.toMatchObject({ code: 'app_kit.impersonation_refused' });
    await expect(seen(client.asUser('ada', ['ADMIN']))).rejects.toMatchObject({ code: 'app_kit.impersonation_refused' });
  });

  test('keeps records at its host, each tenant apart, and hears when one was changed meanwhile', async () => {
    const [one, two] = [(await tenant()).client, (await tenant()).client];
    const notes = one.hostRecords('notes');
    const { version } = await notes.put('issue/1 ü', { text: 'first' }, { ifAbsent: true });
    await expect(notes.put('issue/1 ü', 'x', { ifAbsent: true })).rejects.toMatchObject({ code: 'app_kit.record_changed' });
    expect(await notes.get('issue/1 ü')).toEqual({ key: 'issue/1 ü', version, value: { text: 'first' } });
    const next = await notes.put('issue/1 ü', null, { ifVersion: version });
    await expect(notes.put('issue/1 ü', 'late', { ifVersion: version })).rejects.toMatchObject({ code: 'app_kit.record_changed' });
    await expect(notes.delete('issue/1 ü', { ifVersion: version })).rejects.toMatchObject({ code: 'app_kit.record_changed' });
    expect(await notes.get('issue/1 ü')).toEqual({ key: 'issue/1 ü', version: next.version, value: null });
    for (let n = 0; n < 5; n++) await notes.put(`page/${n}`, n);
    const first = await notes.list({ prefix: 'page/', pageSize: 2 });
    expect(first.records.map(({ key: name }) => name)).toEqual(['page/0', 'page/1']);
    expect((await notes.list({ prefix: 'page/', pageSize: 2, cursor: first.cursor! })).records.map(({ value }) => value)).toEqual([2, 3]);
    expect((await listed(notes.all())).map(({ key: name }) => name)).toEqual([
      'issue/1 ü',
      'page/0',
      'page/1',
      'page/2',
      'page/3',
      'page/4',
    ]);
    expect(await listed(two.hostRecords('notes').all())).toEqual([]);
    expect(await two.hostRecords('notes').get('page/1')).toBeNull();
    expect([await notes.delete('page/1'), await notes.delete('page/1')]).toEqual([true, false]);
    await expect(notes.put('large', 'x'.repeat(65_536))).rejects.toMatchObject({
      code: 'app_kit.host_failed',
      detail: 'status 413, app_record.too_large',
    });
    await world.platform.db.withSystem('fill up a test', (tx) => tx.execute(sql`update app_record_usage set records = 100000`));
    await expect(notes.put('more', 1)).rejects.toMatchObject({ code: 'app_kit.host_full' });
  });
});
