import { describe, expect, test } from 'vitest';
import { type PassthroughWorld, usePassthroughWorld } from '../../test/passthrough-world.ts';

let world: PassthroughWorld['world'];
let upstream: PassthroughWorld['upstream'];
let application: PassthroughWorld['application'];
let account: number;
let key: PassthroughWorld['key'];
let call: PassthroughWorld['call'];

usePassthroughWorld((made) => {
  ({ world, upstream, application, account, key, call } = made);
});

const proxy = (path: string) => `/v1/accounts/${account}/proxy${path}`;
const raw = (uri: string, extra: Record<string, string> = {}) =>
  call('POST', `/v1/accounts/${account}/raw`, { ...key, 'x-kloudless-raw-uri': uri, ...extra });

describe('limits of a token (RFC 9396)', () => {
  const limited = (detail: { methods?: string[]; path_prefix?: string; origins?: string[] }) =>
    world.bearer(application, account, { authorizationDetails: [{ type: 'passthrough', ...detail }] });

  test.each([
    ['GET', '/files', 200],
    ['GET', '/files/a', 200],
    ['GET', '/files/a%2Fb', 200],
    ['GET', '/files?x=/other', 200],
    ['GET', '/files-old', 403],
    ['GET', '/', 403],
    ['GET', '/other', 403],
    ['GET', '//files', 403],
    ['GET', '/FILES', 403],
    ['GET', '/files/../other', 400],
    ['GET', '/files/%2e%2e/other', 400],
    ['GET', '/files/%252e%252e/other', 400],
    ['GET', '/files/..%2Fother', 400],
    ['GET', '/files%5C..%5Cother', 400],
  ])('%s %s under path_prefix /files answers %i', async (method, path, status) => {
    expect((await call(method, proxy(path), limited({ path_prefix: '/files' }))).status).toBe(status);
    expect(upstream.seen.length).toBe(status === 200 ? 1 : 0);
  });

  test('hold for /raw by its whole address too', async () => {
    const token = limited({ path_prefix: '/files' });
    const ask = async (uri: string) => (await call('POST', `/v1/accounts/${account}/raw`, { ...token, 'x-kloudless-raw-uri': uri })).status;
    expect(await ask('/files/a')).toBe(200);
    expect(await ask('/api/files/a')).toBe(200);
    expect(await ask(`${upstream.url}/api/files/a`)).toBe(200);
    expect(await ask(`${upstream.url}/files/a`)).toBe(403);
    expect(await ask(`${upstream.url}/api/other`)).toBe(403);
    expect(await ask('/other')).toBe(403);
  });

  test('on methods hold for the method that arrives, and no header overrides it', async () => {
    const token = limited({ methods: ['GET'] });
    expect((await call('DELETE', proxy('/x'), token)).status).toBe(403);
    expect(
      (await call('POST', `/v1/accounts/${account}/raw`, { ...token, 'x-kloudless-raw-uri': '/x', 'x-kloudless-raw-method': 'DELETE' }))
        .status,
    ).toBe(403);
    expect((await call('GET', proxy('/x'), { ...token, 'x-http-method-override': 'DELETE', 'x-rewrite-url': '/admin' })).status).toBe(200);
    expect(upstream.seen[0]?.headers).not.toHaveProperty('x-http-method-override');
    expect(upstream.seen[0]?.headers).not.toHaveProperty('x-rewrite-url');
    expect((await call('GET', proxy('/x'), { ...key, 'x-http-method-override': 'DELETE' })).status).toBe(200);
    expect(upstream.seen[1]?.headers).toHaveProperty('x-http-method-override');
  });

  test('on origins hold for the Origin header, which must be there', async () => {
    const token = limited({ origins: ['https://app.example'] });
    expect((await call('GET', proxy('/x'), { ...token, origin: 'https://app.example' })).status).toBe(200);
    expect((await call('GET', proxy('/x'), { ...token, origin: 'https://app.example.evil' })).status).toBe(403);
    expect((await call('GET', proxy('/x'), token)).status).toBe(403);
  });

  test('on origins hold for where the browser says it is, not for what a page writes into X-Kloudless-Raw-Headers', async () => {
    const token = limited({ origins: ['https://app.example'] });
    const ask = (origin: string, written: string) =>
      call('POST', `/v1/accounts/${account}/raw`, {
        ...token,
        origin,
        'x-kloudless-raw-uri': '/x',
        'x-kloudless-raw-headers': JSON.stringify({ Origin: written }),
      });
    expect((await ask('https://evil.example', 'https://app.example')).status).toBe(403);
    expect(upstream.seen).toEqual([]);
    const answer = await ask('https://app.example', 'https://evil.example');
    expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([200, 'https://app.example']);
  });

  test('on methods hold for every spelling of an override, in a header or in the query', async () => {
    const token = limited({ methods: ['POST'] });
    expect((await call('POST', proxy('/x'), { ...token, x_http_method_override: 'DELETE' })).status).toBe(200);
    expect(upstream.seen[0]?.headers).not.toHaveProperty('x_http_method_override');
    for (const query of ['?_method=DELETE', '?a=1&_HttpMethod=PATCH', '?%5Fmethod=DELETE', '?X-HTTP-Method-Override=DELETE'])
      expect([query, (await call('POST', proxy(`/x${query}`), token)).status]).toEqual([query, 403]);
    expect(upstream.seen).toHaveLength(1);
    expect((await call('POST', proxy('/x?_method=DELETE'), limited({ path_prefix: '/x' }))).status).toBe(200);
    expect((await call('POST', proxy('/x?_method=DELETE'), key)).status).toBe(200);
  });

  test('by a scope that only reads, or that is identity alone', async () => {
    const reads = world.bearer(application, account, { scope: 'harbour:normal.raw.read:kloudless' });
    expect((await call('GET', proxy('/x'), reads)).status).toBe(200);
    expect((await call('POST', proxy('/x'), reads)).status).toBe(403);
    expect(
      (await call('GET', proxy('/x'), world.bearer(application, account, { scope: 'harbour:normal.basic.default:kloudless' }))).status,
    ).toBe(403);
  });

  test('keep a token from changing or ending the account', async () => {
    const token = limited({ methods: ['GET', 'DELETE', 'PATCH'] });
    expect((await call('DELETE', `/v1/accounts/${account}`, token)).status).toBe(403);
    expect((await call('PATCH', `/v1/accounts/${account}`, { ...token, 'content-type': 'application/json' }, '{}')).status).toBe(403);
    expect((await call('GET', `/v1/accounts/${account}`, token)).status).toBe(200);
  });

  test('keep a token that only reads, or knows only who it is, from changing or ending the account', async () => {
    for (const scope of ['harbour:normal.raw.read:kloudless', 'harbour:normal.basic.default:kloudless']) {
      const token = world.bearer(application, account, { scope });
      expect((await call('DELETE', `/v1/accounts/${account}`, token)).status).toBe(403);
      expect((await call('POST', `/v1/accounts/${account}/reconnect`, token)).status).toBe(403);
      expect((await call('PATCH', `/v1/accounts/${account}`, { ...token, 'content-type': 'application/json' }, '{}')).status).toBe(403);
      expect((await call('GET', `/v1/accounts/${account}`, token)).status).toBe(200);
    }
    expect((await call('DELETE', `/v1/accounts/${account}`, world.bearer(application, account))).status).toBe(204);
  });
});

