import { PlatformError } from '@bulkhead/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { assertPlainPath, parsePathPrefix, pathWithin } from './path-prefix.ts';

function refusal(act: () => unknown): string | null {
  try {
    act();
    return null;
  } catch (thrown) {
    if (thrown instanceof PlatformError) return thrown.code;
    throw thrown;
  }
}

const twoFaced = [
  '/files/../secret',
  '/files/..',
  '/./files',
  '/files/%2e%2e/secret',
  '/files/%2E%2E',
  '/files/.%2e/x',
  '/files/%252e%252e/x',
  '/files/%252E.',
  '/files/..%2fsecret',
  '/files/a%2f..%2fsecret',
  '/files/a%252f..%252fsecret',
  '/files/a%2f%2e%2e',
  '/files/..;v=1/secret',
  '/files/%2e%2e%3bv/secret',
  '/files/..%20/secret',
  '/files/..%00/secret',
  '/files\\..\\secret',
  '/files/%5c..%5csecret',
  '/files/%255c',
  '/files/%c0%ae%c0%ae/secret',
  '/files/%25c0%25ae%25c0%25ae/secret',
  '/files/a%c0%afb',
  '/files/%c1%9csecret',
  '/files/%e0%80%ae%e0%80%ae/',
  '/files/a%0d%0ab',
  '/files/a?x=/..',
  '/files#..',
  'files/a',
  '',
  '/fi les',
  '/fïles',
];

describe('a plain path', () => {
  test.each(twoFaced)('%j is refused as a path and as a prefix, and lies within nothing', (path) => {
    expect(refusal(() => assertPlainPath(path))).toBe('path.not_plain');
    expect(refusal(() => parsePathPrefix(path))).toBe('path.not_plain');
    expect(pathWithin('/', path)).toBe(false);
  });

  test.each([
    '/',
    '/files',
    '/files/',
    '/files/a.b/..c',
    '/files/...',
    '/files/a%2Fb',
    '/files/a%20b',
    '/f/%C3%BC',
    '/f/100%2525',
    '/f/;v=1',
    '//',
    '/a:b@c',
  ])('%j passes', (path) => {
    expect(refusal(() => assertPlainPath(path))).toBe(null);
    expect(pathWithin('/', path)).toBe(true);
  });
});

describe('a path prefix', () => {
  test.each([
    ['/files', '/files'],
    ['/files', '/files/'],
    ['/files', '/files/a/b'],
    ['/files/', '/files'],
    ['/files', '/%66iles/a'],
    ['/%66iles', '/files/a'],
    ['/files/a%2fb', '/files/a%2Fb/c'],
    ['/', '/anything'],
  ])('%j holds %j', (prefix, path) => {
    expect(pathWithin(parsePathPrefix(prefix), path)).toBe(true);
  });

  test.each([
    ['/files', '/'],
    ['/files', '/files-old'],
    ['/files', '/file'],
    ['/files', '/FILES/a'],
    ['/files', '//files/a'],
    ['/files', '/files%2Fa'],
    ['/files', '/files;v=1/a'],
    ['/files', '/x/files'],
    ['/files', '/%2566iles'],
    ['/files/a', '/files//a'],
    ['/files/a%2Fb', '/files/a/b'],
    ['/files/a/b', '/files/a%2Fb'],
    ['/files/%2Fx', '/files/%2%46x'],
  ])('%j does not hold %j', (prefix, path) => {
    expect(pathWithin(parsePathPrefix(prefix), path)).toBe(false);
  });

  test.each([
    ['nothing but slashes', '//'],
    ['an empty segment', '/a//b'],
    ['a lone percent sign', '/a%'],
    ['half an escape', '/a%2'],
    ['an escape that is none', '/a%zz'],
    ['more than 2048 characters', `/${'a'.repeat(2048)}`],
  ])('%s is refused in a prefix', (_, text) => {
    expect(refusal(() => parsePathPrefix(text))).toBe('path.not_plain');
  });

  test('its normal form stays as it is when parsed again', () => {
    expect(parsePathPrefix('/%66iles/a%2fb/')).toBe('/files/a%2Fb');
    expect(parsePathPrefix('/files/a%2Fb')).toBe('/files/a%2Fb');
  });

  const piece = fc.constantFrom(
    'a',
    'b',
    '.',
    '..',
    '%2e',
    '%2E',
    '%252e',
    '%2f',
    '%252f',
    '%5c',
    '\\',
    ';',
    '/',
    '//',
    '%61',
    '%',
    '2',
    'f',
  );
  const anyPath = fc.array(piece, { maxLength: 12 }).map((pieces) => `/${pieces.join('')}`);

  test('a path within it stays there however the upstream decodes and resolves it', () => {
    fc.assert(
      fc.property(fc.constantFrom('/a', '/a/b', '/b/a%2Fb'), anyPath, (prefix, path) => {
        if (!pathWithin(prefix, path)) return;
        const decode = (text: string) =>
          text.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
        for (const seen of [path, decode(path), decode(decode(path))]) {
          const root = decode(decode(prefix));
          const resolved = new URL(`http://upstream${seen}`).pathname.replaceAll(/\/{2,}/g, '/');
          expect(decode(decode(resolved)).startsWith(root), `${path} read as ${resolved}`).toBe(true);
        }
      }),
      { numRuns: 3000 },
    );
  });

  test('lying within is transitive, so no chain of prefixes leads out', () => {
    fc.assert(
      fc.property(anyPath, anyPath, anyPath, (outer, middle, inner) => {
        if (pathWithin(outer, middle) && pathWithin(middle, inner)) expect(pathWithin(outer, inner)).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });
});
