import { HttpBrowser } from '@bulkhead/testkit';
import * as client from 'openid-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OAuthWorld, SERVICE } from './oauth-world.ts';

/** openid-client redeems with the address it was called back at, without its query. */
const CALLBACK = 'https://strict.example/callback';

let oauth: OAuthWorld;
let config: client.Configuration;
beforeAll(async () => {
  oauth = await OAuthWorld.create();
  await oauth.world.meta('POST', `/applications/${oauth.client.id}/redirect_uris`, { url: CALLBACK });
  config = await discover(client.ClientSecretBasic(oauth.client.key));
});
afterAll(async () => {
  await oauth[Symbol.asyncDispose]();
});

function discover(authentication: client.ClientAuth, id: string = oauth.client.id): Promise<client.Configuration> {
  return client.discovery(new URL(oauth.world.url), id, undefined, authentication, {
    algorithm: 'oauth2',
    execute: [client.allowInsecureRequests],
  });
}

type Way = 'plain' | 'pushed';

/** From the request in a browser to the tokens, all of it by the library; `asked` are further parameters of the request. */
async function connect(using: client.Configuration, way: Way, asked: Record<string, string> = {}, redeemed: Record<string, string> = {}) {
  const { callback, pkceCodeVerifier, expectedState } = await calledBack(using, way, asked);
  return client.authorizationCodeGrant(using, callback, { pkceCodeVerifier, expectedState }, redeemed);
}

async function calledBack(using: client.Configuration, way: Way, asked: Record<string, string> = {}, options?: client.DPoPOptions) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const expectedState = client.randomState();
  const parameters = {
    redirect_uri: CALLBACK,
    scope: SERVICE,
    state: expectedState,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    ...asked,
  };
  const address =
    way === 'pushed'
      ? await client.buildAuthorizationUrlWithPAR(using, parameters, options)
      : client.buildAuthorizationUrl(using, parameters);
  const visit = await new HttpBrowser(oauth.world.url, oauth.upstream.url).open(address.href);
  return { callback: new URL(visit.url), pkceCodeVerifier, expectedState };
}

async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (thrown) {
    if (thrown instanceof client.ResponseBodyError || thrown instanceof client.AuthorizationResponseError) return thrown.error;
    // RFC 9110 §15.5.2: a 401 holds a challenge, and the library tells that before the body.
    if (thrown instanceof client.WWWAuthenticateChallengeError) return `${thrown.status} ${thrown.cause[0]?.scheme}`;
    if (thrown instanceof client.ClientError) return thrown.code ?? thrown.message;
    throw thrown;
  }
  return 'nothing was refused';
}

describe('RFC 8414 metadata as openid-client reads it', () => {
  test('its issuer is the one that was asked for (§3.3), and its endpoints are what the library goes by', () => {
    const server = config.serverMetadata();
    expect(server.issuer).toBe(oauth.world.url);
    expect(server.supportsPKCE('S256')).toBe(true);
    expect(server.authorization_response_iss_parameter_supported).toBe(true);
  });

  test('control: the same server under another name is refused by the library', async () => {
    const alias = new URL(oauth.world.url);
    alias.hostname = 'localhost';
    const found = client.discovery(alias, oauth.client.id, undefined, client.None(), {
      algorithm: 'oauth2',
      execute: [client.allowInsecureRequests],
    });
    expect(await refusal(found)).toBe('OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED');
  });
});

