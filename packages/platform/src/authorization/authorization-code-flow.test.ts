import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answerOf, type ConnectApplication, ConnectWorld, REDIRECT_URI } from '../../test/connect-world.ts';
import { Visitor } from '../../test/visitor.ts';

let connect: ConnectWorld;
let application: ConnectApplication;
beforeAll(async () => {
  connect = await ConnectWorld.create();
  application = await connect.application();
});
afterAll(async () => {
  await connect[Symbol.asyncDispose]();
});

describe('connecting an account with a code', () => {
  it('goes straight to the one service, comes back with code, state and iss, and the code gives a token of the account', async () => {
    const done = await connect.connect(application);
    expect(done.status).toBe(303);
    expect(done.location.startsWith(`${REDIRECT_URI}?code=bhc_`)).toBe(true);
    const answer = answerOf(done.location);
    expect(answer.get('state')).toBe('st+a/te==');
    expect(answer.get('iss')).toBe(connect.url);
    const redeemed = await connect.redeem(application, done.location);
    expect(redeemed.status).toBe(200);
    const account = await connect.world.call('GET', `/v1/accounts/${redeemed.json.account_id}`, {
      headers: { authorization: `Bearer ${redeemed.json.access_token}` },
    });
    expect(account.json).toMatchObject({
      service: 'harbour',
      account: 'ada@example.com',
      active: true,
      effective_scope: 'harbour:normal.raw.default:kloudless',
    });
  });

  it('asks the service with PKCE, a callback of its own, and what the caller passes on', async () => {
    const begun = await new Visitor().get(connect.startUrl(application, { 'raw[prompt]': 'login', account: 'ada@example.com' }));
    const { parameters, redirectUri, state } = connect.upstream.read(begun.location);
    expect(redirectUri).toMatch(new RegExp(`^${connect.url}/v1/oauth/callback/[A-Za-z0-9_-]{16,}$`));
    expect(Object.fromEntries(parameters)).toMatchObject({
      client_id: connect.upstream.clientId,
      response_type: 'code',
      code_challenge_method: 'S256',
      prompt: 'login',
      login_hint: 'ada@example.com',
      scope: 'files',
    });
    expect(state).toMatch(/^bht_/);
  });

  it('does not let the caller replace what the platform sets', async () => {
    const begun = await new Visitor().get(
      connect.startUrl(application, { 'raw[state]': 'mine', 'raw[redirect_uri]': 'https://evil.example' }),
    );
    const { redirectUri, state } = connect.upstream.read(begun.location);
    expect(state).toMatch(/^bht_/);
    expect(redirectUri.startsWith(connect.url)).toBe(true);
  });

  it('keeps custom properties and the id of an account that is connected twice', async () => {
    const first = await connect.redeem(
      application,
      (await connect.connect(application, { custom_properties: '{"team":"north"}' })).location,
    );
    const second = await connect.redeem(application, (await connect.connect(application)).location);
    expect(second.json.account_id).toBe(first.json.account_id);
    const account = await connect.world.call('GET', `/v1/accounts/${first.json.account_id}`, {
      headers: { authorization: `APIKey ${application.apiKey}` },
    });
    expect(account.json.custom_properties).toEqual({ team: 'north' });
  });

  it('writes who connected what into the audit log', async () => {
    const done = await connect.connect(application);
    const { account_id: accountId } = (await connect.redeem(application, done.location)).json;
    const rows = await connect.world.database.database.withSystem('test', async (tx) => {
      const { sql } = await import('@bulkhead/postgres');
      return tx.query<{ actor: unknown }>(
        sql`select actor from audit_entries where application_id = ${application.id} and action = 'account.authorize' and target = ${String(accountId)}`,
      );
    });
    expect(rows.length).toBeGreaterThan(0);
    expect(rows[0]!.actor).toEqual({ kind: 'end_user' });
  });

  it.each([
    ['a trailing slash', (url: string) => url.replace('/v1/oauth?', '/v1/oauth/?')],
    ['the path of an old provider', (url: string) => url.replace('/v1/oauth?', '/v1/oauth/services?')],
    ['the scope of old clients', (url: string) => `${url}&scope=all`],
    ['unknown parameters', (url: string) => `${url}&extra_data=&referrer=picker&oob_loading_delay=3`],
  ])('begins with %s too', async (_, change) => {
    expect((await new Visitor().get(change(connect.startUrl(application)))).location.startsWith(connect.upstream.url)).toBe(true);
  });

  it('begins nothing for a HEAD, and uses nothing up', async () => {
    const visitor = new Visitor();
    expect((await visitor.head(connect.startUrl(application))).status).toBe(200);
    expect(visitor.cookies.size).toBe(0);
    const begun = await visitor.get(connect.startUrl(application));
    const back = connect.upstream.approve(begun.location);
    expect((await visitor.head(back)).status).toBe(200);
    expect(answerOf((await visitor.get(back)).location).has('code')).toBe(true);
  });

  it('two tabs of one browser both come to their end, in either order', async () => {
    const visitor = new Visitor();
    const [one, two] = [
      await visitor.get(connect.startUrl(application, { state: 'one' })),
      await visitor.get(connect.startUrl(application, { state: 'two' })),
    ];
    expect(answerOf((await connect.approve(visitor, two)).location).get('state')).toBe('two');
    expect(answerOf((await connect.approve(visitor, one)).location).get('state')).toBe('one');
    expect(visitor.cookies.size).toBe(0);
  });
});

