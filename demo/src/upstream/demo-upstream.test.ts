import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, Browser, pkce } from './browser.testkit.ts';
import { type DemoUpstream, harbourService, lanternService, startDemoUpstream } from './index.ts';

const callback = 'http://127.0.0.1:9/v1/oauth/callback/cb1';
let upstream: DemoUpstream;

beforeAll(async () => {
  upstream = await startDemoUpstream({ redirectUris: [callback] });
});
afterAll(() => upstream.close());

interface Tokens {
  access_token: string;
  refresh_token: string;
  expires_in: number;
  token_type: string;
  scope: string;
}

function authorizeUrl(challenge: string | null, change: Record<string, string> = {}): string {
  const params = {
    client_id: upstream.client.client_id,
    response_type: 'code',
    redirect_uri: callback,
    scope: 'files:read files:write',
    state: 'st',
    ...(challenge === null ? {} : { code_challenge: challenge, code_challenge_method: 'S256' }),
    ...change,
  };
  return `${upstream.issuer}/auth?${new URLSearchParams(params).toString()}`;
}

const basic = () => ({
  authorization: `Basic ${Buffer.from(`${upstream.client.client_id}:${upstream.client.client_secret}`).toString('base64')}`,
});

function post(path: string, form: Record<string, string>, headers: Record<string, string> = basic()) {
  return ask(upstream.issuer + path, { method: 'POST', headers, body: new URLSearchParams(form) });
}

