import { request as httpRequest } from 'node:http';
import { HttpBrowser } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Compartment, REDIRECT_URI, walk } from './connect.ts';
import { HttpClient, type Said } from './http-client.ts';
import { openTarget, type Target } from './target.ts';

/** Clients written for Kloudless v1, as they are: no PKCE, odd content types, odd addresses. */
let target: Target;
let http: HttpClient;
let meta: HttpClient;
let application: Compartment;

beforeAll(async () => {
  target = await openTarget();
  http = new HttpClient(target.url);
  meta = http.as(`DeveloperKey ${target.metaToken}`);
  const { issuer, filesUrl, client, registerRedirectUri } = target.upstreams;
  const created = await meta.post('/v1/meta/applications', { name: 'Legacy', pkce_required: 'False' });
  expect(created.status, created.text).toBe(201);
  application = { id: created.json.id, apiKey: created.json.default_api_key.key };
  const below = `/v1/meta/applications/${application.id}`;
  const service = await meta.post(`${below}/services`, {
    id: 'harbourlegacy',
    friendly_name: 'Harbour',
    apis: ['raw'],
    auth: {
      type: 'oauth2',
      issuer,
      authorization_endpoint: `${issuer}/auth`,
      token_endpoint: `${issuer}/token`,
      scopes: ['openid', 'files:read'],
      pkce: true,
      token_endpoint_auth_method: 'client_secret_basic',
    },
    api: { base_url: filesUrl },
    identity: { url: `${filesUrl}/me`, id: '/id', name: '/name' },
  });
  expect(service.status, service.text).toBe(201);
  registerRedirectUri(service.json.callback_url);
  const keyed = await meta.post(`${below}/service_keys`, {
    service: 'harbourlegacy',
    client_id: client.client_id,
    client_secret: client.client_secret,
  });
  expect(keyed.status, keyed.text).toBe(201);
  expect((await meta.post(`${below}/redirect_uris`, { url: REDIRECT_URI })).status).toBe(201);
});
afterAll(async () => {
  await target[Symbol.asyncDispose]();
});

/** First leg as the old SDKs make it: state with `=` and `+`, an empty `extra_data`, no PKCE. */
async function code(state = 'a+b/c=='): Promise<string> {
  const query = new URLSearchParams({
    client_id: application.id,
    response_type: 'code',
    redirect_uri: REDIRECT_URI,
    scope: 'harbourlegacy',
    state,
    extra_data: '',
  });
  const end = await walk(new HttpBrowser(target.url, target.upstreams.issuer), `${target.url}/v1/oauth/?${query}`, { person: 'ada' });
  const answer = new URL(end.url);
  expect(answer.searchParams.get('state')).toBe(state);
  return answer.searchParams.get('code') ?? '';
}

const fields = (given: string): Record<string, string> => ({
  grant_type: 'authorization_code',
  code: given,
  redirect_uri: REDIRECT_URI,
  client_id: application.id,
});

const exchanges: readonly (readonly [string, (given: string) => Promise<Said>])[] = [
  [
    'Python: a form labelled application/form-urlencoded, APIKey beside it',
    (given) =>
      http.call('POST', '/v1/oauth/token', {
        headers: { authorization: `APIKey ${application.apiKey}`, 'content-type': 'application/form-urlencoded' },
        body: new URLSearchParams({ ...fields(given), client_secret: application.apiKey }).toString(),
      }),
  ],
  [
    'JavaScript: a form, ApiKey in another case',
    (given) => http.as(`ApiKey ${application.apiKey}`).form('/v1/oauth/token/', fields(given)),
  ],
  [
    'Java: a form without any header, the key as client_secret',
    (given) => http.form('/v1/oauth/token', { ...fields(given), client_secret: application.apiKey }),
  ],
  [
    'C#: everything in the query and an empty body',
    (given) => http.call('POST', `/v1/oauth/token?${new URLSearchParams({ ...fields(given), client_secret: application.apiKey })}`),
  ],
  [
    'OAuth libraries: Basic',
    (given) =>
      http.as(`Basic ${Buffer.from(`${application.id}:${application.apiKey}`).toString('base64')}`).form('/v1/oauth/token', fields(given)),
  ],
  ['JSON', (given) => http.as(`APIKey ${application.apiKey}`).post('/v1/oauth/token', fields(given))],
];

describe('Kloudless v1 clients connect an account without PKCE', () => {
  test.each(exchanges)('%s', async (_client, exchange) => {
    const said = await exchange(await code());
    expect(said.status, said.text).toBe(200);
    expect(said.json).toMatchObject({
      token_type: 'Bearer',
      access_token: expect.stringMatching(/^[\w-]+$/),
      account_id: expect.any(Number),
      scope: expect.any(String),
    });
    const verified = await http.as(`Bearer ${said.json.access_token}`).get('/v1/oauth/token/');
    expect(verified.json).toMatchObject({ client_id: application.id, account_id: said.json.account_id });
  });

  test('the code passes unharmed through a client that never decodes it', async () => {
    expect(await code()).toMatch(/^[A-Za-z0-9_-]+$/);
  });

  test('control: the same client is refused where the Application requires PKCE', async () => {
    await meta.patch(`/v1/meta/applications/${application.id}`, { pkce_required: true });
    try {
      const query = new URLSearchParams({
        client_id: application.id,
        response_type: 'code',
        redirect_uri: REDIRECT_URI,
        scope: 'harbourlegacy',
        state: 's',
      });
      const end = await new HttpBrowser(target.url, target.upstreams.issuer).open(`${target.url}/v1/oauth?${query}`);
      expect(new URL(end.url).searchParams.get('error')).toBe('invalid_request');
    } finally {
      await meta.patch(`/v1/meta/applications/${application.id}`, { pkce_required: false });
    }
  });

  test('control: without the key, and with a wrong one, there is no token', async () => {
    expect((await http.form('/v1/oauth/token', fields(await code()))).status).toBe(400);
    expect((await http.form('/v1/oauth/token', { ...fields(await code()), client_secret: 'wrong' })).status).toBe(401);
  });
});

