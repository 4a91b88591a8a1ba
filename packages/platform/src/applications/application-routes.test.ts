import { World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let world: World;
let id: string;
beforeAll(async () => {
  world = await World.create();
  ({ id } = await world.application({ name: 'Children' }));
});
afterAll(() => world[Symbol.asyncDispose]());

const SERVICE = {
  id: 'harbour',
  friendly_name: 'Harbour',
  apis: ['raw'],
  auth: {
    type: 'oauth2',
    authorization_endpoint: 'https://up.example/authorize',
    token_endpoint: 'https://up.example/token',
    scopes: ['files'],
    pkce: true,
    token_endpoint_auth_method: 'client_secret_basic',
  },
  api: { base_url: 'https://api.up.example' },
  identity: { url: 'https://api.up.example/me', id: '/id', name: '/name' },
};

const children: [collection: string, body: Record<string, unknown>, bad: Record<string, unknown>, field: string][] = [
  ['redirect_uris', { url: 'https://x.example/cb' }, { url: 'http://x.example/cb' }, 'url'],
  ['trusted_domains', { domain: 'x.example' }, { domain: 'https://x.example' }, 'domain'],
  ['services', SERVICE, { ...SERVICE, api: { base_url: 'ftp://x' } }, 'api.base_url'],
  [
    'oauth_keys',
    { service: 'harbour', client_id: 'c', client_secret: 's3cr3t-of-oauth' },
    { service: 'nowhere', client_id: 'c', client_secret: 's' },
    'service',
  ],
  ['webhooks', { url: 'https://hooks.example/in', format: 'standard' }, { url: 'gopher://x' }, 'url'],
  ['apikeys', {}, { key: 'mine' }, 'key'],
];

describe.each(children)('…/%s', (collection, body, bad, field) => {
  const path = () => `/applications/${id}/${collection}`;

  it('is created, listed, retrieved and deleted', async () => {
    const created = await world.meta('POST', path(), body);
    expect(created.status).toBe(201);
    expect(created.json.href).toBe(`${world.url}/v1/meta/applications/${id}/${collection}/${created.json.id}`);
    const listed = (await world.meta('GET', `${path()}?page_size=1000`)).json;
    expect(listed.objects.map((one: { id: string }) => one.id)).toContain(created.json.id);
    const found = await world.meta('GET', `${path()}/${created.json.id}`);
    expect(found.status).toBe(200);
    expect(found.text).not.toContain('s3cr3t-of-oauth');
    expect((await world.meta('DELETE', `${path()}/${created.json.id}`)).status).toBe(collection === 'services' ? 204 : 204);
    expect((await world.meta('GET', `${path()}/${created.json.id}`)).status).toBe(404);
    if (collection === 'services') await world.meta('POST', path(), body);
  });

  it('names the field at fault', async () => {
    const refused = await world.meta('POST', path(), bad);
    expect(refused.json).toMatchObject({ status_code: 400, field });
  });
});

describe('an API key', () => {
  it('is shown whole once, then shortened, and can be deleted by itself', async () => {
    const { json } = await world.meta('POST', `/applications/${id}/apikeys`);
    expect(json.key).toMatch(/^bhk_/);
    const [last] = (await world.meta('GET', `/applications/${id}/apikeys?page_size=1000`)).json.objects.slice(-1);
    expect(last.key).not.toBe(json.key);
    expect((await world.meta('DELETE', `/applications/${id}/apikeys/${json.key}`)).status).toBe(204);
  });
});

describe('a custom service', () => {
  it('keeps its callback URL until an endpoint changes', async () => {
    const path = `/applications/${id}/services/harbour`;
    const before = (await world.meta('GET', path)).json.callback_url;
    expect((await world.meta('PATCH', path, { friendly_name: 'Port' })).json.callback_url).toBe(before);
    const moved = await world.meta('PATCH', path, { auth: { ...SERVICE.auth, token_endpoint: 'https://other.example/token' } });
    expect(moved.json.callback_url).not.toBe(before);
  });

  it('may not take the name of a catalogue service', async () => {
    expect((await world.meta('POST', `/applications/${id}/services`, { ...SERVICE, id: 'dropbox' })).status).toBe(409);
  });
});

describe('the Meta API', () => {
  it('lists, filters, searches and pages Applications, and answers 404 past the end', async () => {
    for (const name of ['Alpha', 'Beta', 'Gamma'])
      await world.application({ name, environment: 'staging', end_customer: `customer ${name}` });
    const page = (query: string) => world.meta('GET', `/applications?${query}`);
    expect((await page('environment=staging&page_size=2')).json).toMatchObject({
      total: 3,
      count: 2,
      page: 1,
      next_page: 2,
      type: 'object_list',
      api: 'meta',
    });
    expect((await page('environment=staging&page_size=2&page=2')).json).toMatchObject({ count: 1, next_page: null });
    expect((await page('environment=staging&page_size=2&page=3')).status).toBe(404);
    expect((await page('search=gamm')).json.objects.map((one: { name: string }) => one.name)).toEqual(['Gamma']);
    expect((await page('active=False')).json.total).toBe(0);
    for (const bad of ['page=0', 'page_size=1001', 'page=x']) expect((await page(bad)).status).toBe(400);
  });

  it('raises the revision with every change of configuration', async () => {
    const revision = async () => (await world.meta('GET', `/applications/${id}`)).json.revision;
    const before = await revision();
    await world.meta('POST', `/applications/${id}/redirect_uris`, { url: 'https://revision.example/cb' });
    expect(await revision()).toBe(before + 1);
  });

  it('takes a Meta token as Bearer or DeveloperKey, in any case, and nothing else', async () => {
    const as = (authorization?: string) =>
      world.call('GET', '/v1/meta/applications', authorization === undefined ? {} : { headers: { authorization } });
    for (const scheme of ['Bearer', 'bearer', 'DeveloperKey', 'developerkey'])
      expect((await as(`${scheme} ${world.metaToken}`)).status).toBe(200);
    const { apiKey } = await world.application();
    for (const bad of [
      undefined,
      'Bearer',
      `APIKey ${apiKey}`,
      `Bearer ${apiKey}`,
      `Basic ${Buffer.from(`x:${world.metaToken}`).toString('base64')}`,
      `Bearer ${world.metaToken}x`,
    ]) {
      const refused = await as(bad);
      expect(refused.status).toBe(401);
      expect(refused.headers.get('www-authenticate')).toContain('Bearer');
    }
  });

  it('deletes an Application so that nothing of it answers any more', async () => {
    const doomed = await world.application({ name: 'Doomed' });
    expect((await world.meta('DELETE', `/applications/${doomed.id}`)).status).toBe(204);
    for (const path of ['', '/apikeys', '/branding', '/diff']) {
      const gone = await world.meta('GET', `/applications/${doomed.id}${path}`);
      const never = await world.meta('GET', `/applications/app0123456789012345678901${path}`);
      expect(gone.status).toBe(404);
      expect(gone.text.replace(gone.json.id, '')).toBe(never.text.replace(never.json.id, ''));
    }
    expect((await world.meta('DELETE', `/applications/${doomed.id}`)).status).toBe(404);
  });
});

describe('types of events that are kept', () => {
  it.each([['account.conected'], ['account.*'], ['inbound'], ['']])('%j is in no catalogue, and the refusal says what is', async (type) => {
    const bodies: [method: string, path: string, body: Record<string, unknown>][] = [
      ['PATCH', `/applications/${id}/event_settings`, { types: ['account.connected', type] }],
      ['PATCH', `/applications/${id}`, { event_settings: { types: [type] } }],
      ['POST', '/applications', { name: 'New', event_settings: { types: [type] } }],
    ];
    for (const [method, path, body] of bodies) {
      const refused = await world.meta(method, path, body);
      expect(refused.status, path).toBe(400);
      expect(refused.text).toMatch(/types\.\d.*expected a type of event: account\.connected, .*webhook\.disabled/);
    }
  });

  it('control: one of the catalogue is taken, and so are none and null', async () => {
    for (const types of [['account.connected', 'webhook.disabled'], [], null]) {
      const taken = await world.meta('PATCH', `/applications/${id}/event_settings`, { types });
      expect([taken.status, taken.json.types]).toEqual([200, types]);
    }
  });
});

it('a webhook that is changed or gets a new secret is a change of the Application, as is one that is added or removed', async () => {
  const made = await world.application({ name: 'Told', events_enabled: true });
  const path = `/applications/${made.id}/webhooks`;
  const { id: hook } = (await world.meta('POST', path, { url: 'https://hooks.example/in' })).json;
  await world.meta('PATCH', `${path}/${hook}`, { events: ['account.*'] });
  await world.meta('POST', `${path}/${hook}/rotate_secret`);
  await world.meta('DELETE', `${path}/${hook}`);
  // The control: a refused change is none.
  expect((await world.meta('PATCH', `${path}/${hook}`, { events: [] })).status).toBe(404);
  const updates = async () => {
    const { objects } = (await world.call('GET', '/v1/events', { headers: { authorization: `APIKey ${made.apiKey}` } })).json;
    return (objects as { type: string; data: { fields: string[] } }[]).filter(({ data }) => data.fields?.[0] === 'webhooks').length;
  };
  await expect.poll(updates).toBe(4);
});
