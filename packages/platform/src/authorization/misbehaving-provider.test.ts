import { gzipSync } from 'node:zlib';
import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { answerOf, type ConnectApplication, REDIRECT_URI } from '../../test/connect-world.ts';
import { HostileWorld } from '../../test/hostile-world.ts';
import type { MisbehavingProvider } from '../../test/misbehaving-provider.ts';
import { Visitor } from '../../test/visitor.ts';

let hostile: HostileWorld;
let provider: MisbehavingProvider;
let byUserinfo: ConnectApplication;
let byIdToken: ConnectApplication;
beforeAll(async () => {
  hostile = await HostileWorld.create();
  ({ provider } = hostile);
  byUserinfo = await hostile.application(provider.definition('harbour'));
  byIdToken = await hostile.application(provider.definition('harbour', 'id_token'));
});
afterAll(async () => {
  await hostile[Symbol.asyncDispose]();
});
beforeEach(() => {
  provider.behave();
  // The provider dates its ID tokens by the machine's clock: ours must not stay behind, however long the tests before this one took.
  hostile.world.clock.advance(Math.max(0, Date.now() - hostile.world.clock.now()));
});

type Misbehave = (provider: MisbehavingProvider) => void;
type TokenBody = Record<string, unknown>;

const json = (response: ServerResponse, text: string, status = 200, type = 'application/json') =>
  response.writeHead(status, { 'content-type': type }).end(text);
/** Changes the token answer that the mock server has made. */
const answer =
  (change: (body: TokenBody) => void): Misbehave =>
  ({ service }) =>
    service.on('beforeResponse', ({ body }: { body: TokenBody }) => change(body));
/** Another token answer altogether. */
const token =
  (text: string, status = 200, type?: string): Misbehave =>
  (at) =>
    at.raw('/token', (_, response) => json(response, text, status, type));
const userinfo =
  (text: string, status = 200, type?: string): Misbehave =>
  (at) =>
    at.raw('/userinfo', (_, response) => json(response, text, status, type));
/** Changes the ID token before it is signed; the access token is signed with the same event and may differ too. */
const claims =
  (change: (payload: Record<string, unknown>) => void): Misbehave =>
  ({ service }) =>
    service.on('beforeTokenSigning', ({ payload }: { payload: Record<string, unknown> }) => change(payload));
const redirect =
  (change: (parameters: URLSearchParams) => void): Misbehave =>
  ({ service }) =>
    service.on('beforeAuthorizeRedirect', ({ url }: { url: URL }) => change(url.searchParams));
/** Keeps writing until the other side has had enough. */
const endless = (response: ServerResponse) => {
  const write = () => {
    while (!response.destroyed && response.write('x'.repeat(65_536)));
  };
  response.on('drain', write);
  write();
};

/** The same claims under `alg: none`. */
function unsigned(jwt: string): string {
  return `${Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')}.${jwt.split('.')[1]}.`;
}

const secretsOf = (visitor: Visitor) => [...provider.secrets, ...visitor.cookies.values(), provider.clientSecret];

/** The flow is told as refused, leaves an entry of the log and nothing else, and none of its secrets is anywhere. */
async function expectRefused(application: ConnectApplication, reason: string): Promise<Readonly<Record<string, unknown>>> {
  const visitor = new Visitor();
  const begun = await visitor.get(hostile.startUrl(application));
  const secrets = [...secretsOf(visitor), answerOf(begun.location).get('state') ?? 'no-such-parameter'];
  let location = '';
  const left = await hostile.leftBy(async () => {
    const back = begun.location.startsWith(provider.url) ? (await visitor.get(begun.location)).location : begun.location;
    secrets.push(answerOf(back).get('code') ?? 'no-such-parameter');
    ({ location } = back.startsWith(REDIRECT_URI) ? begun : await visitor.get(back));
  });
  const told = answerOf(location);
  expect(location.startsWith(`${REDIRECT_URI}?error=`), location).toBe(true);
  expect(['server_error', 'temporarily_unavailable', 'access_denied']).toContain(told.get('error'));
  expect([told.get('state'), told.get('iss')]).toEqual(['client-state', hostile.world.url]);
  expect(told.get('error_description')).toMatch(/^[\x20-\x7e]{20,300}$/);
  expect(location).not.toMatch(/%3C|alert|AAAA/i);
  expect(left.tables).toEqual(['authorization_transactions']);
  expect(left.audit.map(({ action, actor, application_id: of }) => [action, actor.kind, of])).toEqual([
    ['account.connect_refused', 'end_user', application.id],
  ]);
  const { detail } = left.audit[0]!;
  expect([detail['reason'], detail['service']]).toEqual([reason, 'harbour']);
  expect([...secrets, ...provider.secrets].filter((secret) => secret !== '' && left.dump.includes(secret))).toEqual([]);
  return detail;
}

