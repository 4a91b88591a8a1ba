import type { ApplicationId } from '@bulkhead/base';
import { appToken, connectAccount, type FakeApp, type FakeUpstream, startFakeApp, startFakeUpstream, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

let upstream: FakeUpstream;
let world: World;
const apps = new Map<string, FakeApp>();
let applicationId: ApplicationId;
let accountId: number;
let otherAccountId: number;

/** An Application with one connected account. */
async function tenant(person: string): Promise<{ applicationId: ApplicationId; accountId: number }> {
  const { id, apiKey } = await world.application();
  const redirectUrl = 'https://company.example/callback';
  await world.meta('POST', `/applications/${id}/redirect_uris`, { url: redirectUrl });
  await world.meta('POST', `/applications/${id}/services`, upstream.keyService('notes', 'Notes'));
  const connecting = { service: 'notes', apiKey: `key:${person}:0123456789` };
  const grant = await connectAccount(
    world,
    upstream,
    { applicationId: id as ApplicationId, apiKey, redirectUrl, canary: person },
    connecting,
  );
  return { applicationId: id as ApplicationId, accountId: grant.account_id };
}

beforeAll(async () => {
  upstream = await startFakeUpstream();
  for (const [key, scopes] of [
    ['bare', []],
    ['reader', ['READ']],
    ['writer', ['write']],
    ['deleter', ['DELETE']],
  ] as const)
    apps.set(key, await startFakeApp({ key, scopes }));
  world = await World.create({ egressAllow: [upstream.address, ...[...apps.values()].map(({ address }) => address)] });
  ({ applicationId, accountId } = await tenant('ada'));
  ({ accountId: otherAccountId } = await tenant('eve'));
  for (const { key, descriptor } of apps.values()) {
    await world.meta('POST', '/apps', { descriptor });
    const scopes = descriptor['scopes'] as string[];
    expect((await world.meta('POST', `/applications/${applicationId}/installs`, { app_key: key, scopes })).status).toBe(201);
  }
}, 60_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
  for (const app of apps.values()) await app[Symbol.asyncDispose]();
});

function call(appKey: string, method: string, below: string, headers: Record<string, string> = {}) {
  const path = `/t/${applicationId}/rest/bulkhead/1/accounts${below}`;
  const { sharedSecret } = apps.get(appKey)!.calls.find(({ path: to }) => to === '/installed')!.body;
  const token = appToken({ appKey, sharedSecret }, { method, path, now: world.clock.now() });
  return world.call(method, path, { headers: { ...headers, authorization: `JWT ${token}` } });
}

describe('what an App may do with the accounts of its Application', () => {
  test('with READ it sees them, without credentials, and those of no other Application', async () => {
    const listed = await call('reader', 'GET', '');
    expect(listed.json).toMatchObject({ total: 1, accounts: [{ id: accountId, service: 'notes', account: 'ada@keyed.example' }] });
    expect(listed.text).not.toContain('key:ada');
    expect((await call('reader', 'GET', `/${accountId}`)).json).toMatchObject({ id: accountId, end_user: 'ada-user' });
    expect((await call('reader', 'GET', `/${otherAccountId}`)).status).toBe(404);
    expect((await call('reader', 'GET', `/${otherAccountId}/proxy/files`)).status).toBe(404);
  });

  test('it calls the upstream with the credential of the account, and its token stays here', async () => {
    const answer = await call('reader', 'GET', `/${accountId}/proxy/files?a=1&b=2`);
    expect([answer.status, answer.json]).toEqual([
      200,
      expect.objectContaining({ person: 'ada', path: '/keyed/files', query: { a: '1', b: '2' } }),
    ]);
    const seen = upstream.requests.at(-1)!;
    expect(seen.headers['x-api-key']).toBe('key:ada:0123456789');
    expect(seen.headers.authorization).toBeUndefined();
  });

  const allowed: Readonly<Record<string, readonly string[]>> = {
    bare: [],
    reader: ['GET'],
    writer: ['GET', 'POST', 'PUT', 'PATCH'],
    deleter: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
  };
  test.each(Object.keys(allowed))('its scopes say which methods: %s', async (appKey) => {
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
      const before = upstream.requests.length;
      const answer = await call(appKey, method, `/${accountId}/proxy/files`);
      const may = allowed[appKey]!.includes(method);
      expect([method, answer.status], answer.text).toEqual([method, may ? 200 : 403]);
      expect(upstream.requests.length - before).toBe(may ? 1 : 0);
    }
  });

  test('another method is not smuggled in, by a header or a parameter that upstreams know', async () => {
    expect((await call('reader', 'GET', `/${accountId}/proxy/files?_method=DELETE`)).status).toBe(403);
    expect((await call('reader', 'GET', `/${accountId}/proxy/files`, { 'x-http-method-override': 'DELETE' })).status).toBe(200);
    expect(upstream.requests.at(-1)!.headers['x-http-method-override']).toBeUndefined();
  });

  test('without READ it sees nothing of them', async () => {
    for (const below of ['', `/${accountId}`, `/${otherAccountId}`])
      expect((await call('bare', 'GET', below)).json).toMatchObject({ status_code: 403, code: 'forbidden' });
  });
});
