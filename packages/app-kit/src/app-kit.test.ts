import { inspect } from 'node:util';
import { type Log, ManualClock, Secret } from '@bulkhead/base';
import { beforeEach, describe, expect, test } from 'vitest';
import { type AppKit, createAppKit } from './app-kit.ts';
import type { AppRequest } from './app-request.ts';
import { defineDescriptor } from './descriptor.ts';
import { memoryTenantStore } from './store/memory-tenant-store.ts';
import { FakeHost, type FakeTenant } from './testkit/fake-host.ts';

const appBaseUrl = 'https://app.example/notes';
const key = 'issue-notes';
const sessionSecret = new Secret('a session secret of thirty-two characters');
const clock = new ManualClock();
let host: FakeHost;
let kit: AppKit;
let told: string[];
let failing: boolean;
let tenant: FakeTenant;
let other: FakeTenant;

beforeEach(() => {
  host = new FakeHost({ appKey: key, appBaseUrl, clock });
  told = [];
  failing = false;
  kit = createAppKit({
    descriptor: defineDescriptor({ key, baseUrl: appBaseUrl, name: 'Issue notes', scopes: ['READ'] }),
    issuers: [host.issuer],
    store: memoryTenantStore({ appKey: key }),
    sessionSecret,
    fetch: host.fetch,
    clock,
    onLifecycle: async (event, { clientKey }) => {
      if (failing) throw new Error('the App could not');
      told.push(`${event} ${clientKey}`);
    },
  });
  tenant = host.tenant('tenant-a');
  other = host.tenant('tenant-b');
});

const status = async (request: AppRequest) => (await kit.answer(request))?.status;
const bearer = (token: string, scheme = 'JWT'): AppRequest => ({
  method: 'GET',
  rawTarget: '/notes/api',
  headers: { authorization: `${scheme} ${token}` },
  body: new Uint8Array(),
});
const refused = { code: 'app_kit.unauthorized', status: 401 };

