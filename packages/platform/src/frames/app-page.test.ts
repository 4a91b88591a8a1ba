import { Secret } from '@bulkhead/base';
import { CONTEXT_QSH, queryStringHash, readConnectJwt, sharedSecretKey, verifyConnectJwt } from '@bulkhead/protocol';
import { sql } from '@bulkhead/postgres';
import { type FakeApp, type HttpAnswer, startFakeApp, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { forgetEndedSessions } from './forget-ended-sessions.ts';

let app: FakeApp;
let other: FakeApp;
let world: World;
interface Tenant {
  readonly id: string;
  readonly apiKey: string;
  readonly clientKey: string;
  readonly sharedSecret: string;
}
let mine: Tenant;
let theirs: Tenant;
beforeAll(async () => {
  app = await startFakeApp({ key: 'notes', scopes: ['READ'] });
  other = await startFakeApp({ key: 'other', scopes: ['READ'] });
  app.descriptor['modules'] = {
    generalPages: [
      page('main'),
      page('second'),
      page('for-admins', { conditions: [{ condition: 'user_is_admin' }] }),
      page('evil', { name: { value: `</title></script><script>alert(1)</script>"'` } }),
    ],
    dialogs: [{ key: 'ask', url: '/ask', options: { size: 'small', header: { value: 'Ask' } } }],
  };
  other.descriptor['modules'] = { generalPages: [page('main'), page('theirs')] };
  world = await World.create({ egressAllow: [app.address, other.address] });
  for (const { descriptor } of [app, other]) await world.meta('POST', '/apps', { descriptor });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
});
beforeEach(async () => {
  mine = await tenant();
  theirs = await tenant();
});

function page(key: string, fields: object = {}) {
  return { key, url: `/${key}?issue={issue.key}`, name: { value: `Page ${key}` }, ...fields };
}
async function tenant(): Promise<Tenant> {
  const { id, apiKey } = await world.application();
  for (const app_key of ['other', 'notes']) await world.meta('POST', `/applications/${id}/installs`, { app_key, scopes: ['READ'] });
  const { clientKey, sharedSecret } = app.calls.findLast(({ path }) => path === '/installed')!.body;
  return { id, apiKey, clientKey, sharedSecret };
}
const install = (method: string, way: string) => world.meta(method, `/applications/${mine.id}/installs/notes${way}`);

function linkAnswer({ apiKey }: Tenant, fields: object = {}): Promise<HttpAnswer> {
  const body = { app_key: 'notes', module_key: 'main', end_user: 'ada', context: { issue: { key: 'A-1' } }, ...fields };
  return world.call('POST', '/v1/module_links', { headers: { authorization: `APIKey ${apiKey}` }, body });
}
async function link(of: Tenant, fields: object = {}): Promise<string> {
  const answer = await linkAnswer(of, fields);
  expect(answer.status, answer.text).toBe(201);
  return answer.json.url;
}
interface Opened {
  readonly url: string;
  readonly cookie: string;
  readonly session: string;
}
/** Follows a link as a browser does. */
async function open(url: string, cookie = ''): Promise<Opened> {
  const answer = await world.call('GET', url, { headers: { cookie } });
  expect(answer.status, answer.text).toBe(303);
  const location = answer.headers.get('location')!;
  return {
    url: location,
    session: new URL(location).searchParams.get('session')!,
    cookie: answer.headers.getSetCookie()[0]?.split(';')[0] ?? cookie,
  };
}
const show = (url: string, cookie: string) => world.call('GET', url, { headers: { cookie } });
/** What the page asks for itself. */
function ask(
  { url, cookie, session }: Opened,
  way: 'token' | 'frame',
  body: object = {},
  headers: Record<string, string> = { 'sec-fetch-site': 'same-origin' },
): Promise<HttpAnswer> {
  return world.call('POST', `${new URL(url).pathname}/${way}`, { headers: { cookie, ...headers }, body: { session, ...body } });
}
/** The configuration that the page gives its script. */
function configOf({ text }: HttpAnswer) {
  return JSON.parse(/<script type="application\/json" id="config">(.*?)<\/script>/s.exec(text)![1]!);
}
function claimsOf(token: string, sharedSecret: string) {
  const read = readConnectJwt(token);
  if ('refused' in read) return read;
  return verifyConnectJwt(read, {
    algorithm: 'HS256',
    key: sharedSecretKey(new Secret(sharedSecret)),
    now: Math.floor(world.clock.now() / 1_000),
    lifetimeSecondsMax: 300,
    audience: { absentOr: [] },
  });
}

describe('a page of an App', () => {
  test('is opened by its link, framed with a token for its address, and nothing but it can be framed', async () => {
    const opened = await open(await link(mine));
    expect(opened.url).toBe(`${world.url}/t/${mine.id}/plugins/servlet/ac/notes/main?session=${opened.session}`);
    const shown = await show(opened.url, opened.cookie);
    expect(shown.status, shown.text).toBe(200);
    const { frame, user, context } = configOf(shown);
    expect({ user, context, key: frame.moduleKey }).toEqual({ user: 'ada', context: { issue: { key: 'A-1' } }, key: 'main' });
    const target = frame.url.slice(app.url.length);
    expect(target).toMatch(/^\/main\?issue=A-1&xdm_e=/);
    const token = new URL(frame.url).searchParams.get('jwt')!;
    const qsh = queryStringHash({ method: 'GET', target });
    expect(claimsOf(token, mine.sharedSecret)).toMatchObject({ claims: { iss: mine.clientKey, sub: 'ada', qsh } });
    const policy = shown.headers.get('content-security-policy')!;
    expect(policy).toContain(`frame-src ${app.url};`);
    expect(policy).toMatch(/default-src 'none'.*script-src 'nonce-[^']+';.*frame-ancestors 'none'$/);
    expect(policy).not.toMatch(/unsafe|\*/);
    expect([shown.headers.get('referrer-policy'), shown.headers.get('cache-control'), shown.headers.get('x-frame-options')]).toEqual([
      'no-referrer',
      'no-store',
      'DENY',
    ]);
  });

  test('gives the App context tokens for the person, no longer than the page may be open', async () => {
    const opened = await open(await link(mine, { lifetime_seconds: 400 }));
    const first = await ask(opened, 'token');
    expect(first.json.expires_in).toBe(300);
    expect(claimsOf(first.json.token, mine.sharedSecret)).toMatchObject({
      claims: { iss: mine.clientKey, sub: 'ada', qsh: CONTEXT_QSH, context: { issue: { key: 'A-1' } } },
    });
    world.clock.advance(300_000);
    expect((await ask(opened, 'token')).json.expires_in).toBe(100);
    world.clock.advance(100_000);
    expect((await ask(opened, 'token')).json.code).toBe('page.session_over');
    expect((await show(opened.url, opened.cookie)).status).toBe(403);
  });

  test('goes on with the new secret when the App is installed again', async () => {
    const opened = await open(await link(mine));
    await world.meta('POST', `/applications/${mine.id}/installs`, { app_key: 'notes', scopes: ['READ'] });
    const { sharedSecret } = app.calls.findLast(({ path }) => path === '/installed')!.body;
    expect(sharedSecret).not.toBe(mine.sharedSecret);
    expect(claimsOf((await ask(opened, 'token')).json.token, sharedSecret)).toMatchObject({ claims: { sub: 'ada' } });
  });

  test('opens dialogs of the same App, and pages of no other', async () => {
    const opened = await open(await link(mine));
    const asked = await ask(opened, 'frame', { module_key: 'ask' });
    expect(asked.json).toMatchObject({ module_key: 'ask', options: { size: 'small' } });
    expect(asked.json.url).toMatch(/\/ask\?xdm_e=.*&dialog=1&simpleDialog=1&jwt=/);
    for (const module_key of ['theirs', 'for-admins', 'none']) expect((await ask(opened, 'frame', { module_key })).status).toBe(404);
    const admin = await open(await link(mine, { is_admin: true }));
    expect((await ask(admin, 'frame', { module_key: 'for-admins' })).status).toBe(200);
  });

  test('is framed by the origins of its link only, and has no head line there', async () => {
    const framed = await open(await link(mine, { frame_ancestors: ['https://app.customer.example', 'https://b.customer.example:8443'] }));
    const shown = await show(framed.url, framed.cookie);
    expect(shown.headers.get('content-security-policy')).toMatch(
      /frame-ancestors https:\/\/app\.customer\.example https:\/\/b\.customer\.example:8443$/,
    );
    expect([shown.headers.has('x-frame-options'), shown.text.includes('<header>')]).toEqual([false, false]);
    const alone = await open(await link(mine));
    expect((await show(alone.url, alone.cookie)).text).toContain('<header>');
  });

  test('holds what an App has written as text, in its head, its body and its configuration', async () => {
    const opened = await open(await link(mine, { module_key: 'evil', context: { issue: { key: '</script><b>' }, x: '\u2028' } }));
    const shown = await show(opened.url, opened.cookie);
    expect(shown.status).toBe(200);
    expect(shown.text).not.toMatch(/<script>alert|<b>|\u2028/);
    expect(configOf(shown).frame.name).toBe(`</title></script><script>alert(1)</script>"'`);
    expect(shown.text).toContain('&lt;/title&gt;&lt;/script&gt;');
  });
});

describe('a link', () => {
  test('opens in one browser, once; there again, and nowhere else', async () => {
    const url = await link(mine);
    const opened = await open(url);
    const again = await world.call('GET', url);
    expect([again.status, again.text]).toEqual([400, expect.stringContaining('page.link_opened')]);
    const elsewhere = await open(await link(mine));
    expect((await world.call('GET', url, { headers: { cookie: elsewhere.cookie } })).status).toBe(400);
    expect((await open(url, opened.cookie)).url).toBe(opened.url);
  });

  test('opens for one of ten at once', async () => {
    const url = await link(mine);
    const answers = await Promise.all(Array.from({ length: 10 }, () => world.call('GET', url)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([303, ...Array.from({ length: 9 }, () => 400)]);
  });

  test('is nothing after two minutes', async () => {
    const [late, early] = [await link(mine), await link(mine)];
    world.clock.advance(119_000);
    expect((await world.call('GET', early)).status).toBe(303);
    world.clock.advance(1_000);
    expect((await world.call('GET', late)).text).toContain('page.link_unknown');
  });

  test('is not spent by a HEAD, nor by a browser that asks ahead', async () => {
    const url = await link(mine);
    expect((await world.call('HEAD', url)).status).toBe(200);
    expect((await world.call('GET', url, { headers: { 'sec-purpose': 'prefetch;prerender' } })).text).toContain('page.prefetch');
    expect((await world.call('GET', url)).status).toBe(303);
  });

  test.each<[string, (url: string) => string]>([
    ['another Application', (url) => url.replace(mine.id, theirs.id)],
    ['another module', (url) => url.replace('/main?', '/second?')],
    ['another App', (url) => url.replace('/notes/', '/other/')],
    ['a ticket cut short', (url) => url.slice(0, -1)],
    ['an API key', (url) => url.replace(/ticket=.*/, `ticket=${mine.apiKey}`)],
  ])('opens nothing at the address of %s', async (_, bend) => {
    const url = await link(mine);
    expect((await world.call('GET', bend(url))).status).toBe(400);
    // Control: the link itself is still good.
    expect((await world.call('GET', url)).status).toBe(303);
  });

  test.each<[string, object, string]>([
    ['a page that is not shown to them', { module_key: 'for-admins' }, 'module.not_shown'],
    ['a page that is not there', { module_key: 'none' }, 'module.not_shown'],
    ["another App's page", { module_key: 'theirs' }, 'module.not_shown'],
    ['an App that is not installed', { app_key: 'none' }, 'module.not_shown'],
    ['a context of lists without end', { context: { a: [[[[['deep']]]]] } }, 'request.invalid'],
    ['a context that is too long', { context: { a: 'x'.repeat(2_001) } }, 'request.invalid'],
    ['what the host says itself', { context: { user: { accountId: 'eve' } } }, 'request.invalid'],
    ['an ancestor that is any site', { frame_ancestors: ['*'] }, 'request.invalid'],
    ['an ancestor with a path', { frame_ancestors: ['https://a.example/b'] }, 'request.invalid'],
    ['an ancestor that ends the header', { frame_ancestors: ["https://a.example; script-src 'unsafe-inline'"] }, 'request.invalid'],
    ['a day and a second', { lifetime_seconds: 86_401 }, 'request.invalid'],
    ['a field that there is not', { endUser: 'ada' }, 'request.invalid'],
  ])('is not made for %s', async (_, fields, code) => {
    expect((await linkAnswer(mine, fields)).json).toMatchObject({ status_code: 400, code });
  });

  test('is counted: a number of open pages is the most', async () => {
    await world.platform.db.withSystem('fill up in a test', async (tx) => {
      await tx.execute(sql`
        insert into page_sessions (application_id, session_id, client_key, module_key, ticket_hash, is_admin, context, frame_ancestors,
                                   lifetime_seconds, created_at, ends_at)
        select ${mine.id}, 'filler' || n, ${mine.clientKey}, 'main', sha256(n::text::bytea), false, '{}', '{}', 60,
               ${new Date(world.clock.now())}, ${new Date(world.clock.now() + 60_000)} from generate_series(1, 10000) n`);
    });
    expect((await linkAnswer(mine)).json).toMatchObject({ status_code: 429, code: 'module_link.limit' });
    expect((await linkAnswer(theirs)).status).toBe(201);
    world.clock.advance(60_000);
    expect((await linkAnswer(mine)).status).toBe(201);
  });
});

describe('the session of a page', () => {
  test('is worth nothing in another browser, at another address, or beside another session', async () => {
    const opened = await open(await link(mine));
    const second = await open(await link(mine, { end_user: 'bob' }));
    const foreign = await open(await link(theirs));
    const attempts: [string, Opened][] = [
      ['without the cookie', { ...opened, cookie: '' }],
      ["with another session's cookie", { ...opened, cookie: second.cookie }],
      ["with another tenant's cookie", { ...opened, cookie: foreign.cookie }],
      ['with a second cookie of its name', { ...opened, cookie: `${opened.cookie}; ${opened.cookie.replace(/=.*/, '=planted')}` }],
      ["at another tenant's address", { ...opened, url: opened.url.replace(mine.id, theirs.id) }],
      ['at another module', { ...opened, url: opened.url.replace('/main?', '/second?') }],
      ['at another App', { ...opened, url: opened.url.replace('/notes/', '/other/') }],
      [
        "naming another tenant's session",
        { ...opened, session: foreign.session, url: opened.url.replace(opened.session, foreign.session) },
      ],
      ['naming none', { ...opened, session: '', url: opened.url.replace(opened.session, '') }],
    ];
    for (const [title, attempt] of attempts) {
      expect([title, (await show(attempt.url, attempt.cookie)).status]).toEqual([title, 403]);
      expect([title, (await ask(attempt, 'token')).json.code]).toEqual([title, 'page.session_over']);
      expect([title, (await ask(attempt, 'frame', { module_key: 'ask' })).json.code]).toEqual([title, 'page.session_over']);
    }
    // Control, and each has its own person and tenant.
    for (const [each, of, sub] of [
      [opened, mine, 'ada'],
      [second, mine, 'bob'],
      [foreign, theirs, 'ada'],
    ] as const)
      expect(claimsOf((await ask(each, 'token')).json.token, of.sharedSecret)).toMatchObject({ claims: { iss: of.clientKey, sub } });
  });

  test('answers its own page only', async () => {
    const opened = await open(await link(mine));
    for (const headers of [
      {},
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site', origin: world.url },
      { 'sec-fetch-site': 'same-site', origin: app.url },
    ])
      expect((await ask(opened, 'token', {}, headers as Record<string, string>)).json.code).toBe('page.cross_site');
    expect((await ask(opened, 'token', {}, { origin: world.url })).status).toBe(200);
    expect((await ask(opened, 'token', {}, { origin: world.url })).headers.get('access-control-allow-origin')).toBeNull();
  });

  test('shows nothing while the App is disabled, goes on when it is enabled, and ends with the install', async () => {
    const opened = await open(await link(mine));
    const all = async () => [
      (await show(opened.url, opened.cookie)).status,
      (await ask(opened, 'token')).status,
      (await ask(opened, 'frame', { module_key: 'ask' })).status,
    ];
    await install('POST', '/disable');
    expect(await all()).toEqual([404, 404, 404]);
    await install('POST', '/enable');
    expect(await all()).toEqual([200, 200, 200]);
    const unopened = await link(mine);
    await install('DELETE', '');
    expect(await all()).toEqual([403, 403, 403]);
    await world.meta('POST', `/applications/${mine.id}/installs`, { app_key: 'notes', scopes: ['READ'] });
    expect(await all()).toEqual([403, 403, 403]);
    expect((await world.call('GET', unopened)).status).toBe(400);
  });

  test('shows nothing of an Application that is off', async () => {
    const opened = await open(await link(mine));
    await world.meta('PATCH', `/applications/${mine.id}`, { active: false });
    expect([(await show(opened.url, opened.cookie)).status, (await ask(opened, 'token')).status]).toEqual([404, 404]);
    await world.meta('PATCH', `/applications/${mine.id}`, { active: true });
    expect((await ask(opened, 'token')).status).toBe(200);
  });

  test('shows a page as long as its conditions hold', async () => {
    const opened = await open(await link(mine, { module_key: 'second' }));
    const changed = { ...app.descriptor, modules: { generalPages: [page('second', { conditions: [{ condition: 'user_is_admin' }] })] } };
    await world.meta('POST', '/apps', { descriptor: changed });
    await world.meta('POST', `/applications/${mine.id}/installs`, { app_key: 'notes', scopes: ['READ'] });
    expect((await show(opened.url, opened.cookie)).status).toBe(404);
    await world.meta('POST', '/apps', { descriptor: app.descriptor });
    await world.meta('POST', `/applications/${mine.id}/installs`, { app_key: 'notes', scopes: ['READ'] });
    expect((await show(opened.url, opened.cookie)).status).toBe(200);
  });
});

describe('what is over', () => {
  test('is forgotten: links that nobody opened, pages that have ended, and nothing else', async () => {
    const left = async () =>
      (
        await world.platform.db.withSystem('look in a test', (tx) =>
          tx.query<{ session_id: string }>(sql`select session_id from page_sessions where application_id in (${mine.id}, ${theirs.id})`),
        )
      ).length;
    await link(mine);
    await open(await link(mine, { lifetime_seconds: 60 }));
    const kept = await open(await link(theirs));
    expect(await left()).toBe(3);
    world.clock.advance(120_000);
    await forgetEndedSessions(world.platform.db, new Date(world.clock.now()));
    expect(await left()).toBe(1);
    expect((await ask(kept, 'token')).status).toBe(200);
  });
});

describe('the AP JavaScript', () => {
  test('is the library as it is, kept by browsers and told apart by its content', async () => {
    for (const path of ['/atlassian-connect/all.js', `/t/${mine.id}/atlassian-connect/all.js`, '/atlassian-connect/host.js']) {
      const answer = await world.call('GET', path);
      expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/javascript; charset=utf-8']);
      expect(answer.text.length).toBeGreaterThan(400_000);
      const tag = answer.headers.get('etag')!;
      expect((await world.call('GET', path, { headers: { 'if-none-match': tag } })).status).toBe(304);
      expect((await world.call('HEAD', path)).text).toBe('');
    }
  });
});
