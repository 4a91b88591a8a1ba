import { posix } from 'node:path';
import { PlatformError } from '@bulkhead/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assertPlainPath, parsePathPrefix, pathWithin } from './path-prefix.ts';

/** What people have used to say one path and mean another. */
const PIECES = [
  '/',
  '//',
  '.',
  '..',
  '...',
  '%2e',
  '%2E%2e',
  '%252e',
  '%25252e',
  '%2f',
  '%2F',
  '%252f',
  '\\',
  '%5c',
  '%5C',
  '%255c',
  '%c0%ae',
  '%c0%af',
  '%c1%9c',
  '%e0%80%ae',
  '%00',
  '%2500',
  '%0a',
  '%7f',
  '%20',
  '%2520',
  '%a0',
  ';',
  '%3b',
  ';x=y',
  '..;',
  '%',
  '%2',
  '%zz',
  'a',
  'files',
  'Files',
  '%66iles',
  '%46iles',
  'files-old',
  '~',
  '%7E',
  '%C3%A9',
  '%c3%a9',
  '+',
  '@',
  ':',
  '?',
  '#',
  ' ',
  '\t',
  '\u00e9',
  '\u{ff0e}',
  '\u2215',
];
const anyPath = fc.oneof(
  fc.array(fc.constantFrom(...PIECES), { maxLength: 8 }).map((pieces) => `/${pieces.join('')}`),
  fc.array(fc.constantFrom(...PIECES), { maxLength: 6 }).map((pieces) => pieces.join('')),
  fc.string({ maxLength: 20 }).map((text) => `/${text}`),
);

/** Percent-decoding by walking the bytes: another way than the one under test. */
function decoded(text: string): string {
  let out = '';
  for (let at = 0; at < text.length; at++) {
    const value = text[at] === '%' ? Number.parseInt(text.slice(at + 1, at + 3), 16) : Number.NaN;
    const isEscape = /^[0-9a-f]{2}$/i.test(text.slice(at + 1, at + 3)) && !Number.isNaN(value);
    out += isEscape ? String.fromCharCode(value) : text[at];
    if (isEscape) at += 2;
  }
  return out;
}

/** The rule as architecture and refusals state it, read over the whole path at once instead of segment by segment. */
function isRefusedByModel(path: string): boolean {
  if (!/^\/[!-~]*$/.test(path) || /[?#]/.test(path)) return true;
  const stages = [path, decoded(path), decoded(decoded(path))];
  return stages.some(
    (text) =>
      /[\\\x00-\x1f\x7f]/.test(text) ||
      /(?:^|\/)\.{1,2}[ \xa0]*(?:;[^/]*)?(?=\/|$)/.test(text) ||
      /[\xc0\xc1][\x80-\xbf]|\xe0[\x80-\x9f][\x80-\xbf]|\xf0[\x80-\x8f][\x80-\xbf]/.test(text),
  );
}

function refuses(run: () => unknown): boolean {
  try {
    run();
    return false;
  } catch (error) {
    if (error instanceof PlatformError && error.status === 400) return true;
    throw error;
  }
}

/** Escapes of unreserved characters undone: the two spellings are one path to every server (RFC 3986 §6.2.2.2), decoding or not. */
function spelledPlainly(path: string): string {
  return path.replaceAll(/%[0-9a-f]{2}/gi, (escape) => (/^[\w.~-]$/.test(decoded(escape)) ? decoded(escape) : escape));
}

/** What the laxest server makes of a path: decoded `times`, backslashes turned, parameters dropped, empty segments joined, dots resolved. */
function asLaxServer(path: string, times: number): string {
  let text = spelledPlainly(path);
  for (let round = 0; round < times; round++) text = decoded(text);
  const plain = text
    .replaceAll('\\', '/')
    .split('/')
    .map((segment) => segment.split(';')[0]!.trimEnd())
    .join('/');
  return posix.normalize(plain);
}

const RUNS = { numRuns: 3000 };

describe('a path is read as the model reads it (P1)', () => {
  it('for any text: refused by both or by neither', () => {
    let [refused, passed] = [0, 0];
    fc.assert(
      fc.property(anyPath, (path) => {
        const expected = isRefusedByModel(path);
        if (expected) refused++;
        else passed++;
        return refuses(() => assertPlainPath(path)) === expected;
      }),
      RUNS,
    );
    // Otherwise the property would say nothing.
    expect(Math.min(refused, passed)).toBeGreaterThan(100);
  });

  it('a prefix that was read is read the same again', () => {
    fc.assert(
      fc.property(anyPath, (text) => {
        if (refuses(() => parsePathPrefix(text))) return true;
        const once = parsePathPrefix(text);
        return parsePathPrefix(once) === once && pathWithin(once, once) && pathWithin(text, once) && pathWithin(once, text);
      }),
      RUNS,
    );
  });

  it('what lies within a prefix lies within it for the laxest server too, which decodes once or twice', () => {
    const prefix = fc.constantFrom('/files', '/files/a', '/a%2Fb', '/~x');
    const below = fc.tuple(prefix, anyPath).map(([start, rest]) => [start, start + rest] as const);
    const beside = fc.tuple(prefix, anyPath);
    let within = 0;
    fc.assert(
      fc.property(fc.oneof(below, beside), ([outer, path]) => {
        if (!pathWithin(outer, path)) return true;
        within++;
        return [0, 1, 2].every((times) => {
          const [low, high] = [asLaxServer(outer, times), asLaxServer(path, times)];
          return high === low || high.startsWith(`${low}/`) || high === `${low}/`;
        });
      }),
      { ...RUNS, examples: [[['/files', '/%66iles']], [['/~x', '/%7Ex/y']]] },
    );
    expect(within).toBeGreaterThan(100);
  });

  it.each(['/files/../x', '/files/%2e%2e/x', '/files/%252e%252e/x', '/files/..%5cx', '/files/..;/x', '/files\\..\\x', '/files/%2e%2e%2fx'])(
    'the control: the laxest server would leave the prefix by %s, which is refused',
    (path) => {
      expect([0, 1, 2].some((times) => !asLaxServer(path, times).startsWith('/files'))).toBe(true);
      expect(refuses(() => assertPlainPath(path))).toBe(true);
      expect(pathWithin('/files', path)).toBe(false);
    },
  );
});
