import { createHash, createHmac, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HttpClient, type Said } from './http-client.ts';
import { openTarget, type Target } from './target.ts';

const key = `notes${randomBytes(4).toString('hex')}`;
const scopes = ['READ', 'ACT_AS_USER'];
let target: Target;
let http: HttpClient;
let meta: HttpClient;
beforeAll(async () => {
  target = await openTarget();
  http = new HttpClient(target.url);
  meta = http.as(`Bearer ${target.metaToken}`);
  const descriptor = {
    key,
    name: 'Notes',
    baseUrl: target.app.url,
    authentication: { type: 'jwt' },
    lifecycle: { installed: '/installed' },
    scopes,
  };
  const registered = await meta.post('/v1/meta/apps', { descriptor });
  expect(registered.status, registered.text).toBe(201);
});
afterAll(async () => {
  await target[Symbol.asyncDispose]();
});

/** What the App was told of one Application. */
interface Told {
  readonly id: string;
  readonly clientKey: string;
  readonly oauthClientId: string;
  readonly sharedSecret: string;
  readonly baseUrl: string;
}

async function installed(users: readonly string[]): Promise<Told> {
  const made = await meta.post('/v1/meta/applications', { name: 'With an App' });
  const { id, default_api_key: apiKey } = made.json;
  for (const user of users) {
    const body = { service: 'gdrive', account: `${user} at gdrive`, token: 'x', end_user: user };
    expect((await http.as(`APIKey ${apiKey.key}`).post('/v1/accounts', body)).status).toBe(201);
  }
  const answer = await meta.post(`/v1/meta/applications/${id}/installs`, { app_key: key, scopes });
  expect(answer.status, answer.text).toBe(201);
  const told = target.app.installed.find((each) => each['clientKey'] === answer.json.client_key);
  return { ...(told as unknown as Told), id };
}

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const seconds = (): number => Math.floor(target.now() / 1_000);
/** RFC 7519 by hand: HS256 with the shared secret. */
function jwt({ sharedSecret }: Told, claims: object): string {
  const input = `${part({ typ: 'JWT', alg: 'HS256' })}.${part({ iat: seconds(), exp: seconds() + 60, jti: randomBytes(8).toString('hex'), ...claims })}`;
  return `${input}.${createHmac('sha256', sharedSecret).update(input).digest('base64url')}`;
}

/** A call of the App to its host, as the protocol signs it. */
function call(told: Told, method: string, path: string, body?: unknown): Promise<Said> {
  const qsh = createHash('sha256').update(`${method}&${path}&`).digest('hex');
  const base = new URL(told.baseUrl).pathname;
  return http.as(`JWT ${jwt(told, { iss: key, qsh })}`).call(method, base + path, body === undefined ? {} : { body });
}

describe('an App', () => {
  test('is installed into two Applications and keeps properties and records in each, apart', async () => {
    const [one, two] = [await installed([]), await installed([])];
    expect(one.clientKey).not.toBe(two.clientKey);
    expect(one.sharedSecret).not.toBe(two.sharedSecret);
    const property = `/rest/atlassian-connect/1/addons/${key}/properties/colour`;
    const record = '/rest/bulkhead/1/records/notes/1';
    expect((await call(one, 'PUT', property, { is: 'blue' })).status).toBe(201);
    const put = await call(one, 'PUT', record, { text: 'mine' });
    expect([put.status, put.headers.get('etag')]).toEqual([201, `"${put.json.version}"`]);
    expect((await call(one, 'GET', property)).json.value).toEqual({ is: 'blue' });
    expect((await call(one, 'GET', record)).json.value).toEqual({ text: 'mine' });
    for (const path of [property, record]) expect((await call(two, 'GET', path)).status).toBe(404);
    // With the secret of the one at the address of the other: nobody.
    for (const path of [property, record]) expect((await call({ ...one, baseUrl: two.baseUrl }, 'GET', path)).status).toBe(401);
  });

  test('acts for a user of its tenant, once per assertion, and reaches that one’s accounts', async () => {
    const told = await installed(['ada', 'eve']);
    const path = `${new URL(told.baseUrl).pathname}/oauth2/token`;
    const assertionFor = (user: string) =>
      jwt(told, {
        iss: `urn:atlassian:connect:clientid:${told.oauthClientId}`,
        sub: `urn:atlassian:connect:useraccountid:${user}`,
        aud: told.baseUrl,
        tnt: told.baseUrl,
      });
    const ask = (assertion: string) => http.form(path, { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion });
    const assertion = assertionFor('ada');
    const granted = await ask(assertion);
    expect(granted.json, granted.text).toMatchObject({ token_type: 'Bearer', expires_in: 900, scope: 'READ' });
    expect((await ask(assertion)).json.error).toBe('invalid_grant');
    expect((await ask(assertionFor('nobody'))).json.error).toBe('invalid_grant');
    const accounts = `${new URL(told.baseUrl).pathname}/rest/bulkhead/1/accounts`;
    const seen = await http.as(`Bearer ${granted.json.access_token}`).get(accounts);
    expect(seen.json.accounts.map((each: { end_user: string }) => each.end_user)).toEqual(['ada']);
    expect((await call(told, 'GET', '/rest/bulkhead/1/accounts')).json.total).toBe(2);
    expect((await meta.delete(`/v1/meta/applications/${told.id}/installs/${key}`)).status).toBe(204);
    expect((await http.as(`Bearer ${granted.json.access_token}`).get(accounts)).status).toBe(401);
    expect((await call(told, 'GET', '/rest/bulkhead/1/accounts')).status).toBe(401);
  });
});
