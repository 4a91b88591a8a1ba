import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { canonicalRequest, queryValues } from './canonical-request.ts';
import { queryStringHash } from './query-string-hash.ts';

interface Vector {
  readonly name: string;
  readonly method: string;
  readonly url: string;
  readonly canonical: string;
  readonly qsh: string;
  readonly baseUrl?: string;
  readonly body?: Readonly<Record<string, string | readonly string[]>>;
}

const { vectors } = JSON.parse(readFileSync(join(import.meta.dirname, 'qsh.vectors.json'), 'utf8')) as { vectors: readonly Vector[] };

/** The one vector that records a mistake: a base path taken off in the middle of a segment. */
const mistaken = 'base path lookalike';

function signed({ method, url, baseUrl, body }: Vector) {
  const form = new URLSearchParams(
    Object.entries(body ?? {}).flatMap(([name, value]) => [value].flat().map((one): [string, string] => [name, one])),
  );
  return {
    method,
    target: url,
    ...(baseUrl === undefined ? {} : { basePath: new URL(baseUrl).pathname }),
    ...(body === undefined ? {} : { form: form.toString() }),
  };
}

describe('qsh', () => {
  test.each(vectors.filter(({ name }) => name !== mistaken))('$name: canonical request and hash are the published ones', (vector) => {
    expect(canonicalRequest(signed(vector))).toBe(vector.canonical);
    expect(queryStringHash(signed(vector))).toBe(vector.qsh);
  });

  test('I3: a base path ends where a segment ends', () => {
    const vector = vectors.find(({ name }) => name === mistaken)!;
    expect(vector.canonical).toBe('GET&/x/a&');
    expect(canonicalRequest(signed(vector))).toBe('GET&/wikix/a&');
    expect(canonicalRequest({ method: 'GET', target: '/wiki/x/a', basePath: '/wiki/' })).toBe('GET&/x/a&');
    expect(canonicalRequest({ method: 'GET', target: '/wiki?a=1', basePath: '/wiki' })).toBe('GET&/&a=1');
  });

  test.each([
    ['nested and flat', '/x?a[b]=1', '/x?a[c]=1'],
    ['nested and absent', '/x?a[b]=1', '/x?a=%5Bobject+Object%5D'],
    ['a list by brackets and by repetition', '/x?a[]=1&a[]=2', '/x?a=1&a=2'],
    ['a repeated parameter and one with a comma', '/x?a=1&a=2', '/x?a=1,2'],
    ['__proto__ and nothing', '/x?__proto__=1', '/x'],
    ['__proto__ and its member', '/x?__proto__[a]=1', '/x?a=1'],
    ['constructor and nothing', '/x?constructor=1', '/x'],
    ['two escapes that are no UTF-8', '/x?a=%FF', '/x?a=%FE'],
    ['an escape that is none and its text', '/x?a=%zz', '/x?a=zz'],
    ['a parameter and a path that looks like it', '/x?a=b', '/x&a=b'],
    ['a fragment and none', '/x?a=1#f', '/x?a=1'],
    ['a fragment in the path and none', '/x#f', '/x'],
    ['a path in two cases of its escapes', '/p%2fa', '/p%2Fa'],
    ['names in two cases', '/x?JWT=1', '/x'],
  ])('I3: %s never share a hash', (_, left, right) => {
    expect(queryStringHash({ method: 'GET', target: left })).not.toBe(queryStringHash({ method: 'GET', target: right }));
  });

  /** RFC 3986 §2.1, §2.3, written down once more. */
  const plainly = (text: string): string =>
    [...Buffer.from(text)]
      .map((byte) =>
        /[A-Za-z0-9._~-]/.test(String.fromCharCode(byte))
          ? String.fromCharCode(byte)
          : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
      )
      .join('');

  test('every ASCII character has one form in a value, whether it was sent as it is, or escaped in either case', () => {
    for (let code = 0; code < 128; code += 1) {
      const character = String.fromCharCode(code);
      const escape = `%${code.toString(16).padStart(2, '0')}`;
      for (const value of [escape, escape.toUpperCase(), `x${escape}y`, `%C3%A9${escape}`])
        expect(canonicalRequest({ method: 'GET', target: `/x?a=${value}` }), value).toBe(`GET&/x&a=${plainly(decodeURIComponent(value))}`);
      if (!'&+%#'.includes(character))
        expect(canonicalRequest({ method: 'GET', target: `/x?a=${character}` })).toBe(`GET&/x&a=${plainly(character)}`);
    }
  });

  test.each([3, 16, 17, 300])('%i parameters are signed in one order, whichever they were sent in, repeated ones too', (count) => {
    const parameters = Array.from({ length: count }, (_, at) => `p${(at * 7) % Math.ceil(count / 2)}=${at % 3}`);
    const signedAs = (sent: readonly string[]) => canonicalRequest({ method: 'GET', target: `/x?${sent.join('&')}` });
    const byName = Map.groupBy(parameters, (parameter) => parameter.split('=')[0] ?? '');
    const expected = [...byName]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(
        ([name, all]) =>
          `${name}=${all
            .map((one) => one.split('=')[1])
            .sort()
            .join(',')}`,
      );
    for (const sent of [parameters, parameters.toReversed(), parameters.toSorted()])
      expect(signedAs(sent)).toBe(`GET&/x&${expected.join('&')}`);
  });

  test('a form stands for the query only of a POST or PUT without one', () => {
    const form = 'x=1';
    expect(canonicalRequest({ method: 'POST', target: '/f', form })).toBe('POST&/f&x=1');
    expect(canonicalRequest({ method: 'POST', target: '/f?y=2', form })).toBe('POST&/f&y=2');
    expect(canonicalRequest({ method: 'GET', target: '/f', form })).toBe('GET&/f&');
    expect(canonicalRequest({ method: 'POST', target: '/f' })).toBe('POST&/f&');
  });

  test('a parameter is found under every spelling of its name', () => {
    expect(queryValues('/x?jwt=a&%6Awt=b&jwt&x=c', 'jwt')).toEqual(['a', 'b', '']);
    expect(queryValues('/x', 'jwt')).toEqual([]);
  });
});
