import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { allowsPassthrough, type PassthroughLimits, passthroughDetails, passthroughWithin } from './passthrough-detail.ts';

const type = 'passthrough' as const;

describe('RFC 9396 authorization details of type passthrough', () => {
  test.each([
    ['no list', {}],
    ['an empty list', []],
    ['another type', [{ type: 'payment' }]],
    ['no type', [{ methods: ['GET'] }]],
    ['an unknown field', [{ type, path: '/files' }]],
    ['no method at all', [{ type, methods: [] }]],
    ['a method in small letters', [{ type, methods: ['get'] }]],
    ['an unknown method', [{ type, methods: ['CONNECT'] }]],
    ['a prefix that leads out', [{ type, path_prefix: '/files/%2e%2e' }]],
    ['an origin with a path', [{ type, origins: ['https://app.example/'] }]],
    ['an opaque origin', [{ type, origins: ['null'] }]],
    ['an origin of another scheme', [{ type, origins: ['file://app'] }]],
    ['eleven details', Array.from({ length: 11 }, () => ({ type }))],
  ])('%s is refused', (_, value) => {
    expect(passthroughDetails.safeParse(value).success).toBe(false);
  });

  test('a valid list is kept in its normal form', () => {
    const value = [{ type, methods: ['GET'], path_prefix: '/%66iles/', origins: ['https://app.example', 'http://127.0.0.1:3000'] }];
    expect(passthroughDetails.parse(value)).toEqual([{ ...value[0], path_prefix: '/files' }]);
  });

  test('every axis limits by itself', () => {
    const details: PassthroughLimits[] = [{ methods: ['GET'], path_prefix: '/files', origins: ['https://app.example'] }];
    const good = { method: 'GET', path: '/files/a', origin: 'https://app.example' };
    expect(allowsPassthrough(details, good)).toBe(true);
    expect(allowsPassthrough(details, { ...good, method: 'HEAD' })).toBe(false);
    expect(allowsPassthrough(details, { ...good, path: '/file' })).toBe(false);
    expect(allowsPassthrough(details, { ...good, path: '/files/../x' })).toBe(false);
    expect(allowsPassthrough(details, { ...good, origin: 'https://app.example.evil' })).toBe(false);
    expect(allowsPassthrough(details, { ...good, origin: null })).toBe(false);
    expect(allowsPassthrough(null, { ...good, origin: null })).toBe(true);
  });

  test('an axis that a parent limits cannot be left open by a child', () => {
    const parent: PassthroughLimits[] = [{ methods: ['GET'], path_prefix: '/files', origins: ['https://a.example'] }];
    expect(passthroughWithin(parent, parent)).toBe(true);
    expect(passthroughWithin([{ ...parent[0], path_prefix: '/files/a' }], parent)).toBe(true);
    expect(passthroughWithin(null, parent)).toBe(false);
    for (const axis of ['methods', 'path_prefix', 'origins'] as const)
      expect(passthroughWithin([{ ...parent[0], [axis]: undefined }], parent)).toBe(false);
    expect(passthroughWithin([...parent, { methods: ['POST'] }], parent)).toBe(false);
  });

  const subset = (values: string[]) => fc.option(fc.subarray(values, { minLength: 1 }), { nil: undefined });
  const detail: fc.Arbitrary<PassthroughLimits> = fc.record({
    methods: subset(['GET', 'POST']),
    path_prefix: fc.option(fc.constantFrom('/', '/a', '/a/b', '/b', '/a%2Fb'), { nil: undefined }),
    origins: subset(['https://a.example', 'https://b.example']),
  });
  const details = fc.option(fc.array(detail, { minLength: 1, maxLength: 3 }), { nil: null });
  const request = fc.record({
    method: fc.constantFrom('GET', 'POST', 'PUT'),
    path: fc.constantFrom('/', '/a', '/a/b', '/a/b/c', '/b', '/ab', '/a%2Fb', '/a/../b'),
    origin: fc.constantFrom('https://a.example', 'https://b.example', null),
  });

  test('V1: whatever a child lets pass, its parent lets pass, through any chain', () => {
    let within = 0;
    fc.assert(
      fc.property(fc.array(details, { minLength: 2, maxLength: 4 }), request, (chain, call) => {
        const linked = chain.slice(1).every((child, at) => passthroughWithin(child, chain[at]!));
        if (!linked) return;
        within += 1;
        if (allowsPassthrough(chain.at(-1)!, call)) expect(allowsPassthrough(chain[0]!, call)).toBe(true);
      }),
      { numRuns: 20_000 },
    );
    expect(within, 'chains that hold together were among those tried').toBeGreaterThan(100);
  });
});
