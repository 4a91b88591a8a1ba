import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HttpClient } from './http-client.ts';
import { openTarget, type Target } from './target.ts';

let target: Target;
let http: HttpClient;
let meta: HttpClient;
beforeAll(async () => {
  target = await openTarget();
  http = new HttpClient(target.url);
  meta = http.as(`Bearer ${target.metaToken}`);
});
afterAll(async () => {
  await target[Symbol.asyncDispose]();
});

describe('a stranger finds the way', () => {
  test.each(['/healthz', '/readyz'])('%s is open and well', async (path) => {
    expect((await http.get(path)).status).toBe(200);
  });

  test('the OpenAPI document names every call that the contract names', async () => {
    const { json } = await http.get('/v1/openapi.json');
    expect(json.openapi).toMatch(/^3\.1/);
    const paths = Object.keys(json.paths);
    const application = '/v1/meta/applications/{application_id}';
    const named = [
      'apikeys',
      'redirect_uris',
      'trusted_domains',
      'oauth_keys',
      'service_keys',
      'services',
      'webhooks',
      'event_settings',
      'branding',
      'diff',
      'sync',
    ].map((child) => `${application}/${child}`);
    for (const path of [
      ...named,
      application,
      '/v1/meta/services',
      '/v1/oauth',
      '/v1/oauth/par',
      '/v1/oauth/token',
      '/v1/oauth/introspect',
      '/v1/oauth/revoke',
      '/v1/oauth/callback/{callback_id}',
      '/v1/accounts',
      '/v1/accounts/{account_id}',
      '/v1/accounts/{account_id}/reconnect',
      '/v1/accounts/{account_id}/raw',
      '/.well-known/oauth-authorization-server',
    ]) {
      expect(paths).toContain(path);
    }
  });

  test('the metadata names the endpoints under the issuer', async () => {
    const { json } = await http.get('/.well-known/oauth-authorization-server');
    expect(json).toMatchObject({
      issuer: target.url,
      token_endpoint: `${target.url}/v1/oauth/token`,
      authorization_response_iss_parameter_supported: true,
      code_challenge_methods_supported: ['S256'],
    });
  });
});

