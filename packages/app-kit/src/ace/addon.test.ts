import { type Log, Secret, silentLog } from '@bulkhead/base';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listening, type Running, sendRaw } from '../../test/raw-request.ts';
import { type Express, express4, express5 } from '../../test/untyped-express.ts';
import type { ExpressHandler } from '../adapter/express.ts';
import type { AppRequest } from '../app-request.ts';
import { defineDescriptor } from '../descriptor.ts';
import { memoryTenantStore } from '../store/memory-tenant-store.ts';
import { FakeHost, type FakeTenant } from '../testkit/fake-host.ts';
import { AceAddon, type AceContext } from './addon.ts';

const key = 'old-app';
const baseUrl = 'https://app.example';

/** Routes as an App of atlassian-connect-express has them; not a line of them knows the kit. */
function routes(server: Express, make: Express, addon: AceAddon): void {
  server.use(addon.middleware());
  server.use(make.json());
  const context = (request: unknown) => (request as { context: AceContext }).context;
  server.get('/page', addon.authenticate(), ((request, response) => {
    const { locals } = response as unknown as { locals: AceContext };
    response.end(JSON.stringify({ ...context(request), http: undefined, same: locals.clientKey }));
  }) as ExpressHandler);
  server.get('/api', addon.checkValidToken(), ((request, response) => {
    void context(request).http.get({ uri: '/rest/thing', qs: { a: 'x y' }, json: true }, (failure, answer, body) => {
      response.end(JSON.stringify({ failure, statusCode: answer?.statusCode, body }));
    });
  }) as ExpressHandler);
  server.get('/loose', addon.authenticate(true), ((_request, response) => {
    response.end('{}');
  }) as ExpressHandler);
}

