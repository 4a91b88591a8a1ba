import { describe, expect, test } from 'vitest';
import { functionManifest, isDeclaredHost } from './manifest.ts';

describe('a declared host', () => {
  test.each([
    ['https://api.example/x', ['api.example'], true],
    ['https://api.example:443/x', ['api.example'], true],
    ['https://api.example:8443/', ['api.example:8443'], true],
    ['https://a.b.example/', ['*.example'], true],
    ['http://api.example/', ['http://api.example'], true],
    ['https://api.example:8443/', ['api.example'], false],
    ['http://api.example/', ['api.example'], false],
    ['https://api.example/', ['http://api.example'], false],
    ['https://example/', ['*.example'], false],
    ['https://evilexample/', ['*.example'], false],
    ['https://api.example.evil/', ['api.example'], false],
    ['https://api.example@evil.test/', ['api.example'], false],
    ['https://api-example/', ['api.example'], false],
    ['https://api.example/', [], false],
  ])('%s by %j: %s', (url, hosts, is) => {
    expect(isDeclaredHost(new URL(url), hosts)).toBe(is);
  });
});

describe('a manifest', () => {
  const good = { app: 'an-app', functions: [{ key: 'run', handler: 'src/index.run' }] };
  test('is read as it stands', () => {
    expect(functionManifest.parse(good)).toEqual(good);
  });
  test.each([
    ['an unknown field', { ...good, modules: {} }],
    ['no function', { ...good, functions: [] }],
    ['two of one key', { ...good, functions: [good.functions[0], good.functions[0]] }],
    ['a handler outside its folder', { ...good, functions: [{ key: 'run', handler: '../x.run' }] }],
    ['a handler without an export', { ...good, functions: [{ key: 'run', handler: 'index' }] }],
    ['a host with a path', { ...good, permissions: { external: { fetch: { backend: ['a.example/x'] } } } }],
    ['every host', { ...good, permissions: { external: { fetch: { backend: ['*'] } } } }],
  ])('with %s is refused', (_, manifest) => {
    expect(functionManifest.safeParse(manifest).success).toBe(false);
  });
});
