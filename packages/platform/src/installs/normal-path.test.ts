import { describe, expect, test } from 'vitest';
import { isNormalPath } from './normal-path.ts';

describe('the one form of a path', () => {
  test.each(['/', '/t/app1/rest/x', '/t/app1/rest/x/', '/a/%20b', '/a/%2Fb', '/a/%C3%A9', "/a/b;c=d!$&'()*+,=:@-._~"])('is: %s', (path) => {
    expect(isNormalPath(path)).toBe(true);
  });
  test.each([
    '',
    'a',
    '//a',
    '/a//b',
    '/a//',
    '/a/./b',
    '/a/../b',
    '/a/..',
    '/a/%2e%2e/b',
    '/a/.%2E/b',
    '/a\\b',
    '/a%5Cb',
    '/a%5cb',
    '/%61',
    '/%7E',
    '/%2D',
    '/%5F',
    '/%5f',
    '/a%00',
    '/a%C3',
    '/a%',
    '/a%zz',
    '/a b',
    '/é',
  ])('is not: %s', (path) => {
    expect(isNormalPath(path)).toBe(false);
  });
});
