import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sql } from '@bulkhead/postgres';
import { World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

let server: Server;
let address: string;
/** What the descriptor's address answers. */
let serve: (response: ServerResponse, path: string) => void = () => undefined;
let world: World;
beforeAll(async () => {
  server = createServer((request, response) => serve(response, request.url ?? ''));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  world = await World.create({ egressAllow: [address] });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  server.closeAllConnections();
  server.close();
});

type Descriptor = Record<string, unknown>;
const page = (changes: Descriptor = {}): Descriptor => ({ key: 'page', url: '/page', name: { value: 'Page' }, ...changes });
const conditions = (...listed: unknown[]): Descriptor => ({ modules: { generalPages: [page({ conditions: listed })] } });
const named = { condition: 'user_is_admin' };
const good = (): Descriptor => ({
  key: 'notes',
  name: 'Notes',
  baseUrl: 'https://notes.example/app',
  authentication: { type: 'jwt' },
  lifecycle: { installed: '/installed' },
  scopes: ['READ'],
  modules: {
    webhooks: [{ event: 'account.connected', url: '/hook/{account.id}' }],
    generalPages: [page({ url: '/page?of={project.id}' })],
    webItems: [page({ key: 'item', url: 'https://elsewhere.example/{project.id}' })],
    dialogs: [{ key: 'ask', url: '/ask' }],
  },
});
const register = (changes: Descriptor) => world.meta('POST', '/apps', { descriptor: { ...good(), ...changes } });

describe('a descriptor', () => {
  test('that is in order is registered, and may hold what other hosts want', async () => {
    const answer = await register({
      apiMigrations: { gdpr: true },
      links: { self: 'https://notes.example' },
      colour: 'blue',
      nonsense: [1],
    });
    expect(answer.status, answer.text).toBe(201);
    expect(answer.json).toMatchObject({ key: 'notes', scopes: ['READ'], authentication: 'jwt', warnings: ['colour', 'nonsense'] });
    expect((await register({ name: 'Notes again', authentication: { type: 'JWT' }, scopes: ['read'] })).status).toBe(200);
    expect((await world.meta('GET', '/apps/notes')).json).toMatchObject({ name: 'Notes again', scopes: ['READ'] });
  });

  test('with webhooks that will not be called as they are written is refused, or registered with a word about it', async () => {
    const webhooks = (...listed: object[]) => register({ modules: { webhooks: listed } });
    const ours = { event: 'account.connected', url: '/hook' };
    for (const [field, value] of [
      ['filter', 'project = X'],
      ['filter', { a: 1 }],
      ['propertyKeys', ['colour']],
      ['propertyKeys', 'colour'],
    ] as const)
      expect((await webhooks(ours, { ...ours, url: '/other', [field]: value })).json).toMatchObject({
        status_code: 400,
        code: 'app.descriptor_invalid',
        field: `descriptor.modules.webhooks.1.${field}`,
        message: expect.stringContaining('take it away'),
      });
    expect((await webhooks(ours, { ...ours, excludeBody: true })).json).toMatchObject({
      field: 'descriptor.modules.webhooks.1.excludeBody',
    });
    expect((await webhooks({ ...ours, excludeBody: 'yes' })).status).toBe(400);
    // What says nothing is no wish; of an event of another host nothing is told, and that is said.
    const jira = { event: 'jira:issue_created', url: '/issue', filter: 'project = X', propertyKeys: ['a'], excludeBody: true };
    const answer = await webhooks({ ...ours, filter: '', propertyKeys: [], excludeBody: true, colour: 'blue' }, jira);
    expect(answer.status, answer.text).toBeLessThan(300);
    expect(answer.json.warnings).toEqual([
      'modules.webhooks.0.colour: no host knows it.',
      'modules.webhooks.1: this host has no event "jira:issue_created", so this webhook is never called.',
    ]);
    expect((await webhooks(ours)).json.warnings).toEqual([]);
  });

  test('with modules that nobody is ever shown here is taken, and says which', async () => {
    const answer = await register({
      modules: {
        generalPages: [
          page({ key: 'of-jira', conditions: [{ or: [named, { condition: 'can_edit_issue', invert: true }] }] }),
          page({ key: 'ours', conditions: [named, { condition: '/show' }, { condition: 'addon_property_exists' }] }),
        ],
      },
    });
    expect(answer.json.warnings).toEqual([
      'modules.generalPages "of-jira": this host has no condition "can_edit_issue", so what depends on it is never shown.',
    ]);
  });

  test.each<[string, Descriptor, string, RegExp]>([
    ['no key', { key: undefined }, 'key', /missing; add it/],
    ['an empty key', { key: '' }, 'key', /empty; give/],
    ['a key with a slash', { key: 'no/tes' }, 'key', /use letters, digits/],
    ['a key of dots', { key: '..' }, 'key', /dots only/],
    ['a key that is too long', { key: 'k'.repeat(81) }, 'key', /longer than 80/],
    ['a key that is a number', { key: 7 }, 'key', /not of type string/],
    ['no address', { baseUrl: undefined }, 'baseUrl', /missing; add it/],
    ['an address that is none', { baseUrl: 'notes' }, 'baseUrl', /begins with https/],
    ['an address with a query', { baseUrl: 'https://notes.example/?a=1' }, 'baseUrl', /leave them away/],
    ['an address with a password', { baseUrl: 'https://a:b@notes.example' }, 'baseUrl', /leave them away/],
    ['an address with dot segments', { baseUrl: 'https://notes.example/a/../b' }, 'baseUrl', /write it plainly/],
    ['another scheme', { baseUrl: 'ftp://notes.example' }, 'baseUrl', /begins with https/],
    ['no authentication', { authentication: undefined }, 'authentication', /missing; add it/],
    ['an unknown authentication', { authentication: { type: 'oauth' } }, 'authentication.type', /give "jwt", or "none"/],
    ['jwt without installed', { lifecycle: { enabled: '/enabled' } }, 'lifecycle.installed', /set authentication\.type to "none"/],
    ['a hook elsewhere', { lifecycle: { installed: 'https://evil.example/installed' } }, 'lifecycle.installed', /begins with "\/"/],
    [
      'a hook beside the base',
      { lifecycle: { installed: 'https://notes.example/apple/installed' } },
      'lifecycle.installed',
      /not below baseUrl/,
    ],
    ['a hook above', { lifecycle: { installed: '/../installed' } }, 'lifecycle.installed', /not below baseUrl/],
    ['a hook above, encoded', { lifecycle: { installed: '/%2e%2E/installed' } }, 'lifecycle.installed', /not below baseUrl/],
    ['a hook of two slashes', { lifecycle: { installed: '//evil.example/installed' } }, 'lifecycle.installed', /not below baseUrl/],
    ['an unknown scope', { scopes: ['EVERYTHING'] }, 'scopes.0', /give one of NONE, READ/],
    ['a scope in mixed case', { scopes: ['Read'] }, 'scopes.0', /give one of/],
    ['webhooks without READ', { scopes: [] }, 'scopes', /add it to scopes/],
    ['a webhook without an event', { modules: { webhooks: [{ url: '/hook' }] } }, 'modules.webhooks.0.event', /missing; add it/],
    [
      'a webhook elsewhere',
      { modules: { webhooks: [{ event: 'a.b', url: 'http://evil.example' }] } },
      'modules.webhooks.0.url',
      /not below/,
    ],
    ['two modules of one key', { modules: { a: [{ key: 'x' }], b: [{ key: 'y' }, { key: 'x' }] } }, 'modules.b.1.key', /a key of its own/],
    ['a module key with a space', { modules: { a: { key: 'x y' } } }, 'modules.a.key', /letters, digits/],
    ['a module that is none', { modules: { a: ['x'] } }, 'modules.a.0', /not an object/],
    ['a page without a key', { modules: { generalPages: [page({ key: undefined })] } }, 'modules.generalPages.0.key', /needs a key/],
    ['a page without a name', { modules: { adminPages: [page({ name: undefined })] } }, 'modules.adminPages.0.name', /\{"value": "…"\}/],
    ['a page without an address', { modules: { configurePage: page({ url: undefined }) } }, 'modules.configurePage.url', /below baseUrl/],
    [
      'a page elsewhere',
      { modules: { webPanels: [page({ url: 'https://evil.example' })] } },
      'modules.webPanels.0.url',
      /begins with "\/"/,
    ],
    ['a page above', { modules: { dialogs: [page({ url: '/../up' })] } }, 'modules.dialogs.0.url', /not below baseUrl/],
    [
      'a name that is too long',
      { modules: { dialogs: [page({ name: { value: 'n'.repeat(201) } })] } },
      'modules.dialogs.0.name.value',
      /too long/,
    ],
    [
      'a link to a script',
      { modules: { webItems: [page({ url: 'javascript:alert(1)' })] } },
      'modules.webItems.0.url',
      /not below baseUrl/,
    ],
    ['a condition without a name', conditions({ invert: true }), 'modules.generalPages.0.conditions.0.condition', /give its name/],
    [
      'conditions that are joined oddly',
      conditions({ type: 'xor', conditions: [] }),
      'modules.generalPages.0.conditions.0.type',
      /"and" nor "or"/,
    ],
    [
      'conditions that are too deep',
      conditions({ or: [{ and: [{ or: [{ and: [{ or: [named] }] }] }] }] }),
      'modules.generalPages.0.conditions.0.or.0.and.0.or.0.and.0.or',
      /join fewer/,
    ],
    ['too many conditions', conditions(...Array.from({ length: 51 }, () => named)), 'modules.generalPages.0.conditions.50', /use fewer/],
    [
      'too many remote conditions',
      conditions(...Array.from({ length: 6 }, (_, at) => ({ condition: `/c${at}` }))),
      'modules.generalPages.0.conditions.5.condition',
      /less often/,
    ],
    ['a condition with a list in it', conditions({ ...named, params: { a: [] } }), 'modules.generalPages.0.conditions.0.params', /texts/],
    ['modules that are a list', { modules: [] }, 'modules', /not of type object/],
  ])('with %s is refused; the answer names the field and the way out', async (_, changes, field, way) => {
    const { json, status } = await register(changes);
    expect([status, json.code, json.field]).toEqual([400, 'app.descriptor_invalid', `descriptor.${field}`]);
    expect(json.message).toMatch(way);
    expect(json.message).toContain(`"${field}"`);
  });

  test('that is too deep or too large is refused before it is looked at', async () => {
    let deep: unknown = 1;
    for (let depth = 0; depth < 40; depth++) deep = { deep };
    expect((await register({ deep })).status).toBe(400);
    expect((await register({ filler: 'x'.repeat(300_000) })).json.code).toBe('app.descriptor_invalid');
  });
});

describe('a descriptor that is fetched', () => {
  const fetched = () => world.meta('POST', '/apps', { descriptor_url: `http://${address}/atlassian-connect.json` });
  test.each<[string, (response: ServerResponse, path: string) => void, object]>([
    ['it is not there', (response) => response.writeHead(404).end('{}'), { code: 'app.descriptor_not_json', message: /HTTP 404/ }],
    ['it is a page', (response) => response.end('<!doctype html>'), { code: 'app.descriptor_not_json', message: /not JSON/ }],
    ['it is a list', (response) => response.end('[]'), { code: 'app.descriptor_invalid' }],
    ['it is huge', (response) => response.end(JSON.stringify({ ...good(), filler: 'x'.repeat(400_000) })), { code: 'egress.too_large' }],
    ['it breaks off', (response) => response.writeHead(200, { 'content-length': '100' }).end('{'), { code: 'egress.unreachable' }],
    [
      'it leads to an address that is closed',
      (response) => response.writeHead(302, { location: 'http://169.254.169.254/latest' }).end(),
      { code: 'egress.refused' },
    ],
    ['it leads round and round', (response) => response.writeHead(302, { location: '/again' }).end(), { code: 'egress.unreachable' }],
  ])('registers nothing where %s', async (_, answer, expected) => {
    serve = answer;
    const { json } = await fetched();
    const { message, ...rest } = expected as { code: string; message?: RegExp };
    expect(json).toMatchObject(rest);
    if (message !== undefined) expect(json.message).toMatch(message);
  });

  test('is followed to where it has moved', async () => {
    serve = (response, path) =>
      path === '/moved' ? response.end(JSON.stringify({ ...good(), key: 'moved' })) : response.writeHead(302, { location: '/moved' }).end();
    expect((await fetched()).json).toMatchObject({ key: 'moved', descriptor_url: `http://${address}/atlassian-connect.json` });
  });

  test('is asked for one way: by its address or as it is', async () => {
    for (const body of [{}, { descriptor_url: 'https://notes.example', descriptor: good() }, { descriptor: good(), key: 'x' }])
      expect((await world.meta('POST', '/apps', body)).json).toMatchObject({ status_code: 400, code: 'request.invalid' });
  });
});

describe('the Apps of an organization', () => {
  test('are at most five hundred, and each can be registered again', async () => {
    const { db } = world.platform;
    await db.withControl('fill up in a test', (tx) =>
      tx.execute(sql`
        insert into apps (organization_id, app_key, name, base_url, descriptor, created_at, modified_at)
        select organization_id, 'filler-' || n, 'Filler', 'https://filler.example', '{"scopes": [], "authentication": {"type": "none"}}', now(), now()
          from organizations, generate_series(1, 500) n on conflict do nothing`),
    );
    expect((await register({ key: 'one-more' })).json).toMatchObject({ code: 'app.limit' });
    const listed = await world.meta('GET', '/apps?page_size=1000');
    expect(listed.json.total).toBeGreaterThanOrEqual(500);
  });
});
