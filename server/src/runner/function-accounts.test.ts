import { silentLog } from '@bulkhead/base';
import { sql } from '@bulkhead/postgres';
import { connectAccount, type FakeApp, type FakeUpstream, startFakeApp, startFakeUpstream, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RunnerProcess } from './runner-process.ts';

// Through the real doors: the process of the runner, the engine in its own processes, an upstream.
let world: World;
let runner: RunnerProcess;
let app: FakeApp;
let upstream: FakeUpstream;
interface Tenant {
  readonly id: string;
  readonly apiKey: string;
  readonly account: number;
  readonly service: string;
  readonly key: string;
}
const tenants: Tenant[] = [];

const SERVICE = 'http://host.bulkhead.internal/accounts';
const code = `
export const list = async (query) => { const answer = await fetch('${SERVICE}' + (query ?? '')); return [answer.status, await answer.json()]; };
export const call = async ({ account, path, init }) => {
  const answer = await fetch('${SERVICE}/' + account + '/proxy' + path, init);
  return [answer.status, await answer.text()];
};
export const log = async (query) => { const answer = await fetch('http://host.bulkhead.internal/events' + (query ?? '')); return [answer.status, await answer.json()]; };
export const inside = (_, context) => JSON.stringify([context, Object.keys(globalThis), globalThis.process?.env ?? null]);
`;
const keys = ['list', 'call', 'log', 'inside'];

async function deploy(scopes: readonly string[]): Promise<void> {
  const manifest = { app: 'notes', functions: keys.map((key) => ({ key, handler: `index.${key}` })), permissions: { scopes } };
  const deployed = await world.meta('POST', '/apps/notes/deployments', { environment: 'production', manifest, code });
  expect(deployed.status, deployed.text).toBe(201);
  for (const { id } of tenants)
    await world.meta('PUT', `/applications/${id}/installs/notes/environments/production`, {
      permissions: scopes.map((scope) => `scope:${scope}`).sort(),
    });
}

async function invoke(tenant: Tenant, name: string, payload: unknown = null, more: Record<string, unknown> = {}) {
  const answer = await world.meta('POST', `/applications/${tenant.id}/installs/notes/invoke`, { function: name, payload, ...more });
  return { status: answer.status, code: answer.json.code, value: answer.json.outcome?.value, outcome: answer.json.outcome };
}
const received = (path: string) => upstream.requests.filter((request) => request.path.startsWith(path));

