import { HttpBrowser } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { basic, OAuthWorld, REDIRECT_URI } from './oauth-world.ts';

let oauth: OAuthWorld;
beforeAll(async () => {
  oauth = await OAuthWorld.create();
});
afterAll(async () => {
  await oauth[Symbol.asyncDispose]();
});

const pkce = { code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256' };

describe('RFC 6749 §3.1.2.3 dynamic redirect URIs', () => {
  test.each([
    'https://client.example/callback',
    'https://client.example/callback?kept=1&more=1',
    'https://client.example/callback?kept=2',
    'https://client.example/Callback?kept=1',
    'https://client.example/callback/?kept=1',
    'https://client.example:443/callback?kept=1',
    'https://CLIENT.example/callback?kept=1',
    'https://client.example/callback?kept=1#fragment',
    'https://client.example/./callback?kept=1',
    'https://client.example/%63allback?kept=1',
    'https://client.example@evil.example/callback?kept=1',
    'https://client.example.evil.example/callback?kept=1',
    'http://client.example/callback?kept=1',
    'javascript:alert(1)',
    '',
  ])('A1: %s is not what was registered: a page, never a redirect', async (redirect_uri) => {
    const visit = await oauth.authorize({ ...pkce, redirect_uri });
    expect(visit.status).toBe(400);
    expect(visit.headers.get('location')).toBeNull();
    expect(visit.headers.get('content-type')).toContain('text/html');
  });

  test('A1: an unknown client gets a page, never a redirect', async () => {
    const visit = await oauth.authorize({ ...pkce, client_id: 'app0123456789abcdefghijklmn' });
    expect(visit.status).toBe(400);
    expect(visit.headers.get('location')).toBeNull();
  });

  test('control: the registered one, character by character, is redirected to', async () => {
    const visit = await oauth.authorize(pkce);
    expect(visit.url.startsWith(`${REDIRECT_URI}&`)).toBe(true);
    expect(visit.answer.get('kept')).toBe('1');
  });

  test('A1: only a loopback address may vary its port (RFC 8252 §7.3)', async () => {
    const client = await oauth.another();
    const uri = { loopback: 'http://127.0.0.1/cb', named: 'https://client.example:8443/cb' };
    for (const url of Object.values(uri))
      expect((await oauth.world.meta('POST', `/applications/${client.id}/redirect_uris`, { url })).status).toBe(201);
    const arrives = async (redirect_uri: string) =>
      (await oauth.authorize({ ...pkce, client_id: client.id, redirect_uri })).answer.has('code');
    expect(await arrives('http://127.0.0.1:61234/cb')).toBe(true);
    expect(await arrives('http://127.0.0.1:61234/other')).toBe(false);
    expect(await arrives('http://localhost:61234/cb')).toBe(false);
    expect(await arrives(uri.named)).toBe(true);
    expect(await arrives('https://client.example:9443/cb')).toBe(false);
  });
});

describe('RFC 6749 §4.1.2.1 error response', () => {
  test.each([
    ['an unknown response_type', { response_type: 'magic' }, 'unsupported_response_type'],
    ['no response_type', { response_type: undefined }, 'invalid_request'],
    ['an unknown scope', { scope: 'no_such_service' }, 'invalid_scope'],
    ['a scope that is none', { scope: '::::' }, 'invalid_scope'],
  ])('%s is told to the client, with its state', async (_what, fields, error) => {
    const { answer } = await oauth.authorize({ ...pkce, ...fields });
    expect(answer.get('error')).toBe(error);
    expect(answer.get('state')).toBe('xyz');
    expect(answer.has('code')).toBe(false);
  });

  test('a person who says no at the service is access_denied', async () => {
    oauth.upstream.deny = true;
    const { answer } = await oauth.authorize(pkce);
    expect(answer.get('error')).toBe('access_denied');
    expect(answer.get('state')).toBe('xyz');
  });

  test('response_type=token is refused where the Application does not allow it (§4.2)', async () => {
    const refused = await oauth.authorize({ response_type: 'token' });
    expect(refused.fragment.get('error') ?? refused.answer.get('error')).toBe('unauthorized_client');
    const client = await oauth.another({ implicit_grant_enabled: true });
    const allowed = await oauth.authorize({ response_type: 'token', client_id: client.id });
    expect(allowed.fragment.get('access_token')).toMatch(/^bha_/);
    expect(Number(allowed.fragment.get('expires_in'))).toBeLessThanOrEqual(3600);
    expect(allowed.fragment.has('refresh_token')).toBe(false);
  });
});

describe('RFC 6749 §4.1.2 authorization response', () => {
  test.each(['a b', 'ä€𝄞', 'a+b/c==', '%41', '"><script>', 'x'.repeat(1000)])('state %j comes back byte for byte', async (state) => {
    expect((await oauth.authorize({ ...pkce, state })).answer.get('state')).toBe(state);
  });

  test('A3: a code is URL-safe and holds more than 128 bits', async () => {
    const { code } = await oauth.code();
    expect(code).toMatch(/^[A-Za-z0-9_]+$/);
    expect(code.split('_').at(-1)!.length).toBeGreaterThanOrEqual(43);
  });

  test('A3: a code lives a minute', async () => {
    const [early, late] = [await oauth.code(), await oauth.code()];
    oauth.world.clock.advance(59_000);
    expect((await oauth.redeem(early.code, early.verifier)).status).toBe(200);
    oauth.world.clock.advance(1_000);
    expect((await oauth.redeem(late.code, late.verifier)).json.error).toBe('invalid_grant');
  });

  test('A3: a code is spent once, even by ten requests at the same moment, and its second use ends what it had issued', async () => {
    const { code, verifier } = await oauth.code();
    const answers = await Promise.all(Array.from({ length: 10 }, () => oauth.redeem(code, verifier)));
    const good = answers.filter(({ status }) => status === 200);
    expect(good.length).toBe(1);
    expect(await oauth.isLive(good[0]!.json.access_token)).toBe(false);
    expect((await oauth.token({ grant_type: 'refresh_token', refresh_token: good[0]!.json.refresh_token })).json.error).toBe(
      'invalid_grant',
    );
  });

  test('control: the tokens of a code that was used once live', async () => {
    expect(await oauth.isLive((await oauth.grant()).access_token)).toBe(true);
  });
});

describe('RFC 6749 §4.1.3 access token request', () => {
  test('A3: a code is bound to its client: another one gets nothing, and the rightful one still does', async () => {
    const { code, verifier } = await oauth.code();
    const other = await oauth.another();
    expect((await oauth.redeem(code, verifier, {}, other)).json.error).toBe('invalid_grant');
    expect((await oauth.redeem(code, verifier)).status).toBe(200);
  });

  test.each([
    ['another', 'https://client.example/callback'],
    ['none', undefined],
    ['an empty one', ''],
  ])('A3: a code is bound to its redirect URI: with %s it is refused', async (_what, redirect_uri) => {
    const { code, verifier } = await oauth.code();
    expect((await oauth.redeem(code, verifier, { redirect_uri })).status).toBe(400);
    expect((await oauth.redeem(code, verifier)).status).toBe(200);
  });
});

describe('RFC 6749 §5.1 successful response', () => {
  test('is JSON that nobody keeps', async () => {
    const { code, verifier } = await oauth.code();
    const answer = await oauth.redeem(code, verifier);
    expect(answer.json).toMatchObject({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: expect.any(Number),
      refresh_token: expect.any(String),
      scope: expect.any(String),
    });
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(answer.headers.get('cache-control')).toContain('no-store');
    expect(answer.headers.get('pragma')).toBe('no-cache');
  });
});

describe('RFC 6749 §5.2 error response', () => {
  test.each([
    ['no grant_type', {}, 'invalid_request'],
    ['an unknown grant_type', { grant_type: 'password', username: 'a', password: 'b' }, 'unsupported_grant_type'],
    ['no code', { grant_type: 'authorization_code', redirect_uri: REDIRECT_URI }, 'invalid_request'],
    ['an unknown code', { grant_type: 'authorization_code', code: 'nothing', redirect_uri: REDIRECT_URI }, 'invalid_grant'],
    ['an unknown refresh token', { grant_type: 'refresh_token', refresh_token: 'nothing' }, 'invalid_grant'],
  ])('%s', async (_what, fields, error) => {
    const answer = await oauth.token(fields);
    expect(answer.status).toBe(400);
    expect(answer.json.error).toBe(error);
    expect(answer.headers.get('cache-control')).toContain('no-store');
    expect(answer.json).toMatchObject({ error_description: expect.any(String) });
  });

  test('a parameter sent twice is invalid_request (§3.2)', async () => {
    const { code, verifier } = await oauth.code();
    const body = new URLSearchParams([
      ['grant_type', 'authorization_code'],
      ['code', code],
      ['code', code],
      ['code_verifier', verifier],
      ['redirect_uri', REDIRECT_URI],
    ]);
    const answer = await oauth.world.call('POST', '/v1/oauth/token', { headers: basic(oauth.client.id, oauth.client.key), body });
    expect([answer.status, answer.json.error]).toEqual([400, 'invalid_request']);
  });

  test('A5: an unknown client and a wrong secret are told alike: 401 invalid_client, WWW-Authenticate by the scheme that was used', async () => {
    const { code } = await oauth.code();
    const shown = [
      { id: oauth.client.id, key: 'wrong' },
      { id: 'app0123456789abcdefghijklmn' as typeof oauth.client.id, key: oauth.client.key },
      { id: (await oauth.another()).id, key: oauth.client.key },
    ];
    const answers = await Promise.all(shown.map((client) => oauth.redeem(code, undefined, {}, client)));
    for (const answer of answers) {
      expect([answer.status, answer.json.error]).toEqual([401, 'invalid_client']);
      expect(answer.headers.get('www-authenticate')).toMatch(/^Basic /);
    }
    expect(new Set(answers.map(({ json: { id: _id, ...rest } }) => JSON.stringify(rest))).size).toBe(1);
  });
});

describe('RFC 6749 §2.3 client authentication', () => {
  test('more than one method in a request is refused', async () => {
    const { code, verifier } = await oauth.code();
    const answer = await oauth.redeem(code, verifier, { client_secret: oauth.client.key });
    expect([answer.status, answer.json.error]).toEqual([400, 'invalid_request']);
    expect((await oauth.redeem(code, verifier, { client_id: oauth.client.id, client_secret: oauth.client.key }, null)).status).toBe(200);
  });
});

describe('RFC 6749 §6 refreshing', () => {
  test('a scope wider than what was granted is invalid_scope, a narrower one is given', async () => {
    const { refresh_token } = await oauth.grant();
    expect((await oauth.token({ grant_type: 'refresh_token', refresh_token, scope: 'gdrive.storage' })).json.error).toBe('invalid_scope');
    expect((await oauth.token({ grant_type: 'refresh_token', refresh_token })).status).toBe(200);
  });

  test('a refresh token is bound to its client, which must authenticate', async () => {
    const { refresh_token } = await oauth.grant();
    const other = await oauth.another();
    expect((await oauth.token({ grant_type: 'refresh_token', refresh_token }, other)).json.error).toBe('invalid_grant');
    expect(
      (await oauth.token({ grant_type: 'refresh_token', refresh_token, client_id: oauth.client.id }, null)).status,
    ).toBeGreaterThanOrEqual(400);
    expect((await oauth.token({ grant_type: 'refresh_token', refresh_token })).status).toBe(200);
  });

  test('a refresh token that comes back ends the grant (RFC 9700 §4.14)', async () => {
    const { refresh_token, access_token } = await oauth.grant();
    const next = await oauth.token({ grant_type: 'refresh_token', refresh_token });
    expect((await oauth.token({ grant_type: 'refresh_token', refresh_token })).json.error).toBe('invalid_grant');
    expect(await oauth.isLive(next.json.access_token)).toBe(false);
    expect(await oauth.isLive(access_token)).toBe(false);
  });
});

describe('RFC 6749 §10.12, §10.13: pages', () => {
  test('A4: may not be framed, kept, or leak where they are', async () => {
    const client = await oauth.another();
    await oauth.world.meta('POST', `/applications/${client.id}/services`, oauth.upstream.keyService('lantern', 'Lantern'));
    const visit = await oauth.authorize({ ...pkce, client_id: client.id, scope: 'any' }, new HttpBrowser(oauth.world.url));
    expect(visit.status).toBe(200);
    expect(visit.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    expect(visit.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(visit.headers.get('cache-control')).toContain('no-store');
    expect(visit.headers.get('referrer-policy')).toBe('no-referrer');
    expect(visit.text).not.toMatch(/(?:src|href)="https?:\/\/(?!127\.0\.0\.1)/);
  });
});
