import { type ApplicationId, Secret } from '@bulkhead/base';
import { sql } from '@bulkhead/postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type AccountServer, accountServer } from '../../test/account-server.ts';

let world: AccountServer;
let application: ApplicationId;
let key: Record<string, string>;

beforeAll(async () => {
  world = await accountServer();
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(async () => {
  application = await world.application();
  key = world.apiKey(application);
  await world.addService(application, {
    id: 'harbour',
    friendly_name: 'Harbour Files',
    apis: ['storage'],
    auth: { type: 'oauth2', authorization_endpoint: 'https://harbour.example/authorize', token_endpoint: 'https://harbour.example/token' },
    api: { base_url: 'https://harbour.example/api' },
  });
  await world.addService(application, {
    id: 'lantern',
    friendly_name: 'Lantern',
    auth: { type: 'api_key', in: 'header', name: 'X-Api-Key' },
    api: { base_url: 'https://lantern.example' },
  });
  await world.addService(application, {
    id: 'pier',
    friendly_name: 'Pier',
    auth: { type: 'basic' },
    api: { base_url: 'https://pier.example' },
  });
});

interface Shown {
  readonly id: number;
  readonly account: string;
  readonly field?: string;
  readonly objects: readonly Shown[];
}

async function call(
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: unknown,
): Promise<{ status: number; json: Shown; text: string; headers: Headers }> {
  const response = await fetch(`${world.url}/v1/accounts${path}`, {
    method,
    headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, json: (text === '' ? {} : JSON.parse(text)) as Shown, text, headers: response.headers };
}

const add = (name: string, endUser?: string) =>
  world.addAccount(
    application,
    'harbour',
    { accessToken: new Secret(`access-${name}`), refreshToken: new Secret(`refresh-${name}`), kept: {} },
    { identity: name, ...(endUser === undefined ? {} : { endUser }) },
  );

async function actions(): Promise<string[]> {
  const rows = await world.database.database.tenantQuery<{ action: string }>(
    application,
    sql`select action from audit_entries where application_id = ${application} order by audit_id`,
  );
  return rows.map((row) => row.action);
}

describe('GET /v1/accounts/{id}', () => {
  test("answers Kloudless's object with health, and exactly application/json", async () => {
    const id = await add('ann', 'user-1');
    const answer = await call('GET', `/${id}`, key);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(answer.json).toEqual({
      id,
      account: 'ann',
      active: true,
      enabled: true,
      service: 'harbour',
      service_name: 'Harbour Files',
      admin: false,
      internal_use: false,
      apis: ['storage'],
      effective_scope: 'harbour:normal.raw.default:kloudless',
      granted_scopes: null,
      health: 'healthy',
      broken_reason: null,
      end_user: 'user-1',
      custom_properties: {},
      object_definitions: {},
      proxy_connection: null,
      created: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      modified: expect.any(String),
      type: 'account',
      api: 'core',
      href: `${world.url}/v1/accounts/${id}`,
    });
  });

  test('answers with and without a trailing slash, and for a token by "me"', async () => {
    const id = await add('ann');
    const token = world.bearer(application, id);
    for (const [path, headers] of [
      [`/${id}/`, key],
      ['/me', token],
      ['/me/', token],
      [`/${id}`, token],
    ] as const)
      expect((await call('GET', path, headers)).json, path).toMatchObject({ id });
  });

  test('adds quota and properties with retrieve_full', async () => {
    expect((await call('GET', `/${await add('ann')}?retrieve_full=True`, key)).json).toMatchObject({
      quota: null,
      properties: { capabilities: {} },
    });
  });

  test('adds upstream tokens for an API key only, and writes that down', async () => {
    const id = await add('ann');
    expect((await call('GET', `/${id}`, key)).text).not.toContain('access-ann');
    expect((await call('GET', `/${id}?retrieve_tokens=true`, key)).json).toMatchObject({
      token: 'access-ann',
      refresh_token: 'refresh-ann',
      token_expiry: null,
    });
    expect(await actions()).toEqual(['account.tokens_retrieved']);
    const refused = await call('GET', '/me?retrieve_tokens=true', world.bearer(application, id));
    expect(refused.status).toBe(403);
    expect(refused.text).not.toContain('access-ann');
  });

  test('answers a foreign, a missing, a provisional and an impossible id alike', async () => {
    const id = await add('ann');
    const second = await add('ben');
    const stranger = world.apiKey(await world.application());
    const answers = await Promise.all([
      call('GET', `/${id}`, stranger),
      call('GET', '/123456789', key),
      call('GET', '/9999999999999999', key),
      call('GET', '/me', key),
      call('GET', '/abc', key),
      call('GET', '/0', key),
      call('GET', `/${id}`, world.bearer(application, second)),
      call('GET', `/${id}?retrieve_tokens=true`, stranger),
    ]);
    const shown = answers.map(({ status, text }) => `${status} ${text.replace(/"id":"[^"]+"/, '')}`);
    expect(new Set(shown).size).toBe(1);
    expect(answers[0]).toMatchObject({ status: 404, json: { error_code: 'not_found', status_code: 404 } });
  });
});

describe('GET /v1/accounts', () => {
  test("lists newest first in Kloudless's envelope, filters, and ends with 404", async () => {
    const ids: number[] = [];
    for (const name of ['ann', 'ben', 'cat_1', 'catx1']) {
      ids.unshift(await add(name, name === 'ann' ? 'user-1' : undefined));
      world.clock.advance(1_000);
    }
    const all = await call('GET', '', key);
    expect(all.json).toMatchObject({ total: 4, count: 4, page: 1, next_page: null, type: 'object_list', api: 'meta' });
    expect(all.json.objects.map(({ id }) => id)).toEqual(ids);
    const names = async (query: string) => (await call('GET', `?${query}`, key)).json.objects.map(({ account }) => account);
    expect(await names('page=2&page_size=3')).toEqual(['ann']);
    expect((await call('GET', '?page=3&page_size=3', key)).status).toBe(404);
    expect((await call('GET', '?page_size=1001', key)).status).toBe(400);
    expect((await call('GET', '?page=0', key)).status).toBe(400);
    expect(await names('search=AN')).toEqual(['ann']);
    expect(await names('search=cat_')).toEqual(['cat_1']);
    expect(await names('search=%25')).toEqual([]);
    expect(await names('end_user=user-1')).toEqual(['ann']);
    expect(await names('service=lantern')).toEqual([]);
    expect(await names('active=True&unknown=1')).toHaveLength(4);
    expect(await names('enabled=false')).toEqual([]);
    expect(await names('health=broken')).toEqual([]);
  });

  test('shows a token its own account and no other, and another Application nothing', async () => {
    const id = await add('ann');
    await add('ben');
    const own = await call('GET', '/?active=True', world.bearer(application, id));
    expect(own.json).toMatchObject({ total: 1, objects: [{ id }] });
    expect((await call('GET', '', world.apiKey(await world.application()))).json).toMatchObject({ total: 0, objects: [] });
  });
});

describe('POST /v1/accounts (import)', () => {
  test('takes over an account with its tokens', async () => {
    const answer = await call('POST', '', key, {
      account: 'ann@example.org',
      service: 'harbour',
      token: 'up-1',
      refresh_token: 'up-2',
      token_expiry: '2030-01-01T00:00:00Z',
      custom_properties: { a: 1 },
      end_user: 'user-1',
      unknown: true,
    });
    expect(answer).toMatchObject({
      status: 201,
      json: { account: 'ann@example.org', service: 'harbour', custom_properties: { a: 1 }, end_user: 'user-1', health: 'healthy' },
    });
    expect(answer.text).not.toContain('up-1');
    expect((await call('GET', `/${answer.json.id}?retrieve_tokens=true`, key)).json).toMatchObject({
      token: 'up-1',
      refresh_token: 'up-2',
      token_expiry: '2030-01-01T00:00:00.000Z',
    });
    expect(await actions()).toContain('account.imported');
  });

  test('works for services with an API key and with a password', async () => {
    const lantern = await call('POST', '', key, { account: 'ann', service: 'lantern', token: 'lantern-key' });
    expect(lantern.status).toBe(201);
    const pier = await call('POST', '', key, { account: 'ann', service: 'pier', token: 'ann', token_secret: 'pass' });
    expect((await call('GET', `/${pier.json.id}?retrieve_tokens=true`, key)).json).toMatchObject({ token: 'ann', token_secret: 'pass' });
  });

  test('again for the same identity replaces its tokens and keeps its id', async () => {
    const first = await call('POST', '', key, { account: 'ann', identity_id: 'u-1', service: 'harbour', token: 'up-1' });
    const second = await call('POST', '', key, { account: 'ann', identity_id: 'u-1', service: 'harbour', token: 'up-9' });
    expect(second.json.id).toBe(first.json.id);
    expect((await call('GET', `/${first.json.id}?retrieve_tokens=true`, key)).json).toMatchObject({ token: 'up-9', refresh_token: null });
    const rows = await world.database.database.tenantQuery(
      application,
      sql`select 1 from credentials where application_id = ${application}`,
    );
    expect(rows).toHaveLength(1);
  });

  describe('C4 under a name that an account has already', () => {
    test.each<[string, Record<string, string>, Record<string, string>]>([
      ['another token', { service: 'harbour', token: 'up-1', refresh_token: 'up-2' }, { token: 'up-9', refresh_token: 'up-8' }],
      ['another key', { service: 'lantern', token: 'key-1' }, { token: 'key-2' }],
      ['another user', { service: 'pier', token: 'ann', token_secret: 'pass' }, { token: 'eve', token_secret: 'pass' }],
    ])('%s is refused and changes nothing', async (_, first, other) => {
      const { json } = await call('POST', '', key, { account: 'ann', ...first });
      const refused = await call('POST', '', key, { account: 'ann', ...first, ...other });
      expect([refused.status, refused.json.field]).toEqual([409, 'account']);
      expect(refused.text).toContain(String(json.id));
      expect(refused.text).not.toContain(other['token']!);
      expect((await call('GET', `/${json.id}?retrieve_tokens=true`, key)).json).toMatchObject({ token: first['token'] });
      expect(
        await world.database.database.tenantQuery(application, sql`select 1 from credentials where application_id = ${application}`),
      ).toHaveLength(1);
    });

    test.each<[string, Record<string, string>, Record<string, string>]>([
      ['the same token', { service: 'harbour', token: 'up-1' }, {}],
      ['a newer token of the same grant', { service: 'harbour', token: 'up-1', refresh_token: 'up-2' }, { token: 'up-9' }],
      ['the same key', { service: 'lantern', token: 'key-1' }, {}],
      ['a new password of the same user', { service: 'pier', token: 'ann', token_secret: 'pass' }, { token_secret: 'other' }],
      [
        'another token, under the identity that the name stood for',
        { service: 'harbour', token: 'up-1' },
        { token: 'up-9', identity_id: 'ann' },
      ],
    ])('control: %s is the same account', async (_, first, other) => {
      const { json } = await call('POST', '', key, { account: 'ann', ...first });
      const again = await call('POST', '', key, { account: 'ann', ...first, ...other });
      expect([again.status, again.json.id]).toEqual([201, json.id]);
    });

    test('of ten imports at the same moment one makes the account, and nobody else replaces it', async () => {
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, at) => call('POST', '', key, { account: 'ann', service: 'harbour', token: `up-${at}` })),
      );
      expect(answers.map(({ status }) => status).toSorted()).toEqual([201, ...Array.from({ length: 9 }, () => 409)]);
    });

    test("a person who is connected is not replaced by an import under that person's id", async () => {
      const id = await add('ann');
      expect((await call('POST', '', key, { account: 'ann', service: 'harbour', token: 'up-9' })).status).toBe(409);
      expect((await call('GET', `/${id}?retrieve_tokens=true`, key)).json).toMatchObject({ token: 'access-ann' });
    });
  });

  test.each([
    ['without a token', { account: 'ann', service: 'harbour' }, 'token'],
    ['without a password', { account: 'ann', service: 'pier', token: 'ann' }, 'token_secret'],
    ['without an account', { service: 'harbour', token: 'x' }, 'account'],
    ['of an unknown service', { account: 'ann', service: 'nowhere', token: 'x' }, 'service'],
    ['with a token that no header holds', { account: 'ann', service: 'harbour', token: 'a\r\nX-Evil: 1' }, 'token'],
    ['with a time that is none', { account: 'ann', service: 'harbour', token: 'x', token_expiry: 'soon' }, 'token_expiry'],
    [
      'with a time in milliseconds, which no row could be read back with',
      { account: 'ann', service: 'harbour', token: 'x', token_expiry: 1_795_000_000_000 },
      'token_expiry',
    ],
    ['with a scope that is none', { account: 'ann', service: 'harbour', token: 'x', scope: '"' }, 'scope'],
    ['where the address of the API is missing', { account: 'ann', service: 'salesforce', token: 'x' }, 'instance_url'],
    [
      "where the address of the API is somebody else's",
      { account: 'ann', service: 'salesforce', token: 'x', instance_url: 'https://evil.example' },
      'instance_url',
    ],
  ])('is refused %s, naming the field', async (_name, body, field) => {
    const answer = await call('POST', '', key, body);
    expect(answer.status).toBe(400);
    expect(answer.json.field).toBe(field);
  });

  test('is not for tokens of accounts', async () => {
    expect(
      (await call('POST', '', world.bearer(application, await add('ann')), { account: 'x', service: 'harbour', token: 'x' })).status,
    ).toBe(401);
  });
});