beforeAll(async () => {
  upstream = await startFakeUpstream();
  app = await startFakeApp({ key: 'notes', scopes: ['READ', 'WRITE', 'ACT_AS_USER'] });
  runner = new RunnerProcess({ acceptProcess: true, apiUrl: () => world.url, log: silentLog });
  world = await World.create({ runner, egressAllow: [app.address, upstream.address] });
  await world.meta('POST', '/apps', { descriptor: app.descriptor });
  for (const name of ['alder', 'birch']) {
    const { id, apiKey } = await world.application({ events_enabled: true });
    await world.meta('POST', `/applications/${id}/redirect_uris`, { url: 'https://company.example/callback' });
    const service = `notes${name}`;
    await world.meta('POST', `/applications/${id}/services`, upstream.keyService(service, name));
    const tenant = { applicationId: id, apiKey, redirectUrl: 'https://company.example/callback', canary: name };
    const key = `key:${name}:${'x'.repeat(20)}`;
    const { account_id: account } = await connectAccount(world, upstream, tenant as never, { service, apiKey: key });
    const installed = await world.meta('POST', `/applications/${id}/installs`, {
      app_key: 'notes',
      scopes: ['READ', 'WRITE', 'ACT_AS_USER'],
    });
    expect(installed.status, installed.text).toBe(201);
    tenants.push({ id, apiKey, account, service, key });
  }
  await deploy(['accounts:read', 'accounts:use', 'events:read']);
}, 60_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await runner.close();
  await app[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

describe('a function with the accounts of its Application', () => {
  test('sees those of its own tenant, without what opens them', async () => {
    for (const tenant of tenants) {
      const { value } = await invoke(tenant, 'list');
      expect(value).toMatchObject([200, { total: 1, accounts: [{ id: tenant.account, service: tenant.service }] }]);
      expect(JSON.stringify(value)).not.toContain(tenant.key);
      expect((await invoke(tenant, 'inside')).value).not.toContain(tenant.key);
    }
  });

  test("calls the service of its own account with that account's credential, which the host puts in", async () => {
    const [first, second] = tenants as [Tenant, Tenant];
    const init = { method: 'POST', headers: { authorization: 'Bearer of the guest', 'x-own': 'kept' }, body: 'said by the function' };
    const { value } = await invoke(first, 'call', { account: first.account, path: '/echo?a=1', init });
    expect(value[0]).toBe(200);
    expect(JSON.parse(value[1])).toMatchObject({
      person: 'alder',
      method: 'POST',
      path: '/keyed/echo',
      query: { a: '1' },
      body: 'said by the function',
    });
    expect(received('/keyed/echo').at(-1)?.headers).toMatchObject({ 'x-own': 'kept', 'x-api-key': first.key });
    expect(received('/keyed/echo').at(-1)?.headers).not.toHaveProperty('authorization');
    expect((await invoke(second, 'call', { account: first.account, path: '/echo' })).value).toMatchObject([
      404,
      expect.stringContaining('not_found'),
    ]);
    expect((await invoke(first, 'call', { account: 2 ** 40, path: '/echo' })).value[0]).toBe(404);
  });

  test('may do what its App was granted, and by no other method', async () => {
    const [first] = tenants as [Tenant];
    expect((await invoke(first, 'call', { account: first.account, path: '/echo', init: { method: 'DELETE' } })).value).toMatchObject([
      403,
      expect.stringContaining('passthrough.not_allowed'),
    ]);
  });

  test.each(['/../../../../v1/meta/applications', '/%2e%2e/%2e%2e/storage', '//evil.example/', '/..%2f..%2fcode'])(
    'gets nowhere else by the path %s',
    async (path) => {
      const [first] = tenants as [Tenant];
      const before = upstream.requests.length;
      const { value, outcome } = await invoke(first, 'call', { account: first.account, path });
      expect(outcome.kind === 'threw' || outcome.kind === 'denied' || value[0] >= 400 || JSON.parse(value[1]).person === 'alder').toBe(
        true,
      );
      expect(upstream.requests.slice(before).filter((request) => !request.path.startsWith('/keyed/'))).toEqual([]);
    },
  );

  test('acts for the end user it was called for: of another user it finds nothing', async () => {
    const [first] = tenants as [Tenant];
    const other = { applicationId: first.id, apiKey: first.apiKey, redirectUrl: 'https://company.example/callback', canary: 'other' };
    const { account_id: others } = await connectAccount(world, upstream, other as never, {
      service: first.service,
      apiKey: `key:other:${'x'.repeat(20)}`,
    });
    const asUser = (name: string, payload: unknown) => invoke(first, name, payload, { end_user: 'alder-user' });
    expect((await asUser('list', null)).value[1]).toMatchObject({ total: 1, accounts: [{ id: first.account }] });
    expect((await asUser('call', { account: first.account, path: '/echo' })).value[0]).toBe(200);
    expect((await asUser('call', { account: others, path: '/echo' })).value[0]).toBe(404);
    // Control: the App itself reaches it.
    expect((await invoke(first, 'call', { account: others, path: '/echo' })).value[0]).toBe(200);
    expect(await invoke(first, 'list', null, { end_user: 'nobody' })).toMatchObject({ status: 400, code: 'function.user_unknown' });
  });

  test('reads the events of its own Application, from a cursor on', async () => {
    for (const tenant of tenants) {
      const { value: all } = await invoke(tenant, 'log');
      expect(all[0]).toBe(200);
      const about = all[1].objects.filter(({ type }: { type: string }) => type === 'account.connected');
      const told = about.map(({ account }: { account: number }) => account);
      expect(told).toContain(tenant.account);
      for (const other of tenants) if (other !== tenant) expect(told).not.toContain(other.account);
      const { value } = await invoke(tenant, 'log', '?page_size=1');
      expect(JSON.stringify(value)).not.toContain(tenant.key);
      const next = await invoke(tenant, 'log', `?cursor=${value[1].cursor}`);
      expect(next.value).toMatchObject([200, { count: all[1].count - 1 }]);
      expect(JSON.stringify(next.value)).not.toContain(value[1].objects[0].id);
    }
    const [first, second] = tenants as [Tenant, Tenant];
    const { value: theirs } = await invoke(second, 'log', '?page_size=1');
    expect((await invoke(first, 'log', `?cursor=${theirs[1].cursor}`)).value[0]).toBe(404);
  });

  test('reads no events for an end user: the log tells of all of them', async () => {
    const [first] = tenants as [Tenant];
    expect((await invoke(first, 'log', null, { end_user: 'alder-user' })).value).toMatchObject([403, { code: 'event.call_for_user' }]);
  });

  test('leaves the use of each call in the audit log, with the call as the actor', async () => {
    const [first] = tenants as [Tenant];
    await invoke(first, 'call', { account: first.account, path: '/echo' });
    await world.platform.uses.flush({ all: true });
    const used = await world.platform.db.withSystem('read the log in a test', (tx) =>
      tx.query<{ actor: { kind: string; id: string } }>(
        sql`select actor from audit_entries where application_id = ${first.id} and action = 'credential.used' and target = 'function_runner.proxy'`,
      ),
    );
    expect(used.at(-1)?.actor).toMatchObject({ kind: 'invocation', id: expect.stringMatching(/^inv/) });
  });

  test('needs the scopes of its manifest: without them it gets nothing', async () => {
    const [first] = tenants as [Tenant];
    await deploy(['accounts:read']);
    expect((await invoke(first, 'list')).value[0]).toBe(200);
    expect((await invoke(first, 'call', { account: first.account, path: '/echo' })).value).toMatchObject([
      403,
      expect.stringContaining('accounts:use'),
    ]);
    await deploy([]);
    expect((await invoke(first, 'list')).value[0]).toBe(403);
    expect((await invoke(first, 'call', { account: first.account, path: '/echo' })).value[0]).toBe(403);
    expect((await invoke(first, 'log')).value[0]).toBe(403);
  });
});
