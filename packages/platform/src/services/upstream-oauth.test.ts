import { inspect } from 'node:util';
import { generateKeyPair, SignJWT } from 'jose';
import { ManualClock, PlatformError, Secret } from '@bulkhead/base';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildAuthorizationUrl, createPkce } from './authorization-request.ts';
import { findCatalogueEntry } from './catalogue/index.ts';
import { client, fakeUpstream, harbour, issuer, json, server } from './upstream.testkit.ts';
import { redeemCode, type RedeemInput, refresh } from './upstream-oauth.ts';
import type { UpstreamService } from './service.ts';

const clock = new ManualClock();
const good = { access_token: 'at-1', token_type: 'Bearer', expires_in: 3600, refresh_token: 'rt-1', scope: 'files:read' };

function input(call: RedeemInput['call'], change: Partial<RedeemInput> = {}): RedeemInput {
  return {
    service: harbour(),
    server,
    client,
    call,
    clock,
    parameters: new URLSearchParams({ code: 'code-1', state: 'st', iss: issuer }),
    expectedState: 'st',
    redirectUri: 'https://bulkhead.example/v1/oauth/callback/cb1',
    codeVerifier: new Secret('v'.repeat(43)),
    requestedScopes: ['files:read'],
    ...change,
  };
}

const redeemWith = (answer: () => Response, change: Partial<RedeemInput> = {}) => {
  const upstream = fakeUpstream(answer);
  return { result: redeemCode(input(upstream.call, change)), sent: upstream.sent };
};

describe('the authorization request (RFC 6749 §4.1.1)', () => {
  const url = (service: UpstreamService, change = {}) =>
    new URL(
      buildAuthorizationUrl({
        service,
        server,
        client,
        redirectUri: 'https://b.example/cb',
        state: 's t+a=',
        codeChallenge: 'c'.repeat(43),
        scopes: ['a', 'b'],
        ...change,
      }),
    );

  it('carries everything, with S256', () => {
    expect(Object.fromEntries(url(harbour()).searchParams)).toEqual({
      response_type: 'code',
      client_id: 'client-1',
      redirect_uri: 'https://b.example/cb',
      state: 's t+a=',
      scope: 'a b',
      code_challenge: 'c'.repeat(43),
      code_challenge_method: 'S256',
    });
  });
  it('keeps a query that the endpoint has already', () => {
    const asked = url(harbour(), { server: { ...server, authorizationEndpoint: `${issuer}/auth?tenant=1` } });
    expect(asked.searchParams.get('tenant')).toBe('1');
  });
  it('passes extra parameters on, but none that is ours', () => {
    const asked = url(harbour({ extra_authorize_params: { audience: 'x' } }), {
      extraParams: {
        login_hint: 'ada',
        state: 'evil',
        redirect_uri: 'https://evil.example',
        response_mode: 'form_post',
        code_challenge: 'evil',
        request: 'evil',
        Redirect_URI: 'https://evil.example',
        STATE: 'evil',
      },
    });
    expect(asked.searchParams.get('login_hint')).toBe('ada');
    expect(asked.searchParams.get('audience')).toBe('x');
    expect(asked.searchParams.get('state')).toBe('s t+a=');
    expect(asked.href).not.toContain('evil');
    expect(asked.searchParams.has('response_mode')).toBe(false);
  });
  it('knows the habits of the catalogue', () => {
    expect(url(findCatalogueEntry('slack')!).searchParams.get('user_scope')).toBe('a,b');
    expect(url(findCatalogueEntry('slack')!).searchParams.has('code_challenge')).toBe(false);
    expect(url(findCatalogueEntry('gdrive')!).searchParams.get('access_type')).toBe('offline');
    expect(url(findCatalogueEntry('atlassian')!).searchParams.get('audience')).toBe('api.atlassian.com');
  });
  it('an endpoint that is no web address is refused', () => {
    expect(() => url(harbour(), { server: { ...server, authorizationEndpoint: 'javascript:alert(1)' } })).toThrow(
      expect.objectContaining({ code: 'upstream.discovery_failed' }),
    );
  });
  it('each verifier is fresh and long enough', async () => {
    const [one, two] = await Promise.all([createPkce(), createPkce()]);
    expect(one.codeVerifier.reveal()).toMatch(/^[\w-]{43,128}$/);
    expect(one.codeChallenge).not.toBe(two.codeChallenge);
    expect(String(one.codeVerifier)).toBe('[redacted]');
  });
});

