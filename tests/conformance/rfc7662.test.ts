import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OAuthWorld } from './oauth-world.ts';

let oauth: OAuthWorld;
beforeAll(async () => {
  oauth = await OAuthWorld.create();
});
afterAll(async () => {
  await oauth[Symbol.asyncDispose]();
});
const introspect = (token: string | undefined, fields = {}, client: typeof oauth.client | null = oauth.client) =>
  oauth.post('/v1/oauth/introspect', { token, ...fields }, client);

describe('RFC 7662 §2.1 introspection request', () => {
  test('a caller that does not authenticate is 401', async () => {
    const { access_token } = await oauth.grant();
    expect((await introspect(access_token, {}, null)).status).toBe(401);
    expect((await introspect(access_token, {}, { ...oauth.client, key: 'wrong' })).status).toBe(401);
    // A public client proves nothing: it could try out tokens.
    expect((await introspect(access_token, { client_id: oauth.client.id }, null)).status).toBe(401);
  });

  test('a token may not introspect itself', async () => {
    const { access_token } = await oauth.grant();
    const answer = await oauth.world.call('POST', '/v1/oauth/introspect', {
      headers: { authorization: `Bearer ${access_token}` },
      body: new URLSearchParams({ token: access_token }),
    });
    expect(answer.status).toBe(401);
  });

  test('no token is invalid_request', async () => {
    const answer = await introspect(undefined);
    expect([answer.status, answer.json.error]).toEqual([400, 'invalid_request']);
  });
});

describe('RFC 7662 §2.2 introspection response', () => {
  test('an access token says whose it is, what for and until when (C6)', async () => {
    const { access_token, account_id, scope, expires_in } = await oauth.grant();
    const { json } = await introspect(access_token);
    expect(json).toMatchObject({
      active: true,
      client_id: oauth.client.id,
      scope,
      token_type: 'Bearer',
      iss: oauth.world.url,
      account_id,
      iat: expect.any(Number),
      exp: expect.any(Number),
    });
    expect(json.exp - json.iat).toBe(expires_in);
  });

  test.each(['access_token', 'refresh_token', 'magic'])('the hint %s is only a hint', async (token_type_hint) => {
    const { access_token, refresh_token } = await oauth.grant();
    expect((await introspect(access_token, { token_type_hint })).json.active).toBe(true);
    expect((await introspect(refresh_token, { token_type_hint })).json.active).toBe(true);
  });

  test.each([
    ['unknown', async () => 'bha_nothing'],
    ['no token at all', async () => 'x'],
    [
      'of another client',
      async () => {
        const other = await oauth.another();
        const { code, verifier } = await oauth.code({ client_id: other.id });
        return (await oauth.redeem(code, verifier, {}, other)).json.access_token;
      },
    ],
    [
      'revoked',
      async () => {
        const { access_token } = await oauth.grant();
        await oauth.post('/v1/oauth/revoke', { token: access_token });
        return access_token;
      },
    ],
    ['an authorization code', async () => (await oauth.code()).code],
    ['an API key', async () => oauth.client.key],
    [
      'expired',
      async () => {
        const { access_token, expires_in } = await oauth.grant();
        oauth.world.clock.advance(expires_in * 1000);
        return access_token;
      },
    ],
  ])('one that is %s is {"active": false} and nothing else', async (_what, make) => {
    const answer = await introspect(await make());
    expect([answer.status, answer.json]).toEqual([200, { active: false }]);
  });
});
