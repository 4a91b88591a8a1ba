import type { ApplicationId } from '@bulkhead/base';
import { sql } from '@bulkhead/postgres';
import { JWT_BEARER, userAssertionClaims } from '@bulkhead/protocol';
import { appToken, connectAccount, type FakeApp, type FakeUpstream, startFakeApp, startFakeUpstream, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hostileJwts, type Json, JWT_HEADER, madeJwt } from '../../test/hostile-jwts.ts';
import { forgetUninstalled } from './forget-uninstalled.ts';

let upstream: FakeUpstream;
let world: World;
const apps = new Map<string, FakeApp>();
let tenant: ApplicationId;
let elsewhere: ApplicationId;
let ada: number;
let eve: number;

interface Told {
  readonly clientKey: string;
  readonly sharedSecret: string;
  readonly oauthClientId: string;
}
const told = new Map<string, Told>();

async function application(people: readonly string[]): Promise<{ id: ApplicationId; accounts: number[] }> {
  const { id, apiKey } = await world.application();
  const applicationId = id as ApplicationId;
  const redirectUrl = 'https://company.example/callback';
  await world.meta('POST', `/applications/${id}/redirect_uris`, { url: redirectUrl });
  await world.meta('POST', `/applications/${id}/services`, upstream.keyService('notes', 'Notes'));
  const accounts = [];
  for (const canary of people) {
    const connecting = { service: 'notes', apiKey: `key:${canary}:0123456789` };
    accounts.push((await connectAccount(world, upstream, { applicationId, apiKey, redirectUrl, canary }, connecting)).account_id);
  }
  return { id: applicationId, accounts };
}

async function install(key: string, applicationId: string): Promise<void> {
  const app = apps.get(key)!;
  const scopes = app.descriptor['scopes'] as string[];
  const answer = await world.meta('POST', `/applications/${applicationId}/installs`, { app_key: key, scopes });
  expect(answer.status, answer.text).toBeLessThan(300);
  told.set(`${key} ${applicationId}`, app.calls.findLast(({ path }) => path === '/installed')!.body);
}

beforeAll(async () => {
  upstream = await startFakeUpstream();
  for (const [key, scopes] of [
    ['notes', ['WRITE', 'ACT_AS_USER']],
    ['clocks', ['READ', 'ACT_AS_USER']],
    ['reader', ['READ']],
  ] as const)
    apps.set(key, await startFakeApp({ key, scopes }));
  world = await World.create({ egressAllow: [upstream.address, ...[...apps.values()].map(({ address }) => address)] });
  for (const { descriptor } of apps.values()) await world.meta('POST', '/apps', { descriptor });
  const [first, second] = [await application(['ada', 'eve']), await application(['ada'])];
  [tenant, elsewhere] = [first.id, second.id];
  [ada, eve] = first.accounts as [number, number];
  for (const key of apps.keys()) for (const id of [tenant, elsewhere]) await install(key, id);
}, 60_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
  for (const app of apps.values()) await app[Symbol.asyncDispose]();
});

const base = (applicationId: string = tenant): string => `${world.url}/t/${applicationId}`;
const seconds = (): number => Math.floor(world.clock.now() / 1_000);
let made = 0;

/** Claims that are in order, of an assertion that was not made before. */
function claims(key = 'notes', applicationId: string = tenant, accountId = 'ada-user'): Json & { readonly iat: number } {
  const { oauthClientId } = told.get(`${key} ${applicationId}`)!;
  return userAssertionClaims(
    { oauthClientId, accountId, tenant: base(applicationId) },
    { audience: base(applicationId), now: seconds(), id: `assertion ${made++}` },
  );
}
const secretOf = (key = 'notes', applicationId: string = tenant): string => told.get(`${key} ${applicationId}`)!.sharedSecret;
const assertion = (key?: string, applicationId?: string, accountId?: string): string =>
  madeJwt(JWT_HEADER, claims(key, applicationId, accountId), secretOf(key, applicationId));

