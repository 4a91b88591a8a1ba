import { sql } from '@bulkhead/postgres';
import type { HttpAnswer } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Client, type Fields, OAuthWorld, REDIRECT_URI, SERVICE } from './oauth-world.ts';

let oauth: OAuthWorld;
let count = 0;
beforeAll(async () => {
  oauth = await OAuthWorld.create();
});
afterAll(async () => {
  await oauth[Symbol.asyncDispose]();
});

const newKey = () => `key-${++count}`;
/** A POST under an Idempotency-Key, with this API key; `null`: as a public client. */
function post(path: string, fields: Fields, idempotencyKey: string | null, apiKey: string | null = oauth.client.key): Promise<HttpAnswer> {
  const present = Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined);
  return oauth.world.call('POST', path, {
    headers: {
      ...(apiKey === null ? {} : { authorization: `APIKey ${apiKey}` }),
      ...(idempotencyKey === null ? {} : { 'idempotency-key': idempotencyKey }),
    },
    body: new URLSearchParams(present),
  });
}
const refresh = (refresh_token: string, idempotencyKey: string | null, apiKey?: string | null, fields: Fields = {}) =>
  post('/v1/oauth/token', { grant_type: 'refresh_token', refresh_token, ...fields }, idempotencyKey, apiKey);

describe('Idempotency-Key at the token endpoint', () => {
  test('a client that lost the answer to a refresh gets it again, and keeps its grant', async () => {
    const { refresh_token } = await oauth.grant();
    const key = newKey();
    const first = await refresh(refresh_token, key);
    const again = await refresh(refresh_token, key);
    expect([again.status, again.json]).toEqual([200, first.json]);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(again.headers.get('cache-control')).toContain('no-store');
    expect(await oauth.isLive(again.json.access_token)).toBe(true);
    expect((await refresh(again.json.refresh_token, newKey())).status).toBe(200);
  });

  test.each<[string, () => string | null]>([
    ['no key', () => null],
    ['another key', newKey],
  ])('control: with %s the second use is what it was, reuse: it ends the grant', async (_what, other) => {
    const { refresh_token } = await oauth.grant();
    const first = await refresh(refresh_token, newKey());
    expect((await refresh(refresh_token, other())).json.error).toBe('invalid_grant');
    expect(await oauth.isLive(first.json.access_token)).toBe(false);
  });

  test('so does a client that lost the answer to its code, and an exchange is made once', async () => {
    const { code, verifier } = await oauth.code();
    const fields = { grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: REDIRECT_URI };
    const key = newKey();
    const first = await post('/v1/oauth/token', fields, key);
    expect((await post('/v1/oauth/token', fields, key)).json).toEqual(first.json);
    const exchange = {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: first.json.access_token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    };
    const other = newKey();
    const child = await post('/v1/oauth/token', exchange, other);
    expect((await post('/v1/oauth/token', exchange, other)).json.access_token).toBe(child.json.access_token);
    expect((await post('/v1/oauth/token', exchange, newKey())).json.access_token).not.toBe(child.json.access_token);
  });

  test('ten at once under one key spend the refresh token once, and the grant lives', async () => {
    const { refresh_token } = await oauth.grant();
    const key = newKey();
    const answers = await Promise.all(Array.from({ length: 10 }, () => refresh(refresh_token, key)));
    expect(answers.every(({ status }) => status === 200 || status === 409)).toBe(true);
    const tokens = new Set(answers.filter(({ status }) => status === 200).map(({ json }) => json.access_token));
    expect(tokens.size).toBe(1);
    for (const { headers } of answers.filter(({ status }) => status === 409)) expect(headers.get('retry-after')).toBe('1');
    const after = await refresh(refresh_token, key);
    expect([...tokens]).toEqual([after.json.access_token]);
    expect(await oauth.isLive(after.json.access_token)).toBe(true);
  });

  test('another request under the key is 409, and does nothing', async () => {
    const [one, two] = [await oauth.grant(), await oauth.grant()];
    const key = newKey();
    await refresh(one.refresh_token, key);
    expect((await refresh(two.refresh_token, key)).status).toBe(409);
    expect((await refresh(two.refresh_token, newKey())).status).toBe(200);
  });

  test('a refusal is not kept: the key is free for the right request', async () => {
    const { refresh_token } = await oauth.grant();
    const key = newKey();
    expect((await refresh('nothing', key)).json.error).toBe('invalid_grant');
    expect((await refresh(refresh_token, key)).status).toBe(200);
  });

  test('the answer is for the API key that asked: not for another client, nor another key of this one, nor nobody', async () => {
    const other = await oauth.another();
    const second = (await oauth.world.meta('POST', `/applications/${oauth.client.id}/apikeys`)).json.key;
    const { refresh_token } = await oauth.grant();
    const key = newKey();
    const first = await refresh(refresh_token, key);
    for (const stranger of [other.key, 'wrong', null]) {
      const answer = await refresh(refresh_token, key, stranger);
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.text).not.toContain('bha_');
    }
    expect((await refresh(refresh_token, key)).json).toEqual(first.json);
    expect((await refresh(refresh_token, key, second)).json.error).toBe('invalid_grant');
  });

  test("a public client's key counts for nothing, because it would be everybody's: a second use is reuse", async () => {
    const asPublic = (fields: Fields, key: string) => post('/v1/oauth/token', { client_id: oauth.client.id, ...fields }, key, null);
    const { code, verifier } = await oauth.code();
    const key = newKey();
    const fields = { grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: REDIRECT_URI };
    const first = await asPublic(fields, key);
    expect(first.status).toBe(200);
    expect((await asPublic(fields, key)).json.error).toBe('invalid_grant');
    expect(await oauth.isLive(first.json.access_token)).toBe(false);
  });

  test('kept sealed: no token of it stands in the table, and after a day nothing does', async () => {
    const { refresh_token } = await oauth.grant();
    const key = newKey();
    const { json } = await refresh(refresh_token, key);
    const rows = () =>
      oauth.world.database.database.withTenant(oauth.client.id, (tx) =>
        tx.query<{ text: string }>(
          sql`select encode(sealed_answer, 'escape') || row_to_json(k)::text as text from idempotency_keys k
               where application_id = ${oauth.client.id} and idempotency_key = ${key}`,
        ),
      );
    const [row] = await rows();
    expect(row?.text.length).toBeGreaterThan(100);
    for (const secret of [json.access_token, json.refresh_token, refresh_token]) expect(row?.text).not.toContain(secret);
    oauth.world.clock.advance(24 * 3600 * 1000 + 1);
    expect((await refresh(refresh_token, key)).json.error).toBe('invalid_grant');
    expect(await rows()).toEqual([]);
  });
});