describe("Kloudless's /raw", () => {
  test('takes address, method and headers from X-Kloudless-Raw-*, adds the query, passes the body', async () => {
    const answer = await call(
      'POST',
      `/v1/accounts/${account}/raw/?page=2`,
      {
        ...key,
        'x-kloudless-raw-uri': '/files?x=1',
        'x-kloudless-raw-method': 'PATCH',
        'x-kloudless-raw-headers':
          '{"X-Extra":"1","Content-Type":"application/merge-patch+json","Authorization":"Bearer mine","Host":"evil","Content-Length":"1"}',
        'content-type': 'application/json',
      },
      '{"a":1}',
    );
    expect(answer.status).toBe(200);
    expect(upstream.seen[0]).toMatchObject({ method: 'PATCH', target: '/api/files?x=1&page=2', body: '{"a":1}' });
    expect(upstream.seen[0]?.headers).toMatchObject({
      'x-extra': '1',
      'content-type': 'application/merge-patch+json',
      authorization: 'Bearer access-1',
      host: upstream.url.slice(7),
    });
    expect(Object.keys(upstream.seen[0]!.headers).filter((name) => name.startsWith('x-kloudless'))).toEqual([]);
  });

  test('is a GET where no method is given', async () => {
    await raw('/files');
    expect(upstream.seen[0]?.method).toBe('GET');
  });

  test.each([
    ['no address', {}],
    ['a method that is none', { 'x-kloudless-raw-uri': '/x', 'x-kloudless-raw-method': 'GET /x' }],
    ['CONNECT', { 'x-kloudless-raw-uri': '/x', 'x-kloudless-raw-method': 'CONNECT' }],
    ['TRACE', { 'x-kloudless-raw-uri': '/x', 'x-kloudless-raw-method': 'TRACE' }],
    ['headers that are no JSON', { 'x-kloudless-raw-uri': '/x', 'x-kloudless-raw-headers': 'X: 1' }],
    ['a header with a line end', { 'x-kloudless-raw-uri': '/x', 'x-kloudless-raw-headers': '{"x":"1\\r\\ny: 2"}' }],
    ['a header name with a colon', { 'x-kloudless-raw-uri': '/x', 'x-kloudless-raw-headers': '{"x:y":"1"}' }],
  ])('refuses %s', async (_name, headers) => {
    expect((await call('POST', `/v1/accounts/${account}/raw`, { ...key, ...headers })).status).toBe(400);
    expect(upstream.seen).toEqual([]);
  });
});
