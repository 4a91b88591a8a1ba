import * as o from 'oauth4webapi';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OAuthWorld, REDIRECT_URI, SERVICE } from './oauth-world.ts';

const insecure = { [o.allowInsecureRequests]: true };
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';

let oauth: OAuthWorld;
let server: o.AuthorizationServer;
let us: o.Client;
beforeAll(async () => {
  oauth = await OAuthWorld.create();
  const issuer = new URL(oauth.world.url);
  server = await o.processDiscoveryResponse(issuer, await o.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }));
  us = { client_id: oauth.client.id };
});
afterAll(async () => {
  await oauth[Symbol.asyncDispose]();
});

/** A redirect URI with a query of its own: the library compares nothing, so the server must. */
async function calledBack(state: string): Promise<{ readonly callback: URLSearchParams; readonly verifier: string }> {
  const verifier = o.generateRandomCodeVerifier();
  const { request_uri } = await o.processPushedAuthorizationResponse(
    server,
    us,
    await o.pushedAuthorizationRequest(
      server,
      us,
      o.ClientSecretBasic(oauth.client.key),
      new URLSearchParams({
        response_type: 'code',
        redirect_uri: REDIRECT_URI,
        scope: SERVICE,
        state,
        code_challenge: await o.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      }),
      insecure,
    ),
  );
  const { answer } = await oauth.authorize({
    request_uri,
    redirect_uri: undefined,
    response_type: undefined,
    scope: undefined,
    state: undefined,
  });
  return { callback: answer, verifier };
}

describe.each([
  ['client_secret_basic', () => o.ClientSecretBasic(oauth.client.key)],
  ['client_secret_post', () => o.ClientSecretPost(oauth.client.key)],
])('oauth4webapi with %s', (method, authentication) => {
  test('goes from discovery to revocation by the metadata alone: PAR, code, refresh, exchange, introspection', async () => {
    expect(server.token_endpoint_auth_methods_supported).toContain(method);
    const { callback, verifier } = await calledBack('s1');
    const secret = authentication();
    const first = await o.processAuthorizationCodeResponse(
      server,
      us,
      await o.authorizationCodeGrantRequest(
        server,
        us,
        secret,
        o.validateAuthResponse(server, us, callback, 's1'),
        REDIRECT_URI,
        verifier,
        insecure,
      ),
    );
    const renewed = await o.processRefreshTokenResponse(
      server,
      us,
      await o.refreshTokenGrantRequest(server, us, secret, first.refresh_token!, insecure),
    );
    const narrow = await o.processGenericTokenEndpointResponse(
      server,
      us,
      await o.genericTokenEndpointRequest(
        server,
        us,
        secret,
        EXCHANGE,
        { subject_token: renewed.access_token, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token' },
        insecure,
      ),
    );
    const introspect = async (token: string) =>
      o.processIntrospectionResponse(server, us, await o.introspectionRequest(server, us, secret, token, insecure));
    expect(await introspect(narrow.access_token)).toMatchObject({ active: true, client_id: us.client_id, scope: renewed.scope });
    await o.processRevocationResponse(await o.revocationRequest(server, us, secret, renewed.refresh_token!, insecure));
    for (const { access_token } of [first, renewed, narrow]) expect(await introspect(access_token)).toEqual({ active: false });
  });

  test('reads each refusal as the error it is', async () => {
    const failed = async (work: Promise<unknown>) => {
      const thrown = await work.then(
        () => null,
        (error: unknown) => error,
      );
      // RFC 9110 §15.5.2: a 401 holds a challenge, and the library tells that before the body.
      if (thrown instanceof o.WWWAuthenticateChallengeError) return `${thrown.status} ${thrown.cause[0]?.scheme}`;
      return thrown instanceof o.ResponseBodyError ? `${thrown.status} ${thrown.error}` : String(thrown);
    };
    const refresh = async (token: string, secret: o.ClientAuth) =>
      o.processRefreshTokenResponse(server, us, await o.refreshTokenGrantRequest(server, us, secret, token, insecure));
    expect(await failed(refresh('nothing', authentication()))).toBe('400 invalid_grant');
    expect(await failed(refresh('nothing', o.ClientSecretPost('wrong')))).toBe('401 basic');
    const push = async (fields: Record<string, string>) =>
      o.processPushedAuthorizationResponse(
        server,
        us,
        await o.pushedAuthorizationRequest(
          server,
          us,
          authentication(),
          new URLSearchParams({ response_type: 'code', redirect_uri: REDIRECT_URI, ...fields }),
          insecure,
        ),
      );
    expect(await failed(push({}))).toBe('400 invalid_request');
    expect(await failed(push({ code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256' }))).toBe(
      'null',
    );
  });
});