describe('the authorization response', () => {
  it('is redeemed with code, redirect_uri, verifier and Basic', async () => {
    const { result, sent } = redeemWith(() => json(good));
    const tokens = await result;
    expect([tokens.accessToken.reveal(), tokens.refreshToken?.reveal(), tokens.expiresAt, tokens.grantedScopes]).toEqual([
      'at-1',
      'rt-1',
      clock.now() + 3_600_000,
      ['files:read'],
    ]);
    expect(sent).toHaveLength(1);
    expect(Object.fromEntries(sent[0]!.form)).toEqual({
      grant_type: 'authorization_code',
      code: 'code-1',
      redirect_uri: 'https://bulkhead.example/v1/oauth/callback/cb1',
      code_verifier: 'v'.repeat(43),
    });
    expect(sent[0]!.headers.get('authorization')).toBe(`Basic ${Buffer.from('client-1:s3cret-value').toString('base64')}`);
    expect(sent[0]!.headers.get('accept')).toBe('application/json');
  });

  it.each([
    ['iss is missing though promised (RFC 9207 §2.4)', { code: 'c', state: 'st' }, 'upstream.issuer_mismatch'],
    ['iss is empty', { code: 'c', state: 'st', iss: '' }, 'upstream.issuer_mismatch'],
    ['iss is another', { code: 'c', state: 'st', iss: 'https://evil.example' }, 'upstream.issuer_mismatch'],
    ['iss differs by a slash', { code: 'c', state: 'st', iss: `${issuer}/` }, 'upstream.issuer_mismatch'],
    ['an error comes without iss', { error: 'access_denied', state: 'st' }, 'upstream.issuer_mismatch'],
    ['state is another', { code: 'c', state: 'other', iss: issuer }, 'upstream.state_mismatch'],
    ['state is missing', { code: 'c', iss: issuer }, 'upstream.state_mismatch'],
    ['there is no code', { state: 'st', iss: issuer }, 'upstream.callback_malformed'],
    ['the code is empty', { code: '', state: 'st', iss: issuer }, 'upstream.callback_malformed'],
    ['the code is endless', { code: 'c'.repeat(5000), state: 'st', iss: issuer }, 'upstream.callback_malformed'],
    ['it is a JARM response', { response: 'x.y.z', state: 'st', iss: issuer, code: 'c' }, 'upstream.callback_malformed'],
    ['it brings an ID token by the front door', { id_token: 'x', code: 'c', state: 'st', iss: issuer }, 'upstream.callback_malformed'],
    ['the person said no', { error: 'access_denied', state: 'st', iss: issuer }, 'upstream.access_denied'],
    ['an error stands beside a code', { error: 'server_error', code: 'c', state: 'st', iss: issuer }, 'upstream.authorization_failed'],
    ['the error is markup', { error: '<img src=x>', state: 'st', iss: issuer }, 'upstream.authorization_failed'],
  ])('makes no token request when %s', async (_title, parameters, code) => {
    const { result, sent } = redeemWith(() => json(good), { parameters: new URLSearchParams(parameters as Record<string, string>) });
    await expect(result).rejects.toMatchObject({ code, publicText: expect.not.stringContaining('<') });
    expect(sent).toHaveLength(0);
  });

  it.each(['code', 'state', 'iss'])('makes no token request when %s occurs twice', async (name) => {
    const parameters = new URLSearchParams({ code: 'code-1', state: 'st', iss: issuer });
    parameters.append(name, parameters.get(name)!);
    const { result, sent } = redeemWith(() => json(good), { parameters });
    await expect(result).rejects.toMatchObject({ code: 'upstream.callback_malformed' });
    expect(sent).toHaveLength(0);
  });

  it('without a promise iss may be absent, but may not be another; without an issuer it is not compared', async () => {
    const quiet = { ...server, issPromised: false };
    const without = new URLSearchParams({ code: 'c', state: 'st' });
    const other = new URLSearchParams({ code: 'c', state: 'st', iss: 'https://accounts.example' });
    await expect(redeemWith(() => json(good), { server: quiet, parameters: without }).result).resolves.toBeDefined();
    await expect(redeemWith(() => json(good), { server: quiet, parameters: other }).result).rejects.toMatchObject({
      code: 'upstream.issuer_mismatch',
    });
    await expect(redeemWith(() => json(good), { server: { ...quiet, issuer: null }, parameters: other }).result).resolves.toBeDefined();
  });
});

