import { createRequire } from 'node:module';
import { createCanonicalRequest, fromExpressRequest, fromMethodAndUrl } from 'atlassian-jwt';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalRequest } from './canonical-request.ts';

type QueryParser = (query: string) => Record<string, unknown>;
const express = createRequire(import.meta.url)('express') as () => { get(setting: 'query parser fn'): QueryParser };
/** How Express 4 reads a query, as long as nobody configures it: what an app built with atlassian-connect-express hashes. */
const expressQuery = express().get('query parser fn');

/** Atlassian's library, fed by Node's own URL parser. */
function byNode(method: string, target: string, basePath: string): string {
  return createCanonicalRequest(fromMethodAndUrl(method, target), false, `https://receiver.example${basePath}`);
}

/** Atlassian's library, fed as Express 4 feeds it. */
function byExpress(method: string, target: string, basePath: string): string {
  const at = target.indexOf('?');
  const query = expressQuery(at === -1 ? '' : target.slice(at + 1));
  const request = { method, originalUrl: target, path: target, query, body: {} } as unknown as Parameters<typeof fromExpressRequest>[0];
  return createCanonicalRequest(fromExpressRequest(request), false, `https://receiver.example${basePath}`);
}

interface Sent {
  readonly method: string;
  readonly target: string;
  readonly basePath: string;
}

const queryOf = ({ target }: Sent) => (target.includes('?') ? target.slice(target.indexOf('?') + 1) : '');
const pathOf = ({ target }: Sent) => target.split('?')[0] ?? '';
const namesOf = (sent: Sent) =>
  queryOf(sent)
    .split('&')
    .map((part) => part.split('=')[0] ?? '');

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** Everything in which the oracle and we may differ, and who is right. What is not here must be equal, character by character. */
const differences: readonly (readonly [why: string, applies: (sent: Sent) => boolean, where: 'node' | 'express' | 'both'])[] = [
  [
    'the base path is cut off in the middle of a segment: a mistake of the library',
    (sent) => sent.basePath !== '/' && pathOf(sent).startsWith(sent.basePath) && !/^($|\/)/.test(pathOf(sent).slice(sent.basePath.length)),
    'both',
  ],
  ["a # ends the path for Node's parser; in a request target it is a character", (sent) => sent.target.includes('#'), 'both'],
  [
    "beside an @ Node's parser escapes the apostrophes of a path; the path is signed as sent",
    (sent) => pathOf(sent).includes("'") && sent.target.includes('@'),
    'both',
  ],
  [
    'a parameter named __proto__ is dropped: it is not signed, and the app may still see it',
    (sent) => namesOf(sent).some((name) => name.includes('__proto__')),
    'both',
  ],
  [
    "escapes that are no UTF-8 become U+FFFD in Node's parser, so that many requests share a hash",
    (sent) =>
      queryOf(sent)
        .split(/[&=]/)
        .some((text) => !isDecodable(text)),
    'node',
  ],
  [
    'brackets nest in Express: the object is signed as [object Object]',
    (sent) => namesOf(sent).some((name) => /\[|%5B|\]|%5D/i.test(name)),
    'express',
  ],
  ['a parameter without a name is dropped by Express', (sent) => namesOf(sent).includes(''), 'express'],
];

const names = fc.constantFrom(
  'a',
  'b',
  'B',
  'user_id',
  'x-y',
  '%C3%A9',
  '%F0%9F%98%80',
  '%EF%BF%BD',
  'jwt',
  'JWT',
  'a%20b',
  'a+b',
  '*',
  '!',
  '%26',
  '%3D',
  'toString',
  'length',
);
const hostileNames = fc.constantFrom('a[b]', 'a[]', 'a%5Bb%5D', 'a[0]', '__proto__', '__proto__[a]', '', '%zz', '%FF', 'constructor');
const values = fc.constantFrom(
  '',
  '1',
  '2',
  '10',
  'a,b',
  'a%2Cb',
  'some+spaces',
  'some%20spaces',
  '%2B',
  "!$'()*,;",
  '%C3%A9',
  '%c3%a9',
  '-._~',
  '%2520',
  '=',
  'a=b',
  '%F0%9F%98%80',
  '%EF%BF%BD',
  '[]',
  ':/?@',
);
const hostileValues = fc.constantFrom('%zz', '%', '%FF', '%C3', '1#f', '%E2%82');
const parameter = fc
  .tuple(
    fc.oneof({ weight: 9, arbitrary: names }, { weight: 1, arbitrary: hostileNames }),
    fc.oneof({ weight: 12, arbitrary: values }, { weight: 1, arbitrary: hostileValues }),
    fc.constantFrom('=', '=', '=', '='),
  )
  .map(([name, value, equals]) => name + equals + value);
