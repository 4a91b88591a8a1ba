import { Secret } from '@bulkhead/base';
import { describe, expect, it } from 'vitest';
import { findCatalogueEntry } from './catalogue/index.ts';
import { isHeaderSafe, placeCredential } from './credential-placement.ts';
import { isJsonPointer, readJsonPointer } from './json-pointer.ts';
import { parseServiceDefinition } from './service-definition.ts';
import { customService } from './service.ts';
import { client, fakeUpstream, harbour, issuer, json, server } from './upstream.testkit.ts';
import { fetchIdentity } from './upstream-identity.ts';
import { revoke } from './upstream-revocation.ts';
import { discover, resolveServer } from './upstream-server.ts';

const bearer = { type: 'oauth2' as const, accessToken: new Secret('at-1') };
const keyService = (auth: object) =>
  customService(
    parseServiceDefinition({
      id: 'lantern',
      friendly_name: 'L',
      auth: { type: 'api_key', ...auth },
      api: { base_url: 'https://l.example/v1' },
      identity: { url: '/me', id: '/id' },
    }),
  );
const key = { type: 'api_key' as const, key: new Secret('k+1/=') };

const metadata = {
  issuer,
  authorization_endpoint: `${issuer}/a`,
  token_endpoint: `${issuer}/t`,
  revocation_endpoint: `${issuer}/r`,
  authorization_response_iss_parameter_supported: true,
  id_token_signing_alg_values_supported: ['RS256', 'HS256', 'none', 7],
};

describe('discovery (OpenID Connect Discovery §4, RFC 8414 §3)', () => {
  it('reads the metadata, and only asymmetric algorithms of it', async () => {
    const { call, sent } = fakeUpstream(() => json(metadata));
    expect(await discover(issuer, call)).toEqual({
      issuer,
      authorizationEndpoint: `${issuer}/a`,
      tokenEndpoint: `${issuer}/t`,
      revocationEndpoint: `${issuer}/r`,
      issPromised: true,
      idTokenAlgorithms: ['RS256'],
    });
    expect(sent.map(({ url }) => url)).toEqual([`${issuer}/.well-known/openid-configuration`]);
  });
  it('looks in the second place when the first has nothing, path and all', async () => {
    const { call, sent } = fakeUpstream(({ url }) =>
      url.includes('oauth-authorization-server') ? json({ ...metadata, issuer: `${issuer}/t1` }) : json({}, 404),
    );
    expect(await discover(`${issuer}/t1`, call)).toMatchObject({ issuer: `${issuer}/t1` });
    expect(sent.map(({ url }) => url)).toEqual([
      `${issuer}/t1/.well-known/openid-configuration`,
      `${issuer}/.well-known/oauth-authorization-server/t1`,
    ]);
  });
  it.each([
    ['another issuer', () => json({ ...metadata, issuer: 'https://evil.example' })],
    ['no issuer', () => json({ ...metadata, issuer: undefined })],
    ['HTML', () => new Response('<html>', { headers: { 'content-type': 'text/html' } })],
    ['a list', () => json([])],
    ['a server error: the promise of iss must not be lost', () => json({}, 503)],
    ['a redirect', () => new Response(null, { status: 302, headers: { location: 'https://evil.example' } })],
    ['an endpoint that is script', () => json({ ...metadata, authorization_endpoint: 'javascript:alert(1)' })],
    ['an endpoint without TLS', () => json({ ...metadata, token_endpoint: 'http://harbour.example/t' })],
    ['an endpoint with a password', () => json({ ...metadata, token_endpoint: 'https://u:p@harbour.example/t' })],
    ['an endpoint that is a number', () => json({ ...metadata, revocation_endpoint: 7 })],
  ])('%s ends the flow', async (_title, answer) => {
    await expect(discover(issuer, fakeUpstream(answer).call)).rejects.toMatchObject({ code: 'upstream.discovery_failed' });
  });
  it('a document of 5 MB is not read', async () => {
    await expect(discover(issuer, fakeUpstream(() => new Response(' '.repeat(5_000_000))).call)).rejects.toMatchObject({
      code: 'upstream.answer_too_large',
    });
  });

  it('endpoints of the definition win, and the promise of iss is taken from the metadata', async () => {
    const resolved = await resolveServer(harbour({ issuer, revocation_endpoint: undefined }), fakeUpstream(() => json(metadata)).call);
    expect(resolved).toMatchObject({
      authorizationEndpoint: `${issuer}/auth`,
      tokenEndpoint: `${issuer}/token`,
      revocationEndpoint: `${issuer}/r`,
      issPromised: true,
    });
  });
  it('without an issuer nothing is asked', async () => {
    const { call, sent } = fakeUpstream(() => json({}, 500));
    expect(await resolveServer(harbour(), call)).toMatchObject({ issuer: null, issPromised: false });
    expect(sent).toHaveLength(0);
  });
  it.each([400, 404, 405, 410, 501])('where both places say %i the definition must name the endpoints', async (status) => {
    const gone = fakeUpstream(() => json({}, status)).call;
    expect(await resolveServer(harbour({ issuer }), gone)).toMatchObject({ issuer, tokenEndpoint: `${issuer}/token`, issPromised: false });
    await expect(resolveServer(harbour({ issuer, token_endpoint: undefined }), gone)).rejects.toMatchObject({
      code: 'upstream.discovery_failed',
    });
    await expect(resolveServer(keyService({ in: 'header', name: 'X-Key' }), gone)).rejects.toThrow(TypeError);
  });
});

