import { HttpBrowser } from '@bulkhead/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Client, OAuthWorld } from './oauth-world.ts';

const pkce = { code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256' };
const REGISTERED = [
  'https://client.example/callback',
  'https://client.example/callback?kept=1&list=a%2Fb',
  'https://client.example:8443/a/b/',
  'http://127.0.0.1/cb',
  'http://127.0.0.1:4000/cb?x=1',
  'http://[::1]/cb',
  'http://localhost:3000/cb',
  'com.example.app:/oauth',
];

let oauth: OAuthWorld;
let client: Client;
beforeAll(async () => {
  oauth = await OAuthWorld.create();
  client = await oauth.another();
  for (const url of REGISTERED)
    expect((await oauth.world.meta('POST', `/applications/${client.id}/redirect_uris`, { url })).status, url).toBe(201);
});
afterAll(async () => {
  await oauth[Symbol.asyncDispose]();
});

/** The rule in other words than the code's: the very text, or a loopback address whose port alone differs. */
function isAllowed(requested: string, registered: readonly string[]): boolean {
  if (registered.includes(requested)) return true;
  const withoutPort = (text: string): string | null => {
    for (const host of ['http://127.0.0.1', 'http://[::1]']) {
      if (!text.startsWith(host)) continue;
      const [, port, rest = ''] = /^(:[0-9]+)?(.*)$/s.exec(text.slice(host.length))!;
      if (port !== undefined && (port.length > 6 || Number(port.slice(1)) > 65_535)) return null;
      return rest === '' || rest.startsWith('/') || rest.startsWith('?') ? host + rest : null;
    }
    return null;
  };
  const plain = withoutPort(requested);
  return plain !== null && registered.some((each) => withoutPort(each) === plain);
}

type Mutation = (text: string, at: number) => string;
const insert =
  (what: string): Mutation =>
  (text, at) =>
    text.slice(0, at) + what + text.slice(at);
const MUTATIONS: readonly Mutation[] = [
  (text) => text,
  (text, at) => text.slice(0, at) + text.slice(at + 1),
  (text, at) => text.slice(0, at) + (text[at] ?? '').toUpperCase() + text.slice(at + 1),
  (text, at) => text.slice(0, at) + `%${(text.charCodeAt(at) || 47).toString(16).padStart(2, '0')}` + text.slice(at + 1),
  ...[
    '/',
    '//',
    '/.',
    '/../x',
    '?',
    '&',
    '#',
    '#x',
    '@',
    '@evil.example',
    '.evil.example',
    '\\',
    '%00',
    '%0d%0a',
    ' ',
    '\t',
    ';',
    ':',
    ':80',
    ':443',
    '*',
    'ä',
    '%2e%2e/',
  ].map(insert),
  (text) => `${text}/`,
  (text) => `${text}?x=1`,
  (text) => `${text}#x`,
  (text) => text.replace(/^http:/, 'https:'),
  (text) => text.replace(/^https:/, 'http:'),
  (text) => text.replace(/^https?:\/\//, ''),
  (text) => text.replace('://', '://user:pass@'),
  (text) => text.replace('://', ':///'),
  (text) => text.replace('127.0.0.1', '127.0.0.2'),
  (text) => text.replace('127.0.0.1', '2130706433'),
  (text) => text.replace('127.0.0.1', 'localhost'),
  (text) => text.replace('127.0.0.1', '127.0.0.1.evil.example'),
  (text) => text.replace('[::1]', '[0:0:0:0:0:0:0:1]'),
  (text) => text.replace('localhost', '127.0.0.1'),
];
/** Ports of all kinds, on whatever host stands there. */
const ports = fc.oneof(
  fc.integer({ min: 0, max: 70_000 }).map(String),
  fc.constantFrom('', '0080', '00', '-1', '8e1', '65536', '999999', '80@evil.example'),
);
const ported: fc.Arbitrary<Mutation> = ports.map(
  (port) => (text: string) => text.replace(/^([a-z.]+:\/\/(?:\[::1\]|[^:/?]*))(?::[0-9]+)?/, (_whole, head: string) => `${head}:${port}`),
);
const mutated = fc
  .tuple(
    fc.constantFrom(...REGISTERED),
    fc.array(fc.tuple(fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...MUTATIONS) }, { weight: 1, arbitrary: ported }), fc.nat(60)), {
      minLength: 1,
      maxLength: 2,
    }),
  )
  .map(([text, mutations]) => mutations.reduce((changed, [mutation, at]) => mutation(changed, at), text));
