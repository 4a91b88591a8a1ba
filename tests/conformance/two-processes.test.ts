import { HttpBrowser } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { basic, type Fields, OAuthWorld, REDIRECT_URI } from './oauth-world.ts';

let oauth: OAuthWorld;
let second: string;
beforeAll(async () => {
  oauth = await OAuthWorld.create();
  second = (await oauth.world.beside()).url;
});
afterAll(async () => {
  await oauth[Symbol.asyncDispose]();
});

/** Ten requests at the same moment, every other one at the second process. */
function tenAtOnce(path: string, fields: Fields) {
  const { id, key } = oauth.client;
  const present = Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined);
  return Promise.all(
    Array.from({ length: 10 }, (_, index) =>
      oauth.world.call('POST', (index % 2 === 0 ? oauth.world.url : second) + path, {
        headers: basic(id, key),
        body: new URLSearchParams(present),
      }),
    ),
  );
}
const liveAt = async (url: string, token: string) =>
  (await oauth.world.call('GET', `${url}/v1/oauth/token`, { headers: { authorization: `Bearer ${token}` } })).status === 200;

describe('A3 two processes on one database', () => {
  test('a code is spent once by ten requests on both, and its second use ends what it had issued, on both', async () => {
    const { code, verifier } = await oauth.code();
    const answers = await tenAtOnce('/v1/oauth/token', {
      grant_type: 'authorization_code',
      code,
      code_verifier: verifier,
      redirect_uri: REDIRECT_URI,
    });
    const good = answers.filter(({ status }) => status === 200);
    expect(good.length).toBe(1);
    expect(answers.filter(({ json }) => json.error === 'invalid_grant').length).toBe(9);
    for (const url of [oauth.world.url, second]) expect(await liveAt(url, good[0]!.json.access_token)).toBe(false);
    expect((await oauth.token({ grant_type: 'refresh_token', refresh_token: good[0]!.json.refresh_token })).json.error).toBe(
      'invalid_grant',
    );
  });

  test('control: a code that is used once, at the other process than it came from, gives tokens that live on both', async () => {
    const { code, verifier } = await oauth.code();
    const answer = await oauth.world.call('POST', `${second}/v1/oauth/token`, {
      headers: basic(oauth.client.id, oauth.client.key),
      body: new URLSearchParams({ grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: REDIRECT_URI }),
    });
    for (const url of [oauth.world.url, second]) expect(await liveAt(url, answer.json.access_token)).toBe(true);
  });

  test('a refresh token is spent once by ten requests on both, and the grant ends with its reuse', async () => {
    const { access_token, refresh_token } = await oauth.grant();
    const answers = await tenAtOnce('/v1/oauth/token', { grant_type: 'refresh_token', refresh_token });
    expect(answers.filter(({ status }) => status === 200).length).toBe(1);
    expect(await liveAt(second, access_token)).toBe(false);
    const next = (await oauth.grant()).refresh_token;
    expect((await oauth.token({ grant_type: 'refresh_token', refresh_token: next })).status).toBe(200);
  });

  test('a pushed request is used once by ten browsers', async () => {
    const { json } = await oauth.post('/v1/oauth/par', {
      response_type: 'code',
      redirect_uri: REDIRECT_URI,
      scope: 'harbour',
      code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
      code_challenge_method: 'S256',
    });
    const query = new URLSearchParams({ client_id: oauth.client.id, request_uri: json.request_uri });
    const visits = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        new HttpBrowser(oauth.world.url).step(`${index % 2 === 0 ? oauth.world.url : second}/v1/oauth?${query}`),
      ),
    );
    expect(visits.map(({ status }) => status).sort()).toEqual([303, ...Array.from({ length: 9 }, () => 400)]);
  });

  test('a token that is revoked at one is dead at the other, with its children', async () => {
    const { access_token } = await oauth.grant();
    const child = await oauth.token({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: access_token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    });
    expect(await liveAt(second, child.json.access_token)).toBe(true);
    await oauth.post('/v1/oauth/revoke', { token: access_token });
    for (const token of [access_token, child.json.access_token]) expect(await liveAt(second, token)).toBe(false);
  });
});