describe('RFC 6749 §4.1, RFC 7636, RFC 9126, RFC 9207 the code flow as openid-client goes it', () => {
  test.each<[Way, string, () => client.ClientAuth]>([
    ['plain', 'client_secret_basic', () => client.ClientSecretBasic(oauth.client.key)],
    ['pushed', 'client_secret_basic', () => client.ClientSecretBasic(oauth.client.key)],
    ['plain', 'client_secret_post', () => client.ClientSecretPost(oauth.client.key)],
    ['pushed', 'client_secret_post', () => client.ClientSecretPost(oauth.client.key)],
    ['plain', 'none', () => client.None()],
  ])('a %s request with %s ends in tokens for one account', async (way, _method, authentication) => {
    const tokens = await connect(await discover(authentication()), way);
    expect(tokens.token_type).toBe('bearer');
    expect(tokens.expires_in).toBe(3600);
    expect(tokens['account_id']).toEqual(expect.any(Number));
    expect(await oauth.isLive(tokens.access_token)).toBe(true);
  });

  test('a pushed end_user comes back with the tokens, and is needed for them', async () => {
    const whom = { end_user: 'ada' };
    expect((await connect(config, 'pushed', whom, whom))['end_user']).toBe('ada');
    expect(await refusal(connect(config, 'pushed', whom, { end_user: 'eve' }))).toBe('invalid_grant');
  });

  test.each<Way>(['plain', 'pushed'])('a %s request that is refused comes back as an error with state and iss', async (way) => {
    oauth.upstream.deny = true;
    expect(await refusal(connect(config, way))).toBe('access_denied');
    expect(await refusal(connect(config, way))).toBe('nothing was refused');
  });

  test('an answer whose iss was taken away or exchanged is refused by the library, so it stands in ours', async () => {
    const { callback, ...checks } = await calledBack(config, 'plain');
    const without = new URL(callback);
    without.searchParams.delete('iss');
    expect(await refusal(client.authorizationCodeGrant(config, without, checks))).toBe('OAUTH_INVALID_RESPONSE');
    const mixedUp = new URL(callback);
    mixedUp.searchParams.set('iss', 'https://evil.example');
    expect(await refusal(client.authorizationCodeGrant(config, mixedUp, checks))).toBe('OAUTH_INVALID_RESPONSE');
    expect(await refusal(client.authorizationCodeGrant(config, callback, checks))).toBe('nothing was refused');
  });

  test('another verifier is invalid_grant, and a wrong secret is challenged for a better one', async () => {
    const { callback, ...checks } = await calledBack(config, 'plain');
    const pkceCodeVerifier = client.randomPKCECodeVerifier();
    expect(await refusal(client.authorizationCodeGrant(config, callback, { ...checks, pkceCodeVerifier }))).toBe('invalid_grant');
    for (const wrong of [client.ClientSecretPost('wrong'), client.ClientSecretBasic('wrong')])
      expect(await refusal(client.authorizationCodeGrant(await discover(wrong), callback, checks))).toBe('401 basic');
    expect(await refusal(client.authorizationCodeGrant(config, callback, checks))).toBe('nothing was refused');
  });
});

describe('RFC 6749 §6, RFC 7662, RFC 7009 what openid-client does with the tokens', () => {
  test('a refresh gives other tokens, introspection tells of them, and revocation ends them', async () => {
    const first = await connect(config, 'pushed');
    const renewed = await client.refreshTokenGrant(config, first.refresh_token!);
    expect(renewed.access_token).not.toBe(first.access_token);
    expect(renewed.refresh_token).not.toBe(first.refresh_token);

    const about = await client.tokenIntrospection(config, renewed.access_token);
    expect(about).toMatchObject({ active: true, client_id: oauth.client.id, iss: oauth.world.url, account_id: first['account_id'] });
    expect((await client.tokenIntrospection(config, renewed.refresh_token!, { token_type_hint: 'refresh_token' })).active).toBe(true);

    await client.tokenRevocation(config, renewed.refresh_token!);
    expect((await client.tokenIntrospection(config, renewed.access_token)).active).toBe(false);
    await client.tokenRevocation(config, renewed.refresh_token!);
    expect(await refusal(client.refreshTokenGrant(config, renewed.refresh_token!))).toBe('invalid_grant');
  });

  test('a bearer token opens a protected resource as the library sends it', async () => {
    const tokens = await connect(config, 'plain');
    const resource = new URL(`${oauth.world.url}/v1/accounts/${tokens['account_id'] as number}/proxy/files`);
    const answer = await client.fetchProtectedResource(config, tokens.access_token, resource, 'GET');
    expect([answer.status, ((await answer.json()) as { path: string }).path]).toEqual([200, '/api/files']);
    const thrown = await client.fetchProtectedResource(config, `${tokens.access_token}x`, resource, 'GET').catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(client.WWWAuthenticateChallengeError);
    expect((thrown as client.WWWAuthenticateChallengeError).cause[0]).toMatchObject({
      scheme: 'bearer',
      parameters: { error: 'invalid_token' },
    });
  });
});

