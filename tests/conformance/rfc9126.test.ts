import { HttpBrowser } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Fields, OAuthWorld, REDIRECT_URI, SERVICE } from './oauth-world.ts';

let oauth: OAuthWorld;
beforeAll(async () => {
  oauth = await OAuthWorld.create();
});
afterAll(async () => {
  await oauth[Symbol.asyncDispose]();
});

const request: Fields = {
  response_type: 'code',
  redirect_uri: REDIRECT_URI,
  scope: SERVICE,
  state: 'pushed',
  code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
  code_challenge_method: 'S256',
};
const VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
const push = (fields: Fields = {}, client: typeof oauth.client | null = oauth.client) =>
  oauth.post('/v1/oauth/par', { ...request, ...fields }, client);
const start = (request_uri: string, fields: Fields = {}) =>
  oauth.authorize(
    { request_uri, redirect_uri: undefined, response_type: undefined, scope: undefined, state: undefined, ...fields },
    new HttpBrowser(oauth.world.url, oauth.upstream.url),
  );

describe('RFC 9126 §2.1 request', () => {
  test('takes the authorization request, and the flow goes on from its request_uri alone', async () => {
    const { answer } = await start((await push()).json.request_uri);
    expect(answer.get('state')).toBe('pushed');
    expect((await oauth.redeem(answer.get('code')!, VERIFIER)).status).toBe(200);
  });

  test('a request_uri within the request is refused', async () => {
    const { request_uri } = (await push()).json;
    expect((await push({ request_uri })).json.error).toBe('invalid_request');
  });

  test('the client must authenticate', async () => {
    expect((await push({}, null)).status).toBe(401);
    expect((await push({}, { ...oauth.client, key: 'wrong' })).status).toBe(401);
    expect((await push({ client_id: oauth.client.id }, null)).status).toBe(401);
  });

  test("another client's id beside the own credential is refused", async () => {
    const other = await oauth.another();
    const answer = await push({ client_id: other.id });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.json).not.toHaveProperty('request_uri');
  });
});

describe('RFC 9126 §2.2 successful response', () => {
  test('is 201 with a request_uri that cannot be guessed, good for a short time, kept by nobody', async () => {
    const answer = await push();
    expect(answer.status).toBe(201);
    expect(answer.json.request_uri).toMatch(/^urn:ietf:params:oauth:request_uri:\w{60,}$/);
    expect(answer.json.expires_in).toBeGreaterThan(5);
    expect(answer.json.expires_in).toBeLessThanOrEqual(600);
    expect(answer.headers.get('cache-control')).toContain('no-store');
  });
});

describe('RFC 9126 §2.3 error response', () => {
  test.each([
    ['an unregistered redirect_uri', { redirect_uri: 'https://evil.example/' }, 'invalid_request'],
    ['no redirect_uri', { redirect_uri: undefined }, 'invalid_request'],
    ['no challenge', { code_challenge: undefined, code_challenge_method: undefined }, 'invalid_request'],
    ['a plain challenge', { code_challenge_method: 'plain' }, 'invalid_request'],
    ['an unknown scope', { scope: 'no_such_service' }, 'invalid_scope'],
    ['an unknown response_type', { response_type: 'magic' }, 'unsupported_response_type'],
    ['an account that never existed', { account_id: '4503599627370496' }, 'invalid_request'],
  ])('%s is told at once', async (_what, fields, error) => {
    const answer = await push(fields);
    expect([answer.status, answer.json.error]).toEqual([400, error]);
  });

  test('only POST is answered', async () => {
    expect((await oauth.world.call('GET', '/v1/oauth/par')).status).toBeGreaterThanOrEqual(404);
  });
});

describe('RFC 9126 §4 authorization request', () => {
  const isRefused = (visit: Awaited<ReturnType<typeof start>>) => {
    expect(visit.answer.has('code')).toBe(false);
    expect(visit.headers.get('location')).toBeNull();
    expect(visit.status).toBe(400);
  };

  test('a request_uri is good once', async () => {
    const { request_uri } = (await push()).json;
    expect((await start(request_uri)).answer.has('code')).toBe(true);
    isRefused(await start(request_uri));
  });

  test('a request_uri is bound to its client, and another one does not use it up', async () => {
    const other = await oauth.another();
    const { request_uri } = (await push()).json;
    isRefused(await start(request_uri, { client_id: other.id }));
    expect((await start(request_uri)).answer.has('code')).toBe(true);
  });

  test('a request_uri ends with its time', async () => {
    const [early, late] = [(await push()).json, (await push()).json];
    oauth.world.clock.advance((early.expires_in - 1) * 1000);
    expect((await start(early.request_uri)).answer.has('code')).toBe(true);
    oauth.world.clock.advance(1000);
    isRefused(await start(late.request_uri));
  });

  test('what stands beside the request_uri does not count', async () => {
    const visit = await start((await push()).json.request_uri, {
      redirect_uri: 'https://evil.example/',
      state: 'evil',
      scope: 'any',
      code_challenge: 'x'.repeat(43),
      code_challenge_method: 'S256',
    });
    expect(visit.url.startsWith(REDIRECT_URI)).toBe(true);
    expect(visit.answer.get('state')).toBe('pushed');
    expect((await oauth.redeem(visit.answer.get('code')!, VERIFIER)).status).toBe(200);
  });

  test('a redirect URI that is no longer registered is not redirected to', async () => {
    const client = await oauth.another();
    const { request_uri } = (await push({}, client)).json;
    const [uri] = (await oauth.world.meta('GET', `/applications/${client.id}/redirect_uris`)).json.objects;
    await oauth.world.meta('DELETE', `/applications/${client.id}/redirect_uris/${uri.id}`);
    isRefused(await start(request_uri, { client_id: client.id }));
  });
});

describe('end_user of the pushed request (C1)', () => {
  test.each([undefined, '', 'eve', 'ADA'])('a code that was pushed for ada is not redeemed for %j', async (end_user) => {
    const { answer } = await start((await push({ end_user: 'ada' })).json.request_uri);
    expect((await oauth.redeem(answer.get('code')!, VERIFIER, { end_user })).json.error).toBe('invalid_grant');
    expect((await oauth.redeem(answer.get('code')!, VERIFIER, { end_user: 'ada' })).json.end_user).toBe('ada');
  });

  test('an end user that a browser names counts for nothing', async () => {
    const { code, verifier } = await oauth.code({ end_user: 'eve', account_id: '1' });
    const { json } = await oauth.redeem(code, verifier);
    expect(json.access_token).toMatch(/^bha_/);
    expect(json).not.toHaveProperty('end_user');
  });
});
