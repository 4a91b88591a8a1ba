import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { bulkhead, memoryTenantStore, Secret, type TenantClient } from '@bulkhead/app-kit';
import { World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createIssueNotes, type IssueNotes } from '../../examples/installable-app/src/issue-notes.ts';

let world: World;
let server: Server;
let notes: IssueNotes;
let appUrl: string;
/** Set to have the App fail at its next install. */
let failing = false;

beforeAll(async () => {
  server = createServer((request, response) => notes.listener(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  appUrl = `http://127.0.0.1:${port}`;
  world = await World.create({ egressAllow: [`127.0.0.1:${port}`] });
  notes = createIssueNotes({
    baseUrl: appUrl,
    issuers: [bulkhead(world.url)],
    store: memoryTenantStore({ appKey: 'issue-notes' }),
    sessionSecret: new Secret('a session secret of thirty-two characters'),
    clock: world.clock,
    onLifecycle: () => (failing ? Promise.reject(new Error('not today')) : Promise.resolve()),
  });
  const registered = await world.meta('POST', '/apps', { descriptor_url: `${appUrl}/atlassian-connect.json` });
  expect(registered.status, registered.text).toBe(201);
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await world[Symbol.asyncDispose]();
});

const installs = (applicationId: string) => `/applications/${applicationId}/installs`;
const install = (applicationId: string) => world.meta('POST', installs(applicationId), { app_key: 'issue-notes', scopes: ['READ'] });
const tenantOf = async (clientKey: string): Promise<TenantClient> => {
  const tenant = await notes.kit.findTenant(clientKey);
  if (tenant === null) throw new Error(`${clientKey} is not installed`);
  return tenant;
};
const property = (name: string) => `/rest/atlassian-connect/1/addons/issue-notes/properties/${name}`;
const put = (tenant: TenantClient, value: unknown) =>
  tenant.fetch(property('p'), { method: 'PUT', body: JSON.stringify(value), headers: { 'content-type': 'application/json' } });
const valueOf = async (tenant: TenantClient) =>
  ((await (await tenant.fetch(`${property('p')}?b=2&a=1`)).json()) as { value: unknown }).value;

describe('the example App on a real host', () => {
  test('is installed into two customers, keeps to each, calls each, and is uninstalled from one', async () => {
    const ids = [(await world.application()).id, (await world.application()).id];
    const clientKeys: string[] = [];
    for (const id of ids) {
      const answer = await install(id);
      expect(answer.status, answer.text).toBe(201);
      clientKeys.push(answer.json.client_key as string);
    }
    await world.platform.runDueDeliveries();
    for (const [at, clientKey] of clientKeys.entries()) {
      expect(await notes.kit.settings.store.find(clientKey)).toMatchObject({ enabled: true, baseUrl: `${world.url}/t/${ids[at]}` });
      const tenant = await tenantOf(clientKey);
      expect((await put(tenant, clientKey)).status).toBe(201);
      await tenant.records.put('note/A-1', clientKey);
    }
    for (const clientKey of clientKeys) {
      const tenant = await tenantOf(clientKey);
      expect(await valueOf(tenant)).toBe(clientKey);
      expect(await tenant.records.list()).toEqual([{ key: 'note/A-1', value: clientKey }]);
    }
    const [first = '', second = ''] = clientKeys;
    expect((await world.meta('DELETE', `${installs(ids[0] ?? '')}/issue-notes`)).status).toBe(204);
    const before = await tenantOf(first);
    expect((await before.fetch(property('p'))).status).toBe(401);
    for (let time = 0; time < 2; time++) {
      world.clock.advance(1_000);
      await world.platform.runDueDeliveries();
    }
    expect(await notes.kit.findTenant(first)).toBeNull();
    expect(await valueOf(await tenantOf(second))).toBe(second);
  });

  test('an install that it cannot finish is undone on both sides; installed again, old and new secret never part them', async () => {
    const { id } = await world.application();
    failing = true;
    expect((await install(id)).status).toBe(502);
    failing = false;
    const { client_key: clientKey } = (await install(id)).json as { client_key: string };
    expect((await put(await tenantOf(clientKey), 1)).status).toBe(201);
    world.clock.advance(1_000);
    failing = true;
    expect((await install(id)).status).toBe(502);
    failing = false;
    expect((await put(await tenantOf(clientKey), 2)).status).toBe(200);
    world.clock.advance(1_000);
    expect((await install(id)).json).toMatchObject({ client_key: clientKey });
    expect((await put(await tenantOf(clientKey), 3)).status).toBe(200);
    world.clock.advance(1_000);
    await world.platform.runDueDeliveries();
    expect(await notes.kit.settings.store.find(clientKey)).toMatchObject({ enabled: true });
  });

  test('six installs at once leave one tenant on each side, with one secret that both know', async () => {
    const { id } = await world.application();
    const answers = await Promise.all(Array.from({ length: 6 }, () => install(id)));
    const made = answers.filter(({ status }) => status < 300);
    expect(made.length).toBeGreaterThan(0);
    const tenant = await tenantOf(made[0]?.json.client_key as string);
    expect((await put(tenant, 1)).status).toBe(201);
    world.clock.advance(1_000);
    await world.platform.runDueDeliveries();
    expect(await notes.kit.settings.store.find(tenant.clientKey)).toMatchObject({ enabled: true });
  });
});