describe('client authentication (RFC 6749 §2.3.1)', () => {
  const awkward = { clientId: 'cl.ie_nt-1 é', clientSecret: new Secret('GOCSPX-a_b.c+d:e%') };
  it('Basic encodes as a form does, and leaves plain signs plain', async () => {
    const { result, sent } = redeemWith(() => json(good), { client: awkward });
    await result;
    expect(Buffer.from(sent[0]!.headers.get('authorization')!.slice(6), 'base64').toString()).toBe(
      'cl.ie_nt-1+%C3%A9:GOCSPX-a_b.c%2Bd%3Ae%25',
    );
    expect(sent[0]!.form.has('client_secret')).toBe(false);
  });
  it('client_secret_post puts it into the form, and nowhere else', async () => {
    const { result, sent } = redeemWith(() => json(good), {
      service: harbour({ token_endpoint_auth_method: 'client_secret_post' }),
      client: awkward,
    });
    await result;
    expect([sent[0]!.form.get('client_secret'), sent[0]!.headers.has('authorization')]).toEqual(['GOCSPX-a_b.c+d:e%', false]);
  });
  it('a public client sends its id alone', async () => {
    const { result, sent } = redeemWith(() => json(good), {
      service: harbour({ token_endpoint_auth_method: 'none' }),
      client: { clientId: 'p', clientSecret: null },
    });
    await result;
    expect([sent[0]!.form.get('client_id'), sent[0]!.form.has('client_secret'), sent[0]!.headers.has('authorization')]).toEqual([
      'p',
      false,
      false,
    ]);
  });
  it('a service that chokes on PKCE is sent no verifier', async () => {
    const { result, sent } = redeemWith(() => json(good), { service: harbour({ pkce: false }) });
    await result;
    expect(sent[0]!.form.has('code_verifier')).toBe(false);
  });
});

const html = (status = 200) =>
  new Response('<!doctype html><title>Sign in</title>access_token=x&error=y', { status, headers: { 'content-type': 'text/html' } });

