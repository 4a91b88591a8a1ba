import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Client, type Fields, OAuthWorld } from './oauth-world.ts';

const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const API_KEY = 'urn:bulkhead:token-type:api-key';

let oauth: OAuthWorld;
let held: Awaited<ReturnType<OAuthWorld['grant']>>;
beforeAll(async () => {
  oauth = await OAuthWorld.create();
  held = await oauth.grant();
});
afterAll(async () => {
  await oauth[Symbol.asyncDispose]();
});

const exchange = (fields: Fields = {}, client: Client | null = oauth.client) =>
  oauth.token({ grant_type: GRANT, subject_token: held.access_token, subject_token_type: ACCESS_TOKEN, ...fields }, client);
const byKey = (fields: Fields = {}) =>
  exchange({ subject_token: oauth.client.key, subject_token_type: API_KEY, account_id: String(held.account_id), ...fields });
const details = (value: unknown) => ({ authorization_details: JSON.stringify(value) });

describe('RFC 8693 §2.1 request', () => {
  test.each([
    ['no subject_token', { subject_token: undefined }, 'invalid_request'],
    ['no subject_token_type', { subject_token_type: undefined }, 'invalid_request'],
    ['an unknown subject_token_type', { subject_token_type: 'urn:ietf:params:oauth:token-type:saml2' }, 'invalid_request'],
    ['another requested_token_type', { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' }, 'invalid_request'],
    ['an actor_token', { actor_token: 'any', actor_token_type: ACCESS_TOKEN }, 'invalid_request'],
    ['another audience', { audience: 'https://else.example' }, 'invalid_target'],
    ['another resource', { resource: 'https://else.example' }, 'invalid_target'],
  ])('%s is refused', async (_what, fields, error) => {
    const answer = await exchange(fields);
    expect([answer.status, answer.json.error]).toEqual([400, error]);
  });
});

describe('RFC 8693 §2.2.1 successful response', () => {
  test('names the type of the issued token, for an access token and for an API key', async () => {
    for (const answer of [await exchange(), await byKey()]) {
      expect(answer.json).toMatchObject({
        access_token: expect.stringMatching(/^bha_/),
        issued_token_type: ACCESS_TOKEN,
        token_type: 'Bearer',
        expires_in: expect.any(Number),
        account_id: held.account_id,
      });
      expect(answer.json).not.toHaveProperty('refresh_token');
      expect(await oauth.isLive(answer.json.access_token)).toBe(true);
    }
  });
});

describe('RFC 8693 §2.2.2 error response', () => {
  test.each([
    ['unknown', () => 'bha_nothing'],
    ['a refresh token', () => held.refresh_token],
    ['an API key under another name', () => oauth.client.key],
  ])('a subject token that is %s is invalid_request', async (_what, subject) => {
    const answer = await exchange({ subject_token: subject() });
    expect([answer.status, answer.json.error]).toEqual([400, 'invalid_request']);
  });

  test("another client's subject token is as good as none", async () => {
    const other = await oauth.another();
    const [foreign, unknown] = [await exchange({}, other), await exchange({ subject_token: 'bha_nothing' }, other)];
    expect([foreign.status, foreign.json.error, foreign.json.error_description]).toEqual([
      unknown.status,
      unknown.json.error,
      unknown.json.error_description,
    ]);
    expect(
      (
        await oauth.token(
          { grant_type: GRANT, subject_token: oauth.client.key, subject_token_type: API_KEY, account_id: String(held.account_id) },
          other,
        )
      ).status,
    ).toBe(400);
  });

  test('a public client cannot exchange an API key it does not hold', async () => {
    expect(
      (
        await exchange(
          { subject_token: 'bhk_nothing', subject_token_type: API_KEY, account_id: String(held.account_id), client_id: oauth.client.id },
          null,
        )
      ).status,
    ).toBe(400);
  });
});

describe('V1: an exchanged token never holds more than its subject', () => {
  test('no other scope, no wider scope', async () => {
    expect((await exchange({ scope: 'gdrive.storage' })).json.error).toBe('invalid_scope');
    expect((await exchange({ scope: 'any:admin.all' })).json.error).toBe('invalid_scope');
    expect((await exchange({ scope: held.scope })).json.scope).toBe(held.scope);
  });

  test('no other account', async () => {
    oauth.upstream.person = { id: 'second', name: 'second@upstream.example' };
    const second = await oauth.grant();
    oauth.upstream.person = { id: 'ada', name: 'ada@upstream.example' };
    expect(second.account_id).not.toBe(held.account_id);
    expect((await exchange({ account_id: String(second.account_id) })).status).toBe(400);
    expect((await byKey({ account_id: String(second.account_id) })).json.account_id).toBe(second.account_id);
    expect((await byKey({ account_id: '4503599627370496' })).status).toBe(400);
  });

  test('no longer life, through any chain', async () => {
    const short = await exchange({ expires_in: '60' });
    expect(short.json.expires_in).toBe(60);
    const chained = await exchange({ subject_token: short.json.access_token, expires_in: '3000' });
    expect(chained.json.expires_in).toBeLessThanOrEqual(60);
    expect((await byKey({ expires_in: '999999999' })).json.expires_in).toBeLessThanOrEqual(86_400);
  });

  test('no method, path or origin that its subject lacks, through any chain', async () => {
    const narrow = await exchange(
      details([{ type: 'passthrough', methods: ['GET'], path_prefix: '/files', origins: ['https://app.example'] }]),
    );
    const again = (limits: unknown) => exchange({ subject_token: narrow.json.access_token, ...details(limits) });
    for (const wider of [
      [{ type: 'passthrough', methods: ['GET', 'POST'], path_prefix: '/files', origins: ['https://app.example'] }],
      [{ type: 'passthrough', methods: ['GET'], path_prefix: '/', origins: ['https://app.example'] }],
      [{ type: 'passthrough', methods: ['GET'], path_prefix: '/filesystem', origins: ['https://app.example'] }],
      [{ type: 'passthrough', methods: ['GET'], origins: ['https://app.example'] }],
      [{ type: 'passthrough', methods: ['GET'], path_prefix: '/files', origins: ['https://app.example', 'https://else.example'] }],
      [{ type: 'passthrough', methods: ['GET'], path_prefix: '/files' }],
    ]) {
      expect((await again(wider)).json.error, JSON.stringify(wider)).toBe('invalid_authorization_details');
    }
    expect(
      (await again([{ type: 'passthrough', methods: ['GET'], path_prefix: '/files/inner', origins: ['https://app.example'] }])).status,
    ).toBe(200);
    // Left out, the limits stay.
    const inherited = await exchange({ subject_token: narrow.json.access_token });
    expect(inherited.json.authorization_details).toEqual(narrow.json.authorization_details);
  });

  test('a token with limits may not do more than its calls: no account is changed or ended by it', async () => {
    const narrow = (await exchange(details([{ type: 'passthrough', methods: ['GET'] }]))).json.access_token;
    const as = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
    expect((await oauth.world.call('DELETE', `/v1/accounts/${held.account_id}`, as(narrow))).status).toBe(403);
    expect((await oauth.world.call('PATCH', `/v1/accounts/${held.account_id}`, { ...as(narrow), body: { account: 'x' } })).status).toBe(
      403,
    );
    expect(
      (await oauth.world.call('PATCH', `/v1/accounts/${held.account_id}`, { ...as(held.access_token), body: { custom_properties: {} } }))
        .status,
    ).toBe(200);
  });

  test('children die with their parents', async () => {
    const parent = await oauth.grant();
    const child = (await exchange({ subject_token: parent.access_token })).json.access_token;
    const grandchild = (await exchange({ subject_token: child })).json.access_token;
    expect(await oauth.isLive(grandchild)).toBe(true);
    await oauth.post('/v1/oauth/revoke', { token: parent.access_token });
    expect([await oauth.isLive(child), await oauth.isLive(grandchild)]).toEqual([false, false]);
  });

  test('a token exchanged from an API key dies with the key', async () => {
    const made = (await oauth.world.meta('POST', `/applications/${oauth.client.id}/apikeys`)).json;
    const child = (await byKey({ subject_token: made.key })).json.access_token;
    expect(await oauth.isLive(child)).toBe(true);
    await oauth.world.meta('DELETE', `/applications/${oauth.client.id}/apikeys/${made.id}`);
    expect(await oauth.isLive(child)).toBe(false);
    expect(await oauth.isLive((await byKey()).json.access_token)).toBe(true);
  });
});