describe('errors and ids', () => {
  test('every answer has X-Request-Id, and an error has it as id', async () => {
    for (const said of [
      await meta.get('/v1/meta/applications'),
      await http.get('/v1/meta/applications'),
      await http.get('/no/such/address'),
    ]) {
      expect(said.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
      if (said.status >= 400)
        expect(said.json).toMatchObject({
          id: said.headers.get('x-request-id'),
          status_code: said.status,
          error_code: expect.any(String),
          message: expect.any(String),
        });
    }
  });

  test('no credential and a wrong one are 401 with WWW-Authenticate', async () => {
    for (const client of [http, http.as('Bearer wrong'), http.as('DeveloperKey wrong'), http.as('nonsense')]) {
      const said = await client.get('/v1/meta/applications');
      expect(said.status).toBe(401);
      expect(said.headers.get('www-authenticate')).toBeTruthy();
    }
  });

  test('an unknown field of a Meta body is refused by name', async () => {
    const said = await meta.post('/v1/meta/applications', { name: 'Any', colour: 'blue' });
    expect(said.status).toBe(400);
    expect(said.text).toContain('colour');
  });

  test('an unknown field of a body that Kloudless clients send is ignored', async () => {
    const application = (await meta.post('/v1/meta/applications', { name: 'Any' })).json;
    const said = await http.as(`APIKey ${application.default_api_key.key}`).post('/v1/oauth/introspect', { token: 'any', colour: 'blue' });
    expect(said.json).toEqual({ active: false });
  });

  test('a body that is no JSON is 400, one too large 413', async () => {
    expect(
      (await meta.call('POST', '/v1/meta/applications', { headers: { 'content-type': 'application/json' }, body: '{"name":' })).status,
    ).toBe(400);
    expect((await meta.post('/v1/meta/applications', { name: 'x'.repeat(2_000_000) })).status).toBe(413);
  });
});

describe('rate limits', () => {
  test('an answer to whoever has authenticated says what the quota is and what is left of it', async () => {
    const { headers } = await meta.get('/v1/meta/applications');
    const [, quota] = /^"meta";q=(\d+);w=\d+$/.exec(headers.get('ratelimit-policy') ?? '') ?? [];
    const [, left] = /^"meta";r=(\d+);t=\d+$/.exec(headers.get('ratelimit') ?? '') ?? [];
    expect(Number(left)).toBeLessThan(Number(quota));
    // Control: who has not is not counted.
    expect((await http.get('/v1/meta/applications')).headers.get('ratelimit')).toBe(null);
  });
});

describe('Idempotency-Key', () => {
  test('the same key and body get the same answer, another body 409, and nothing is made twice', async () => {
    const key = randomUUID();
    const name = `Once ${key}`;
    const post = (body: unknown) => meta.call('POST', '/v1/meta/applications', { headers: { 'idempotency-key': key }, body });
    const [first, again] = [await post({ name }), await post({ name })];
    expect(first.status).toBe(201);
    expect([again.status, again.json]).toEqual([201, first.json]);
    expect((await post({ name: 'another' })).status).toBe(409);
    expect((await meta.get(`/v1/meta/applications?search=${encodeURIComponent(name)}`)).json.total).toBe(1);
  });
});

describe('secrets are shown once', () => {
  test('an API key is whole in the answer that makes it, shortened ever after, and dead once deleted', async () => {
    const { id, default_api_key: given } = (await meta.post('/v1/meta/applications', { name: 'Keys' })).json;
    const path = `/v1/meta/applications/${id}/apikeys`;
    const made = await meta.post(path, {});
    expect(made.status).toBe(201);
    const list = await meta.get(path);
    expect(list.json.total).toBe(2);
    expect(list.text).not.toContain(made.json.key);
    expect(list.text).not.toContain(given.key);
    const client = http.as(`APIKey ${made.json.key}`);
    expect((await client.get('/v1/accounts')).status).toBe(200);
    expect((await meta.delete(`${path}/${encodeURIComponent(made.json.key)}`)).status).toBe(204);
    expect((await client.get('/v1/accounts')).status).toBe(401);
    expect((await http.as(`APIKey ${given.key}`).get('/v1/accounts')).status).toBe(200);
  });

  test('a webhook secret is shown when it is made and when it is rotated', async () => {
    const { id } = (await meta.post('/v1/meta/applications', { name: 'Hooks' })).json;
    const path = `/v1/meta/applications/${id}/webhooks`;
    const made = await meta.post(path, { url: 'https://company.example/hook', format: 'standard' });
    expect(made.json.secret).toMatch(/^bhs_|^whsec_/);
    expect((await meta.get(`${path}/${made.json.id}`)).json).not.toHaveProperty('secret');
    const rotated = await meta.post(`${path}/${made.json.id}/rotate_secret`);
    expect(rotated.json.secret).not.toBe(made.json.secret);
  });
});

describe('what may not be registered', () => {
  let path: string;
  beforeAll(async () => {
    const { id } = (await meta.post('/v1/meta/applications', { name: 'Refusals' })).json;
    path = `/v1/meta/applications/${id}`;
  });

  test.each([
    'https://company.example/cb#fragment',
    'https://company.example/cb?code=1',
    'https://company.example/cb?state=1',
    'https://company.example/cb?iss=1',
    'https://company.example/cb?error=1',
    'http://company.example/cb',
    'javascript:alert(1)',
    'data:text/html,hello',
    'not a url',
  ])('a redirect URI %s', async (url) => {
    expect((await meta.post(`${path}/redirect_uris`, { url })).status).toBe(400);
  });

  test.each(['https://company.example/cb', 'http://127.0.0.1/cb', 'http://[::1]:4000/cb', 'ktester://kloudless/callback'])(
    'control: %s is registered',
    async (url) => {
      expect((await meta.post(`${path}/redirect_uris`, { url })).status).toBe(201);
    },
  );

  test.each([
    'http://169.254.169.254/latest/meta-data',
    'http://[::1]/',
    'http://10.0.0.1/hook',
    'http://2130706433:1/',
    'file:///etc/passwd',
    'gopher://company.example/',
    'https://user:password@company.example/',
  ])('a webhook at %s', async (url) => {
    // Where the operator lets private addresses through, this one is not among them.
    if (url.includes('[::1]') || url.includes('2130706433'))
      expect([400, 201]).toContain((await meta.post(`${path}/webhooks`, { url })).status);
    else expect((await meta.post(`${path}/webhooks`, { url })).status).toBe(400);
  });
});