async function expectConnected(application: ConnectApplication) {
  const done = await hostile.connect(application);
  expect(answerOf(done.location).get('error_description')).toBe(null);
  const redeemed = await hostile.redeem(application, done.location);
  expect(redeemed.status, redeemed.text).toBe(200);
  return (await hostile.account(application, redeemed.json.account_id, '?retrieve_tokens=true')).json;
}

describe('C5 control: a provider that behaves', () => {
  it('by userinfo and by ID token the account is connected', async () => {
    expect((await expectConnected(byUserinfo)).granted_scopes).toEqual(['dummy']);
    expect((await expectConnected(byIdToken)).health).toBe('healthy');
    expect(provider.asked('/revoke')).toEqual([]);
  });
});

describe('C5 a token answer that cannot be used refuses the flow, is recorded, and leaves nothing', () => {
  it.each<[string, string, Misbehave]>([
    ['HTML with 200', 'upstream.answer_malformed', token('<html><script>alert(1)</script>', 200, 'text/html')],
    ['HTML with 401', 'upstream.answer_malformed', token('<h1>Sign in</h1>', 401, 'text/html')],
    ['a form that is called HTML', 'upstream.answer_malformed', token('access_token=abc&token_type=bearer', 200, 'text/html')],
    ['nothing at all', 'upstream.answer_malformed', token('')],
    ['an array', 'upstream.answer_malformed', token('[{"access_token":"abc"}]')],
    ['JSON cut short', 'upstream.answer_malformed', token('{"access_token":"abc","token_ty')],
    ['no access_token', 'upstream.answer_malformed', answer((body) => delete body['access_token'])],
    ['access_token null', 'upstream.answer_malformed', answer((body) => (body['access_token'] = null))],
    ['access_token a number', 'upstream.answer_malformed', answer((body) => (body['access_token'] = 12345))],
    ['access_token an object', 'upstream.answer_malformed', answer((body) => (body['access_token'] = { value: 'abc' }))],
    ['access_token with a line break', 'upstream.answer_malformed', answer((body) => (body['access_token'] = 'a\r\nx-evil: 1'))],
    ['access_token of 20,000 characters', 'upstream.answer_malformed', answer((body) => (body['access_token'] = 'A'.repeat(20_000)))],
    ['access_token only in __proto__', 'upstream.answer_malformed', token('{"__proto__":{"access_token":"abc","token_type":"bearer"}}')],
    ['token_type mac', 'upstream.answer_malformed', answer((body) => (body['token_type'] = 'mac'))],
    ['token_type DPoP', 'upstream.answer_malformed', answer((body) => (body['token_type'] = 'DPoP'))],
    ['token_type a list', 'upstream.answer_malformed', answer((body) => (body['token_type'] = ['Bearer']))],
    ['nested 200,000 deep', 'upstream.answer_malformed', token(`{"access_token":"abc","x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`)],
    ['5 MB', 'upstream.answer_too_large', token(`{"access_token":"abc","x":"${'A'.repeat(5_000_000)}"}`)],
    [
      'a redirect',
      'upstream.answer_malformed',
      (at) => at.raw('/token', (_, response) => response.writeHead(302, { location: `${at.url}/elsewhere` }).end()),
    ],
    ['an error in an object', 'upstream.code_refused', token('{"error":{"code":"bad_verification_code","message":"<script>"}}')],
    ['an error that is markup', 'upstream.code_refused', token('{"error":"<script>alert(1)</script>"}', 400)],
    ['an error with 200', 'upstream.code_refused', token('{"error":"invalid_grant","error_description":"<script>"}')],
    ['invalid_client', 'upstream.client_refused', token('{"error":"invalid_client"}', 401)],
    ['429', 'upstream.rate_limited', token('{"error":"slow_down"}', 429)],
    ['503 with HTML', 'upstream.unavailable', token('<h1>Down for maintenance</h1>', 503, 'text/html')],
    ['500 with an error of a kind', 'upstream.unavailable', token('{"error":"oops"}', 500)],
    ['a connection closed before the headers', 'upstream.unavailable', (at) => at.raw('/token', (request) => request.socket.destroy())],
    [
      'a connection reset before the headers',
      'upstream.unavailable',
      (at) => at.raw('/token', (request) => request.socket.resetAndDestroy()),
    ],
    [
      'a connection reset after the headers',
      'upstream.unavailable',
      (at) =>
        at.raw('/token', (request, response) => {
          response.writeHead(200, { 'content-type': 'application/json', 'content-length': '500' });
          response.write('{"access_token":"abc",', () => request.socket.resetAndDestroy());
        }),
    ],
    [
      'a body shorter than announced',
      'upstream.unavailable',
      (at) =>
        at.raw('/token', (request) => {
          request.socket.end(
            'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"access_token":"abc","token_type":"bearer"}',
          );
        }),
    ],
    [
      'something that is not HTTP',
      'upstream.unavailable',
      (at) => at.raw('/token', (request) => request.socket.end('SSH-2.0-OpenSSH_9.9\r\n')),
    ],
    ['no answer', 'upstream.timeout', (at) => at.raw('/token', () => undefined)],
    [
      'headers, and then nothing',
      'upstream.timeout',
      (at) => at.raw('/token', (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders()),
    ],
    [
      'a byte now and then',
      'upstream.timeout',
      (at) =>
        at.raw('/token', (_, response) => {
          response.writeHead(200, { 'content-type': 'application/json' });
          const drip = setInterval(() => response.write(' '), 100);
          response.on('close', () => clearInterval(drip));
        }),
    ],
    ['a body without end', 'upstream.answer_too_large', (at) => at.raw('/token', (_, response) => endless(response.writeHead(200)))],
    [
      'a gzip bomb',
      'upstream.answer_too_large',
      (at) => {
        const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, ' '));
        at.raw('/token', (_, response) =>
          response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(bomb),
        );
      },
    ],
    [
      'gzip that is none',
      'upstream.unavailable',
      (at) => at.raw('/token', (_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('{"access_token":"abc"}')),
    ],
  ])('%s', async (_, reason, misbehave) => {
    misbehave(provider);
    const detail = await expectRefused(byUserinfo, reason);
    expect(provider.asked('/token').length).toBe(1);
    expect(provider.asked('/elsewhere')).toEqual([]);
    expect(detail['upstream_tokens']).toBe(undefined);
  });
});