describe('an App with the kit', () => {
  test('is installed, called, enabled, told its user, and uninstalled', async () => {
    expect(await status(tenant.installed())).toBe(204);
    expect(await status(tenant.enabled())).toBe(204);
    const page = await kit.verifyRequest(tenant.page('/notes/page?issue=A-1', { sub: 'user-1' }));
    expect(page).toMatchObject({ kind: 'request', accountId: 'user-1', tenant: { clientKey: 'tenant-a', enabled: true } });
    expect(await kit.verifySession(bearer(kit.issueSession(page), 'Bearer'))).toMatchObject({ kind: 'session', accountId: 'user-1' });
    expect(await kit.verifyContext(bearer(tenant.contextToken({ sub: 'user-2' })))).toMatchObject({ kind: 'context', accountId: 'user-2' });
    expect(await status(tenant.uninstalled())).toBe(204);
    expect(told).toEqual(['installed tenant-a', 'enabled tenant-a', 'uninstalled tenant-a']);
  });

  test('answers its descriptor, and leaves every other request alone', async () => {
    const get = (rawTarget: string): AppRequest => ({ method: 'GET', rawTarget, headers: {}, body: new Uint8Array() });
    const answer = await kit.answer(get('/notes/atlassian-connect.json'));
    expect(JSON.parse(answer?.body ?? '')).toMatchObject({ key, baseUrl: appBaseUrl, authentication: { type: 'jwt' } });
    expect(await kit.answer(get('/notes/page'))).toBeNull();
    expect(await kit.answer(get('/notes/%69nstalled'))).toBeNull();
  });

  test('each kind of token counts at its own verifier and at no other', async () => {
    await kit.answer(tenant.installed());
    const request = () => tenant.request('GET', '/notes/api');
    const context = () => bearer(tenant.contextToken());
    const session = bearer(kit.issueSession(await kit.verifyRequest(request())), 'Bearer');
    const lifecycle = () => ({ ...bearer(tenant.signLifecycle({ qsh: tenant.qsh('GET', '/notes/api') })), method: 'GET' });
    const verifiers = { request: kit.verifyRequest, context: kit.verifyContext, session: kit.verifySession };
    const made = { request, context, session: () => session, lifecycle };
    for (const [kind, verify] of Object.entries(verifiers))
      for (const [of, make] of Object.entries(made)) {
        const verified = verify(make());
        if (kind === of) expect(await verified).toMatchObject({ kind });
        else await expect(verified, `${of} at ${kind}`).rejects.toMatchObject(refused);
      }
  });

  test('I2: the tenant is the one that signed; another tenant’s secret, name in a query or token counts for nothing', async () => {
    await kit.answer(tenant.installed());
    await kit.answer(other.installed());
    const { tenant: seen } = await kit.verifyRequest(tenant.page('/notes/page?clientKey=tenant-b'));
    expect(seen.clientKey).toBe('tenant-a');
    await expect(kit.verifyRequest(tenant.request('GET', '/notes/page', { iss: 'tenant-b' }))).rejects.toMatchObject(refused);
    await expect(kit.verifyRequest(tenant.request('GET', '/notes/page', { aud: ['tenant-b'] }))).rejects.toMatchObject(refused);
    await expect(kit.verifyRequest(host.tenant('nobody').request('GET', '/notes/page'))).rejects.toMatchObject(refused);
  });

  test('I4: a token counts once, in header and query alike, unless the route says that it may come again', async () => {
    await kit.answer(tenant.installed());
    const page = tenant.page('/notes/page');
    await kit.verifyRequest(page);
    await expect(kit.verifyRequest(page)).rejects.toMatchObject(refused);
    const token = new URLSearchParams(page.rawTarget.split('?')[1]).get('jwt') ?? '';
    await expect(kit.verifyRequest({ ...bearer(token), rawTarget: '/notes/page' })).rejects.toMatchObject(refused);
    const again = tenant.page('/notes/page');
    for (let time = 0; time < 3; time++) await kit.verifyRequest(again, { repeatable: true });
    const withoutId = tenant.page('/notes/page', { jti: undefined });
    for (let time = 0; time < 3; time++) await kit.verifyRequest(withoutId, { repeatable: 'without-jti' });
    const withId = tenant.page('/notes/page');
    await kit.verifyRequest(withId, { repeatable: 'without-jti' });
    await expect(kit.verifyRequest(withId, { repeatable: 'without-jti' })).rejects.toMatchObject(refused);
    await kit.verifyRequest(withoutId);
    await expect(kit.verifyRequest(withoutId)).rejects.toMatchObject(refused);
    const install = tenant.installed();
    expect(await status(install)).toBe(204);
    expect(await status(install)).toBe(401);
  });

  test('the new secret counts at once, the old one until the host has used the new one and a while longer', async () => {
    await kit.answer(tenant.installed());
    await kit.verifyRequest(tenant.request('GET', '/notes/a'));
    const former = tenant.sharedSecret;
    clock.advance(5_000);
    await kit.answer(tenant.installed());
    const current = tenant.sharedSecret;
    const call = (secret: Secret) => {
      tenant.sharedSecret = secret;
      return kit.verifyRequest(tenant.request('GET', '/notes/a'));
    };
    // The host may have lost our answer: it goes on with the old one, for however long.
    clock.advance(7 * 86_400_000);
    await call(former);
    await call(current);
    await call(former);
    clock.advance(15 * 60_000 + 1);
    await expect(call(former)).rejects.toMatchObject(refused);
    await call(current);
  });

  test('an install that the App cannot finish is told to the host and changes nothing', async () => {
    failing = true;
    expect(await status(tenant.installed())).toBe(500);
    await expect(kit.verifyRequest(tenant.request('GET', '/notes/a'))).rejects.toMatchObject(refused);
    failing = false;
    expect(await status(tenant.installed())).toBe(204);
    const good = tenant.sharedSecret;
    failing = true;
    clock.advance(1_000);
    expect(await status(tenant.installed())).toBe(500);
    await expect(kit.verifyRequest(tenant.request('GET', '/notes/a'))).rejects.toMatchObject(refused);
    tenant.sharedSecret = good;
    expect(await kit.verifyRequest(tenant.request('GET', '/notes/a'))).toMatchObject({ kind: 'request' });
  });

  test('I5: six installs at once leave one tenant, and whichever secret the host goes on with counts', async () => {
    const calls = Array.from({ length: 6 }, () => [tenant.installed(), tenant.sharedSecret] as const);
    expect(await Promise.all(calls.map(([request]) => status(request)))).toEqual(Array(6).fill(204));
    tenant.sharedSecret = calls[2]![1];
    await kit.verifyRequest(tenant.request('GET', '/notes/a'));
    clock.advance(15 * 60_000 + 1);
    for (const [at, [, secret]] of calls.entries()) {
      tenant.sharedSecret = secret;
      const verified = kit.verifyRequest(tenant.request('GET', '/notes/a'));
      if (at === 2) await verified;
      else await expect(verified).rejects.toMatchObject(refused);
    }
  });

  test('I5: uninstalled twice, before its installed, or after a newer one: the newest call stands', async () => {
    expect(await status(tenant.uninstalled())).toBe(204);
    const late = tenant.installed();
    clock.advance(10_000);
    expect(await status(tenant.installed())).toBe(204);
    const lateUninstall = tenant.uninstalled();
    clock.advance(10_000);
    expect(await status(tenant.installed())).toBe(204);
    expect(await status(lateUninstall)).toBe(204);
    await kit.verifyRequest(tenant.request('GET', '/notes/a'));
    expect(await status(tenant.uninstalled())).toBe(204);
    expect(await status(tenant.uninstalled())).toBe(204);
    expect(await status(late)).toBe(204);
    expect(await kit.settings.store.find('tenant-a')).toMatchObject({ state: 'uninstalled', secrets: [] });
    await expect(kit.verifyRequest(tenant.request('GET', '/notes/a'))).rejects.toMatchObject(refused);
    expect(await status(tenant.disabled())).toBe(401);
  });

  test('I5: of enabled and disabled the newer counts, whichever comes last', async () => {
    await kit.answer(tenant.installed());
    const enabled = tenant.enabled();
    clock.advance(1_000);
    expect(await status(tenant.disabled())).toBe(204);
    expect(await status(enabled)).toBe(204);
    expect(await kit.settings.store.find('tenant-a')).toMatchObject({ enabled: false });
    clock.advance(1_000);
    expect(await status(tenant.enabled())).toBe(204);
    expect(await kit.settings.store.find('tenant-a')).toMatchObject({ enabled: true });
  });

  test('two first installs at once with two base URLs: one counts, and the other is a change that nobody allowed', async () => {
    const calls = ['/t/one', '/t/two'].map((path) => tenant.installed({ baseUrl: host.origin + path }));
    expect((await Promise.all(calls.map(status))).sort()).toEqual([204, 403]);
  });

  test("what the App's own part throws is in the log; tokens and secrets are not", async () => {
    const lines: unknown[] = [];
    const line = (...words: unknown[]) => void lines.push(words);
    const log: Log = { debug: line, info: line, warn: line, error: line, child: () => log };
    const noisy = createAppKit({
      descriptor: defineDescriptor({ key, baseUrl: appBaseUrl }),
      issuers: [host.issuer],
      store: memoryTenantStore({ appKey: key }),
      sessionSecret,
      fetch: host.fetch,
      clock,
      log,
      onLifecycle: () => Promise.reject(new Error('the table is not there')),
    });
    const request = tenant.installed();
    expect(await noisy.answer(request)).toMatchObject({ status: 500, body: '' });
    const text = inspect(lines, { depth: 10 });
    expect(text).toContain('the table is not there');
    expect(text).not.toContain(tenant.sharedSecret.reveal());
    expect(text).not.toContain(String(request.headers['authorization']).split('.')[1]);
  });

  test('nothing counts of an uninstalled tenant: no request, no context token, no session', async () => {
    await kit.answer(tenant.installed());
    const session = kit.issueSession(await kit.verifyRequest(tenant.request('GET', '/notes/a')));
    await kit.verifySession(bearer(session, 'Bearer'));
    await kit.answer(tenant.uninstalled());
    await expect(kit.verifyRequest(tenant.request('GET', '/notes/a'))).rejects.toMatchObject(refused);
    await expect(kit.verifyContext(bearer(tenant.contextToken()))).rejects.toMatchObject(refused);
    await expect(kit.verifySession(bearer(session, 'Bearer'))).rejects.toMatchObject(refused);
    clock.advance(2 * 60_000);
    await kit.answer(tenant.installed());
    await expect(kit.verifySession(bearer(session, 'Bearer'))).rejects.toMatchObject(refused);
  });

  test('what is stored as uninstalled counts for nothing, whatever secrets are stored with it', async () => {
    await kit.answer(tenant.installed());
    await kit.settings.store.change('tenant-a', (current) => (current === null ? null : { ...current, state: 'uninstalled' }));
    await expect(kit.verifyRequest(tenant.request('GET', '/notes/a'))).rejects.toMatchObject(refused);
    await kit.settings.store.change('tenant-a', (current) => (current === null ? null : { ...current, state: 'installed' }));
    await kit.verifyRequest(tenant.request('GET', '/notes/a'));
  });

  test('A7: in a URL only the token of a page counts', async () => {
    await kit.answer(tenant.installed());
    const inUrl = (token: string): AppRequest => ({ ...bearer(''), rawTarget: `/notes/api?jwt=${token}`, headers: {} });
    await expect(kit.verifyContext(inUrl(tenant.contextToken()))).rejects.toMatchObject(refused);
    const session = kit.issueSession(await kit.verifyRequest(tenant.page('/notes/page')));
    await expect(kit.verifySession(inUrl(session))).rejects.toMatchObject(refused);
    const install = tenant.installed();
    const token = tenant.signLifecycle({ qsh: tenant.qsh('POST', '/notes/installed') });
    expect(await status({ ...install, headers: {}, rawTarget: `/notes/installed?jwt=${token}` })).toBe(401);
    expect(await status({ ...install, headers: { authorization: `JWT ${token}` } })).toBe(204);
  });

  test('what an uninstalled tenant left is deleted after 30 days, and only that', async () => {
    await kit.answer(tenant.installed());
    await kit.answer(other.installed());
    await kit.settings.store.records('tenant-a').put('note', 'mine');
    await kit.answer(tenant.uninstalled());
    clock.advance(29 * 86_400_000);
    expect(await kit.purge()).toBe(0);
    clock.advance(86_400_000);
    expect(await kit.purge()).toBe(1);
    expect(await kit.settings.store.records('tenant-a').get('note')).toBeNull();
    expect(await kit.settings.store.find('tenant-b')).toMatchObject({ state: 'installed' });
  });

  test.each([
    ['another App', { key: 'other-app' }, 401],
    ['another tenant', { clientKey: 'tenant-b' }, 401],
    ['another event', { eventType: 'uninstalled' }, 400],
    ['a short secret', { sharedSecret: 'short' }, 400],
    ['no base URL', { baseUrl: undefined }, 400],
    ['a host that is none of the issuer', { baseUrl: 'https://evil.example' }, 403],
    ['a host that begins like it', { baseUrl: 'https://host.example.evil.example' }, 403],
    ['a user in the base URL', { baseUrl: 'https://host.example@evil.example' }, 403],
    ['a query in the base URL', { baseUrl: 'https://host.example/?a=1' }, 403],
    ['another scheme', { baseUrl: 'javascript://host.example/%0aalert(1)' }, 403],
  ])('an install whose body says %s is refused', async (_, said, expected) => {
    expect(await status(tenant.installed(said))).toBe(expected);
    expect(await kit.settings.store.find('tenant-a')).toBeNull();
    expect(await kit.settings.store.find('tenant-b')).toBeNull();
    expect(await status(tenant.installed({ unknown: { field: 1 } }))).toBe(204);
  });

  test('a key that no key server has, or that is none, installs nothing; a server that is away is said to be', async () => {
    const signed = (kid: string) => {
      const request = tenant.installed();
      return {
        ...request,
        headers: { authorization: `JWT ${tenant.signLifecycle({ qsh: tenant.qsh('POST', '/notes/installed') }, kid)}` },
      };
    };
    expect(await status(signed('unknown'))).toBe(401);
    const asked = host.calls.length;
    for (const kid of ['../x', 'a/b', '%2e%2e', 'a?b', 'a'.repeat(129), '']) expect(await status(signed(kid))).toBe(401);
    expect(await status(signed('unknown'))).toBe(401);
    expect(host.calls.length).toBe(asked);
    const page = new Response('<html>404</html>', { status: 200 });
    host.answer = () => page.clone();
    expect(await status(signed('kid-2'))).toBe(503);
    host.answer = () => new Response('', { status: 302, headers: { location: `${host.origin}/keys/${host.kid}` } });
    expect(await status(signed('kid-3'))).toBe(503);
    host.answer = () => new Response(host.publicKeyPem, { status: 500 });
    expect(await status(signed('kid-5'))).toBe(503);
    host.answer = () => new Response(host.publicKeyPem + ' '.repeat(20_000));
    expect(await status(signed('kid-4'))).toBe(503);
    host.answer = () => null;
    expect(await status(tenant.installed())).toBe(204);
  });

  test('two issuers: neither installs, re-installs nor uninstalls a tenant of the other', async () => {
    const second = new FakeHost({ appKey: key, appBaseUrl, clock, origin: 'https://second.example', name: 'second' });
    const both = createAppKit({
      descriptor: defineDescriptor({ key, baseUrl: appBaseUrl }),
      issuers: [host.issuer, second.issuer],
      store: memoryTenantStore({ appKey: key }),
      sessionSecret,
      clock,
      fetch: (url, init) => (url.startsWith(second.origin) ? second.fetch(url, init) : host.fetch(url, init)),
    });
    const answered = async (request: AppRequest) => (await both.answer(request))?.status;
    expect(await answered(tenant.installed())).toBe(204);
    const theirs = second.tenant('tenant-a');
    expect(await answered(theirs.installed())).toBe(401);
    expect(await answered(theirs.installed({ baseUrl: tenant.baseUrl }))).toBe(403);
    expect(await answered(theirs.uninstalled())).toBe(401);
    expect(await both.verifyRequest(tenant.request('GET', '/notes/a'))).toMatchObject({ tenant: { baseUrl: tenant.baseUrl } });
    expect(await answered(second.tenant('tenant-c').installed())).toBe(204);
  });

  test('no secret and no token stands in an answer', async () => {
    const requests = [
      tenant.installed({ eventType: 'enabled' }),
      { ...tenant.installed(), rawTarget: '/notes/installed?x=1' },
      tenant.installed(),
    ];
    for (const request of requests) {
      const answer = await kit.answer(request);
      const text = JSON.stringify(answer);
      expect(text).not.toContain(tenant.sharedSecret.reveal());
      expect(text).not.toContain('eyJ');
    }
  });
});