describe('Idempotency-Key at the other endpoints', () => {
  const pushed = {
    response_type: 'code',
    redirect_uri: REDIRECT_URI,
    scope: SERVICE,
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    code_challenge_method: 'S256',
  };

  test('a request is pushed once (RFC 9126)', async () => {
    const push = (key: string, client: Client = oauth.client) => post('/v1/oauth/par', pushed, key, client.key);
    const key = newKey();
    const first = await push(key);
    expect([first.status, (await push(key)).json.request_uri]).toEqual([201, first.json.request_uri]);
    expect((await push(newKey())).json.request_uri).not.toBe(first.json.request_uri);
    expect((await push(key, await oauth.another())).json.request_uri).not.toBe(first.json.request_uri);
  });

  test('a revocation under a key is done once, and another one under it is 409', async () => {
    const { access_token, refresh_token } = await oauth.grant();
    const key = newKey();
    for (let round = 0; round < 2; round++) expect((await post('/v1/oauth/revoke', { token: access_token }, key)).status).toBe(200);
    expect(await oauth.isLive(access_token)).toBe(false);
    expect((await post('/v1/oauth/revoke', { token: refresh_token }, key)).status).toBe(409);
  });

  test('introspection tells what is so now, whatever key comes with it', async () => {
    const { access_token } = await oauth.grant();
    const key = newKey();
    expect((await post('/v1/oauth/introspect', { token: access_token }, key)).json.active).toBe(true);
    await post('/v1/oauth/revoke', { token: access_token }, newKey());
    expect((await post('/v1/oauth/introspect', { token: access_token }, key)).json).toEqual({ active: false });
  });
});
