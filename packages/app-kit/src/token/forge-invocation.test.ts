import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { ManualClock } from '@bulkhead/base';
import { type SignedClaims, signConnectJwt } from '@bulkhead/protocol';
import { beforeEach, describe, expect, test } from 'vitest';
import type { AppRequest } from '../app-request.ts';
import { memoryTenantStore } from '../store/memory-tenant-store.ts';
import { type ForgeInvocation, forgeInvocations } from './forge-invocation.ts';

const appId = 'ari:cloud:ecosystem::app/0000';
const clock = new ManualClock();
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const short = generateKeyPairSync('rsa', { modulusLength: 1024 });
const kid = 'forge/invocation-token/1';
const jwk = (key: KeyObject, id: string, more: object = {}) => ({
  ...key.export({ format: 'jwk' }),
  kid: id,
  alg: 'RS256',
  use: 'sig',
  ...more,
});

let asked: number;
let answer: () => Response;
let verify: (request: AppRequest) => Promise<ForgeInvocation>;

beforeEach(() => {
  asked = 0;
  answer = () => Response.json({ keys: [jwk(publicKey, kid)] });
  verify = forgeInvocations({
    appId,
    store: memoryTenantStore({ appKey: 'forge-app' }),
    clock,
    fetch: () => {
      asked++;
      return Promise.resolve(answer());
    },
  });
});

let serial = 0;
function invocation(
  changed: Readonly<Record<string, unknown>> = {},
  by: { kid?: string; key?: KeyObject; scheme?: string } = {},
): AppRequest {
  const iat = Math.floor(clock.now() / 1000);
  const claims = {
    iss: 'forge/invocation-token',
    aud: appId,
    iat,
    exp: iat + 60,
    jti: String(serial++),
    app: {
      installationId: 'ari:cloud:ecosystem::installation/1',
      apiBaseUrl: 'https://api.example/ex/1',
      environment: { type: 'PRODUCTION' },
    },
    principal: 'user-1',
    ...changed,
  } as SignedClaims;
  const token = signConnectJwt({ algorithm: 'RS256', key: by.key ?? privateKey, kid: by.kid ?? kid }, claims);
  return { method: 'POST', rawTarget: '/remote', headers: { authorization: `${by.scheme ?? 'Bearer'} ${token}` }, body: new Uint8Array() };
}

describe('a Forge invocation token', () => {
  test('says installation, API and user; counts once; its key is asked for once an hour', async () => {
    const request = invocation();
    expect(await verify(request)).toMatchObject({
      installationId: 'ari:cloud:ecosystem::installation/1',
      apiBaseUrl: 'https://api.example/ex/1',
      accountId: 'user-1',
    });
    await expect(verify(request)).rejects.toMatchObject({ status: 401, detail: 'used before' });
    await verify(invocation({ principal: undefined }));
    expect(asked).toBe(1);
    clock.advance(3_600_000);
    await verify(invocation());
    expect(asked).toBe(2);
  });

  test.each<[string, () => AppRequest]>([
    ['another App', () => invocation({ aud: 'ari:cloud:ecosystem::app/0001' })],
    ['two audiences', () => invocation({ aud: [appId, 'x'] })],
    ['no audience', () => invocation({ aud: undefined })],
    ['another issuer', () => invocation({ iss: 'tenant-a' })],
    ['expired', () => invocation({ iat: 1, exp: 61 })],
    ['no exp', () => invocation({ exp: undefined })],
    ['a long life', () => invocation({ exp: Math.floor(clock.now() / 1000) + 901 })],
    ['no app', () => invocation({ app: undefined })],
    ['no installation', () => invocation({ app: { apiBaseUrl: 'https://api.example' } })],
    ['an API that is not https', () => invocation({ app: { installationId: 'i', apiBaseUrl: 'http://api.example' } })],
    ['an API that is a script', () => invocation({ app: { installationId: 'i', apiBaseUrl: 'javascript:alert(1)' } })],
    ["a stranger's key", () => invocation({}, { key: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey })],
    ['an unknown kid', () => invocation({}, { kid: 'forge/invocation-token/2' })],
    ['the scheme of Connect', () => invocation({}, { scheme: 'JWT' })],
  ])('refused: %s', async (_, make) => {
    await expect(verify(make())).rejects.toMatchObject({ status: 401 });
    expect(await verify(invocation())).toBeDefined();
  });

  test('unknown ids ask again once a minute at most; a new key is found then', async () => {
    await verify(invocation());
    for (let time = 0; time < 5; time++)
      await expect(verify(invocation({}, { kid: `new-${time}` }))).rejects.toMatchObject({ status: 401 });
    expect(asked).toBe(1);
    clock.advance(60_000);
    answer = () => Response.json({ keys: [jwk(publicKey, kid), jwk(publicKey, 'new-1')] });
    await verify(invocation({}, { kid: 'new-1' }));
    expect(asked).toBe(2);
  });

  test.each<[string, () => Response]>([
    ['HTML', () => new Response('<html>')],
    ['an error', () => new Response('', { status: 500 })],
    ['a redirect', () => new Response(null, { status: 302, headers: { location: 'https://evil.example' } })],
    ['a flood', () => new Response('x'.repeat(70_000))],
  ])('a key set that cannot be had is 503 and asked for again: %s', async (_, bad) => {
    answer = bad;
    await expect(verify(invocation())).rejects.toMatchObject({ code: 'app_kit.key_server_unavailable' });
    answer = () => Response.json({ keys: [jwk(publicKey, kid)] });
    expect(await verify(invocation())).toBeDefined();
  });

  test.each<[string, object]>([
    ['for encryption', jwk(publicKey, kid, { use: 'enc' })],
    ['for another algorithm', jwk(publicKey, kid, { alg: 'RS512' })],
    ['that is short', jwk(short.publicKey, kid)],
    ['that is symmetric', { kty: 'oct', k: 'AAAA', kid, alg: 'RS256' }],
    ['that is broken', { kty: 'RSA', n: '!', e: 'AQAB', kid }],
  ])('a key %s is none', async (_, key) => {
    answer = () => Response.json({ keys: [key] });
    await expect(verify(invocation({}, key === undefined ? {} : { key: privateKey }))).rejects.toMatchObject({ status: 401 });
  });
});