describe('the identity', () => {
  const service = harbour({}, { identity: { url: '/me', id: '/user/id', name: '/user/mail' } });
  const ask = (answer: () => Response, of = service) => fetchIdentity({ service: of, credential: bearer, call: fakeUpstream(answer).call });

  it("is read by JSON pointers, under the account's token", async () => {
    const { call, sent } = fakeUpstream(() => json({ user: { id: 7, mail: 'a@b.example' } }));
    expect(await fetchIdentity({ service, credential: bearer, call })).toEqual({ id: '7', name: 'a@b.example' });
    expect([sent[0]!.url, sent[0]!.headers.get('authorization')]).toEqual([`${issuer}/api/me`, 'Bearer at-1']);
  });
  it('an id beyond 2^53 keeps every digit, so that two accounts stay two', async () => {
    const of = async (id: string) => (await ask(() => new Response(`{"user":{"id":${id}}}`)))?.id;
    expect([await of('9007199254740993'), await of('9007199254740992')]).toEqual(['9007199254740993', '9007199254740992']);
  });
  it('without a name the id stands in', async () =>
    expect(await ask(() => json({ user: { id: 'u', mail: null } }))).toEqual({ id: 'u', name: 'u' }));
  it.each([
    ['null', null],
    ['true', true],
    ['an object', {}],
    ['a list', ['u']],
    ['empty', ''],
    ['absent', undefined],
    ['a fraction', 1.5],
    ['too long', 'x'.repeat(300)],
    ['with a line end', 'a\nb'],
  ])('an id that is %s is none', async (_title, id) => {
    await expect(ask(() => json({ user: { id } }))).rejects.toMatchObject({ code: 'upstream.identity_missing' });
  });
  it.each([
    [401, 'upstream.identity_refused'],
    [403, 'upstream.identity_refused'],
    [404, 'upstream.identity_missing'],
    [302, 'upstream.identity_missing'],
    [429, 'upstream.rate_limited'],
    [500, 'upstream.unavailable'],
  ])('status %i is %s', async (status, code) => {
    await expect(ask(() => json({ user: { id: 'u' } }, status))).rejects.toMatchObject({ code });
  });
  it.each([
    ['HTML', () => new Response('<html>')],
    ['a list', () => json([{ id: 1 }])],
  ])('%s is none', async (_title, answer) => {
    await expect(ask(answer)).rejects.toMatchObject({ code: 'upstream.identity_missing' });
  });
  it('comes from the ID token where the service has no identity address, by pointer or by the usual claims', async () => {
    const call = fakeUpstream(() => json({})).call;
    const claims = { sub: 's', email: 'e@x.example', tenant: { oid: 'o' } };
    expect(await fetchIdentity({ service: harbour({ issuer }), credential: bearer, idTokenClaims: claims, call })).toEqual({
      id: 's',
      name: 'e@x.example',
    });
    expect(
      await fetchIdentity({
        service: harbour({ issuer }, { identity: { id: '/tenant/oid', name: '/sub' } }),
        credential: bearer,
        idTokenClaims: claims,
        call,
      }),
    ).toEqual({ id: 'o', name: 's' });
    await expect(
      fetchIdentity({ service: harbour({ issuer }, { identity: { id: '/sub' } }), credential: bearer, call }),
    ).rejects.toMatchObject({ code: 'upstream.identity_missing' });
    expect(await fetchIdentity({ service: harbour(), credential: bearer, call })).toBeNull();
  });
  it("Slack's people are told apart by workspace, and Dropbox is asked by POST", async () => {
    const slack = findCatalogueEntry('slack')!;
    expect(await ask(() => json({ ok: true, user_id: 'U1', team_id: 'T1', user: 'ada' }), slack)).toEqual({ id: 'T1/U1', name: 'ada' });
    await expect(ask(() => json({ ok: true, user_id: 'U1' }), slack)).rejects.toMatchObject({ code: 'upstream.identity_missing' });
    const { call, sent } = fakeUpstream(() => json({ account_id: 'dbid:1', email: 'a@b' }));
    await fetchIdentity({ service: findCatalogueEntry('dropbox')!, credential: bearer, call });
    expect([sent[0]!.method, sent[0]!.text]).toEqual(['POST', '']);
  });
});