describe('C5 what is merely odd in a token answer is no obstacle', () => {
  it.each<[string, Misbehave]>([
    ['no token_type', answer((body) => delete body['token_type'])],
    ['token_type BEARER', answer((body) => (body['token_type'] = 'BEARER'))],
    ['a member called __proto__', token('{"access_token":"abc","token_type":"bearer","__proto__":{"admin":true,"error":"x"}}')],
    [
      'a member twice: the last one counts, as everywhere',
      token('{"access_token":1,"token_type":"mac","access_token":"abc","token_type":"bearer"}'),
    ],
    ['a byte order mark', token('\uFEFF{"access_token":"abc","token_type":"bearer"}')],
    ['JSON under text/html', token('{"access_token":"abc","token_type":"bearer"}', 200, 'text/html')],
    ['a form under its own name', token('access_token=abc&token_type=bearer', 200, 'application/x-www-form-urlencoded')],
    ['no refresh token', answer((body) => delete body['refresh_token'])],
    ['a refresh token that is a list', answer((body) => (body['refresh_token'] = ['abc']))],
    ['an ID token that is none, where nobody reads it', answer((body) => (body['id_token'] = 'no.jwt'))],
  ])('%s', async (_, misbehave) => {
    misbehave(provider);
    expect((await expectConnected(byUserinfo)).health).toBe('healthy');
    expect('admin' in {}).toBe(false);
  });

  it.each<[string, unknown, boolean]>([
    ['a number', 3600, true],
    ['a number as text', '3600', true],
    ['a fraction', 3600.9, true],
    ['absent', undefined, false],
    ['null', null, false],
    ['zero', 0, false],
    ['negative', -3600, false],
    ['a word', 'soon', false],
    ['an exponent as text', '1e9', false],
    ['beyond all numbers', '9'.repeat(400), false],
    ['a date in milliseconds', 1_900_000_000_000, false],
    ['a list', [3600], false],
    ['true', true, false],
  ])('expires_in %s: an expiry where it makes sense, else none', async (_, expiresIn, known) => {
    answer((body) => (body['expires_in'] = expiresIn))(provider);
    const account = await expectConnected(byUserinfo);
    const expected = known ? new Date(hostile.world.clock.now() + 3_600_000).toISOString() : null;
    expect(account.token_expiry).toBe(expected);
  });

  it.each<[string, unknown, readonly string[]]>([
    ['absent: what was asked for', undefined, ['openid', 'files']],
    ['less than was asked for', 'openid', ['openid']],
    ['more than was asked for', 'openid files admin', ['openid', 'files', 'admin']],
    ['as a list', ['openid', 'files'], ['openid', 'files']],
    ['with commas', 'openid,files', ['openid', 'files']],
    ['empty', '', ['openid', 'files']],
    ['a number', 5, ['openid', 'files']],
    ['a list of numbers', [1, 2], ['openid', 'files']],
    ['with what no database keeps', 'openid fi\u0000les \ud800', ['openid']],
    ['a name of a thousand characters', `openid ${'A'.repeat(1000)}`, ['openid']],
  ])('scope %s', async (_, scope, granted) => {
    answer((body) => (body['scope'] = scope))(provider);
    expect((await expectConnected(byUserinfo)).granted_scopes).toEqual(granted);
  });
});

