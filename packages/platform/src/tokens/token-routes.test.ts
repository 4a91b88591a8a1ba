import { sql } from '@bulkhead/postgres';
import * as oauth from 'oauth4webapi';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ACCOUNT_SCOPE, pkcePair, REDIRECT_URI, type TestClient, TokenWorld } from '../../test/token-world.ts';

let world: TokenWorld;
let client: TestClient;

beforeAll(async () => {
  world = await TokenWorld.create();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});
beforeEach(async () => {
  client = await world.client();
});

const asClient = (who: TestClient) => ({ authorization: `APIKey ${who.apiKey}` });

describe('POST /v1/oauth/token', () => {
  test.each(['password', 'client_credentials', 'implicit', 'AUTHORIZATION_CODE', '__proto__', 'constructor'])(
    'grant_type %j is unsupported',
    async (grantType) => {
      const answer = await world.token({ grant_type: grantType }, asClient(client));
      expect(answer).toMatchObject({ status: 400, json: { error: 'unsupported_grant_type', error_code: 'bad_request' } });
    },
  );

  test.each(['', undefined])('RFC 6749 §5.2: grant_type %j is a parameter that is missing', async (grantType) => {
    const answer = await world.token({ grant_type: grantType }, asClient(client));
    expect(answer).toMatchObject({ status: 400, json: { error: 'invalid_request', error_code: 'invalid_parameters' } });
  });

  test.each(['grant_type', 'refresh_token', 'scope', 'anything'])('RFC 6749 §3.2: %s twice is refused', async (name) => {
    const { refreshToken } = await world.grant(client);
    const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken, scope: ACCOUNT_SCOPE, anything: 'x' });
    body.append(name, body.get(name)!);
    const twice = await world.send('/v1/oauth/token', { method: 'POST', body, headers: asClient(client) });
    expect(twice).toMatchObject({ status: 400, json: { error: 'invalid_request' } });
    body.delete(name);
    const query = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken });
    query.set(name, 'x');
    body.set(name, 'y');
    const apart = await world.send(`/v1/oauth/token?${query.toString()}`, { method: 'POST', body, headers: asClient(client) });
    expect(apart).toMatchObject({ status: 400, json: { error: 'invalid_request' } });
    expect((await world.token({ grant_type: 'refresh_token', refresh_token: refreshToken }, asClient(client))).status).toBe(200);
  });

  test.each([
    ['kloudless-python: a form under a name of its own', 'application/form-urlencoded', true],
    ['kloudless-js: a form', 'application/x-www-form-urlencoded', true],
    ['kloudless-java: a form without header', 'application/x-www-form-urlencoded;charset=UTF-8', false],
  ])('%s is read', async (_, contentType, header) => {
    const { refreshToken } = await world.grant(client);
    const answer = await world.send('/v1/oauth/token/', {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'refresh_token',
        refresh_token: refreshToken,
        client_id: client.id,
        client_secret: client.apiKey,
      }).toString(),
      headers: { 'content-type': contentType, ...(header ? asClient(client) : {}) },
    });
    expect(answer.status).toBe(200);
  });

  test('a client that puts everything into the query, with an empty body, is read', async () => {
    const { refreshToken } = await world.grant(client);
    const query = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: refreshToken,
      client_id: client.id,
      client_secret: client.apiKey,
    });
    expect((await world.send(`/v1/oauth/token?${query.toString()}`, { method: 'POST' })).status).toBe(200);
  });

  test('a client secret in the query beside a body counts for nothing', async () => {
    const { refreshToken } = await world.grant(client);
    const query = new URLSearchParams({ client_id: client.id, client_secret: client.apiKey });
    const answer = await world.send(`/v1/oauth/token?${query.toString()}`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken }),
    });
    expect(answer).toMatchObject({ status: 401, json: { error: 'invalid_client' } });
  });

  test('browsers of other origins may call it', async () => {
    const answer = await world.send('/v1/oauth/token', {
      method: 'OPTIONS',
      headers: {
        origin: 'https://app.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type',
      },
    });
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(answer.headers.get('access-control-allow-methods')).toContain('POST');
  });

  test('an independent client library finds its way by the metadata alone, from discovery to revocation', async () => {
    const insecure = { [oauth.allowInsecureRequests]: true };
    const issuer = new URL(world.url);
    const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }));
    expect(server.pushed_authorization_request_endpoint).toBe(`${world.url}/v1/oauth/par`);
    const { verifier, challenge } = pkcePair();
    const account = await world.connected(client);
    const code = await world.code(client, account, { codeChallenge: challenge });
    const us = { client_id: client.id };
    const secret = oauth.ClientSecretBasic(client.apiKey);
    const callback = oauth.validateAuthResponse(server, us, new URLSearchParams({ code, state: 's', iss: world.url }), 's');
    const redeemed = await oauth.processAuthorizationCodeResponse(
      server,
      us,
      await oauth.authorizationCodeGrantRequest(server, us, secret, callback, REDIRECT_URI, verifier, insecure),
    );
    const renewed = await oauth.processRefreshTokenResponse(
      server,
      us,
      await oauth.refreshTokenGrantRequest(server, us, secret, redeemed.refresh_token!, insecure),
    );
    const known = await oauth.processIntrospectionResponse(
      server,
      us,
      await oauth.introspectionRequest(server, us, secret, renewed.access_token, insecure),
    );
    expect(known).toMatchObject({
      active: true,
      client_id: client.id,
      scope: ACCOUNT_SCOPE,
      account_id: account.accountId,
      iss: world.url,
    });
    await oauth.processRevocationResponse(await oauth.revocationRequest(server, us, secret, renewed.refresh_token!, insecure));
    expect(await world.isLive(renewed.access_token)).toBe(false);
  });
});