describe('Kloudless v1 clients read what they are used to', () => {
  let client: HttpClient;
  let account: Said['json'];
  beforeAll(async () => {
    client = http.as(`APIKey ${application.apiKey}`);
    account = (await client.get('/v1/accounts')).json.objects[0];
  });

  test('content types are exactly application/json, of successes and of errors', async () => {
    const answers = await Promise.all([
      client.get('/v1/accounts'),
      client.get('/v1/accounts/1'),
      http.get('/v1/accounts'),
      meta.get('/v1/meta/applications'),
      meta.get('/v1/meta/applications/none'),
      http.get('/nowhere'),
    ]);
    expect(answers.map(({ headers }) => headers.get('content-type'))).toEqual(answers.map(() => 'application/json'));
  });

  test('an account id is an integer and every object has an href under the base URL', async () => {
    expect(Number.isSafeInteger(account.id)).toBe(true);
    expect(account.href).toBe(`${target.url}/v1/accounts/${account.id}`);
    const lists = await Promise.all(
      ['', `/${application.id}/apikeys`, `/${application.id}/redirect_uris`, `/${application.id}/service_keys`].map((path) =>
        meta.get(`/v1/meta/applications${path}`),
      ),
    );
    const objects = lists.flatMap(({ json }) => json.objects);
    expect(objects.length).toBeGreaterThan(3);
    for (const { href } of objects) expect(href).toMatch(new RegExp(`^${target.url}/v1/`));
    for (const { id } of objects) expect(id).toMatch(/^[a-zA-Z0-9=]{20,}/);
  });

  test.each([
    '/v1/accounts/',
    '/v1//accounts',
    '//v1/accounts//',
    '/v1/accounts?active=True&retrieve_full=False&unknown=1',
    '/v1/accounts/?page=1&page_size=1000',
  ])('%s answers without a redirect', async (path) => {
    const said = await client.get(path);
    expect(said.status).toBe(200);
    expect(said.json.objects.length).toBeGreaterThan(0);
  });

  test('/v1/meta/applications//{id} and /v1/applications/{id} are the same object', async () => {
    const [plain, doubled, legacy] = await Promise.all(
      [`/v1/meta/applications/${application.id}`, `/v1/meta/applications//${application.id}`, `/v1/applications/${application.id}/`].map(
        (path) => meta.get(path),
      ),
    );
    expect(plain!.status).toBe(200);
    expect(doubled!.json).toEqual(plain!.json);
    expect(legacy!.json).toEqual(plain!.json);
  });

  test('the page behind the last is 404 not_found, and next_page says where the end is', async () => {
    const last = await client.get('/v1/accounts?page_size=1000');
    expect(last.json).toMatchObject({ page: 1, next_page: null });
    const behind = await client.get('/v1/accounts?page=2&page_size=1000');
    expect(behind.status).toBe(404);
    expect(behind.json).toMatchObject({ status_code: 404, error_code: 'not_found', id: behind.headers.get('x-request-id') });
    expect((await client.get('/v1/accounts?page_size=1001')).status).toBe(400);
    expect((await client.get('/v1/accounts?page=0')).status).toBe(400);
  });

  test.each(['GET', 'DELETE'])('%s with a JSON body is answered as if it had none', async (method) => {
    const path = method === 'GET' ? `/v1/accounts/${account.id}` : '/v1/accounts/4503599627370496';
    const status = await new Promise<number>((resolve, reject) => {
      const body = Buffer.from(JSON.stringify({ anything: 'at all' }));
      const call = httpRequest(
        `${target.url}${path}`,
        {
          method,
          headers: { authorization: `APIKey ${application.apiKey}`, 'content-type': 'application/json', 'content-length': body.byteLength },
        },
        (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        },
      );
      call.on('error', reject);
      call.end(body);
    });
    expect(status).toBe(method === 'GET' ? 200 : 404);
  });

  test('a bad bearer is 400 at verify, 403 where the file picker asks, 401 elsewhere', async () => {
    const bad = http.as('Bearer nothing');
    expect((await bad.get('/v1/oauth/token')).status).toBe(400);
    expect((await bad.get('/v1/accounts/?active=True')).status).toBe(403);
    expect((await bad.get('/v1/accounts/me/')).status).toBe(403);
    expect((await bad.get('/v1/accounts')).status).toBe(401);
    expect((await bad.get(`/v1/accounts/${account.id}`)).status).toBe(401);
  });

  test('browsers of other origins may call what the browser libraries call', async () => {
    const preflight = await http.call('OPTIONS', '/v1/accounts/', {
      headers: {
        origin: 'https://company.example',
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'authorization, x-kloudless-source',
      },
    });
    expect(preflight.status).toBeLessThan(300);
    expect(preflight.headers.get('access-control-allow-origin')).toBe('https://company.example');
    expect(preflight.headers.get('access-control-allow-headers')).toContain('x-kloudless-source');
    const foreign = await http.call('OPTIONS', '/v1/meta/applications', {
      headers: { origin: 'https://company.example', 'access-control-request-method': 'GET' },
    });
    expect(foreign.headers.get('access-control-allow-origin')).toBeNull();
  });
});