function ask(text: string, more: Readonly<Record<string, string>> = {}, applicationId: string = tenant) {
  return world.call('POST', `/t/${applicationId}/oauth2/token`, {
    body: new URLSearchParams({ grant_type: JWT_BEARER, assertion: text, ...more }),
  });
}
async function tokenFor(accountId = 'ada-user', scope?: string, key = 'notes'): Promise<string> {
  const answer = await ask(assertion(key, tenant, accountId), scope === undefined ? {} : { scope });
  expect(answer.status, answer.text).toBe(200);
  return answer.json.access_token as string;
}
const use = (token: string, method: string, below: string, applicationId: string = tenant) =>
  world.call(method, `/t/${applicationId}/rest/bulkhead/1/accounts${below}`, { headers: { authorization: `Bearer ${token}` } });

describe('an App that acts for a user', () => {
  test('gets a token for an assertion, and sees what that user has and nothing else', async () => {
    const answer = await ask(assertion());
    expect(answer.json).toEqual({ access_token: expect.stringMatching(/^bhu_/), token_type: 'Bearer', expires_in: 900, scope: 'WRITE' });
    expect(answer.headers.get('cache-control')).toContain('no-store');
    const token = answer.json.access_token;
    expect((await use(token, 'GET', '')).json).toMatchObject({ total: 1, accounts: [{ id: ada, end_user: 'ada-user' }] });
    expect((await use(token, 'GET', '?end_user=eve-user')).json).toEqual({ total: 0, accounts: [] });
    expect((await use(token, 'GET', `/${ada}`)).status).toBe(200);
    expect((await use(token, 'GET', `/${ada}/proxy/files`)).json).toMatchObject({ person: 'ada' });
    const before = upstream.requests.length;
    for (const below of [`/${eve}`, `/${eve}/proxy/files`]) expect([below, (await use(token, 'GET', below)).status]).toEqual([below, 404]);
    expect(upstream.requests.length).toBe(before);
    // Control: as itself the App reaches both.
    const path = `/t/${tenant}/rest/bulkhead/1/accounts/${eve}/proxy/files`;
    const jwt = appToken({ appKey: 'notes', sharedSecret: secretOf() }, { method: 'GET', path, now: world.clock.now() });
    expect((await world.call('GET', path, { headers: { authorization: `JWT ${jwt}` } })).json).toMatchObject({ person: 'eve' });
  });

  test('has the scopes that it asks for, and never more than it was granted', async () => {
    const reading = await tokenFor('ada-user', 'READ');
    expect((await use(reading, 'GET', `/${ada}/proxy/files`)).status).toBe(200);
    expect((await use(reading, 'POST', `/${ada}/proxy/files`)).status).toBe(403);
    expect((await use(await tokenFor(), 'POST', `/${ada}/proxy/files`)).status).toBe(200);
    expect((await ask(assertion(), { scope: 'READ WRITE READ' })).json.scope).toBe('READ WRITE');
    for (const scope of [
      'DELETE',
      'READ DELETE',
      'ADMIN',
      'PROJECT_ADMIN',
      'ACCESS_EMAIL_ADDRESSES',
      'everything',
      'Read',
      '*',
      'READ,WRITE',
    ])
      expect([scope, (await ask(assertion(), { scope })).json]).toEqual([
        scope,
        expect.objectContaining({ error: 'invalid_scope', error_description: expect.stringContaining('READ, WRITE') }),
      ]);
    // A token for one user with a scope of none opens nothing.
    const none = await tokenFor('ada-user', 'NONE');
    expect((await use(none, 'GET', '')).status).toBe(403);
  });

  test('without ACT_AS_USER gets no token; nor for somebody who is no user here, or a user of another Application', async () => {
    expect((await ask(assertion('reader'))).json).toMatchObject({ error: 'unauthorized_client' });
    for (const accountId of ['nobody', 'ADA-USER', 'ada-user ', '%'])
      expect([accountId, (await ask(assertion('notes', tenant, accountId))).json.error]).toEqual([accountId, 'invalid_grant']);
    expect((await ask(assertion('notes', elsewhere, 'eve-user'), {}, elsewhere)).json.error).toBe('invalid_grant');
    expect((await ask(assertion('notes', elsewhere, 'ada-user'), {}, elsewhere)).status).toBe(200);
  });

  test('I4: an assertion counts once, also when it comes twice at the same moment', async () => {
    const one = assertion();
    const answers = await Promise.all(Array.from({ length: 6 }, () => ask(one)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400, 400, 400, 400, 400]);
    world.clock.advance(50_000);
    expect((await ask(one)).json).toMatchObject({ error: 'invalid_grant' });
    // Control: another one of the same second does.
    expect((await ask(assertion())).status).toBe(200);
  });

  test('what a token for a user does not open is what the App keeps for itself, and anything of another Application', async () => {
    const token = await tokenFor();
    const headers = { authorization: `Bearer ${token}` };
    for (const [method, path] of [
      ['GET', '/rest/atlassian-connect/1/addons/notes'],
      ['GET', '/rest/atlassian-connect/1/addons/notes/properties'],
      ['DELETE', '/rest/atlassian-connect/1/addons/notes/properties/a'],
      ['GET', '/rest/atlassian-connect/1/app/module/dynamic'],
      ['GET', '/rest/api/3/myself'],
    ] as const)
      expect([path, (await world.call(method, `/t/${tenant}${path}`, { headers })).status]).toEqual([path, 401]);
    expect((await use(token, 'GET', '', elsewhere)).status).toBe(401);
    for (const path of ['/v1/accounts', '/v1/events', '/v1/oauth/token', `/v1/accounts/${ada}/proxy/files`])
      expect([path, (await world.call('GET', path, { headers })).status]).toEqual([path, path === '/v1/oauth/token' ? 400 : 401]);
    const jwt = await world.call('GET', `/t/${tenant}/rest/bulkhead/1/accounts`, { headers: { authorization: `JWT ${token}` } });
    expect(jwt.status).toBe(401);
    // Control.
    expect((await use(token, 'GET', '')).status).toBe(200);
  });

  describe('ends', () => {
    let token: string;
    beforeEach(async () => {
      token = await tokenFor();
      expect((await use(token, 'GET', '')).status).toBe(200);
    });
    const at = () => `/applications/${tenant}/installs/notes`;

    test('after 15 minutes, and is forgotten then', async () => {
      world.clock.advance(899_000);
      expect((await use(token, 'GET', '')).status).toBe(200);
      world.clock.advance(1_000);
      expect((await use(token, 'GET', '')).status).toBe(401);
      const count = () =>
        world.platform.db.withTenant(tenant, (tx) => tx.one<{ held: number }>(sql`select count(*) as held from app_user_tokens`));
      expect(Number((await count()).held)).toBeGreaterThan(0);
      await forgetUninstalled(world.platform.db, new Date(world.clock.now()));
      expect(Number((await count()).held)).toBe(0);
    });

    test('when the App is disabled, for good', async () => {
      await world.meta('POST', `${at()}/disable`);
      expect((await use(token, 'GET', '')).status).toBe(401);
      expect((await ask(assertion())).json).toMatchObject({ error: 'unauthorized_client' });
      await world.meta('POST', `${at()}/enable`);
      expect((await use(token, 'GET', '')).status).toBe(401);
      expect((await ask(assertion())).status).toBe(200);
    });

    test('when it is installed again, and an assertion of before with it', async () => {
      const late = assertion();
      await install('notes', tenant);
      expect((await use(token, 'GET', '')).status).toBe(401);
      expect((await ask(late)).json.error).toBe('invalid_grant');
      expect((await use(await tokenFor(), 'GET', '')).status).toBe(200);
    });

    test('when it is uninstalled', async () => {
      await world.meta('DELETE', at());
      expect((await use(token, 'GET', '')).status).toBe(401);
      expect((await ask(assertion())).json.error).toBe('invalid_grant');
      await install('notes', tenant);
      expect((await use(token, 'GET', '')).status).toBe(401);
    });

    test('when its Application is switched off', async () => {
      await world.meta('PATCH', `/applications/${tenant}`, { active: false });
      expect((await use(token, 'GET', '')).status).toBe(401);
      expect((await ask(assertion())).json.error).toBe('invalid_grant');
      await world.meta('PATCH', `/applications/${tenant}`, { active: true });
      expect((await use(token, 'GET', '')).status).toBe(200);
    });
  });

  test('stands in the audit log with the user it acted for; the token and the assertion do not', async () => {
    const one = assertion();
    const { json } = await ask(one);
    await use(json.access_token, 'GET', '');
    await ask(one);
    await world.platform.uses.flush({ all: true });
    const entries = await world.platform.db.withTenant(tenant, (tx) =>
      tx.query<{ action: string; target: string; actor: Json; text: string }>(
        sql`select action, target, actor, detail::text as text from audit_entries order by at desc, position desc limit 500`,
      ),
    );
    const { clientKey } = told.get(`notes ${tenant}`)!;
    const actor = { kind: 'install', id: clientKey, user: 'ada-user' };
    expect(entries).toContainEqual(expect.objectContaining({ action: 'user_token.issued', target: 'notes', actor }));
    expect(entries).toContainEqual(expect.objectContaining({ action: 'credential.used', target: 'app_account.list', actor }));
    expect(entries).toContainEqual(expect.objectContaining({ action: 'credential.refused', target: 'user_token.issue' }));
    const text = JSON.stringify(entries);
    for (const secret of [json.access_token, one, one.split('.')[2]!]) expect(text).not.toContain(secret);
  });
});