describe.each([
  ['Express 4', express4()],
  ['Express 5', express5()],
] as const)('an App of atlassian-connect-express on the kit, %s', (_, make) => {
  const host = new FakeHost({ appKey: key, appBaseUrl: baseUrl });
  const saved: unknown[] = [];
  const hooks: unknown[] = [];
  const logged: unknown[] = [];
  const log: Log = {
    ...silentLog,
    error: (message, fields) => void logged.push([message, fields?.['event'], (fields?.['failure'] as Error | undefined)?.message]),
  };
  let addon: AceAddon;
  let running: Running;
  let tenant: FakeTenant;
  const send = (request: AppRequest) => sendRaw(running.port, request);
  const get = (rawTarget: string, authorization: string): AppRequest => ({
    method: 'GET',
    rawTarget,
    headers: { authorization },
    body: new Uint8Array(),
  });

  beforeAll(async () => {
    addon = new AceAddon({
      descriptor: defineDescriptor({
        key,
        baseUrl,
        name: 'Old App',
        modules: { webhooks: [{ event: 'jira:issue_created', url: '/created?x={y}' }] },
      }),
      issuers: [host.issuer],
      store: memoryTenantStore({ appKey: key }),
      sessionSecret: new Secret('a session secret of thirty-two characters'),
      fetch: host.fetch,
      log,
    });
    addon.on('host_settings_saved', (...told: unknown[]) => saved.push(told));
    addon.on('jira:issue_created', (event: string, body: unknown) => hooks.push([event, body]));
    const server = make();
    routes(server, make, addon);
    running = await listening(server);
    tenant = host.tenant('tenant-a');
    expect((await send(tenant.installed())).status).toBe(204);
  });
  afterAll(() => running.close());

  test('host_settings_saved tells what was kept, without the secret; clientInfo too, and it is nobody else’s to write', async () => {
    const { baseUrl: hostBaseUrl, oauthClientId } = tenant;
    const info = { key, clientKey: 'tenant-a', baseUrl: hostBaseUrl, productType: 'fake', oauthClientId, installationId: undefined };
    expect(saved).toEqual([['tenant-a', info]]);
    expect(await addon.loadClientInfo('tenant-a')).toEqual(info);
    expect(await addon.settings.get('clientInfo', 'tenant-a')).toEqual(info);
    expect(await addon.loadClientInfo('nobody')).toBeNull();
    expect(() => addon.settings.set('clientInfo', {}, 'tenant-a')).toThrow(TypeError);
    await addon.settings.set('colour', 'red', 'tenant-a');
    expect(await addon.settings.get('colour', 'tenant-a')).toBe('red');
    expect(await addon.settings.get('colour', 'tenant-b')).toBeNull();
    expect(await addon.settings.del('colour', 'tenant-a')).toBe(true);
  });

  test('a page gets its context and a token for its own calls, which its front end sends as JWT', async () => {
    const page = await send(tenant.page('/page?lic=active', { sub: 'user-1', context: { jira: { issue: { key: 'A-1' } } } }));
    expect(JSON.parse(page.body)).toMatchObject({
      title: 'Old App',
      addonKey: key,
      clientKey: 'tenant-a',
      same: 'tenant-a',
      license: 'active',
      localBaseUrl: baseUrl,
      hostBaseUrl: tenant.baseUrl,
      userAccountId: 'user-1',
      context: { jira: { issue: { key: 'A-1' } } },
    });
    const { token } = JSON.parse(page.body) as { token: string };
    host.calls.length = 0;
    for (const authorization of [`JWT ${token}`, `Bearer ${token}`, `JWT ${tenant.contextToken()}`]) {
      const api = await send(get('/api', authorization));
      expect([api.status, JSON.parse(api.body)]).toEqual([200, { failure: null, statusCode: 200, body: { ok: true } }]);
    }
    expect(host.calls[0]?.url).toBe(`${tenant.baseUrl}/rest/thing?a=x+y`);
    expect((await send(get('/loose', `JWT ${tenant.contextToken()}`))).status).toBe(200);
    expect(page.body).not.toContain(tenant.sharedSecret.reveal());
  });

  test('a webhook is verified, told with its body, and answered', async () => {
    expect((await send(tenant.request('POST', '/created?x=1', { body: '{"issue":1}' }))).status).toBe(204);
    expect(hooks).toEqual([['jira:issue_created', { issue: 1 }]]);
    expect((await send({ ...tenant.request('POST', '/created?x=1', { body: '{"issue":2}' }), rawTarget: '/created?x=2' })).status).toBe(
      401,
    );
    expect(hooks).toHaveLength(1);
  });

  test('a listener that fails after its webhook was answered is logged, and the process lives on', async () => {
    const fails = (() => Promise.reject(new Error('no room'))) as unknown as () => void;
    addon.on('jira:issue_created', fails);
    const before = logged.length;
    expect((await send(tenant.request('POST', '/created?x=1', { body: '{}' }))).status).toBe(204);
    await expect.poll(() => logged.slice(before)).toContainEqual(['a listener of the App failed', 'jira:issue_created', 'no room']);
    addon.off('jira:issue_created', fails);
  });

  test.each<[string, () => AppRequest]>([
    ['a token of another request at checkValidToken', () => get('/api', `JWT ${tenant.sign({ qsh: tenant.qsh('GET', '/x') })}`)],
    ['a token without qsh at authenticate(true)', () => get('/loose', `JWT ${tenant.sign({})}`)],
    ['the App’s own token to its host', () => get('/api', `JWT ${tenant.sign({ iss: key, aud: ['tenant-a'] })}`)],
    ['a context token at authenticate()', () => get('/page', `JWT ${tenant.contextToken()}`)],
    ['a session token at authenticate()', () => get('/page', `JWT ${tenant.sign({ iss: key, aud: [key] })}`)],
    ['no token', () => ({ ...get('/api', ''), headers: {} })],
    ['a token in X-acpt', () => ({ ...get('/api', ''), headers: { 'x-acpt': tenant.contextToken() } })],
  ])('refused all the same: %s', async (_title, make_) => {
    expect((await send(make_())).status).toBe(401);
  });

  test('httpClient by clientKey, as a user, with a body; an unknown tenant is a failure for promise and callback', async () => {
    host.calls.length = 0;
    const answer = await addon.httpClient({ clientKey: 'tenant-a', userAccountId: 'user-1' }).post({ url: '/rest/x', json: { a: 1 } });
    expect(answer).toMatchObject({ statusCode: 200, body: { ok: true } });
    expect(host.calls.at(-1)).toMatchObject({ method: 'POST', body: '{"a":1}', headers: { 'content-type': 'application/json' } });
    expect(host.calls.at(-1)?.headers['authorization']).toMatch(/^Bearer /);
    for (const json of ['a text', 7, ['a']]) {
      await addon.httpClient({ clientKey: 'tenant-a' }).put({ url: '/rest/x', json });
      expect(host.calls.at(-1)).toMatchObject({ body: JSON.stringify(json), headers: { 'content-type': 'application/json' } });
    }
    await expect(addon.httpClient({ clientKey: 'nobody' }).get('/x')).rejects.toThrow('not installed');
    const failure = await new Promise((resolve) => void addon.httpClient({ clientKey: 'nobody' }).get('/x', resolve));
    expect(String(failure)).toContain('not installed');
    await expect(addon.httpClient({ clientKey: 'tenant-a' }).get('https://evil.example/x')).rejects.toMatchObject({
      code: 'app_kit.foreign_origin',
    });
  });
});