describe('C5 an answer about the person that cannot be used refuses the flow, and its tokens are revoked', () => {
  it.each<[string, string, Misbehave]>([
    ['401', 'upstream.identity_refused', userinfo('{}', 401)],
    ['403 with HTML', 'upstream.identity_refused', userinfo('<h1>No</h1>', 403, 'text/html')],
    ['404', 'upstream.identity_missing', userinfo('{}', 404)],
    ['429', 'upstream.rate_limited', userinfo('{}', 429)],
    ['500', 'upstream.unavailable', userinfo('{}', 500)],
    [
      'a redirect',
      'upstream.identity_missing',
      (at) => at.raw('/userinfo', (_, response) => response.writeHead(302, { location: '/elsewhere' }).end()),
    ],
    ['HTML with 200', 'upstream.identity_missing', userinfo('<script>alert(1)</script>', 200, 'text/html')],
    ['an array', 'upstream.identity_missing', userinfo('[{"sub":"ada"}]')],
    ['no id', 'upstream.identity_missing', userinfo('{"email":"ada@example.com"}')],
    ['an empty id', 'upstream.identity_missing', userinfo('{"sub":""}')],
    ['an id that is null', 'upstream.identity_missing', userinfo('{"sub":null}')],
    ['an id that is true', 'upstream.identity_missing', userinfo('{"sub":true}')],
    ['an id that is an object', 'upstream.identity_missing', userinfo('{"sub":{"toString":"ada"}}')],
    ['an id that is a list', 'upstream.identity_missing', userinfo('{"sub":["ada"]}')],
    ['an id that is a fraction', 'upstream.identity_missing', userinfo('{"sub":1.5}')],
    ['an id with a line break', 'upstream.identity_missing', userinfo('{"sub":"ada\\neve"}')],
    ['an id with NUL', 'upstream.identity_missing', userinfo('{"sub":"ada\\u0000"}')],
    ['an id that is half a character', 'upstream.identity_missing', userinfo('{"sub":"\\ud800"}')],
    ['an id of 300 characters', 'upstream.identity_missing', userinfo(`{"sub":"${'A'.repeat(300)}"}`)],
    ['an id in __proto__', 'upstream.identity_missing', userinfo('{"__proto__":{"sub":"ada"}}')],
    ['another person than the ID token', 'upstream.identity_conflict', userinfo('{"sub":"eve"}')],
    ['5 MB', 'upstream.answer_too_large', userinfo(`{"sub":"ada","x":"${'A'.repeat(5_000_000)}"}`)],
    ['a body without end', 'upstream.answer_too_large', (at) => at.raw('/userinfo', (_, response) => endless(response.writeHead(200)))],
    ['no answer', 'upstream.timeout', (at) => at.raw('/userinfo', () => undefined)],
    ['a connection reset', 'upstream.unavailable', (at) => at.raw('/userinfo', (request) => request.socket.resetAndDestroy())],
  ])('%s', async (_, reason, misbehave) => {
    misbehave(provider);
    // An Application where nobody is connected: who came cannot be somebody who is.
    const application = await hostile.application(provider.definition('harbour'));
    const detail = await expectRefused(application, reason);
    expect(provider.asked('/elsewhere')).toEqual([]);
    expect(detail['upstream_tokens']).toBe('revoked');
    expect(provider.asked('/revoke').map(({ form }) => provider.secrets.has(form.get('token') ?? ''))).toEqual([true]);
  });

  it.each<[string, string]>([
    ['an id that is a number', '7007'],
    ['an id beyond 2^53, exactly', '9007199254740993'],
  ])('control: %s', async (_, sub) => {
    const application = await hostile.application(provider.definition('harbour'));
    answer((body) => delete body['id_token'])(provider);
    userinfo(`{"sub":${sub}}`)(provider);
    expect((await expectConnected(application)).account).toBe(sub);
  });
});