/** Sign-in by the page, as a person would: open, choose, come back. */
async function comeBack(
  person: string,
  verifierOf = pkce(),
  change: Record<string, string> = {},
): Promise<{ params: URLSearchParams; verifier: string }> {
  const browser = new Browser();
  const page = await browser.go(authorizeUrl(verifierOf.challenge, change));
  expect(page.status).toBe(200);
  const left = await browser.go(page.url, { method: 'POST', body: new URLSearchParams({ person }) });
  expect(left.url).toMatch(/^http:\/\/127\.0\.0\.1:9\//);
  return { params: new URL(left.url).searchParams, verifier: verifierOf.verifier };
}

async function connect(person: string, change: Record<string, string> = {}): Promise<Tokens> {
  const { params, verifier } = await comeBack(person, pkce(), change);
  const answer = await post('/token', {
    grant_type: 'authorization_code',
    code: params.get('code') ?? '',
    redirect_uri: callback,
    code_verifier: verifier,
  });
  expect(answer.status).toBe(200);
  return JSON.parse(answer.text) as Tokens;
}

const api = (path: string, token: string, asked: Parameters<typeof ask>[1] = {}) =>
  ask(upstream.apiBaseUrl + path, { ...asked, headers: { authorization: `Bearer ${token}`, ...asked.headers } });

describe('signing in at Harbour Files', () => {
  it('the metadata promises iss and PKCE with S256 alone', async () => {
    const metadata = JSON.parse((await ask(`${upstream.issuer}/.well-known/openid-configuration`)).text) as Record<string, unknown>;
    expect(metadata).toMatchObject({
      issuer: upstream.issuer,
      authorization_response_iss_parameter_supported: true,
      code_challenge_methods_supported: ['S256'],
    });
    expect(metadata['revocation_endpoint']).toBeTypeOf('string');
    expect(metadata['introspection_endpoint']).toBeTypeOf('string');
  });

  it('the page names the client, what it wants, and one button per person, grouped by customer', async () => {
    const page = await new Browser().go(authorizeUrl(pkce().challenge));
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    for (const text of ['Bulkhead demo', 'See your files', 'Allow as Ada Alder', 'Allow as Ben Birch', 'Alder Logistics', 'Cancel'])
      expect(page.text).toContain(text);
    expect(page.headers['content-security-policy']).toContain("default-src 'none'");
    expect(page.text).not.toContain('<script');
  });

  it('the answer carries code, state and iss', async () => {
    const { params } = await comeBack('ada');
    expect(Object.fromEntries(params)).toMatchObject({ state: 'st', iss: upstream.issuer, code: expect.stringMatching(/^[\w-]{20,}$/) });
  });

  it('Cancel comes back as access_denied, with state and iss', async () => {
    const browser = new Browser();
    const page = await browser.go(authorizeUrl(pkce().challenge));
    const left = await browser.go(page.url, { method: 'POST', body: new URLSearchParams({ cancel: '1' }) });
    expect(Object.fromEntries(new URL(left.url).searchParams)).toMatchObject({ error: 'access_denied', state: 'st', iss: upstream.issuer });
  });

  it('a typed name becomes a person; an empty one is asked again', async () => {
    const tokens = await connect('Óscar <b>Quay</b>');
    const me = JSON.parse((await api('/me', tokens.access_token)).text) as { name: string };
    expect(me.name).toBe('Óscar <b>Quay</b>');
    const browser = new Browser();
    const page = await browser.go(authorizeUrl(pkce().challenge));
    expect(page.text).not.toContain('<b>Quay');
    const again = await browser.go(page.url, { method: 'POST', body: new URLSearchParams({ person: ' ' }) });
    expect([again.status, again.text.includes('Type a name')]).toEqual([400, true]);
  });

  it('one browser may come back as another person', async () => {
    const browser = new Browser();
    for (const person of ['ada', 'bea']) {
      const proof = pkce();
      const page = await browser.go(authorizeUrl(proof.challenge));
      expect(page.text).toContain('Allow as');
      const left = await browser.go(page.url, { method: 'POST', body: new URLSearchParams({ person }) });
      const answer = await post('/token', {
        grant_type: 'authorization_code',
        code: new URL(left.url).searchParams.get('code') ?? '',
        redirect_uri: callback,
        code_verifier: proof.verifier,
      });
      const me = JSON.parse((await api('/me', (JSON.parse(answer.text) as Tokens).access_token)).text) as { id: string };
      expect(me.id).toBe(person);
    }
  });

  it.each([
    ['no PKCE', null, {}],
    ['plain PKCE', 'x'.repeat(43), { code_challenge_method: 'plain' }],
  ])('%s is answered with invalid_request', async (_title, challenge, change) => {
    const left = await new Browser().go(authorizeUrl(challenge, change));
    expect(new URL(left.url).searchParams.get('error')).toBe('invalid_request');
  });

  it.each([
    ['an unregistered redirect_uri', { redirect_uri: `${callback}/x` }],
    ['an unknown client', { client_id: 'nobody' }],
  ])('%s never redirects', async (_title, change) => {
    const answer = await new Browser().go(authorizeUrl(pkce().challenge, change));
    expect(answer.status).toBe(400);
    expect(answer.text).toContain('Harbour Files cannot go on');
  });

  it('a sign-in page of another browser cannot be answered', async () => {
    const page = await new Browser().go(authorizeUrl(pkce().challenge));
    const stranger = await new Browser().go(page.url, { method: 'POST', body: new URLSearchParams({ person: 'ada' }) });
    expect(stranger.status).toBe(400);
  });
});

describe('tokens of Harbour Files', () => {
  it('the code becomes opaque bearer tokens, once', async () => {
    const { params, verifier } = await comeBack('ada');
    const form = { grant_type: 'authorization_code', code: params.get('code') ?? '', redirect_uri: callback, code_verifier: verifier };
    const first = await post('/token', form);
    expect(JSON.parse(first.text)).toMatchObject({
      token_type: 'Bearer',
      expires_in: 300,
      scope: 'files:read files:write',
      access_token: expect.stringMatching(/^[\w-]{20,}$/),
      refresh_token: expect.any(String),
    });
    const second = await post('/token', form);
    expect([second.status, JSON.parse(second.text)]).toMatchObject([400, { error: 'invalid_grant' }]);
  });

  it.each([
    ['a wrong verifier', { code_verifier: 'x'.repeat(43) }, undefined],
    ['another redirect_uri', { redirect_uri: 'http://127.0.0.1:9/other' }, undefined],
    ['a wrong secret', {}, { authorization: `Basic ${Buffer.from('bulkhead-demo:wrong').toString('base64')}` }],
  ])('%s is refused', async (_title, change, headers) => {
    const { params, verifier } = await comeBack('ada');
    const answer = await post(
      '/token',
      { grant_type: 'authorization_code', code: params.get('code') ?? '', redirect_uri: callback, code_verifier: verifier, ...change },
      headers ?? basic(),
    );
    expect([400, 401]).toContain(answer.status);
  });

  it('a refresh replaces the refresh token, and the old one used again ends them all', async () => {
    const tokens = await connect('ada');
    const before = upstream.counts().refreshes;
    const renewed = JSON.parse((await post('/token', { grant_type: 'refresh_token', refresh_token: tokens.refresh_token })).text) as Tokens;
    expect(renewed.refresh_token).not.toBe(tokens.refresh_token);
    expect(upstream.counts().refreshes).toBe(before + 1);
    expect((await api('/me', renewed.access_token)).status).toBe(200);
    expect(JSON.parse((await post('/token', { grant_type: 'refresh_token', refresh_token: tokens.refresh_token })).text)).toMatchObject({
      error: 'invalid_grant',
    });
    expect((await api('/me', renewed.access_token)).status).toBe(401);
  });

  it('revocation ends the access with the refresh token (RFC 7009)', async () => {
    const tokens = await connect('ada');
    expect((await api('/files', tokens.access_token)).status).toBe(200);
    expect((await post('/token/revocation', { token: tokens.refresh_token })).status).toBe(200);
    expect((await api('/files', tokens.access_token)).status).toBe(401);
  });

  it('introspection tells a live token from a dead one (RFC 7662)', async () => {
    const tokens = await connect('bea');
    const look = async () => JSON.parse((await post('/token/introspection', { token: tokens.access_token })).text) as { active: boolean };
    expect(await look()).toMatchObject({ active: true, sub: 'bea' });
    await post('/token/revocation', { token: tokens.refresh_token });
    expect(await look()).toEqual({ active: false });
  });

  it('their lifetime is configurable', async () => {
    const short = await startDemoUpstream({ redirectUris: [callback], accessTokenSeconds: 7 });
    const long = upstream;
    upstream = short;
    try {
      expect((await connect('ada')).expires_in).toBe(7);
    } finally {
      upstream = long;
      await short.close();
    }
  });
});

describe('clients', () => {
  it('a callback registered while it runs is accepted, and not before', async () => {
    const later = 'http://127.0.0.1:9/v1/oauth/callback/cb2';
    const open = () => new Browser().go(authorizeUrl(pkce().challenge, { redirect_uri: later }));
    expect((await open()).status).toBe(400);
    upstream.registerRedirectUri(later);
    expect((await open()).status).toBe(200);
    expect(() => upstream.registerRedirectUri(later, 'nobody')).toThrow();
  });

  it('a client registered while it runs signs people in with its own secret', async () => {
    upstream.registerClient({ client_id: 'acme', client_secret: 'acme-secret', redirect_uris: [callback], client_name: 'Acme' });
    expect(upstream.clients.map(({ client_id }) => client_id)).toContain('acme');
    const { params, verifier } = await comeBack('ada', pkce(), { client_id: 'acme' });
    const form = { grant_type: 'authorization_code', code: params.get('code') ?? '', redirect_uri: callback, code_verifier: verifier };
    expect((await post('/token', form)).status).toBe(400);
    const own = { authorization: `Basic ${Buffer.from('acme:acme-secret').toString('base64')}` };
    const { params: again, verifier: proof } = await comeBack('ada', pkce(), { client_id: 'acme' });
    expect((await post('/token', { ...form, code: again.get('code') ?? '', code_verifier: proof }, own)).status).toBe(200);
  });
});

describe('the file API', () => {
  it('each person sees their own files only', async () => {
    const [ada, bea] = await Promise.all([connect('ada'), connect('bea')]);
    const list = async (tokens: Tokens) =>
      (JSON.parse((await api('/files', tokens.access_token)).text) as { files: { id: string; name: string }[] }).files;
    const mine = await list(ada);
    expect(mine.map(({ name }) => name)).toContain('Welcome.md');
    expect((await list(bea)).map(({ id }) => id)).not.toContain(mine[0]!.id);
    expect((await api(`/files/${mine[0]!.id}`, bea.access_token)).status).toBe(404);
    expect((await api(`/files/${mine[0]!.id}/content`, ada.access_token)).text).toContain('Ada Alder');
  });

  it('a file can be added, read back byte by byte and deleted', async () => {
    const { access_token: token } = await connect('ben');
    const added = await api('/files?name=plan.txt', token, {
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
      body: 'Zeile\u0000 ü',
    });
    const file = JSON.parse(added.text) as { id: string };
    expect([added.status, file]).toMatchObject([201, { name: 'plan.txt', size: 9, mime_type: 'text/plain' }]);
    expect((await api(`/files/${file.id}/content`, token)).text).toBe('Zeile\u0000 ü');
    expect((await api(`/files/${file.id}`, token, { method: 'DELETE' })).status).toBe(204);
    expect((await api(`/files/${file.id}`, token)).status).toBe(404);
  });

  it.each([
    ['no token', {}],
    ['junk', { authorization: 'Bearer junk' }],
    ['another scheme', { authorization: 'Basic YTpi' }],
  ])('%s is 401 with a challenge', async (_title, headers) => {
    const answer = await ask(`${upstream.apiBaseUrl}/files`, { headers });
    expect([answer.status, answer.headers['www-authenticate']]).toMatchObject([401, expect.stringContaining('Bearer')]);
  });

  it('a token without files:write cannot write', async () => {
    const { access_token: token } = await connect('ada', { scope: 'files:read' });
    expect((await api('/files', token)).status).toBe(200);
    const refused = await api('/files', token, { method: 'POST', body: 'x' });
    expect([refused.status, refused.headers['www-authenticate']]).toMatchObject([403, expect.stringContaining('insufficient_scope')]);
  });

  it.each(['/nothing', '/files/ada-1/other', '/files/..%2f', '/files/zzz'])('%s is 404', async (path) => {
    const { access_token: token } = await connect('ada');
    expect((await api(path, token)).status).toBe(404);
  });
});

describe('Lantern Notes', () => {
  it("opens with the customer's key and shows that customer's notes", async () => {
    const [alder, birch] = upstream.notesAccounts;
    const notes = (key: string) => ask(`${upstream.notesBaseUrl}/notes`, { headers: { 'x-api-key': key } });
    expect((await notes(alder!.key)).text).toContain('Alder Logistics');
    expect((await notes(birch!.key)).text).not.toContain('Alder');
  });
  it.each([{}, { 'x-api-key': 'wrong' }, { 'x-api-key': '' }, { authorization: 'Bearer lantern-demo-key-alder' }])(
    'stays shut for %j',
    async (headers: Record<string, string>) => {
      expect((await ask(`${upstream.notesBaseUrl}/notes`, { headers })).status).toBe(401);
    },
  );
});

describe('the demo as services', () => {
  it('both describe themselves as custom services of this very instance', () => {
    expect(harbourService(upstream)).toMatchObject({
      id: 'harbour',
      auth: { issuer: upstream.issuer },
      api: { base_url: upstream.apiBaseUrl },
    });
    expect(lanternService(upstream)).toMatchObject({ id: 'lantern', api: { base_url: upstream.notesBaseUrl } });
    expect(upstream.addresses).toEqual([new URL(upstream.issuer).host, new URL(upstream.notesBaseUrl).host]);
  });
  it('leaves nothing listening when it is closed', async () => {
    const other = await startDemoUpstream();
    await other.close();
    await expect(ask(`${other.issuer}/.well-known/openid-configuration`)).rejects.toThrow();
    await expect(ask(`${other.notesBaseUrl}/notes`)).rejects.toThrow();
  });
});
