import { type HttpAnswer, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { urlFields } from './written-urls.ts';

const REDIRECT = 'a browser is sent there, never we';
const SHOWN = 'a person is shown it, or a browser loads it';
const COMPARED = 'compared with what a browser says of itself';
const DECLARED = 'by the token of a running function, to hosts that its manifest declares, through the door: runner-routes.test.ts';
const OURS = 'names a request that was pushed to us (RFC 9126)';

/**
 * Every field of a request that can hold an address. `called`: this server goes there, so the door judges it when it is written and
 * again when it is connected to. Otherwise: why it is never called.
 */
const FIELDS: Readonly<Record<string, string>> = {
  'app.register: descriptor_url': 'called',
  'application.create: branding.logo_url': SHOWN,
  'application.create: branding.privacy_url': SHOWN,
  'application.create: branding.support_url': SHOWN,
  'application.create: logo_url': SHOWN,
  'application.create: redirect_uris': REDIRECT,
  'application.create: trusted_domains': COMPARED,
  'application.create: webhooks.url': 'called',
  'application.update: branding.logo_url': SHOWN,
  'application.update: branding.privacy_url': SHOWN,
  'application.update: branding.support_url': SHOWN,
  'application.update: logo_url': SHOWN,
  'authorization.push: origin': COMPARED,
  'authorization.push: redirect_uri': REDIRECT,
  'authorization.push: request_uri': OURS,
  'authorization.start: origin': COMPARED,
  'authorization.start: redirect_uri': REDIRECT,
  'authorization.start: request_uri': OURS,
  'authorization.startServices: origin': COMPARED,
  'authorization.startServices: redirect_uri': REDIRECT,
  'authorization.startServices: request_uri': OURS,
  'branding.update: logo_url': SHOWN,
  'branding.update: privacy_url': SHOWN,
  'branding.update: support_url': SHOWN,
  'function_runner.fetch: url': DECLARED,
  'redirect_uri.create: url': REDIRECT,
  'service.create: api.base_url': 'called',
  'service.create: auth.authorization_endpoint': 'called',
  'service.create: auth.issuer': 'called',
  'service.create: auth.revocation_endpoint': 'called',
  'service.create: auth.token_endpoint': 'called',
  'service.create: identity.url': 'called',
  'service.create: logo_url': SHOWN,
  'token.issue: redirect_uri': REDIRECT,
  'trusted_domain.create: domain': COMPARED,
  'webhook.create: url': 'called',
  'webhook.update: url': 'called',
};

let world: World;
let application: string;
let webhook: string;
beforeAll(async () => {
  world = await World.create();
  application = (await world.application()).id;
  webhook = (await world.meta('POST', `/applications/${application}/webhooks`, { url: 'https://hooks.example/x' })).json.id;
});
afterAll(() => world[Symbol.asyncDispose]());

let services = 0;
const service = (at: 'api' | 'auth' | 'identity', field: string, url: string): Promise<HttpAnswer> => {
  const definition: Record<'api' | 'auth' | 'identity', Record<string, unknown>> = {
    api: { base_url: 'https://api.example' },
    auth: { type: 'oauth2', authorization_endpoint: 'https://api.example/authorize', token_endpoint: 'https://api.example/token' },
    identity: { url: 'https://api.example/me', id: '/id' },
  };
  definition[at][field] = url;
  const id = `harbour-${services++}`;
  return world.meta('POST', `/applications/${application}/services`, { id, friendly_name: 'Harbour', ...definition });
};

/** How each of the called ones is written. */
const WRITE: Readonly<Record<string, (url: string) => Promise<HttpAnswer>>> = {
  'app.register: descriptor_url': (url) => world.meta('POST', '/apps', { descriptor_url: url }),
  'application.create: webhooks.url': (url) => world.meta('POST', '/applications', { name: 'With a webhook', webhooks: [{ url }] }),
  'service.create: api.base_url': (url) => service('api', 'base_url', url),
  'service.create: auth.authorization_endpoint': (url) => service('auth', 'authorization_endpoint', url),
  'service.create: auth.issuer': (url) => service('auth', 'issuer', url),
  'service.create: auth.revocation_endpoint': (url) => service('auth', 'revocation_endpoint', url),
  'service.create: auth.token_endpoint': (url) => service('auth', 'token_endpoint', url),
  'service.create: identity.url': (url) => service('identity', 'url', url),
  'webhook.create: url': (url) => world.meta('POST', `/applications/${application}/webhooks`, { url }),
  'webhook.update: url': (url) => world.meta('PATCH', `/applications/${application}/webhooks/${webhook}`, { url }),
};

const called = Object.keys(FIELDS).filter((field) => FIELDS[field] === 'called');

describe('P4: every address that a tenant can write', () => {
  test('is known: called through the door, or never', async () => {
    const found = urlFields((await world.call('GET', '/v1/openapi.json')).json).map((field) => field.replace('.legacy:', ':'));
    expect([...new Set(found)].sort()).toEqual(Object.keys(FIELDS).sort());
    expect(Object.keys(WRITE).sort()).toEqual([...called].sort());
  });

  test('the address of an App, in a descriptor that is given, is judged like one that is fetched', async () => {
    const register = (baseUrl: string) =>
      world.meta('POST', '/apps', { descriptor: { key: 'addressed', baseUrl, authentication: { type: 'none' } } });
    for (const url of [
      'https://127.0.0.1',
      'https://169.254.169.254/latest',
      'https://[::ffff:10.0.0.1]',
      'http://public.example',
      world.url,
    ])
      expect((await register(url)).json, url).toMatchObject({ status_code: 400, field: 'descriptor.baseUrl' });
    expect((await register('https://public.example/app')).status).toBe(201);
  });

  test('the control: a field that nobody has thought of is found, however deep', () => {
    const text = { type: 'string' };
    const settings = { type: 'object', additionalProperties: { type: 'object', properties: { target_url: text, note: text } } };
    const hooks = { type: 'array', items: { anyOf: [{ type: 'object', properties: { settings } }, { type: 'null' }] } };
    const schema = { type: 'object', properties: { hooks, where: { type: 'string', format: 'uri' }, name: text } };
    const document = {
      paths: { '/new': { post: { operationId: 'new.create', requestBody: { content: { 'application/json': { schema } } } } } },
    };
    expect(urlFields(document)).toEqual(['new.create: hooks.settings.target_url', 'new.create: where']);
  });

  const elsewhere = () => [
    'https://127.0.0.1/x',
    'https://169.254.169.254/latest',
    'https://[::ffff:10.0.0.1]/',
    'https://2130706433/',
    'https://localhost/',
    'http://public.example/',
    'https://user:pass@public.example/',
    'https://public.example:22/',
    'ftp://public.example/',
    world.url,
  ];
  test.each(called)('is refused where it leads inside, and told which field it is: %s', async (field) => {
    const write = WRITE[field]!;
    for (const url of elsewhere()) {
      const answer = await write(url);
      expect([answer.status, url], answer.text).toEqual([400, url]);
      expect(answer.text, url).not.toMatch(/loopback|link.local|RFC 1918|listener/i);
    }
    const refused = await write('https://10.0.0.1/');
    expect(refused.json).toMatchObject({ code: 'egress.refused', field: expect.stringContaining(field.split(': ')[1]!.split('.')[0]!) });
    // The control: a public one is taken, or called at once, which nobody answers here.
    const taken = await write('https://public.example/x');
    expect(field === 'app.register: descriptor_url' ? [400, 502] : [200, 201], taken.text).toContain(taken.status);
    expect(taken.json.field).toBeUndefined();
  });
});
