import { World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let world: World;
let template: string;
let clone: string;
beforeAll(async () => {
  world = await World.create();
  template = (
    await world.application({
      name: 'Template',
      redirect_uris: ['https://a.example/cb'],
      oauth_keys: [{ service: 'github', client_id: 'one', client_secret: 'first' }],
      webhooks: [{ url: 'https://h.example/in' }],
    })
  ).id;
  clone = (await world.application({ name: 'Clone', source: template })).id;
});
afterAll(() => world[Symbol.asyncDispose]());

const diff = async () => (await world.meta('GET', `/applications/${clone}/diff?against=source`)).json.differences;
const fieldsOf = (differences: { field: string }[]) => differences.map(({ field }) => field).sort();

describe('the lineage of a clone', () => {
  it('shows no difference right after cloning', async () => {
    expect(await diff()).toEqual([]);
  });

  it('names what the template has changed since, without any secret', async () => {
    const [key] = (await world.meta('GET', `/applications/${template}/oauth_keys`)).json.objects;
    await world.meta('PATCH', `/applications/${template}/oauth_keys/${key.id}`, { client_secret: 'second-secret' });
    await world.meta('POST', `/applications/${template}/redirect_uris`, { url: 'https://b.example/cb' });
    await world.meta('PATCH', `/applications/${template}`, { description: 'new', branding: { primary_colour: '#00ff00' } });
    const answer = await world.meta('GET', `/applications/${clone}/diff`);
    expect(fieldsOf(answer.json.differences)).toEqual(['branding', 'description', 'oauth_keys', 'redirect_uris']);
    expect(answer.json.differences.find((one: { field: string }) => one.field === 'oauth_keys').secrets_differ).toEqual(['github']);
    expect(answer.text).not.toContain('second-secret');
  });

  it('is left as it is by a dry run, which says what would change', async () => {
    const dry = await world.meta('POST', `/applications/${clone}/sync`, { fields: ['description', 'oauth_keys'], dry_run: true });
    expect(fieldsOf(dry.json.changed)).toEqual(['description', 'oauth_keys']);
    expect(fieldsOf(await diff())).toEqual(['branding', 'description', 'oauth_keys', 'redirect_uris']);
  });

  it('follows the template in the chosen fields only', async () => {
    const before = (await world.meta('GET', `/applications/${clone}/webhooks`)).json.objects;
    await world.meta('POST', `/applications/${clone}/sync`, { fields: ['description', 'oauth_keys', 'redirect_uris', 'webhooks'] });
    expect(fieldsOf(await diff())).toEqual(['branding']);
    expect((await world.meta('GET', `/applications/${clone}/webhooks`)).json.objects).toEqual(before);
  });

  it('is refused where there is no template, and for fields that have none', async () => {
    expect((await world.meta('GET', `/applications/${template}/diff`)).status).toBe(409);
    expect((await world.meta('POST', `/applications/${clone}/sync`, { fields: ['name'] })).status).toBe(400);
  });
});