describe('GET /v1/oauth/token', () => {
  test('it says whose the token is and how long it lasts', async () => {
    const { account, accessToken } = await world.grant(client, { endUser: 'ada' });
    world.advance(600);
    expect(await world.verify(accessToken)).toMatchObject({
      status: 200,
      json: {
        client_id: client.id,
        account_id: account.accountId,
        scope: ACCOUNT_SCOPE,
        expires_in: 3000,
        expires: new Date(world.now.getTime() + 3_000_000).toISOString(),
        end_user: 'ada',
      },
    });
  });

  test('a bad bearer is told with 400 invalid_token, as Kloudless’s clients expect', async () => {
    const { accessToken } = await world.grant(client);
    expect(await world.isLive(accessToken)).toBe(true);
    world.advance(3600);
    for (const token of [accessToken, 'bha_x', `${accessToken}x`, accessToken.toUpperCase(), client.apiKey])
      expect(await world.verify(token)).toMatchObject({ status: 400, json: { error_code: 'invalid_token' } });
  });

  test('a code, a refresh token and an API key are no bearers', async () => {
    const { account, refreshToken } = await world.grant(client);
    for (const token of [refreshToken, await world.code(client, account), client.apiKey]) expect(await world.isLive(token)).toBe(false);
  });

  test('A7: a token in the URL is not taken', async () => {
    const { accessToken } = await world.grant(client);
    const answer = await world.send(`/v1/oauth/token?access_token=${accessToken}`, {});
    expect(answer.status).toBeGreaterThanOrEqual(400);
  });

  test('a token moved into another Application’s name is unknown there', async () => {
    const other = await world.client();
    const { accessToken } = await world.grant(client);
    const hash = (await world.db.withTenant(client.id, (tx) => tx.query(sql`select token_hash from access_tokens`))).length;
    expect(hash).toBe(1);
    expect(await world.isLive(accessToken.replace(client.id.slice(3), other.id.slice(3)))).toBe(false);
  });
});

describe('RFC 7662 introspection', () => {
  const introspect = (token: string, who: TestClient = client, more: Record<string, string> = {}) =>
    world.post('/v1/oauth/introspect', { token, ...more }, asClient(who));

  test('an access token and a refresh token say what they are for', async () => {
    const { account, accessToken, refreshToken } = await world.grant(client, { endUser: 'ada' });
    const iat = Math.floor(world.now.getTime() / 1000);
    const about = {
      active: true,
      client_id: client.id,
      iss: world.url,
      scope: ACCOUNT_SCOPE,
      account_id: account.accountId,
      end_user: 'ada',
      iat,
    };
    expect((await introspect(accessToken)).json).toEqual({ ...about, token_type: 'Bearer', exp: iat + 3600 });
    expect((await introspect(refreshToken)).json).toEqual({ ...about, exp: iat + 30 * 24 * 3600 });
  });

  test.each(['access_token', 'refresh_token', 'nonsense'])('the hint %j changes nothing (§2.1)', async (hint) => {
    const { accessToken } = await world.grant(client);
    expect((await introspect(accessToken, client, { token_type_hint: hint })).json.active).toBe(true);
  });

  test('unknown, foreign, expired, revoked and used tokens are inactive, and nothing else is said (§2.2)', async () => {
    const other = await world.client();
    const foreign = await world.grant(other);
    const used = await world.grant(client);
    await world.token({ grant_type: 'refresh_token', refresh_token: used.refreshToken }, asClient(client));
    const revoked = await world.grant(client);
    await world.post('/v1/oauth/revoke', { token: revoked.accessToken }, asClient(client));
    const expired = await world.grant(client);
    world.advance(3600);
    for (const token of [
      'x',
      foreign.accessToken,
      foreign.refreshToken,
      used.refreshToken,
      revoked.accessToken,
      expired.accessToken,
      client.apiKey,
    ])
      expect(await introspect(token)).toMatchObject({ status: 200, json: { active: false } });
    expect(Object.keys((await introspect(foreign.accessToken)).json)).toEqual(['active']);
    expect((await introspect(foreign.refreshToken, other)).json.active).toBe(true);
  });

  test('without a token the request is invalid', async () => {
    expect(await world.post('/v1/oauth/introspect', {}, asClient(client))).toMatchObject({
      status: 400,
      json: { error: 'invalid_request' },
    });
  });
});