describe('RFC 8693 token exchange as a grant of openid-client', () => {
  const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
  const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

  test('an access token is exchanged for a narrower one, that ends with it', async () => {
    const tokens = await connect(config, 'plain');
    const details = [{ type: 'passthrough', methods: ['GET'], path_prefix: '/files' }];
    const narrow = await client.genericGrantRequest(config, EXCHANGE, {
      subject_token: tokens.access_token,
      subject_token_type: ACCESS_TOKEN,
      expires_in: '60',
      authorization_details: JSON.stringify(details),
    });
    expect(narrow).toMatchObject({ token_type: 'bearer', issued_token_type: ACCESS_TOKEN, expires_in: 60, authorization_details: details });
    expect(await oauth.isLive(narrow.access_token)).toBe(true);
    await client.tokenRevocation(config, tokens.access_token);
    expect(await oauth.isLive(narrow.access_token)).toBe(false);
  });

  test('an API key is exchanged for a token to one account', async () => {
    const tokens = await connect(config, 'plain');
    const exchange = (subject_token: string) =>
      client.genericGrantRequest(config, EXCHANGE, {
        subject_token,
        subject_token_type: 'urn:bulkhead:token-type:api-key',
        account_id: `${tokens['account_id'] as number}`,
      });
    expect((await exchange(oauth.client.key))['account_id']).toBe(tokens['account_id']);
    expect(await refusal(exchange((await oauth.another()).key))).toBe('invalid_request');
  });
});

describe('RFC 9449 DPoP as openid-client does it', () => {
  /** The library dates proofs by the real time: so does the server's clock here. */
  const catchUp = () => oauth.world.clock.advance(Date.now() - oauth.world.clock.now());

  test.each(['ES256', 'PS256', 'RS256', 'EdDSA', 'Ed25519'])('%s: code, resource, refresh and exchange under one key', async (alg) => {
    catchUp();
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair(alg));
    const { callback, ...checks } = await calledBack(config, 'pushed', {}, { DPoP });
    const tokens = await client.authorizationCodeGrant(config, callback, checks, undefined, { DPoP });
    expect(tokens.token_type).toBe('dpop');

    const resource = new URL(`${oauth.world.url}/v1/accounts/${tokens['account_id'] as number}/proxy/files?q=1`);
    const open = (token: string, headers?: Headers) =>
      client.fetchProtectedResource(config, token, resource, 'GET', undefined, headers, { DPoP });
    expect((await open(tokens.access_token)).status).toBe(200);

    const renewed = await client.refreshTokenGrant(config, tokens.refresh_token!, undefined, { DPoP });
    expect(renewed.token_type).toBe('dpop');
    const jkt = await DPoP.calculateThumbprint();
    expect(await client.tokenIntrospection(config, renewed.access_token)).toMatchObject({ token_type: 'DPoP', cnf: { jkt } });

    const exchange = (handle: client.DPoPHandle) =>
      client.genericGrantRequest(
        config,
        'urn:ietf:params:oauth:grant-type:token-exchange',
        { subject_token: renewed.access_token, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token' },
        { DPoP: handle },
      );
    const child = await exchange(DPoP);
    expect(child.token_type).toBe('dpop');
    expect((await open(child.access_token)).status).toBe(200);
    const another = client.getDPoPHandle(config, await client.randomDPoPKeyPair(alg));
    expect(await refusal(exchange(another))).toBe('invalid_dpop_proof');
  });

  test('a bound token that is shown as a bearer token is challenged, and without the key as well', async () => {
    catchUp();
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair());
    const { callback, ...checks } = await calledBack(config, 'plain', { dpop_jkt: await DPoP.calculateThumbprint() });
    const tokens = await client.authorizationCodeGrant(config, callback, checks, undefined, { DPoP });
    const resource = new URL(`${oauth.world.url}/v1/accounts/${tokens['account_id'] as number}`);
    const challenges = async (options?: client.DPoPOptions) => {
      const call = client.fetchProtectedResource(config, tokens.access_token, resource, 'GET', undefined, undefined, options);
      const thrown = await call.catch((error: unknown) => error);
      return thrown instanceof client.WWWAuthenticateChallengeError ? thrown.cause : thrown;
    };
    const asBearer = (await challenges()) as client.WWWAuthenticateChallengeError['cause'];
    expect(asBearer.map(({ scheme }) => scheme)).toEqual(['bearer', 'dpop', 'apikey']);
    expect(asBearer[0]?.parameters.error).toBe('invalid_token');
    const stolen = client.getDPoPHandle(config, await client.randomDPoPKeyPair());
    const byAnother = (await challenges({ DPoP: stolen })) as client.WWWAuthenticateChallengeError['cause'];
    expect(byAnother[1]?.parameters).toMatchObject({ error: 'invalid_dpop_proof', algs: expect.stringContaining('ES256') });
    expect((await challenges({ DPoP })) as Response).toHaveProperty('status', 200);
  });
});