describe('I1: assertions that are none', () => {
  const hostile = (): Map<string, string> => {
    const found = new Map<string, string>();
    const withClaims = (changes: Json): string => madeJwt(JWT_HEADER, { ...claims(), ...changes }, secretOf());
    const without = (name: string): string =>
      madeJwt(JWT_HEADER, Object.fromEntries(Object.entries(claims()).filter(([key]) => key !== name)), secretOf());
    const { clientKey } = told.get(`notes ${tenant}`)!;
    const client = 'urn:atlassian:connect:clientid:';
    const user = 'urn:atlassian:connect:useraccountid:';
    const keys = {
      'of the same App in another Application': secretOf('notes', elsewhere),
      'of another App': secretOf('clocks'),
      'of nobody': 'x'.repeat(43),
      empty: '',
      'in other case': secretOf().toUpperCase(),
      'with a line end': `${secretOf()}\n`,
      decoded: Buffer.from(secretOf(), 'base64url'),
      'that is the clientKey': clientKey,
    };
    for (const [title, token] of hostileJwts({ claims, secret: secretOf(), keys, lifetimeSecondsMax: 60 })) found.set(title, token);
    for (const name of ['iss', 'sub', 'aud', 'tnt', 'iat', 'exp']) {
      found.set(`no ${name}`, without(name));
      for (const value of [null, '', [], {}, true, -1, 1.5]) found.set(`${name} ${JSON.stringify(value)}`, withClaims({ [name]: value }));
    }
    const others = ['clocks', 'reader'].map((key) => told.get(`${key} ${tenant}`)!.clientKey);
    for (const id of [
      ...others,
      told.get(`notes ${elsewhere}`)!.clientKey,
      'ins0000000000000000000000',
      'notes',
      tenant,
      '',
      `${clientKey} `,
    ])
      found.set(`iss of client ${id}`, withClaims({ iss: client + id }));
    for (const iss of [
      clientKey,
      'notes',
      client.toUpperCase() + clientKey,
      `urn:atlassian:connect:clientkey:${clientKey}`,
      `${user}${clientKey}`,
    ])
      found.set(`iss ${iss}`, withClaims({ iss }));
    for (const sub of [
      'ada-user',
      'urn:atlassian:connect:userkey:ada-user',
      user,
      `${client}ada-user`,
      user.toUpperCase(),
      `${user}${'a'.repeat(513)}`,
    ])
      found.set(`sub ${sub.slice(0, 60)}`, withClaims({ sub }));
    const places = [
      base(elsewhere),
      `${base()}/`,
      base().slice(0, -1),
      `${base()}/oauth2`,
      world.url,
      base().replace('http:', 'https:'),
      base().toUpperCase(),
      'https://oauth-2-authorization-server.services.atlassian.com',
      clientKey,
    ];
    for (const place of places) {
      found.set(`tnt ${place}`, withClaims({ tnt: place }));
      found.set(`aud ${place}`, withClaims({ aud: place }));
      found.set(`aud ${place} beside ours`, withClaims({ aud: [base(), place] }));
    }
    const path = `/t/${tenant}/oauth2/token`;
    const request = { method: 'POST', path, now: world.clock.now() };
    found.set('a token for a request', appToken({ appKey: 'notes', sharedSecret: secretOf(), clientKey }, request));
    for (const { path: to, authorization } of apps.get('notes')!.calls)
      if (authorization !== undefined) found.set(`our own token of ${to}`, authorization.slice(4));
    return found;
  };

  test('none of hundreds passes, and all are answered alike', { timeout: 60_000 }, async () => {
    const tokens = hostile();
    expect(tokens.size).toBeGreaterThan(200);
    const passed: string[] = [];
    const answers = new Set<string>();
    for (const [title, token] of tokens) {
      const { status, json, text } = await ask(token);
      if (status !== 400) passed.push(`${title}: ${status} ${text.slice(0, 200)}`);
      else if (token !== '') answers.add(`${json.error} ${json.error_description}`);
    }
    expect(passed).toEqual([]);
    expect([...answers]).toEqual([expect.stringMatching(/^invalid_grant /)]);
  });

  test('control: what is in order passes, also with a clock that is a little off', async () => {
    const withClaims = (changes: Json): string => madeJwt(JWT_HEADER, { ...claims(), ...changes }, secretOf());
    const fit = [
      assertion(),
      withClaims({ aud: [base()] }),
      withClaims({ aud: `${base()}/oauth2/token` }),
      withClaims({ iat: seconds() + 29, exp: seconds() + 80 }),
      withClaims({ iat: seconds() - 80, exp: seconds() - 29 }),
      withClaims({ jti: undefined, exp: seconds() + 59 }),
      withClaims({ more: { of: 'it' } }),
    ];
    for (const token of fit) expect([token, (await ask(token)).status]).toEqual([token, 200]);
  });

  test('at the address of another Application it proves nothing, and an assertion opens no address by itself', async () => {
    expect((await ask(assertion(), {}, elsewhere)).json.error).toBe('invalid_grant');
    expect((await ask(assertion(), {}, 'app0000000000000000000000')).json.error).toBe('invalid_grant');
    for (const scheme of ['JWT', 'Bearer'])
      expect(
        (
          await world.call('GET', `/t/${tenant}/rest/bulkhead/1/accounts`, {
            headers: { authorization: `${scheme} ${assertion()}` },
          })
        ).status,
      ).toBe(401);
  });

  test('a request that is none is told so (RFC 6749 §5.2)', async () => {
    const path = `/t/${tenant}/oauth2/token`;
    const send = (body: URLSearchParams | object) => world.call('POST', path, { body });
    const grant = { grant_type: JWT_BEARER };
    expect((await send(new URLSearchParams({ assertion: assertion() }))).json.error).toBe('invalid_request');
    expect((await send(new URLSearchParams(grant))).json.error).toBe('invalid_request');
    expect(
      (await send(new URLSearchParams([...Object.entries(grant), ['assertion', assertion()], ['assertion', assertion()]]))).json.error,
    ).toBe('invalid_request');
    for (const grantType of ['client_credentials', 'password', 'authorization_code', JWT_BEARER.toUpperCase()])
      expect((await send(new URLSearchParams({ grant_type: grantType, assertion: assertion() }))).json.error).toBe(
        'unsupported_grant_type',
      );
    expect((await send({ ...grant, assertion: assertion() })).status).toBe(200);
    expect((await send(new URLSearchParams({ ...grant, assertion: assertion(), unknown: 'ignored' }))).status).toBe(200);
  });
});