describe('RFC 7009 revocation', () => {
  const revoke = (token: string | undefined, who: TestClient = client) => world.post('/v1/oauth/revoke', { token }, asClient(who));

  test('an access token goes alone; the grant goes on', async () => {
    const { accessToken, refreshToken } = await world.grant(client);
    const answer = await revoke(accessToken);
    expect(answer).toMatchObject({ status: 200, json: undefined });
    expect(await world.isLive(accessToken)).toBe(false);
    expect((await world.token({ grant_type: 'refresh_token', refresh_token: refreshToken }, asClient(client))).status).toBe(200);
  });

  test('a refresh token takes its grant with it, also when it is spent', async () => {
    const { accessToken, refreshToken } = await world.grant(client);
    const next = (await world.token({ grant_type: 'refresh_token', refresh_token: refreshToken }, asClient(client))).json;
    expect((await revoke(refreshToken)).status).toBe(200);
    for (const token of [accessToken, next.access_token]) expect(await world.isLive(token)).toBe(false);
    expect((await world.token({ grant_type: 'refresh_token', refresh_token: next.refresh_token }, asClient(client))).json.error).toBe(
      'invalid_grant',
    );
  });

  test('it is written into the audit log, once', async () => {
    const { account, accessToken } = await world.grant(client);
    await revoke(accessToken);
    await revoke(accessToken);
    const entries = await world.db.withTenant(client.id, (tx) =>
      tx.query(sql`select target, detail from audit_entries where action = 'token.revoke'`),
    );
    expect(entries).toEqual([{ target: String(account.accountId), detail: { revoked: 'access_token' } }]);
  });

  test('§2.2: an unknown token, or one of another Application, is answered like one that was revoked, and lives on', async () => {
    const other = await world.client();
    const foreign = await world.grant(other);
    for (const token of ['x', foreign.accessToken, foreign.refreshToken])
      expect(await revoke(token)).toMatchObject({ status: 200, json: undefined });
    expect(await world.isLive(foreign.accessToken)).toBe(true);
    await revoke(foreign.accessToken, other);
    expect(await world.isLive(foreign.accessToken)).toBe(false);
  });

  test('a public client revokes its own by client_id', async () => {
    const { accessToken } = await world.grant(client);
    expect((await world.post('/v1/oauth/revoke', { token: accessToken, client_id: client.id })).status).toBe(200);
    expect(await world.isLive(accessToken)).toBe(false);
  });

  test('nobody revokes without saying who they are', async () => {
    const { accessToken } = await world.grant(client);
    expect(await world.post('/v1/oauth/revoke', { token: accessToken })).toMatchObject({ status: 401, json: { error: 'invalid_client' } });
    expect(await world.isLive(accessToken)).toBe(true);
  });

  test('without a token the request is invalid', async () => {
    expect(await revoke(undefined)).toMatchObject({ status: 400, json: { error: 'invalid_request' } });
  });
});

describe('RFC 8414 metadata', () => {
  test('A6: the issuer is the configured one, whatever Host and forwarded headers say', async () => {
    const { json } = await world.send('/.well-known/oauth-authorization-server', {
      headers: { 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' },
    });
    expect(json.issuer).toBe(world.url);
    expect(JSON.stringify(json)).not.toContain('evil');
  });

  test('it promises what is refused elsewhere: S256 only, iss in every response', async () => {
    const { json } = await world.send('/.well-known/oauth-authorization-server', {});
    expect(json).toMatchObject({
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
      authorization_details_types_supported: ['passthrough'],
      token_endpoint: `${world.url}/v1/oauth/token`,
    });
  });
});
