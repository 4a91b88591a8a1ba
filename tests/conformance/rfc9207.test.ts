import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Client, OAuthWorld, REDIRECT_URI } from './oauth-world.ts';

let oauth: OAuthWorld;
let issuer: string;
let implicit: Client;
beforeAll(async () => {
  oauth = await OAuthWorld.create();
  issuer = (await oauth.world.call('GET', '/.well-known/oauth-authorization-server')).json.issuer;
  implicit = await oauth.another({ implicit_grant_enabled: true });
});
afterAll(async () => {
  await oauth[Symbol.asyncDispose]();
});
const pkce = { code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256' };

describe('RFC 9207 §2 iss in the authorization response', () => {
  test('A4: a code comes with the issuer, once', async () => {
    const { answer } = await oauth.authorize(pkce);
    expect(answer.has('code')).toBe(true);
    expect(answer.getAll('iss')).toEqual([issuer]);
  });

  test('A4: a token in the fragment comes with the issuer, once', async () => {
    const { fragment } = await oauth.authorize({ client_id: implicit.id, response_type: 'token' });
    expect(fragment.has('access_token')).toBe(true);
    expect(fragment.getAll('iss')).toEqual([issuer]);
  });

  test.each([
    ['a refused scope', { ...pkce, scope: 'no_such_service' }],
    ['a missing challenge', {}],
    ['an unknown response_type', { ...pkce, response_type: 'magic' }],
  ])('A4: an error comes with the issuer: %s', async (_what, fields) => {
    const { answer, url } = await oauth.authorize(fields);
    expect(url.startsWith(REDIRECT_URI)).toBe(true);
    expect(answer.has('error')).toBe(true);
    expect(answer.getAll('iss')).toEqual([issuer]);
  });

  test('A4: an error in the fragment comes with the issuer', async () => {
    const { fragment } = await oauth.authorize({ client_id: implicit.id, response_type: 'token', scope: 'no_such_service' });
    expect(fragment.get('error')).toBe('invalid_scope');
    expect(fragment.getAll('iss')).toEqual([issuer]);
  });

  test('A4: a refusal by the person comes with the issuer', async () => {
    oauth.upstream.deny = true;
    const { answer } = await oauth.authorize(pkce);
    expect(answer.get('error')).toBe('access_denied');
    expect(answer.getAll('iss')).toEqual([issuer]);
  });
});

describe('RFC 9207 §3 metadata', () => {
  test('promises it', async () => {
    expect(
      (await oauth.world.call('GET', '/.well-known/oauth-authorization-server')).json.authorization_response_iss_parameter_supported,
    ).toBe(true);
  });
});