describe('OpenID Connect Core §3.1.3.7 an ID token that is not for us refuses the flow, and its tokens are revoked', () => {
  const hour = 3600;
  it.each<[string, Misbehave]>([
    ['of another issuer', claims((payload) => (payload['iss'] = 'https://evil.example'))],
    ['without issuer', claims((payload) => delete payload['iss'])],
    ['for another client', claims((payload) => (payload['aud'] = 'another-client'))],
    ['for several clients, issued to another', claims((payload) => Object.assign(payload, { aud: [provider.clientId, 'b'], azp: 'b' }))],
    [
      'expired',
      claims((payload) => Object.assign(payload, { iat: Number(payload['iat']) - 2 * hour, exp: Number(payload['exp']) - 2 * hour })),
    ],
    ['without expiry', claims((payload) => delete payload['exp'])],
    ['with a nonce nobody sent', claims((payload) => (payload['nonce'] = 'n'))],
    ['without a subject', claims((payload) => delete payload['sub'])],
    ['with a subject that is a number', claims((payload) => (payload['sub'] = 7))],
    ['that is no JWT', answer((body) => (body['id_token'] = 'no.jwt'))],
    ['that is not signed', answer((body) => (body['id_token'] = unsigned(String(body['id_token']))))],
  ])('%s', async (_, misbehave) => {
    misbehave(provider);
    const application = await hostile.application(provider.definition('harbour', 'id_token'));
    const detail = await expectRefused(application, 'upstream.answer_malformed');
    expect(detail['upstream_tokens']).toBe('revoked');
    expect(provider.asked('/revoke').length).toBe(1);
  });

  it('that is missing', async () => {
    answer((body) => delete body['id_token'])(provider);
    const application = await hostile.application(provider.definition('harbour', 'id_token'));
    expect((await expectRefused(application, 'upstream.identity_missing'))['upstream_tokens']).toBe('revoked');
  });
});

