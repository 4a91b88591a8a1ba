import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Compartment, connect, type Connected, REDIRECT_URI } from './connect.ts';
import { HttpClient, type Said } from './http-client.ts';
import { openTarget, type Target } from './target.ts';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const API_KEY = 'urn:bulkhead:token-type:api-key';
/** An account nobody has. */
const NO_ACCOUNT = 4_503_599_627_370_496;

let target: Target;
let http: HttpClient;
let meta: HttpClient;
const services = { files: `files${randomBytes(4).toString('hex')}`, notes: `notes${randomBytes(4).toString('hex')}` };
let template: Compartment;
let alder: Compartment;
let birch: Compartment;
let alderFiles: Connected;
let birchFiles: Connected;
let alderNotes: Connected;

/** Equal but for the request id, which is in the body too. */
function withoutRequestId(said: { status: number; text: string; headers: Headers }): string {
  const id = said.headers.get('x-request-id');
  expect(id).toBeTruthy();
  return `${said.status} ${said.headers.get('content-type')} ${said.text.replaceAll(id!, '{id}')}`;
}

async function created(path: string, body: unknown): Promise<Said['json']> {
  const said = await meta.post(`/v1/meta${path}`, body);
  expect(said.status, said.text).toBe(201);
  return said.json;
}

beforeAll(async () => {
  target = await openTarget();
  http = new HttpClient(target.url);
  meta = http.as(`Bearer ${target.metaToken}`);
});
afterAll(async () => {
  await target[Symbol.asyncDispose]();
});