describe('junk from the token endpoint', () => {
  it.each([
    ['HTML with 200', () => html(), 'upstream.answer_malformed'],
    ['HTML with 502', () => html(502), 'upstream.unavailable'],
    ['nothing at all', () => new Response(null, { status: 204 }), 'upstream.answer_malformed'],
    ['a JSON array', () => json([good]), 'upstream.answer_malformed'],
    ['a JSON string', () => json('at-1'), 'upstream.answer_malformed'],
    [
      'cut JSON',
      () => new Response('{"access_token":"at', { headers: { 'content-type': 'application/json' } }),
      'upstream.answer_malformed',
    ],
    ['no access_token', () => json({ token_type: 'bearer' }), 'upstream.answer_malformed'],
    ['an empty access_token', () => json({ ...good, access_token: '' }), 'upstream.answer_malformed'],
    ['an access_token that is no text', () => json({ ...good, access_token: { x: 1 } }), 'upstream.answer_malformed'],
    ['an access_token with a line end', () => json({ ...good, access_token: 'a\r\nx-evil: 1' }), 'upstream.answer_malformed'],
    ['a token bound to a key we do not hold', () => json({ ...good, token_type: 'DPoP' }), 'upstream.answer_malformed'],
    ['a MAC token', () => json({ ...good, token_type: 'mac' }), 'upstream.answer_malformed'],
    ['a redirect', () => new Response(null, { status: 302, headers: { location: 'https://evil.example' } }), 'upstream.answer_malformed'],
    ['tokens with an error status', () => json(good, 403), 'upstream.answer_malformed'],
    ['a refused code', () => json({ error: 'invalid_grant' }, 400), 'upstream.code_refused'],
    ['a refused code with status 200', () => json({ error: 'bad_verification_code' }), 'upstream.code_refused'],
    ['an error that is an object', () => json({ error: { code: 'bad_code', message: 'x' } }, 400), 'upstream.code_refused'],
    ['an error of markup', () => json({ error: '<b>' }, 400), 'upstream.code_refused'],
    [
      'a refused client',
      () => json({ error: 'invalid_client' }, 401, { 'www-authenticate': 'Basic realm="x"' }),
      'upstream.client_refused',
    ],
    ['too many requests', () => json({ error: 'slow_down' }, 429, { 'retry-after': '7' }), 'upstream.rate_limited'],
    ['a server error', () => json({ error: 'server_error' }, 503, { 'retry-after': '7' }), 'upstream.unavailable'],
    ['5 MB', () => new Response(`{"access_token":"${'x'.repeat(5_000_000)}"}`), 'upstream.answer_too_large'],
    ['a length of 5 GB', () => new Response('{}', { headers: { 'content-length': '5000000000' } }), 'upstream.answer_too_large'],
  ])('%s is a typed error', async (_title, answer, code) => {
    const { result } = redeemWith(answer);
    await expect(result).rejects.toMatchObject({ code, publicText: expect.not.stringMatching(/<b>|at-1|s3cret/) });
  });

  it('an endless body ends at the limit, and what follows is not read', async () => {
    let chunks = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        chunks += 1;
        controller.enqueue(new Uint8Array(64 * 1024));
      },
    });
    await expect(redeemWith(() => new Response(body)).result).rejects.toMatchObject({ code: 'upstream.answer_too_large' });
    expect(chunks).toBeLessThan(10);
  });

  it("a body that hangs ends with the caller's signal", async () => {
    const leave = new AbortController();
    const body = new ReadableStream<Uint8Array>({ pull: () => leave.abort() });
    const upstream = fakeUpstream(() => new Response(body));
    await expect(redeemCode(input({ ...upstream.call, signal: leave.signal }))).rejects.toMatchObject({ code: 'upstream.timeout' });
  });

  it('a connection that breaks is unavailable; what egress says stays as it is', async () => {
    await expect(
      redeemWith(() => {
        throw new TypeError('fetch failed');
      }).result,
    ).rejects.toMatchObject({ code: 'upstream.unavailable' });
    const refused = new PlatformError('egress.refused', { status: 400, wire: 'bad_request', text: 'no' });
    await expect(
      redeemWith(() => {
        throw refused;
      }).result,
    ).rejects.toBe(refused);
  });

  it('no error shows a secret, however it is printed', async () => {
    for (const answer of [
      () => json({ ...good, token_type: 'mac' }),
      () => json({ error: 'invalid_grant', error_description: 'code-1 s3cret-value at-1' }, 400),
      () => json({ ...good, id_token: 'at-1.rt-1.x' }),
      () => html(),
    ]) {
      const error: unknown = await redeemWith(answer, { service: harbour({ issuer }) }).result.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(PlatformError);
      expect(inspect(error, { depth: 10 }) + JSON.stringify(error)).not.toMatch(/s3cret-value|at-1|rt-1|code-1|v{43}/);
    }
  });
});