describe('where a credential goes', () => {
  const place = (auth: object, url = 'https://l.example/v1/notes?b=%20x&a=1') => placeCredential(keyService(auth), key, url);

  it('a header, with its prefix as written', () => {
    expect(place({ in: 'header', name: 'X-Api-Key' }).headers).toEqual({ 'x-api-key': 'k+1/=' });
    expect(place({ in: 'header', name: 'X-Auth', prefix: 'key=' }).headers).toEqual({ 'x-auth': 'key=k+1/=' });
  });
  it.each([
    ['Bearer', 'Bearer k+1/='],
    ['Token ', 'Token k+1/='],
    ['Token token=', 'Token token=k+1/='],
    [undefined, 'k+1/='],
  ])('Authorization with prefix %j', (prefix, value) => {
    expect(place({ in: 'header', name: 'Authorization', ...(prefix === undefined ? {} : { prefix }) }).headers).toEqual({
      authorization: value,
    });
  });
  it('the query, leaving the rest byte for byte', () => {
    expect(place({ in: 'query', name: 'api_key' }).url).toBe('https://l.example/v1/notes?b=%20x&a=1&api_key=k%2B1%2F%3D');
    expect(place({ in: 'query', name: 'api_key' }, 'https://l.example/v1').url).toBe('https://l.example/v1?api_key=k%2B1%2F%3D');
  });
  it('a key the caller sent under that name is replaced, not doubled', () => {
    expect(
      new URL(place({ in: 'query', name: 'api_key' }, 'https://l.example/?api_key=mine&x=1').url).searchParams.getAll('api_key'),
    ).toEqual(['k+1/=']);
  });
  it('Basic, in UTF-8', () => {
    const service = customService(
      parseServiceDefinition({ id: 'cellar', friendly_name: 'C', auth: { type: 'basic' }, api: { base_url: 'https://c.example' } }),
    );
    expect(placeCredential(service, { type: 'basic', username: 'ä', password: new Secret('p:w') }, 'https://c.example').headers).toEqual({
      authorization: `Basic ${Buffer.from('ä:p:w').toString('base64')}`,
    });
  });
  it('a credential of another kind is a fault', () =>
    expect(() => placeCredential(harbour(), key, 'https://x.example')).toThrow(TypeError));
  it.each(['a\r\nx-evil: 1', 'a\u0000', 'ключ', ''])('the key %j cannot be sent, and is not repeated', (text) => {
    const send = () =>
      placeCredential(keyService({ in: 'header', name: 'X-Key' }), { type: 'api_key', key: new Secret(text) }, 'https://l.example/');
    expect(send).toThrow(
      expect.objectContaining({ code: 'service.credential_malformed', publicText: expect.not.stringContaining('evil') }),
    );
  });
  it('keys with line ends do not fit a header', () =>
    expect([isHeaderSafe('abc'), isHeaderSafe('a\r\nb'), isHeaderSafe('a\u0000'), isHeaderSafe('ключ')]).toEqual([
      true,
      false,
      false,
      false,
    ]));
});