describe('RFC 6749 §4.1.2.1 while it is in doubt where the answer goes, nothing is sent there', () => {
  it.each<[string, Record<string, string | null>, string]>([
    ['no client_id', { client_id: null }, 'authorization.client_id_missing'],
    ['an empty client_id', { client_id: '' }, 'authorization.client_id_missing'],
    ['a client_id of no known form', { client_id: 'mine' }, 'authorization.unknown_client'],
    ['an unknown client_id', { client_id: 'app0123456789ABCDEFGHIJKLMNOP' }, 'authorization.unknown_client'],
    ['no redirect_uri', { redirect_uri: null }, 'authorization.redirect_uri_missing'],
    ['a redirect_uri that differs in one character', { redirect_uri: `${REDIRECT_URI}/` }, 'authorization.redirect_uri_unregistered'],
    ['another case', { redirect_uri: REDIRECT_URI.toUpperCase() }, 'authorization.redirect_uri_unregistered'],
    ['a query added', { redirect_uri: `${REDIRECT_URI}?x=1` }, 'authorization.redirect_uri_unregistered'],
    ['a fragment added', { redirect_uri: `${REDIRECT_URI}#x` }, 'authorization.redirect_uri_unregistered'],
    [
      'another host in front',
      { redirect_uri: REDIRECT_URI.replace('https://', 'https://evil.example@') },
      'authorization.redirect_uri_unregistered',
    ],
    ['a script', { redirect_uri: 'javascript:alert(1)' }, 'authorization.redirect_uri_unregistered'],
    ['a redirect_uri of 3000 characters', { redirect_uri: `https://client.example/${'x'.repeat(3000)}` }, 'authorization.malformed'],
    ['an unknown request_uri', { request_uri: 'urn:ietf:params:oauth:request_uri:bhp_x' }, 'authorization.request_uri_unknown'],
  ])('%s ends on a page', async (_, parameters, code) => {
    const answer = await new Visitor().get(connect.startUrl(application, parameters));
    expect(answer.status).toBe(400);
    expect(answer.location).toBe('');
    expect(answer.headers['set-cookie']).toBeUndefined();
    expect(answer.text).toContain(code);
    expect(answer.headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(answer.headers['referrer-policy']).toBe('no-referrer');
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  it('a repeated redirect_uri ends on a page, even if both are registered', async () => {
    const answer = await new Visitor().get(`${connect.startUrl(application)}&redirect_uri=${encodeURIComponent(REDIRECT_URI)}`);
    expect([answer.status, answer.location]).toEqual([400, '']);
  });

  it("another Application's redirect URI is as foreign as any", async () => {
    await connect.application({ redirect_uris: ['https://other.example/done'] });
    const answer = await new Visitor().get(connect.startUrl(application, { redirect_uri: 'https://other.example/done' }));
    expect([answer.status, answer.location]).toEqual([400, '']);
  });

  it('an inactive Application is as unknown as one that never was, and an active one is not', async () => {
    const other = await connect.application();
    expect((await new Visitor().get(connect.startUrl(other))).status).toBe(303);
    await connect.world.meta('PATCH', `/applications/${other.id}`, { active: false });
    const answer = await new Visitor().get(connect.startUrl(other));
    expect(answer.text).toContain('authorization.unknown_client');
    expect(answer.text).not.toContain('Northwind');
  });

  it('a prefetching browser begins nothing', async () => {
    const answer = await new Visitor().get(connect.startUrl(application), { 'sec-purpose': 'prefetch;prerender' });
    expect([answer.status, answer.location, answer.headers['set-cookie']]).toEqual([503, '', undefined]);
  });
});

describe('RFC 6749 §4.1.2.1 every other error goes back to the client, with state and iss', () => {
  it.each<[string, Record<string, string | null>, string]>([
    ['no response_type', { response_type: null }, 'invalid_request'],
    ['response_type=id_token', { response_type: 'id_token' }, 'unsupported_response_type'],
    ['response_type=none, which is ours alone', { response_type: 'none' }, 'unsupported_response_type'],
    ['no code_challenge', { code_challenge: null, code_challenge_method: null }, 'invalid_request'],
    ['code_challenge_method=plain', { code_challenge_method: 'plain' }, 'invalid_request'],
    ['no method, which would mean plain', { code_challenge_method: null }, 'invalid_request'],
    ['a method without a challenge', { code_challenge: null }, 'invalid_request'],
    ['a short challenge', { code_challenge: 'abc' }, 'invalid_request'],
    ['a scope that cannot be read', { scope: 'har"bour' }, 'invalid_scope'],
    ['a scope that fits no service', { scope: 'calendar' }, 'invalid_scope'],
    ['a scope that only an administrator could have', { scope: 'harbour:admin' }, 'invalid_scope'],
    ['custom_properties that are no object', { custom_properties: '[]' }, 'invalid_request'],
    ['raw without a name', { 'raw[]': 'x' }, 'invalid_request'],
  ])('%s', async (_, parameters, error) => {
    const answer = await new Visitor().get(connect.startUrl(application, parameters));
    expect(answer.status).toBe(303);
    expect(answer.location.startsWith(`${REDIRECT_URI}?error=`)).toBe(true);
    const told = answerOf(answer.location);
    expect([told.get('error'), told.get('state'), told.get('iss')]).toEqual([error, 'st+a/te==', connect.url]);
    expect(told.get('error_description')).toMatch(/^[\x20-\x21\x23-\x5B\x5D-\x7E]+$/);
  });

  it('response_type=token is refused in the fragment while the Application does not allow it', async () => {
    const answer = await new Visitor().get(connect.startUrl(application, { response_type: 'token' }));
    expect(answer.location.startsWith(`${REDIRECT_URI}#error=unauthorized_client&`)).toBe(true);
  });

  it('a state that is repeated or too long is left out of the answer', async () => {
    const twice = await new Visitor().get(`${connect.startUrl(application)}&state=other`);
    expect([answerOf(twice.location).get('error'), answerOf(twice.location).has('state')]).toEqual(['invalid_request', false]);
    const long = await new Visitor().get(connect.startUrl(application, { state: 'x'.repeat(4097) }));
    expect([answerOf(long.location).get('error'), answerOf(long.location).has('state')]).toEqual(['invalid_request', false]);
  });

  it('an Application for old clients may go without PKCE, yet never with plain', async () => {
    const old = await connect.application({ pkce_required: false });
    const without = { code_challenge: null, code_challenge_method: null };
    expect(answerOf((await connect.connect(old, without)).location).has('code')).toBe(true);
    expect(answerOf((await new Visitor().get(connect.startUrl(old, { code_challenge_method: 'plain' }))).location).get('error')).toBe(
      'invalid_request',
    );
  });

  it('a service that is out of reach is told, and found again as soon as it is back', async () => {
    const own = await connect.application();
    connect.upstream.metadataStatus = 503;
    const answer = await new Visitor().get(connect.startUrl(own));
    connect.upstream.metadataStatus = 200;
    expect(['server_error', 'temporarily_unavailable']).toContain(answerOf(answer.location).get('error'));
    expect(answerOf(answer.location).get('iss')).toBe(connect.url);
    expect((await new Visitor().get(connect.startUrl(own))).location.startsWith(connect.upstream.url)).toBe(true);
  });

  it('a service is asked for its metadata once in five minutes, however often a flow is begun', async () => {
    const own = await connect.application();
    const before = connect.upstream.metadataRequests;
    await Promise.all(Array.from({ length: 5 }, () => new Visitor().get(connect.startUrl(own))));
    expect(connect.upstream.metadataRequests - before).toBe(1);
    connect.world.clock.advance(5 * 60_000 + 1);
    await new Visitor().get(connect.startUrl(own));
    expect(connect.upstream.metadataRequests - before).toBe(2);
  });
});

describe('RFC 6749 §4.2 implicit grant, where the Application allows it', () => {
  it('answers in the fragment, with a token that lives an hour and has no refresh token', async () => {
    const implicit = await connect.application({ implicit_grant_enabled: true });
    const done = await connect.connect(implicit, { response_type: 'token', code_challenge: null, code_challenge_method: null });
    expect(done.location.startsWith(`${REDIRECT_URI}#access_token=bha_`)).toBe(true);
    const answer = answerOf(done.location);
    expect(Object.fromEntries(answer)).toMatchObject({
      token_type: 'Bearer',
      expires_in: '3600',
      state: 'st+a/te==',
      iss: connect.url,
      scope: 'harbour:normal.raw.default:kloudless',
    });
    expect(answer.has('refresh_token')).toBe(false);
    const verified = await connect.world.call('GET', '/v1/oauth/token', {
      headers: { authorization: `Bearer ${answer.get('access_token')}` },
    });
    expect(verified.json.client_id).toBe(implicit.id);
  });
});