describe('answers that are odd but usable', () => {
  it.each([
    ['"3600"', '3600', 3600],
    ['" 60 "', ' 60 ', 60],
    ['3599.9', 3599.9, 3599],
    ['absent', undefined, undefined],
    ['null', null, undefined],
    ['0', 0, undefined],
    ['-1', -1, undefined],
    ['"soon"', 'soon', undefined],
    ['"1h"', '1h', undefined],
    ['a date in ms', 1_900_000_000_000, undefined],
    ['true', true, undefined],
    ['{}', {}, undefined],
    ['ten years', 315_360_000, 315_360_000],
  ])('expires_in %s', async (_title, value, seconds) => {
    const tokens = await redeemWith(() => json({ ...good, expires_in: value })).result;
    expect(tokens.expiresAt).toBe(seconds === undefined ? undefined : clock.now() + seconds * 1000);
  });

  it.each([
    ['bearer', undefined],
    ['in capitals', 'BEARER'],
    ['null', null],
    ['empty', ''],
  ])('token_type %s', async (_title, token_type) => {
    await expect(redeemWith(() => json({ ...good, token_type })).result).resolves.toBeDefined();
  });

  it.each([
    ['commas', 'a,b', ['a', 'b']],
    ['a list', ['a', 'b'], ['a', 'b']],
    ['absent: what was asked for', undefined, ['files:read']],
    ['empty: what was asked for', '', ['files:read']],
    ['null', null, ['files:read']],
    ['less than asked for', 'a', ['a']],
    ['twice the same', 'a a', ['a']],
  ])('scope %s', async (_title, scope, granted) => {
    expect((await redeemWith(() => json({ ...good, scope })).result).grantedScopes).toEqual(granted);
  });

  it.each([[undefined], [null], [''], [7]])('refresh_token %j is none', async (refresh_token) => {
    expect((await redeemWith(() => json({ ...good, refresh_token })).result).refreshToken).toBeUndefined();
  });

  it('JSON under the label of HTML, with a mark at its head, with status 201', async () => {
    const answer = () => new Response(`\uFEFF${JSON.stringify(good)}`, { status: 201, headers: { 'content-type': 'text/html' } });
    expect((await redeemWith(answer).result).accessToken.reveal()).toBe('at-1');
  });

  it('a form, as GitHub answers when it is not asked for JSON', async () => {
    const answer = () =>
      new Response('access_token=gho_1&scope=repo%2Cread%3Auser&token_type=bearer', {
        headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
      });
    const tokens = await redeemWith(answer, { service: findCatalogueEntry('github')! }).result;
    expect([tokens.accessToken.reveal(), tokens.grantedScopes]).toEqual(['gho_1', ['repo', 'read:user']]);
  });

  it("Slack's token of the person, not of the bot", async () => {
    const answer = () =>
      json({
        ok: true,
        access_token: 'xoxb',
        token_type: 'bot',
        team: { id: 'T1', name: 'Acme' },
        authed_user: { id: 'U1', access_token: 'xoxp', token_type: 'user', scope: 'chat:write', expires_in: 43200, refresh_token: 'xoxe' },
      });
    const tokens = await redeemWith(answer, { service: findCatalogueEntry('slack')! }).result;
    expect([tokens.accessToken.reveal(), tokens.refreshToken?.reveal(), tokens.kept]).toEqual([
      'xoxp',
      'xoxe',
      { team_id: 'T1', team_name: 'Acme' },
    ]);
    await expect(
      redeemWith(() => json({ ok: false, error: 'invalid_code' }), { service: findCatalogueEntry('slack')! }).result,
    ).rejects.toMatchObject({ code: 'upstream.code_refused' });
    await expect(redeemWith(() => json({ ok: false }), { service: findCatalogueEntry('slack')! }).result).rejects.toMatchObject({
      code: 'upstream.code_refused',
    });
  });

  it("Atlassian's access_denied for a wrong client secret, which elsewhere is the person's refusal", async () => {
    const refused = (name: string) =>
      redeemWith(() => json({ error: 'access_denied' }, 401), { service: findCatalogueEntry(name)! }).result;
    await expect(refused('atlassian')).rejects.toMatchObject({ code: 'upstream.client_refused' });
    await expect(refused('gitlab')).rejects.toMatchObject({ code: 'upstream.code_refused' });
  });

  it("Salesforce's address of the organization is kept, and no lifetime invented", async () => {
    const tokens = await redeemWith(
      () => json({ access_token: 'x', token_type: 'Bearer', instance_url: 'https://acme.my.salesforce.com', issued_at: '1' }),
      { service: findCatalogueEntry('salesforce')! },
    ).result;
    expect([tokens.kept, tokens.expiresAt]).toEqual([{ instance_url: 'https://acme.my.salesforce.com' }, undefined]);
  });
});

