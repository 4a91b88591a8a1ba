import { World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let world: World;
beforeAll(async () => {
  world = await World.create();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const TEMPLATE = {
  name: 'Template',
  description: 'for every customer',
  redirect_uris: ['https://app.example/callback'],
  trusted_domains: ['app.example'],
  oauth_keys: [{ service: 'github', client_id: 'id', client_secret: 'template-secret' }],
  webhooks: [{ url: 'https://hooks.example/in' }],
  branding: { primary_colour: '#123456' },
  event_settings: { enabled: true, retention_hours: 48 },
};

describe('POST /v1/meta/applications', () => {
  it('creates an Application with one API key, shown once', async () => {
    const created = await world.meta('POST', '/applications', { name: 'Acme' });
    expect(created.status).toBe(201);
    expect(created.headers.get('content-type')).toBe('application/json');
    const { default_api_key, ...shape } = created.json;
    expect(default_api_key.key).toMatch(/^bhk_[0-9A-Za-z]{22}_[0-9A-Za-z]{49}$/);
    expect((await world.meta('GET', `/applications/${shape.id}`)).json).toEqual(shape);
    const keys = await world.meta('GET', `/applications/${shape.id}/apikeys`);
    expect(keys.json.total).toBe(1);
    expect(keys.text).not.toContain(default_api_key.key);
  });

  it('copies every setting of the source, with a new id, new secrets and the overrides of the body', async () => {
    const template = await world.meta('POST', '/applications', TEMPLATE);
    expect(template.status).toBe(201);
    const clone = await world.meta('POST', '/applications', {
      name: 'Customer A',
      source: template.json.id,
      branding: { display_name: 'A Ltd' },
    });
    expect(clone.status).toBe(201);
    expect(clone.json.source).toBe(template.json.id);
    expect(clone.json.description).toBe('for every customer');
    expect(clone.json.branding).toMatchObject({ primary_colour: '#123456', display_name: 'A Ltd' });
    expect(clone.json.events_enabled).toBe(true);
    for (const child of ['redirect_uris', 'trusted_domains', 'oauth_keys', 'webhooks']) {
      const of = async (id: string) => (await world.meta('GET', `/applications/${id}/${child}`)).json.objects;
      const [before, after] = [await of(template.json.id), await of(clone.json.id)];
      expect(after).toHaveLength(before.length);
      expect(after[0].id).not.toBe(before[0].id);
    }
    expect(clone.json.default_api_key.key).not.toBe(template.json.default_api_key.key);
  });

  it('answers the same Idempotency-Key and body with the very same Application, and another body with 409', async () => {
    const headers = { 'idempotency-key': 'k1' };
    const first = await world.meta('POST', '/applications', { name: 'Once' }, headers);
    const again = await world.meta('POST', '/applications', { name: 'Once' }, headers);
    expect(again.text).toBe(first.text);
    expect((await world.meta('POST', '/applications', { name: 'Other' }, headers)).status).toBe(409);
  });

  it('names the unknown field, the foreign source, the missing name', async () => {
    expect((await world.meta('POST', '/applications', { name: 'x', colour: 1 })).json).toMatchObject({ status_code: 400, field: 'colour' });
    expect((await world.meta('POST', '/applications', { name: 'x', source: 'app0123456789012345678901' })).json).toMatchObject({
      status_code: 400,
      field: 'source',
    });
    expect((await world.meta('POST', '/applications', {})).json).toMatchObject({ status_code: 400, field: 'name' });
  });
});