const requested = fc.oneof(
  { weight: 12, arbitrary: mutated },
  { weight: 1, arbitrary: fc.webUrl() },
  { weight: 1, arbitrary: fc.string() },
);

describe('A1 redirect URIs (RFC 6749 §3.1.2.3, RFC 8252 §7.3)', () => {
  test('whatever is asked for: it is redirected to if it is registered letter by letter or but for a loopback port, and only then', {
    timeout: 300_000,
  }, async () => {
    let accepted = 0;
    let refused = 0;
    const property = fc.asyncProperty(requested, async (redirect_uri) => {
      // The first step decides: to the service where the request is good, a page where it is not.
      const query = new URLSearchParams({ client_id: client.id, response_type: 'code', redirect_uri, scope: 'harbour', ...pkce });
      const visit = await new HttpBrowser(oauth.world.url).step(`${oauth.world.url}/v1/oauth?${query}`);
      const location = visit.headers.get('location');
      if (isAllowed(redirect_uri, REGISTERED)) {
        accepted++;
        expect([visit.status, location?.startsWith(oauth.upstream.url)], redirect_uri).toEqual([303, true]);
        return;
      }
      refused++;
      expect([visit.status, location], redirect_uri).toEqual([400, null]);
    });
    await fc.assert(property, { numRuns: 250 });
    expect(accepted).toBeGreaterThan(5);
    expect(refused).toBeGreaterThan(50);
  });

  test('a refusal of the request itself is told to the very URI that was asked for, and only to such', { timeout: 120_000 }, async () => {
    const property = fc.asyncProperty(requested, async (redirect_uri) => {
      const query = new URLSearchParams({ client_id: client.id, response_type: 'magic', redirect_uri, state: 's' });
      const visit = await new HttpBrowser(oauth.world.url).step(`${oauth.world.url}/v1/oauth?${query}`);
      const location = visit.headers.get('location');
      if (isAllowed(redirect_uri, REGISTERED))
        expect(location?.startsWith(`${redirect_uri}${redirect_uri.includes('?') ? '&' : '?'}error=`), redirect_uri).toBe(true);
      else expect([visit.status, location], redirect_uri).toEqual([400, null]);
    });
    await fc.assert(property, { numRuns: 80 });
  });

  test('whatever is registered is an absolute URI without fragment, user or answer parameters, and not plain http but for loopback', {
    timeout: 120_000,
  }, async () => {
    let taken = 0;
    const property = fc.asyncProperty(requested, async (url) => {
      const answer = await oauth.world.meta('POST', `/applications/${oauth.client.id}/redirect_uris`, { url });
      if (answer.status !== 201) {
        expect([400, 409], answer.text).toContain(answer.status);
        return;
      }
      taken++;
      const parsed = new URL(url);
      expect(url).not.toMatch(/[#\s\\*]/);
      expect(parsed.username + parsed.password).toBe('');
      for (const name of ['code', 'state', 'iss', 'error', 'access_token']) expect(parsed.searchParams.has(name)).toBe(false);
      if (parsed.protocol === 'http:') expect(['127.0.0.1', '[::1]', 'localhost']).toContain(parsed.hostname);
      expect(parsed.protocol).not.toMatch(/^(javascript|data|vbscript|file|blob|about|urn):$/);
    });
    await fc.assert(property, { numRuns: 120 });
    expect(taken).toBeGreaterThan(5);
  });
});