describe('revocation (RFC 7009)', () => {
  const tokens = { accessToken: new Secret('at-1'), refreshToken: new Secret('rt-1') };
  const end = (service = harbour(), answer: () => Response = () => new Response('', { status: 200 }), change: object = {}) => {
    const { call, sent } = fakeUpstream(answer);
    return { result: revoke({ service, server, client, call, tokens, ...change }), sent };
  };

  it('sends the refresh token, authenticated; the access token where there is no other', async () => {
    const { result, sent } = end();
    expect(await result).toEqual({ kind: 'revoked' });
    expect(Object.fromEntries(sent[0]!.form)).toEqual({ token: 'rt-1', token_type_hint: 'refresh_token' });
    expect(sent[0]!.headers.get('authorization')).toMatch(/^Basic /);
    const alone = end(harbour(), undefined, { tokens: { accessToken: tokens.accessToken } });
    await alone.result;
    expect(Object.fromEntries(alone.sent[0]!.form)).toEqual({ token: 'at-1', token_type_hint: 'access_token' });
  });
  it('knows the habits of the catalogue', async () => {
    const google = end(findCatalogueEntry('gdrive')!);
    await google.result;
    expect([
      google.sent[0]!.form.get('token'),
      google.sent[0]!.headers.has('authorization'),
      google.sent[0]!.form.has('client_secret'),
    ]).toEqual(['rt-1', false, false]);
    const dropbox = end(findCatalogueEntry('dropbox')!);
    await dropbox.result;
    expect([dropbox.sent[0]!.headers.get('authorization'), dropbox.sent[0]!.text]).toEqual(['Bearer at-1', '']);
    const github = end(findCatalogueEntry('github')!, () => new Response(null, { status: 204 }), {
      server: { ...server, revocationEndpoint: 'https://api.github.example/applications/{client_id}/token' },
    });
    expect(await github.result).toEqual({ kind: 'revoked' });
    expect([github.sent[0]!.method, github.sent[0]!.url, github.sent[0]!.text]).toEqual([
      'DELETE',
      'https://api.github.example/applications/client-1/token',
      '{"access_token":"at-1"}',
    ]);
  });
  it.each([
    ['nothing to call', {}, undefined, { server: { ...server, revocationEndpoint: null } }, { kind: 'unsupported' }],
    ['a token dead already', {}, () => json({ error: 'invalid_token' }, 400), {}, { kind: 'revoked' }],
    ['an outage', {}, () => json({}, 503), {}, { kind: 'failed', error: 'status 503' }],
    ['a refused client', {}, () => json({ error: 'invalid_client' }, 401), {}, { kind: 'failed', error: 'invalid_client' }],
    ['"ok": false', {}, () => json({ ok: false, error: 'fatal_error' }), {}, { kind: 'failed', error: 'fatal_error' }],
    [
      'a broken connection',
      {},
      () => {
        throw new TypeError('fetch failed');
      },
      {},
      { kind: 'failed', error: 'upstream.unavailable' },
    ],
    ['an endless answer', {}, () => new Response('x'.repeat(1_000_000)), {}, { kind: 'failed', error: 'upstream.answer_too_large' }],
  ] as const)('%s', async (_title, auth, answer, change, expected) => {
    expect(await end(harbour(auth), answer, change).result).toEqual(expected);
  });
});

describe('JSON pointers (RFC 6901 §5)', () => {
  const document = { foo: ['bar', 'baz'], '': 0, 'a/b': 1, 'c%d': 2, 'm~n': 8, ' ': 7 };
  it.each([
    ['', document],
    ['/foo', ['bar', 'baz']],
    ['/foo/0', 'bar'],
    ['/', 0],
    ['/a~1b', 1],
    ['/c%d', 2],
    ['/m~0n', 8],
    ['/ ', 7],
  ])('%j', (pointer, value) => expect(readJsonPointer(document, pointer)).toEqual(value));
  it.each(['/foo/2', '/foo/-', '/foo/00', '/foo/length', '/__proto__', '/constructor/name', '/nothing/here', '/a~1b/x'])(
    '%j finds nothing',
    (pointer) => expect(readJsonPointer(document, pointer)).toBeUndefined(),
  );
  it.each(['foo', '/a~', '/a~2', 'x/'])('%j is none', (pointer) => expect(isJsonPointer(pointer)).toBe(false));
});