describe('PATCH /v1/accounts/{id}', () => {
  test('changes what is given and nothing else', async () => {
    const id = await add('ann');
    expect((await call('PATCH', `/${id}`, key, { custom_properties: { a: 1 }, account: 'Ann' })).json).toMatchObject({
      account: 'Ann',
      custom_properties: { a: 1 },
      active: true,
    });
    expect((await call('PATCH', `/${id}`, key, { enabled: 'False' })).json).toMatchObject({
      active: false,
      enabled: false,
      account: 'Ann',
    });
    expect(await actions()).toEqual(['account.updated', 'account.updated']);
  });

  test('with new tokens heals a broken account; what is not given stays', async () => {
    const id = await add('ann');
    await world.database.database.withTenant(application, async (tx) => {
      await tx.execute(sql`update accounts set health = 'broken', broken_reason = 'invalid_grant' where application_id = ${application}`);
      await tx.execute(sql`update credentials set broken_reason = 'invalid_grant' where application_id = ${application}`);
    });
    expect((await call('PATCH', `/${id}`, key, { token: 'new' })).json).toMatchObject({ health: 'healthy', broken_reason: null });
    expect((await call('GET', `/${id}?retrieve_tokens=true`, key)).json).toMatchObject({ token: 'new', refresh_token: 'refresh-ann' });
  });

  test('lets a token change what the account shows, but neither credentials nor activity', async () => {
    const id = await add('ann');
    const token = world.bearer(application, id);
    expect((await call('PATCH', '/me', token, { custom_properties: { a: 1 } })).status).toBe(200);
    for (const body of [{ token: 'x' }, { refresh_token: 'x' }, { active: false }, { token_expiry: null }])
      expect((await call('PATCH', '/me', token, body)).status).toBe(403);
    expect((await call('GET', `/${id}?retrieve_tokens=true`, key)).json).toMatchObject({ token: 'access-ann', active: true });
  });

  test('refuses another service, and is 404 for strangers', async () => {
    const id = await add('ann');
    expect((await call('PATCH', `/${id}`, key, { service: 'lantern' })).status).toBe(400);
    expect((await call('PATCH', `/${id}`, world.apiKey(await world.application()), { account: 'mine' })).status).toBe(404);
    expect((await call('GET', `/${id}`, key)).json.account).toBe('ann');
  });
});

