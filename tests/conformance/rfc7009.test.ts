import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OAuthWorld } from './oauth-world.ts';

let oauth: OAuthWorld;
beforeAll(async () => {
  oauth = await OAuthWorld.create();
});
afterAll(async () => {
  await oauth[Symbol.asyncDispose]();
});
const revoke = (token: string | undefined, fields = {}, client: typeof oauth.client | null = oauth.client) =>
  oauth.post('/v1/oauth/revoke', { token, ...fields }, client);

describe('RFC 7009 §2.1 revocation request', () => {
  test('an access token ends, its refresh token goes on', async () => {
    const { access_token, refresh_token } = await oauth.grant();
    expect((await revoke(access_token)).status).toBe(200);
    expect(await oauth.isLive(access_token)).toBe(false);
    expect((await oauth.token({ grant_type: 'refresh_token', refresh_token })).status).toBe(200);
  });

  test('a refresh token ends with every access token of its grant', async () => {
    const { access_token, refresh_token } = await oauth.grant();
    expect((await revoke(refresh_token)).status).toBe(200);
    expect(await oauth.isLive(access_token)).toBe(false);
    expect((await oauth.token({ grant_type: 'refresh_token', refresh_token })).json.error).toBe('invalid_grant');
  });

  test.each(['access_token', 'refresh_token', 'magic'])(
    'a wrong token_type_hint (%s) does not keep a token alive',
    async (token_type_hint) => {
      const { access_token, refresh_token } = await oauth.grant();
      await revoke(access_token, { token_type_hint });
      expect(await oauth.isLive(access_token)).toBe(false);
      await revoke(refresh_token, { token_type_hint });
      expect((await oauth.token({ grant_type: 'refresh_token', refresh_token })).json.error).toBe('invalid_grant');
    },
  );

  test('a token of another client stays as it is, and the answer says nothing of it', async () => {
    const { access_token } = await oauth.grant();
    const other = await oauth.another();
    const [foreign, unknown] = [await revoke(access_token, {}, other), await revoke('bha_nothing', {}, other)];
    expect([foreign.status, foreign.text]).toEqual([unknown.status, unknown.text]);
    expect(await oauth.isLive(access_token)).toBe(true);
  });

  test('a client that does not authenticate is 401 invalid_client', async () => {
    const { access_token } = await oauth.grant();
    for (const answer of [await revoke(access_token, {}, null), await revoke(access_token, {}, { ...oauth.client, key: 'wrong' })]) {
      expect([answer.status, answer.json.error]).toEqual([401, 'invalid_client']);
    }
    expect(await oauth.isLive(access_token)).toBe(true);
  });

  test('no token is invalid_request', async () => {
    const answer = await revoke(undefined);
    expect([answer.status, answer.json.error]).toEqual([400, 'invalid_request']);
  });
});

describe('RFC 7009 §2.2 revocation response', () => {
  test.each(['nothing', 'bha_nothing', '', 'x'.repeat(5000)].filter((token) => token !== ''))(
    'an unknown token (%#) is 200, as it is what the client wants',
    async (token) => {
      expect((await revoke(token)).status).toBe(200);
    },
  );

  test('a token may be revoked twice', async () => {
    const { access_token } = await oauth.grant();
    expect([(await revoke(access_token)).status, (await revoke(access_token)).status]).toEqual([200, 200]);
  });
});