describe('a company gives each of its customers an Application', () => {
  test('a template has two services of the company, one by OAuth and one by API key', async () => {
    const { issuer, filesUrl, notesUrl, client, registerRedirectUri } = target.upstreams;
    const application = await created('/applications', {
      name: 'Template',
      description: 'What every customer gets',
      environment: 'staging',
    });
    template = { id: application.id, apiKey: application.default_api_key.key };
    expect(template.id).toMatch(/^app[0-9A-Za-z]{22,}$/);
    expect(template.apiKey).toMatch(/^bhk_/);
    const files = await created(`/applications/${template.id}/services`, {
      id: services.files,
      friendly_name: 'Company Files',
      apis: ['raw'],
      auth: {
        type: 'oauth2',
        issuer,
        authorization_endpoint: `${issuer}/auth`,
        token_endpoint: `${issuer}/token`,
        revocation_endpoint: `${issuer}/token/revocation`,
        scopes: ['openid', 'files:read', 'files:write'],
        pkce: true,
        token_endpoint_auth_method: 'client_secret_basic',
      },
      api: { base_url: filesUrl },
      identity: { url: `${filesUrl}/me`, id: '/id', name: '/name' },
    });
    await created(`/applications/${template.id}/services`, {
      id: services.notes,
      friendly_name: 'Company Notes',
      apis: ['raw'],
      auth: { type: 'api_key', in: 'header', name: 'X-Api-Key' },
      api: { base_url: notesUrl },
      identity: { url: `${notesUrl}/me`, id: '/id', name: '/name' },
    });
    const key = await created(`/applications/${template.id}/oauth_keys`, {
      service: services.files,
      client_id: client.client_id,
      client_secret: client.client_secret,
    });
    expect(key.callback_url).toBe(files.callback_url);
    expect(JSON.stringify(key)).not.toContain(client.client_secret);
    await created(`/applications/${template.id}/redirect_uris`, { url: REDIRECT_URI });
    registerRedirectUri(files.callback_url);
  });

  test('two clones have what the template has, and what they were given instead', async () => {
    const clone = async (fields: object): Promise<Compartment> => {
      const application = await created('/applications', { source: template.id, ...fields });
      return { id: application.id, apiKey: application.default_api_key.key };
    };
    alder = await clone({ name: 'Alder Logistics', branding: { display_name: 'Alder', primary_colour: '#224422' } });
    birch = await clone({ name: 'Birch Clinics', environment: 'production', description: 'Their own words' });
    const [first, second] = await Promise.all([alder, birch].map(async ({ id }) => (await meta.get(`/v1/meta/applications/${id}`)).json));
    expect(first).toMatchObject({
      name: 'Alder Logistics',
      environment: 'staging',
      description: 'What every customer gets',
      source: template.id,
      branding: { display_name: 'Alder' },
    });
    expect(second).toMatchObject({ name: 'Birch Clinics', environment: 'production', description: 'Their own words', source: template.id });
    expect(new Set([template, alder, birch].flatMap(({ id, apiKey }) => [id, apiKey])).size).toBe(6);
  });

  test('a clone shares the callback address with its template, so that the provider need not be told again', async () => {
    const callbacks = await Promise.all(
      [template, alder, birch].map(
        async ({ id }) => (await meta.get(`/v1/meta/applications/${id}/services/${services.files}`)).json.callback_url,
      ),
    );
    expect(new Set(callbacks).size).toBe(1);
  });

  test('an account is connected in each', async () => {
    alderFiles = await connect(target, http, alder, services.files, { person: 'ada' });
    birchFiles = await connect(target, http, birch, services.files, { person: 'bea' });
    const [key] = target.upstreams.notesKeys;
    alderNotes = await connect(target, http, alder, services.notes, { key: key!.key });
    for (const { account_id: id, access_token: token } of [alderFiles, birchFiles, alderNotes]) {
      expect(Number.isSafeInteger(id)).toBe(true);
      expect(token).toMatch(/^bha_/);
    }
    const accounts = (await http.as(`APIKey ${alder.apiKey}`).get('/v1/accounts')).json;
    expect(accounts).toMatchObject({ total: 2, count: 2, page: 1, next_page: null, type: 'object_list' });
    const account = accounts.objects.find(({ id }: { id: number }) => id === alderFiles.account_id);
    expect(account).toMatchObject({
      account: expect.stringContaining('Ada'),
      service: services.files,
      active: true,
      health: 'healthy',
      end_user: 'user-7',
      type: 'account',
      api: 'core',
    });
    expect(account.href).toBe(`${target.url}/v1/accounts/${alderFiles.account_id}`);
  });

  test('calls go through by API key, by bearer and by exchanged token, each as its own account', async () => {
    const through = async (authorization: string, account: number | string) =>
      (await http.as(authorization).get(`/v1/accounts/${account}/proxy/me`)).json;
    expect(await through(`APIKey ${alder.apiKey}`, alderFiles.account_id)).toMatchObject({ name: 'Ada Alder' });
    expect(await through(`Bearer ${alderFiles.access_token}`, 'me')).toMatchObject({ name: 'Ada Alder' });
    expect(await through(`Bearer ${birchFiles.access_token}`, 'me')).toMatchObject({ name: 'Bea Birch' });
    expect(await through(`Bearer ${alderNotes.access_token}`, alderNotes.account_id)).toMatchObject({
      name: target.upstreams.notesKeys[0]!.name,
    });
    const exchanged = await http.as(`APIKey ${alder.apiKey}`).form('/v1/oauth/token', {
      grant_type: EXCHANGE,
      subject_token: alder.apiKey,
      subject_token_type: API_KEY,
      account_id: String(alderFiles.account_id),
    });
    expect(exchanged.json).toMatchObject({
      token_type: 'Bearer',
      issued_token_type: ACCESS_TOKEN,
      account_id: alderFiles.account_id,
      expires_in: expect.any(Number),
    });
    expect(await through(`Bearer ${exchanged.json.access_token}`, alderFiles.account_id)).toMatchObject({ name: 'Ada Alder' });
  });

  test('a call by /raw names the address and the method in headers', async () => {
    const said = await http.call('POST', `/v1/accounts/${alderFiles.account_id}/raw`, {
      headers: {
        authorization: `APIKey ${alder.apiKey}`,
        'x-kloudless-raw-uri': `${target.upstreams.filesUrl}/files`,
        'x-kloudless-raw-method': 'GET',
      },
    });
    expect(said.status).toBe(200);
    expect(JSON.stringify(said.json)).toContain('name');
  });

  test('a write goes through with its body and comes back with its status', async () => {
    const client = http.as(`Bearer ${alderFiles.access_token}`);
    const added = await client.call('POST', '/v1/accounts/me/proxy/files?name=from-acceptance.txt', {
      headers: { 'content-type': 'text/plain' },
      body: 'hello',
    });
    expect(added.status).toBe(201);
    expect((await client.get(`/v1/accounts/me/proxy/files/${added.json.id}/content`)).text).toBe('hello');
  });

  test('an exchanged token does what it was limited to, and nothing besides', async () => {
    const details = [{ type: 'passthrough', methods: ['GET'], path_prefix: '/files' }];
    const narrow = await http.as(`APIKey ${alder.apiKey}`).form('/v1/oauth/token', {
      grant_type: EXCHANGE,
      subject_token: alderFiles.access_token,
      subject_token_type: ACCESS_TOKEN,
      expires_in: '60',
      authorization_details: JSON.stringify(details),
    });
    expect(narrow.json).toMatchObject({ authorization_details: details });
    const client = http.as(`Bearer ${narrow.json.access_token}`);
    expect((await client.get('/v1/accounts/me/proxy/files')).status).toBe(200);
    expect((await client.get('/v1/accounts/me/proxy/me')).status).toBe(403);
    expect((await client.call('POST', '/v1/accounts/me/proxy/files?name=no', { body: 'no' })).status).toBe(403);
    for (const climbing of ['%252e%252e/me', '..%2Fme', '%2e%2e%2fme', 'a%5cme'])
      expect((await client.get(`/v1/accounts/me/proxy/files/${climbing}`)).status, climbing).toBe(400);
    expect((await client.get(`/v1/accounts/${alderNotes.account_id}/proxy/notes`)).status).toBe(404);
  });

  test('across the wall is 404, byte for byte as for what never existed', async () => {
    const strangers = [`APIKey ${birch.apiKey}`, `Bearer ${birchFiles.access_token}`, `APIKey ${template.apiKey}`].map((authorization) =>
      http.as(authorization),
    );
    for (const stranger of strangers) {
      for (const path of ['', '/proxy/me', '/proxy/files']) {
        const [foreign, missing] = await Promise.all(
          [alderFiles.account_id, NO_ACCOUNT].map((id) => stranger.get(`/v1/accounts/${id}${path}`)),
        );
        expect(foreign!.status).toBe(404);
        expect(foreign!.json.error_code).toBe('not_found');
        expect(withoutRequestId(foreign!)).toBe(withoutRequestId(missing!));
      }
      expect((await stranger.delete(`/v1/accounts/${alderFiles.account_id}`)).status).toBe(404);
      expect((await stranger.patch(`/v1/accounts/${alderFiles.account_id}`, { account: 'taken over' })).status).toBe(404);
      expect((await stranger.post(`/v1/accounts/${alderFiles.account_id}/reconnect`)).status).toBe(404);
    }
    expect((await http.as(`APIKey ${birch.apiKey}`).get('/v1/accounts')).json.objects.map(({ id }: { id: number }) => id)).toEqual([
      birchFiles.account_id,
    ]);
    expect((await http.as(`APIKey ${alder.apiKey}`).get(`/v1/accounts/${alderFiles.account_id}`)).json.account).toContain('Ada');
  });

  test('tokens of one Application are nothing to the other', async () => {
    const stranger = http.as(`APIKey ${birch.apiKey}`);
    expect((await stranger.form('/v1/oauth/introspect', { token: alderFiles.access_token })).json).toEqual({ active: false });
    expect((await stranger.form('/v1/oauth/revoke', { token: alderFiles.access_token })).status).toBe(200);
    expect(
      (await stranger.form('/v1/oauth/token', { grant_type: 'refresh_token', refresh_token: alderFiles.refresh_token ?? '' })).json.error,
    ).toBe('invalid_grant');
    const owner = await http.as(`Bearer ${alderFiles.access_token}`).get('/v1/oauth/token');
    expect(owner.json).toMatchObject({ client_id: alder.id, account_id: alderFiles.account_id, end_user: 'user-7' });
  });

  test('no Application key opens the Meta API, and no Meta token an account', async () => {
    for (const authorization of [`Bearer ${alder.apiKey}`, `APIKey ${alder.apiKey}`, `Bearer ${alderFiles.access_token}`]) {
      const said = await http.as(authorization).get(`/v1/meta/applications/${alder.id}`);
      expect(said.status).toBe(401);
      expect(said.headers.get('www-authenticate')).toBeTruthy();
    }
    expect((await meta.get('/v1/accounts')).status).toBe(401);
  });

  test('a refresh token is good once, and a revoked token ends at once', async () => {
    const client = http.as(`APIKey ${birch.apiKey}`);
    const refresh = (token: string) => client.form('/v1/oauth/token', { grant_type: 'refresh_token', refresh_token: token });
    const next = await refresh(birchFiles.refresh_token ?? '');
    expect(next.status).toBe(200);
    expect(next.json.refresh_token).not.toBe(birchFiles.refresh_token);
    expect((await client.form('/v1/oauth/revoke', { token: next.json.access_token })).status).toBe(200);
    expect((await http.as(`Bearer ${next.json.access_token}`).get('/v1/oauth/token')).status).toBe(400);
    expect((await http.as(`Bearer ${next.json.access_token}`).get('/v1/accounts')).status).toBe(401);
  });

  test('a deleted Application is over, and its neighbour goes on', async () => {
    expect((await meta.delete(`/v1/meta/applications/${alder.id}`)).status).toBe(204);
    expect((await meta.get(`/v1/meta/applications/${alder.id}`)).status).toBe(404);
    expect((await http.as(`APIKey ${alder.apiKey}`).get('/v1/accounts')).status).toBe(401);
    expect((await http.as(`Bearer ${alderFiles.access_token}`).get('/v1/accounts/me/proxy/me')).status).toBe(401);
    expect((await http.as(`APIKey ${birch.apiKey}`).get(`/v1/accounts/${birchFiles.account_id}/proxy/me`)).json).toMatchObject({
      name: 'Bea Birch',
    });
    expect((await meta.get(`/v1/meta/applications/${template.id}`)).status).toBe(200);
  });
});