describe('OpenID Connect Core §3.1.2.1 where a service takes no PKCE, a nonce binds its ID token to the flow', () => {
  const withoutPkce = () => hostile.application(provider.definition('harbour', 'id_token', { pkce: false }));

  it('control: the nonce comes back and the account is connected', async () => {
    expect((await expectConnected(await withoutPkce())).health).toBe('healthy');
  });

  it.each<[string, Misbehave]>([
    ['another nonce', claims((payload) => (payload['nonce'] = 'of-another-flow'))],
    ['no nonce', claims((payload) => delete payload['nonce'])],
  ])('%s refuses the flow', async (_, misbehave) => {
    misbehave(provider);
    await expectRefused(await withoutPkce(), 'upstream.answer_malformed');
  });

  it("a code of another person's flow is worth nothing, although nothing else tells the two apart", async () => {
    const application = await withoutPkce();
    const [ada, eve] = [new Visitor(), new Visitor()];
    const back = async (visitor: Visitor) => (await visitor.get((await visitor.get(hostile.startUrl(application))).location)).location;
    const [hers, mine] = [new URL(await back(ada)), new URL(await back(eve))];
    mine.searchParams.set('code', hers.searchParams.get('code')!);
    const left = await hostile.leftBy(async () => {
      expect(answerOf((await eve.get(mine.href)).location).get('error')).toBe('server_error');
    });
    expect(left.tables).toEqual(['authorization_transactions']);
  });
});

describe('C3, C5 an authorization response that cannot be used ends the flow before any token request', () => {
  it.each<[string, string, string, Misbehave]>([
    ['iss of somebody else', 'upstream.issuer_mismatch', 'server_error', redirect((query) => query.set('iss', 'https://evil.example'))],
    ['iss missing although promised', 'upstream.issuer_mismatch', 'server_error', redirect((query) => query.delete('iss'))],
    ['iss with a slash more', 'upstream.issuer_mismatch', 'server_error', redirect((query) => query.set('iss', `${provider.url}/`))],
    ['iss twice', 'upstream.callback_malformed', 'server_error', redirect((query) => query.append('iss', provider.url))],
    ['no code', 'upstream.callback_malformed', 'server_error', redirect((query) => query.delete('code'))],
    ['an empty code', 'upstream.callback_malformed', 'server_error', redirect((query) => query.set('code', ''))],
    ['two codes', 'upstream.callback_malformed', 'server_error', redirect((query) => query.append('code', 'b'))],
    [
      'a code of 5,000 characters',
      'upstream.callback_malformed',
      'server_error',
      redirect((query) => query.set('code', 'A'.repeat(5_000))),
    ],
    ['a JARM response', 'upstream.callback_malformed', 'server_error', redirect((query) => query.set('response', 'a.b.c'))],
    [
      'access_denied',
      'upstream.access_denied',
      'access_denied',
      redirect((query) => {
        query.delete('code');
        query.set('error', 'access_denied');
      }),
    ],
    ['access_denied beside a code', 'upstream.access_denied', 'access_denied', redirect((query) => query.set('error', 'access_denied'))],
    ['an error beside a code', 'upstream.authorization_failed', 'server_error', redirect((query) => query.set('error', 'server_error'))],
    [
      'an error that is markup',
      'upstream.authorization_failed',
      'server_error',
      redirect((query) => query.set('error', '<script>alert(1)</script>')),
    ],
    [
      'an error_description of markup, control characters and 5,000 more',
      'upstream.authorization_failed',
      'server_error',
      redirect((query) => {
        query.set('error', 'temporarily_unavailable');
        query.set('error_description', `<script>alert(1)</script>\r\nSet-Cookie: a=b\u0001${'A'.repeat(5_000)}`);
        query.set('error_uri', 'javascript:alert(1)');
      }),
    ],
  ])('%s', async (_, reason, error, misbehave) => {
    misbehave(provider);
    await expectRefused(byUserinfo, reason);
    expect(provider.asked('/token')).toEqual([]);
    const told = answerOf((await hostile.connect(byUserinfo)).location);
    expect([told.get('error'), told.has('error_uri')]).toEqual([error, false]);
  });
});