describe('DELETE /v1/accounts/{id}', () => {
  test('answers 204, then 404, and leaves an audit entry', async () => {
    const id = await add('ann');
    expect((await call('DELETE', `/${id}`, key)).status).toBe(204);
    expect((await call('DELETE', `/${id}`, key)).status).toBe(404);
    expect((await call('GET', `/${id}`, key)).status).toBe(404);
    expect(await actions()).toEqual(['account.deleted']);
  });

  test("is for its own token, not for another's", async () => {
    const [ann, ben] = [await add('ann'), await add('ben')];
    expect((await call('DELETE', `/${ann}`, world.bearer(application, ben))).status).toBe(404);
    expect((await call('DELETE', `/${ann}`, world.apiKey(await world.application()))).status).toBe(404);
    expect((await call('DELETE', '/me', world.bearer(application, ann))).status).toBe(204);
    expect((await call('GET', `/${ben}`, key)).status).toBe(200);
  });
});

describe('POST /v1/accounts/{id}/reconnect', () => {
  test('answers a link', async () => {
    const id = await add('ann');
    expect(await call('POST', `/${id}/reconnect`, key)).toMatchObject({
      status: 201,
      json: { url: `https://connect.example/${id}`, expires_in: 600 },
    });
    expect((await call('POST', `/${id}/reconnect`, world.apiKey(await world.application()))).status).toBe(404);
  });
});

test("browsers of other origins may call, as Kloudless's libraries do", async () => {
  const preflight = await fetch(`${world.url}/v1/accounts/?active=True`, {
    method: 'OPTIONS',
    headers: {
      origin: 'https://app.example',
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'authorization,x-kloudless-source',
    },
  });
  expect(preflight.status).toBeLessThan(300);
  expect(preflight.headers.get('access-control-allow-origin')).toBe('https://app.example');
  expect(preflight.headers.get('access-control-allow-headers')).toMatch(/authorization/i);
});