describe('ID tokens (OpenID Connect Core §3.1.3.7)', () => {
  let sign: (claims: object) => Promise<string>;
  beforeAll(async () => {
    const { privateKey } = await generateKeyPair('RS256');
    const base = Math.floor(clock.now() / 1000);
    sign = (claims) =>
      new SignJWT({ iss: issuer, aud: 'client-1', sub: 'ada', iat: base, exp: base + 300, ...claims })
        .setProtectedHeader({ alg: 'RS256' })
        .sign(privateKey);
  });
  const service = harbour({ issuer });

  it('tell the identity where the service has no identity address', async () => {
    const id_token = await sign({ email: 'ada@alder.example' });
    expect((await redeemWith(() => json({ ...good, id_token }), { service }).result).idTokenClaims).toMatchObject({
      sub: 'ada',
      email: 'ada@alder.example',
    });
  });
  it.each([
    ['another issuer', { iss: 'https://evil.example' }],
    ['another client', { aud: 'client-2' }],
    ['yesterday', { iat: 1000, exp: 2000 }],
    ['no subject', { sub: undefined }],
  ])('of %s are refused', async (_title, claims) => {
    const id_token = await sign(claims);
    await expect(redeemWith(() => json({ ...good, id_token }), { service }).result).rejects.toMatchObject({
      code: 'upstream.answer_malformed',
    });
  });
  it('do not matter, and cannot hurt, where the identity is asked for elsewhere', async () => {
    const elsewhere = harbour({ issuer }, { identity: { url: '/me', id: '/id' } });
    const tokens = await redeemWith(() => json({ ...good, id_token: 'junk' }), { service: elsewhere }).result;
    expect(tokens.idTokenClaims).toBeUndefined();
  });
});

