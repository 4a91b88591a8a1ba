import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type AppRequest, memoryTenantStore, Secret } from '@bulkhead/app-kit';
import { FakeHost, type FakeTenant } from '@bulkhead/app-kit/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createIssueNotes } from './issue-notes.ts';

const baseUrl = 'https://notes.example';
const host = new FakeHost({ appKey: 'issue-notes', appBaseUrl: baseUrl });
const [acme, globex] = [host.tenant('acme'), host.tenant('globex')];
let server: Server;

beforeAll(async () => {
  const { listener } = createIssueNotes({
    baseUrl,
    issuers: [host.issuer],
    store: memoryTenantStore({ appKey: 'issue-notes' }),
    sessionSecret: new Secret('a session secret of thirty-two characters'),
    fetch: host.fetch,
  });
  server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  for (const tenant of [acme, globex]) expect((await send(tenant.installed())).status).toBe(204);
});
afterAll(() => server.close());

function send({ method, rawTarget, headers, body }: AppRequest): Promise<Response> {
  return fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${rawTarget}`, {
    method,
    headers: headers as Record<string, string>,
    ...(method === 'GET' ? {} : { body: Buffer.from(body) }),
  });
}

/** What the panel's script would do. */
async function panel(tenant: FakeTenant, issue: string) {
  const page = await (await send(tenant.page(`/notes?issue=${issue}`, { sub: 'user-1' }))).text();
  const session = /Bearer ([\w.-]+)/.exec(page)?.[1] ?? '';
  const call = (method: string, body = '') =>
    send({ method, rawTarget: `/api/notes?issue=${issue}`, headers: { authorization: `Bearer ${session}` }, body: Buffer.from(body) });
  return {
    add: async (text: string) => (await call('POST', JSON.stringify({ text }))).json() as Promise<unknown>,
    list: async () => (await call('GET')).json() as Promise<unknown>,
    status: async () => (await call('GET')).status,
  };
}

test('two tenants keep notes on issues of one name, and neither sees the other’s', async () => {
  const [ours, theirs] = [await panel(acme, 'A-1'), await panel(globex, 'A-1')];
  expect(await ours.add('call them <b>back</b>')).toEqual({ notes: [{ text: 'call them <b>back</b>', by: 'user-1' }] });
  expect(await theirs.list()).toEqual({ notes: [] });
  expect(await (await panel(acme, 'A-2')).list()).toEqual({ notes: [] });
});

test('a deleted issue takes its notes along, of that tenant only', async () => {
  await (await panel(globex, 'A-1')).add('mine');
  const hook = acme.request('POST', '/issue-deleted', { body: JSON.stringify({ issue: 'A-1' }) });
  expect((await send(hook)).status).toBe(200);
  expect(await (await panel(acme, 'A-1')).list()).toEqual({ notes: [] });
  expect(await (await panel(globex, 'A-1')).list()).toMatchObject({ notes: [{ text: 'mine' }] });
  expect((await send({ ...hook, headers: {} })).status).toBe(401);
});

test('nothing is shown without a token, nor after uninstalling', async () => {
  const open = await panel(acme, 'A-1');
  expect(await open.status()).toBe(200);
  const bare: AppRequest = { method: 'GET', rawTarget: '/notes?issue=A-1', headers: {}, body: new Uint8Array() };
  expect((await send(bare)).status).toBe(401);
  expect((await send({ ...bare, rawTarget: '/api/notes?issue=A-1' })).status).toBe(401);
  expect((await send(acme.uninstalled())).status).toBe(204);
  expect(await open.status()).toBe(401);
  expect((await send(acme.page('/notes?issue=A-1'))).status).toBe(401);
  expect(await (await panel(globex, 'A-1')).status()).toBe(200);
});
