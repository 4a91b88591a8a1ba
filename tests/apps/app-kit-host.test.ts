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
import { FakeHost } from '@bulkhead/app-kit/testkit';
import { sql } from '@bulkhead/postgres';
import { World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectRecords } from './host-records-contract.ts';

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
    await expectRecords(notes, two.hostRecords('notes'));
    await expect(notes.put('large', 'x'.repeat(65_536))).rejects.toMatchObject({
      code: 'app_kit.host_failed',
      detail: 'status 413, app_record.too_large',
    });
    await world.platform.db.withSystem('fill up a test', (tx) => tx.execute(sql`update app_record_usage set records = 100000`));
    await expect(notes.put('more', 1)).rejects.toMatchObject({ code: 'app_kit.host_full' });
  });

  test('finds the same at the host in memory that it is tested with', async () => {
    const host = new FakeHost({ appKey: key, appBaseUrl: 'https://app.example' });
    const tested = createAppKit({
      descriptor: defineDescriptor({ key, baseUrl: 'https://app.example', lifecycle: { installed: '/installed' } }),
      issuers: [host.issuer],
      store: memoryTenantStore({ appKey: key }),
      sessionSecret: new Secret('a session secret of thirty-two characters'),
      fetch: host.fetch,
    });
    const clients: TenantClient[] = [];
    for (const name of ['one', 'two']) {
      await tested.answer(host.tenant(name).installed());
      clients.push((await tested.findTenant(name))!);
    }
    await expectRecords(clients[0]!.hostRecords('notes'), clients[1]!.hostRecords('notes'));
  });
});
