import { ManualClock, Secret } from '@bulkhead/base';
import { decodeSymmetric, SymmetricAlgorithm } from 'atlassian-jwt';
import { beforeEach, describe, expect, test } from 'vitest';
import { type AppKit, createAppKit } from './app-kit.ts';
import { defineDescriptor } from './descriptor.ts';
import { memoryTenantStore } from './store/memory-tenant-store.ts';
import type { TenantClient } from './tenant-client.ts';
import { FakeHost, type FakeTenant, type HostCall } from './testkit/fake-host.ts';

const key = 'issue-notes';
const clock = new ManualClock();
let host: FakeHost;
let kit: AppKit;
let tenant: FakeTenant;
let client: TenantClient;

beforeEach(async () => {
  host = new FakeHost({ appKey: key, appBaseUrl: 'https://app.example', clock });
  kit = createAppKit({
    descriptor: defineDescriptor({ key, baseUrl: 'https://app.example' }),
    issuers: [host.issuer],
    store: memoryTenantStore({ appKey: key }),
    sessionSecret: new Secret('a session secret of thirty-two characters'),
    fetch: host.fetch,
    clock,
  });
  tenant = host.tenant('tenant-a', '/t/a');
  await kit.answer(tenant.installed());
  client = (await kit.findTenant('tenant-a'))!;
  host.calls.length = 0;
});

const claimsOf = (call: HostCall, secret = tenant.sharedSecret) =>
  decodeSymmetric(call.headers['authorization']?.slice(4) ?? '', secret.reveal(), SymmetricAlgorithm.HS256) as Record<string, unknown>;

describe('tenant.fetch', () => {
  test.each([
    ['/rest/api/3/thing?b=2&a=1', '/t/a/rest/api/3/thing?b=2&a=1', '/rest/api/3/thing?b=2&a=1'],
    ['https://host.example/t/a/rest/x', '/t/a/rest/x', '/rest/x'],
    ['/a%20b?q=%C3%A9+x', '/t/a/a%20b?q=%C3%A9+x', '/a%20b?q=%C3%A9+x'],
    ['/é?q=é', '/t/a/%C3%A9?q=%C3%A9', '/%C3%A9?q=%C3%A9'],
    ['/t/a/x', '/t/a/t/a/x', '/t/a/x'],
    ['/x#fragment', '/t/a/x', '/x'],
  ])('%s is signed as it is sent, below the base URL', async (path, sent, signed) => {
    await client.fetch(path, { method: 'PUT', body: '{}', headers: { 'content-type': 'application/json' } });
    const [call] = host.calls;
    expect(call).toMatchObject({ method: 'PUT', url: host.origin + sent, body: '{}', headers: { 'content-type': 'application/json' } });
    expect(claimsOf(call!)).toMatchObject({ iss: key, aud: ['tenant-a'], qsh: tenant.qsh('PUT', signed) });
  });

  test.each([
    'https://evil.example/t/a/x',
    'http://host.example/t/a/x',
    'https://host.example:444/t/a/x',
    'https://host.example.evil.example/t/a/x',
    'https://host.example@evil.example/t/a/x',
    'https://user:pass@host.example/t/a/x',
    'https://host.example/t/b/x',
    'https://host.example/t/ab',
    'https://host.example/',
    '//evil.example/x/../../..',
    '/../b/x',
    '/x/../../b',
    '/%2e%2e/b',
    '/x/%2E%2E/y',
    '/.%2e/b',
    '/x/./y',
    '\\\\evil.example\\x',
    '/\\evil.example',
    '/x\n',
    ' /x',
    'x',
    '',
    '@evil.example/',
    'javascript:alert(1)',
    'file:///etc/passwd',
  ])('P1: nothing is signed or sent for %j', async (path) => {
    await expect(client.fetch(path)).rejects.toMatchObject({ code: 'app_kit.foreign_origin' });
    await expect(client.asUser('u').fetch(path)).rejects.toMatchObject({ code: 'app_kit.foreign_origin' });
    expect(host.calls).toEqual([]);
  });

  test('a double slash stays at the tenant’s own host', async () => {
    await client.fetch('//evil.example/x');
    expect(host.calls[0]?.url).toBe('https://host.example/t/a//evil.example/x');
  });

  test('two equal calls of one second are two tokens; a redirect is the caller’s to read', async () => {
    host.answer = () => new Response(null, { status: 302, headers: { location: 'https://evil.example' } });
    for (const _ of [1, 2]) expect((await client.fetch('/x')).status).toBe(302);
    const [one, two] = host.calls.map(({ headers }) => headers['authorization']);
    expect(one).not.toBe(two);
    expect(host.calls).toHaveLength(2);
    await expect(client.fetch('/x', { headers: { AUTHORIZATION: 'Basic x' } })).rejects.toThrow(TypeError);
  });

  test('I2: what the App sent to its host opens nothing at the App', async () => {
    await client.fetch('/x');
    const authorization = host.calls[0]?.headers['authorization'];
    const request = { method: 'GET', rawTarget: '/x', headers: { authorization }, body: new Uint8Array() };
    const refused = { status: 401, detail: 'signed by this App' };
    await expect(kit.verifyRequest(request)).rejects.toMatchObject(refused);
    await expect(kit.verifyContext(request)).rejects.toMatchObject(refused);
  });

  test('a host that did not keep the new secret is called with the one before it', async () => {
    await kit.verifyRequest(tenant.request('GET', '/x'));
    const former = tenant.sharedSecret;
    clock.advance(1_000);
    await kit.answer(tenant.installed());
    host.answer = (call) => {
      try {
        claimsOf(call, former);
        return null;
      } catch {
        return new Response('', { status: 401 });
      }
    };
    expect((await (await kit.findTenant('tenant-a'))?.fetch('/x'))?.status).toBe(200);
    host.answer = () => new Response('', { status: 401 });
    expect((await (await kit.findTenant('tenant-a'))?.fetch('/x'))?.status).toBe(401);
  });

  test('an uninstalled tenant is not called', async () => {
    await kit.answer(tenant.uninstalled());
    expect(await kit.findTenant('tenant-a')).toBeNull();
    const stored = (await kit.settings.store.find('tenant-a'))!;
    host.calls.length = 0;
    await expect(kit.tenant(stored).fetch('/x')).rejects.toMatchObject({ code: 'app_kit.unauthorized' });
    await expect(kit.tenant(stored).asUser('u').fetch('/x')).rejects.toMatchObject({ code: 'app_kit.impersonation_refused' });
    expect(host.calls).toEqual([]);
  });
});