describe('C5 metadata that cannot be used refuses the flow before the browser leaves', () => {
  const metadata =
    (change: (document: Record<string, unknown>) => void): Misbehave =>
    ({ service }) =>
      service.on('beforeWellKnownOpenIdConfiguration', ({ body }: { body: Record<string, unknown> }) => change(body));
  const path = '/.well-known/openid-configuration';
  it.each<[string, string, Misbehave]>([
    ['of another issuer', 'upstream.discovery_failed', metadata((document) => (document['issuer'] = 'https://evil.example'))],
    ['without issuer', 'upstream.discovery_failed', metadata((document) => delete document['issuer'])],
    ['without token_endpoint', 'upstream.discovery_failed', metadata((document) => delete document['token_endpoint'])],
    [
      'with a token_endpoint that is script',
      'upstream.discovery_failed',
      metadata((document) => (document['token_endpoint'] = 'javascript:alert(1)')),
    ],
    [
      'with an authorization_endpoint that is data',
      'upstream.discovery_failed',
      metadata((document) => (document['authorization_endpoint'] = 'data:text/html,hi')),
    ],
    ['HTML', 'upstream.discovery_failed', (at) => at.raw(path, (_, response) => json(response, '<h1>hi</h1>', 200, 'text/html'))],
    ['500', 'upstream.discovery_failed', (at) => at.raw(path, (_, response) => json(response, '{}', 500))],
    ['5 MB', 'upstream.answer_too_large', (at) => at.raw(path, (_, response) => json(response, `{"x":"${'A'.repeat(5_000_000)}"}`))],
    ['reset', 'upstream.unavailable', (at) => at.raw(path, (request) => request.socket.resetAndDestroy())],
  ])('%s', async (_, reason, misbehave) => {
    misbehave(provider);
    // An Application of its own: metadata that was good a moment ago is remembered.
    const application = await hostile.application(provider.definition('harbour'));
    let location = '';
    const left = await hostile.leftBy(async () => {
      ({ location } = await new Visitor().get(hostile.startUrl(application)));
    });
    expect(location.startsWith(`${REDIRECT_URI}?error=`), location).toBe(true);
    expect(left.tables).toEqual(['authorization_transactions']);
    expect(left.audit.map(({ action, detail }) => [action, detail['reason']])).toEqual([['account.connect_refused', reason]]);
    expect(provider.asked('/token')).toEqual([]);
  });
});

describe('tokens of a refused flow', () => {
  it('stay where the same person is connected: the service would end that account with them', async () => {
    const application = await hostile.application(provider.definition('harbour'));
    const account = await expectConnected(application);
    const url = await hostile.reconnectUrl(application, account.id);
    // Another person signs in, who is connected already as well.
    userinfo('{"sub":"eve"}')(provider);
    answer((body) => delete body['id_token'])(provider);
    await expectConnected(application);
    const left = await hostile.leftBy(() => hostile.connect(application, new Visitor(), url));
    expect(left.tables).toEqual(['authorization_transactions', 'pushed_authorization_requests']);
    expect(left.audit.map(({ detail, target }) => [detail['reason'], detail['upstream_tokens'], target])).toEqual([
      ['account.identity_mismatch', 'left_in_use', String(account.id)],
    ]);
    expect(provider.asked('/revoke')).toEqual([]);
    // Somebody who is not connected: these tokens are nobody's.
    const again = await hostile.reconnectUrl(application, account.id);
    userinfo('{"sub":"mallory"}')(provider);
    const other = await hostile.leftBy(() => hostile.connect(application, new Visitor(), again));
    expect(other.audit.map(({ detail }) => detail['upstream_tokens'])).toEqual(['revoked']);
    expect(provider.asked('/revoke').length).toBe(1);
  });

  it('stay where it was not told whose they are and anybody is connected', async () => {
    const application = await hostile.application(provider.definition('harbour'));
    await expectConnected(application);
    userinfo('{}', 500)(provider);
    expect((await expectRefused(application, 'upstream.unavailable'))['upstream_tokens']).toBe('left_in_use');
    expect(provider.asked('/revoke')).toEqual([]);
  });

  it('stay where the service has no way to revoke them', async () => {
    provider.service.on('beforeWellKnownOpenIdConfiguration', ({ body }: { body: Record<string, unknown> }) => {
      delete body['revocation_endpoint'];
    });
    userinfo('{}', 500)(provider);
    const application = await hostile.application(provider.definition('harbour'));
    expect((await expectRefused(application, 'upstream.unavailable'))['upstream_tokens']).toBe('left_no_endpoint');
  });
});
