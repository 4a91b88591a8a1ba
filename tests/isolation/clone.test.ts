import { sql } from '@bulkhead/postgres';
import { createTwins, startFakeUpstream, type Twin, type Twins, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

let world: World;
let twins: Twins;
let source: Twin;
/** A fresh clone of the victim, made in the test. */
let cloneId: string;
let cloneKey: string;

beforeAll(async () => {
  const upstream = await startFakeUpstream();
  world = await World.create({ egressAllow: [upstream.address] });
  twins = await createTwins(world, upstream);
  source = twins.victim;
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await twins[Symbol.asyncDispose]();
});
beforeEach(async () => {
  const answer = await world.meta('POST', '/applications', { name: 'Clone', source: source.applicationId });
  expect(answer.status).toBe(201);
  cloneId = answer.json.id;
  cloneKey = answer.json.default_api_key.key;
});

const rowsOf = (table: string, applicationId: string) =>
  world.platform.db.withSystem('compare a clone with its source', (tx) =>
    tx.query<Record<string, unknown>>(sql`select * from ${sql.identifier(table)} where application_id = ${applicationId}`),
  );

async function listOf(applicationId: string, path: string): Promise<Record<string, unknown>[]> {
  return (await world.meta('GET', `/applications/${applicationId}/${path}?page_size=100`)).json.objects;
}

describe('T7: what a clone has of its source', () => {
  test('settings, redirect URIs, trusted domains, services, OAuth keys and webhooks, each under an id of its own', async () => {
    for (const [path, field] of [
      ['redirect_uris', 'url'],
      ['trusted_domains', 'domain'],
      ['services', 'friendly_name'],
      ['oauth_keys', 'client_id'],
      ['webhooks', 'url'],
    ] as const) {
      const [theirs, ours] = await Promise.all([listOf(source.applicationId, path), listOf(cloneId, path)]);
      expect(ours.map((row) => row[field]).toSorted()).toEqual(theirs.map((row) => row[field]).toSorted());
      expect(ours.length).toBeGreaterThan(0);
      if (path !== 'services') expect(ours.filter(({ id }) => theirs.some((their) => their['id'] === id))).toEqual([]);
    }
  });

  test.each([
    'accounts',
    'credentials',
    'grants',
    'access_tokens',
    'refresh_tokens',
    'authorization_codes',
    'authorization_transactions',
    'pushed_authorization_requests',
    'pending_connections',
    'idempotency_keys',
  ])('no %s, of which the source has some', async (table) => {
    expect(await rowsOf(table, cloneId)).toEqual([]);
    expect((await rowsOf(table, source.applicationId)).length).toBeGreaterThan(0);
  });

  test('no API key but its own new one, and no credential of the source opens anything of it', async () => {
    expect((await rowsOf('api_keys', cloneId)).length).toBe(1);
    const list = (key: string) => world.call('GET', '/v1/accounts', { headers: { authorization: `APIKey ${key}` } });
    expect((await list(cloneKey)).json.total).toBe(0);
    expect((await list(source.apiKey)).json.total).toBe(2);
    const asClone = {
      grant_type: 'refresh_token',
      refresh_token: source.names.refresh_token,
      client_id: cloneId,
      client_secret: source.apiKey,
    };
    expect((await world.call('POST', '/v1/oauth/token', { body: new URLSearchParams(asClone) })).status).toBe(401);
    expect(
      (await world.call('POST', '/v1/oauth/token', { body: new URLSearchParams({ ...asClone, client_secret: cloneKey }) })).json.error,
    ).toBe('invalid_grant');
  });

  test('the credential of an account of the source is not to be had by way of it', async () => {
    const answer = await world.call('GET', `/v1/accounts/${source.names.account}?retrieve_tokens=true`, {
      headers: { authorization: `APIKey ${cloneKey}` },
    });
    expect(answer.status).toBe(404);
  });
});

describe('T7: its secrets are its own', () => {
  test("OAuth keys are sealed anew: the source's sealed bytes in the clone's row do not open, the clone's own do", async () => {
    const [key] = (await listOf(cloneId, 'oauth_keys')).filter(({ service }) => service === source.names.oauth_service);
    const [theirs] = (await rowsOf('oauth_keys', source.applicationId)).filter(({ service }) => service === source.names.oauth_service);
    const [ours] = (await rowsOf('oauth_keys', cloneId)).filter(({ service }) => service === source.names.oauth_service);
    expect(ours!['client_secret_sealed']).not.toEqual(theirs!['client_secret_sealed']);
    const begin = () =>
      world.call(
        'GET',
        `/v1/oauth?${new URLSearchParams({ client_id: cloneId, response_type: 'token', redirect_uri: source.names.redirect_url, scope: source.names.oauth_service })}`,
      );
    // The clone's key is good for leaving for the upstream, and for telling it apart from its template.
    expect((await begin()).headers.get('location')).toMatch(/\/authorize\?/);
    const differences = async () => (await world.meta('GET', `/applications/${cloneId}/diff`)).status;
    expect(await differences()).toBe(200);
    const put = (sealed: unknown) =>
      world.platform.db.withSystem('move a sealed value', (tx) =>
        tx.execute(
          sql`update oauth_keys set client_secret_sealed = ${sealed as Buffer} where application_id = ${cloneId} and oauth_key_id = ${String(key!['id'])}`,
        ),
      );
    await put(theirs!['client_secret_sealed']);
    expect(await differences()).toBe(500);
    expect((await begin()).headers.get('location') ?? '').not.toMatch(/\/authorize\?/);
    await put(ours!['client_secret_sealed']);
    expect(await differences()).toBe(200);
  });

  test('data keys differ, and so do webhook secrets', async () => {
    const [theirKey] = await rowsOf('data_keys', source.applicationId);
    const [ourKey] = await rowsOf('data_keys', cloneId);
    expect(ourKey!['wrapped_key']).not.toEqual(theirKey!['wrapped_key']);
    const [theirs] = await rowsOf('webhooks', source.applicationId);
    const [ours] = await rowsOf('webhooks', cloneId);
    expect(ours!['secret_sealed']).not.toEqual(theirs!['secret_sealed']);
    const webhooks = await listOf(cloneId, 'webhooks');
    expect(JSON.stringify(webhooks)).not.toContain('bhs_');
  });
});

describe('T7: what is changed later stays where it was changed', () => {
  test.each([
    ['the source', () => source.applicationId, () => cloneId],
    ['the clone', () => cloneId, () => source.applicationId],
  ])('in %s', async (_side, edited, other) => {
    const state = async () => {
      const lists = await Promise.all(
        ['redirect_uris', 'trusted_domains', 'services', 'oauth_keys', 'webhooks', 'apikeys'].map((path) => listOf(other(), path)),
      );
      return JSON.stringify([
        (await world.meta('GET', `/applications/${other()}`)).json,
        (await world.meta('GET', `/applications/${other()}/event_settings`)).json,
        lists,
      ]);
    };
    const before = await state();
    const path = `/applications/${edited()}`;
    const [webhook] = await listOf(edited(), 'webhooks');
    const [key] = await listOf(edited(), 'oauth_keys');
    const [service] = await listOf(edited(), 'services');
    const changes = [
      await world.meta('PATCH', path, {
        description: 'changed later',
        pkce_required: false,
        branding: { display_name: 'Changed' },
        event_settings: { retention_hours: 99 },
      }),
      await world.meta('POST', `${path}/redirect_uris`, { url: `https://later-${Math.random().toString(36).slice(2)}.example/cb` }),
      await world.meta('POST', `${path}/trusted_domains`, { domain: `later-${Math.random().toString(36).slice(2)}.example` }),
      await world.meta('PATCH', `${path}/oauth_keys/${String(key!['id'])}`, { client_id: 'changed-later', client_secret: 'changed-later' }),
      await world.meta('PATCH', `${path}/services/${String(service!['id'])}`, { friendly_name: 'Changed later' }),
      await world.meta('PATCH', `${path}/webhooks/${String(webhook!['id'])}`, { active: false }),
      await world.meta('POST', `${path}/webhooks/${String(webhook!['id'])}/rotate_secret`),
      await world.meta('POST', `${path}/apikeys`),
    ];
    for (const { status, text } of changes) expect([200, 201], text).toContain(status);
    expect(await state()).toBe(before);
  });
});

describe('T7: a clone needs nothing of its source', () => {
  test('it works as before once the source is gone with its data key', async () => {
    const { id: templateId } = await world.application({ name: 'Template' });
    const service = (await listOf(source.applicationId, 'services')).find(({ id }) => id === source.names.oauth_service)!;
    const added = [
      await world.meta('POST', `/applications/${templateId}/redirect_uris`, { url: source.names.redirect_url }),
      await world.meta('POST', `/applications/${templateId}/services`, twins.upstream.oauthService(String(service['id']), 'Harbour')),
      await world.meta('POST', `/applications/${templateId}/oauth_keys`, {
        service: service['id'],
        client_id: 'bulkhead',
        client_secret: 'secret',
      }),
    ];
    expect(added.map(({ status, text }) => (status === 201 ? 201 : text))).toEqual([201, 201, 201]);
    const clone = (await world.meta('POST', '/applications', { name: 'Orphan', source: templateId, implicit_grant_enabled: true })).json.id;
    const departs = async () => {
      const query = {
        client_id: clone,
        response_type: 'token',
        redirect_uri: source.names.redirect_url,
        scope: source.names.oauth_service,
      };
      return (await world.call('GET', `/v1/oauth?${new URLSearchParams(query)}`)).headers.get('location');
    };
    expect(await departs()).toMatch(/\/authorize\?/);
    expect((await world.meta('DELETE', `/applications/${templateId}`)).status).toBe(204);
    await world.platform.runDueTasks();
    expect(await departs()).toMatch(/\/authorize\?/);
    expect(await listOf(clone, 'oauth_keys')).toHaveLength(1);
  });
});