describe('refresh (RFC 6749 §6)', () => {
  const refreshWith = (answer: () => Response, service = harbour()) => {
    const upstream = fakeUpstream(answer);
    return {
      result: refresh({ service, server, client, call: upstream.call, clock, refreshToken: new Secret('rt-0') }),
      sent: upstream.sent,
    };
  };

  it('a new refresh token replaces the old', async () => {
    const { result, sent } = refreshWith(() => json({ ...good, id_token: 'whatever' }));
    const done = await result;
    expect(done).toMatchObject({ kind: 'ok', rotated: true });
    expect(done.kind === 'ok' && [done.tokens.accessToken.reveal(), done.tokens.refreshToken.reveal()]).toEqual(['at-1', 'rt-1']);
    expect(Object.fromEntries(sent[0]!.form)).toEqual({ grant_type: 'refresh_token', refresh_token: 'rt-0' });
  });
  it('without a new one the old stays, and silence about scopes is silence', async () => {
    const done = await refreshWith(() => json({ access_token: 'at-1' })).result;
    expect(done).toMatchObject({ kind: 'ok', rotated: false });
    expect(done.kind === 'ok' && [done.tokens.refreshToken.reveal(), done.tokens.grantedScopes, done.tokens.expiresAt]).toEqual([
      'rt-0',
      undefined,
      undefined,
    ]);
  });

  it.each([
    ['invalid_grant', 400, undefined, 'grant'],
    ['invalid_grant', 401, undefined, 'grant'],
    ['invalid_grant', 200, undefined, 'grant'],
    ['access_denied', 403, undefined, 'grant'],
    ['invalid_client', 401, undefined, 'client'],
    ['unauthorized_client', 400, undefined, 'client'],
    ['bad_refresh_token', 200, 'github', 'grant'],
    ['invalid_refresh_token', 200, 'slack', 'grant'],
    ['interaction_required', 400, 'onedrive', 'grant'],
    // Atlassian means the other by each of the two: see 'access_denied' and 'unauthorized_client' above.
    ['unauthorized_client', 403, 'atlassian', 'grant'],
    ['access_denied', 401, 'atlassian', 'client'],
    ['invalid_grant', 403, 'atlassian', 'grant'],
  ] as const)('%s with %i is permanent', async (error, status, name, reason) => {
    const service = name === undefined ? harbour() : findCatalogueEntry(name)!;
    expect(await refreshWith(() => json({ error, ok: false }, status), service).result).toEqual({ kind: 'permanent', reason, error });
  });

  it.each([
    ['an outage', () => json({ error: 'server_error' }, 500)],
    ['an outage that calls itself invalid_grant', () => json({ error: 'invalid_grant' }, 503)],
    ['too many requests', () => json({ error: 'invalid_grant' }, 429)],
    ['an error nobody has heard of', () => json({ error: 'moon_phase' }, 400)],
    ["another service's special error", () => json({ error: 'bad_refresh_token' }, 400)],
    ['temporarily_unavailable', () => json({ error: 'temporarily_unavailable' }, 400)],
    ['HTML with 200', () => html()],
    ['HTML with 400', () => html(400)],
    ['nothing', () => new Response('')],
    ['a redirect', () => new Response(null, { status: 302 })],
    ['no access_token', () => json({ refresh_token: 'rt-1' })],
    ['5 MB', () => new Response('x'.repeat(5_000_000))],
    [
      'a broken connection',
      () => {
        throw new TypeError('fetch failed');
      },
    ],
    [
      'a refusal of egress',
      () => {
        throw new PlatformError('egress.refused', { status: 400, wire: 'bad_request', text: 'no' });
      },
    ],
  ])('%s is transient: an account is not lost for it', async (_title, answer) => {
    expect(await refreshWith(answer).result).toMatchObject({ kind: 'transient', error: expect.stringMatching(/^[a-z_.]+$/) });
  });

  it('Retry-After is handed on, within reason', async () => {
    const after = async (value: string) => {
      const done = await refreshWith(() => json({}, 503, { 'retry-after': value })).result;
      return done.kind === 'transient' ? done.retryAfterSeconds : null;
    };
    expect([
      await after('30'),
      await after('999999'),
      await after('-1'),
      await after('Fri, 31 Dec 2026 23:59:59 GMT'),
      await after('x'),
    ]).toEqual([30, 86_400, undefined, undefined, undefined]);
  });

  it("a fault of ours is thrown, not counted as the upstream's", async () => {
    const lantern = { ...harbour(), definition: { ...harbour().definition, auth: { type: 'basic' as const } } };
    await expect(
      refresh({ service: lantern, server, client, call: fakeUpstream(() => json(good)).call, clock, refreshToken: new Secret('x') }),
    ).rejects.toThrow(TypeError);
  });
});