const bare = fc.oneof({ weight: 8, arbitrary: parameter }, { weight: 1, arbitrary: names }, { weight: 1, arbitrary: fc.constant('') });
const segment = fc.constantFrom(
  'a',
  'wiki',
  'wikix',
  'rest',
  'api',
  'a%20b',
  'p%2Fq',
  '%2f',
  'a&b',
  'a%26b',
  '',
  '.',
  '..',
  "!$'()*,;=",
  '~',
  ':',
  '@',
  '%C3%A9',
  'x+y',
);
const sent: fc.Arbitrary<Sent> = fc.record({
  method: fc.constantFrom('GET', 'get', 'POST', 'PUT', 'DELETE', 'Patch'),
  basePath: fc.constantFrom('/', '/', '/wiki', '/a'),
  target: fc
    .tuple(
      fc.array(segment, { maxLength: 4 }),
      fc.constantFrom('', '', '', '', '#f'),
      fc.option(fc.array(bare, { maxLength: 6 }), { freq: 5 }),
    )
    .map(([segments, end, query]) => `/${segments.join('/')}${end}${query === null ? '' : `?${query.join('&')}`}`)
    // Node's parser takes `///x` for something else than a path; no router does.
    .filter((target) => !target.startsWith('//')),
});

const RUNS = 20_000;

describe('qsh against atlassian-jwt', () => {
  test.each([
    ['node', byNode],
    ['express', byExpress],
  ] as const)(
    `${RUNS} requests through %s's parser: equal, or different for a reason that is listed`,
    (kind, oracle) => {
      const listed = differences.filter(([, , where]) => where === 'both' || where === kind);
      const seen = new Map(listed.map(([why]) => [why, 0]));
      let equal = 0;
      fc.assert(
        fc.property(sent, (request) => {
          const theirs = oracle(request.method, request.target, request.basePath);
          const ours = canonicalRequest(request);
          const reasons = listed.filter(([, applies]) => applies(request));
          if (ours === theirs) {
            equal++;
            return;
          }
          expect(reasons, `${request.target} under ${request.basePath}: ${ours} / ${theirs}`).not.toEqual([]);
          if (reasons.length === 1) seen.set(reasons[0]![0], (seen.get(reasons[0]![0]) ?? 0) + 1);
        }),
        { numRuns: RUNS },
      );
      // Not vacuous: most are equal, and each reason alone made a difference.
      expect(equal).toBeGreaterThan(RUNS / 2);
      for (const [why, count] of seen) expect(count, why).toBeGreaterThan(0);
    },
    120_000,
  );

  test.each([
    ['nested names', '/x?a[b]=1', '/x?a[c]=2'],
    ['nested and literal', '/x?a[b]=1', '/x?a=%5Bobject+Object%5D'],
    ['brackets and repetition', '/x?a[]=1&a[]=2', '/x?a=1&a=2'],
    ['__proto__ and nothing', '/x?__proto__=1', '/x'],
    ['a base path inside a segment', '/wikix/a', '/wiki/x/a'],
  ])('I3: %s share a hash in the library as Express feeds it, and none here', (_, left, right) => {
    const [ofLeft, ofRight] = [left, right].map((target) => byExpress('GET', target, '/wiki'));
    expect(ofLeft).toBe(ofRight);
    expect(canonicalRequest({ method: 'GET', target: left, basePath: '/wiki' })).not.toBe(
      canonicalRequest({ method: 'GET', target: right, basePath: '/wiki' }),
    );
  });

  test("I3: escapes that are no UTF-8 share a hash in the library as Node's parser feeds it, and none here", () => {
    expect(byNode('GET', '/x?a=%FF', '/')).toBe(byNode('GET', '/x?a=%FE', '/'));
    expect(canonicalRequest({ method: 'GET', target: '/x?a=%FF' })).not.toBe(canonicalRequest({ method: 'GET', target: '/x?a=%FE' }));
  });

  test('what the protocol itself does not tell apart: a closing slash, & and %26 in a path, the order of parameters', () => {
    const same = (left: string, right: string) => {
      expect(byExpress('GET', left, '/')).toBe(byExpress('GET', right, '/'));
      expect(canonicalRequest({ method: 'GET', target: left })).toBe(canonicalRequest({ method: 'GET', target: right }));
    };
    same('/x/', '/x');
    same('/a&b', '/a%26b');
    same('/x?a=2&b=1&a=1', '/x?b=1&a=1&a=2');
  });
});
