import { World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let world: World;
beforeAll(async () => {
  world = await World.create();
});
afterAll(() => world[Symbol.asyncDispose]());

describe('the reference', () => {
  it('names every route that is served, and no other', async () => {
    const { json } = await world.call('GET', '/v1/openapi.json');
    expect(json.openapi).toBe('3.1.0');
    const documented = new Set(
      Object.entries(json.paths as Record<string, object>).flatMap(([path, methods]) =>
        Object.keys(methods).map((method) => `${method} ${path}`),
      ),
    );
    const served = world.platform.routes.filter(({ id }) => !id.endsWith('.legacy') && !id.startsWith('openapi.'));
    for (const { method, path } of served) {
      for (const one of method === 'ANY' ? ['get', 'post'] : [method.toLowerCase()])
        expect(documented.delete(`${one} ${path.replace('...}', '}')}`)).toBe(true);
    }
    for (const rest of documented) expect(rest).toMatch(/^(put|patch|delete) /);
  });

  it('is a page that reads without scripts and loads nothing', async () => {
    const page = await world.call('GET', '/v1/docs');
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(page.text).toContain('/v1/meta/applications/{application_id}/redirect_uris');
    expect(page.text).not.toMatch(/<script|src="|<link|@import/);
  });
});