describe('as a user', () => {
  const tokenCalls = () => host.calls.filter(({ url }) => url.endsWith('/oauth2/token'));

  test('the assertion says client, user and tenant; the call carries the token and not the assertion', async () => {
    host.answer = ({ url }) =>
      url === `${host.origin}/t/a/oauth2/token`
        ? Response.json({ access_token: 'user-token', expires_in: 900, token_type: 'Bearer' })
        : null;
    await client.asUser('user-1', ['read', 'write']).fetch('/x');
    const form = new URLSearchParams(host.calls[0]?.body);
    expect(form.get('grant_type')).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer');
    expect(form.get('scope')).toBe('READ WRITE');
    expect(decodeSymmetric(form.get('assertion') ?? '', tenant.sharedSecret.reveal(), SymmetricAlgorithm.HS256)).toMatchObject({
      iss: `urn:atlassian:connect:clientid:${tenant.oauthClientId}`,
      sub: 'urn:atlassian:connect:useraccountid:user-1',
      tnt: tenant.baseUrl,
    });
    expect(host.calls[1]).toMatchObject({ url: `${tenant.baseUrl}/x`, headers: { authorization: 'Bearer user-token' } });
  });

  test('one token per tenant, user and scopes, asked for once by twenty callers, and again shortly before it ends', async () => {
    host.answer = ({ url }) =>
      url.endsWith('/oauth2/token') ? Response.json({ access_token: `t${host.calls.length}`, expires_in: 900 }) : null;
    await Promise.all(Array.from({ length: 20 }, () => client.asUser('user-1').fetch('/x')));
    expect(tokenCalls()).toHaveLength(1);
    await client.asUser('user-2').fetch('/x');
    await client.asUser('user-1', ['READ']).fetch('/x');
    expect(tokenCalls()).toHaveLength(3);
    const second = host.tenant('tenant-b', '/t/b');
    await kit.answer(second.installed());
    await (await kit.findTenant('tenant-b'))?.asUser('user-1').fetch('/x');
    expect(tokenCalls()).toHaveLength(4);
    clock.advance(869_000);
    await client.asUser('user-1').fetch('/x');
    expect(tokenCalls()).toHaveLength(4);
    clock.advance(2_000);
    await client.asUser('user-1').fetch('/x');
    expect(tokenCalls()).toHaveLength(5);
  });

  test('a token that the host no longer takes is asked for once more', async () => {
    let taken = 0;
    host.answer = ({ url }) => {
      if (url.endsWith('/oauth2/token')) return Response.json({ access_token: `t${++taken}`, expires_in: 900 });
      return taken === 1 ? new Response('', { status: 401 }) : null;
    };
    expect((await client.asUser('user-1').fetch('/x')).status).toBe(200);
    expect(taken).toBe(2);
  });

  test.each([
    ['refused', () => Response.json({ error: 'invalid_grant' }, { status: 400 })],
    ['refused, with a token all the same', () => Response.json({ access_token: 't', expires_in: 900 }, { status: 400 })],
    ['HTML with 200', () => new Response('<html>')],
    ['a token that is no header', () => Response.json({ access_token: 'a\r\nb', expires_in: 900 })],
    ['no token', () => Response.json({ expires_in: 900 })],
    ['a redirect', () => new Response(null, { status: 302, headers: { location: 'https://evil.example' } })],
    ['5 MB', () => new Response('x'.repeat(5_000_000))],
    ['null', () => new Response('null')],
  ])('what the host answers instead is a refusal, and is asked again: %s', async (_, answer) => {
    host.answer = answer;
    await expect(client.asUser('u').fetch('/x')).rejects.toMatchObject({ code: 'app_kit.impersonation_refused' });
    host.answer = () => null;
    expect((await client.asUser('u').fetch('/x')).status).toBe(200);
  });
});
