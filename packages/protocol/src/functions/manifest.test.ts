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
  test('may say how calls are kept apart, and what each function may cost', () => {
    const limits = { timeout_seconds: 900, cpu_ms: 10_000, memory_mb: 256 };
    const said = { ...good, isolation: 'call', functions: [{ ...good.functions[0], limits }] };
    expect(functionManifest.parse(said)).toEqual(said);
  });
  test.each([
    ['another isolation', { ...good, isolation: 'none' }],
    ['a limit that there is not', { ...good, functions: [{ ...good.functions[0], limits: { disk_mb: 1 } }] }],
    ['no time at all', { ...good, functions: [{ ...good.functions[0], limits: { timeout_seconds: 0 } }] }],
    ['more time than there is', { ...good, functions: [{ ...good.functions[0], limits: { timeout_seconds: 901 } }] }],
    ['less memory than the engine takes', { ...good, functions: [{ ...good.functions[0], limits: { memory_mb: 31 } }] }],
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
