import { DatabaseSync } from 'node:sqlite';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { type Log, Secret } from '@bulkhead/base';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AceApp, startAceApp } from '../test/ace-app.ts';
import { listening, type RawAnswer, type Running, sendRaw } from '../test/raw-request.ts';
import { express4 } from '../test/untyped-express.ts';
import { expressGuard, expressKit } from './adapter/express.ts';
import { verifiedOf } from './adapter/guard.ts';
import { type AppKit, createAppKit } from './app-kit.ts';
import type { AppRequest } from './app-request.ts';
import { defineDescriptor } from './descriptor.ts';
import type { Issuer } from './issuer.ts';
import { sqliteTenantStore } from './store/sqlite-tenant-store.ts';
import { FakeHost, type FakeTenant } from './testkit/fake-host.ts';

/**
 * What atlassian-connect-express 11.5.3 accepts though it should not, in production, on Express 4; each beside what an App with the kit
 * answers to the very same request.
 */
const key = 'issue-notes';
const baseUrl = 'https://app.example';
const host = new FakeHost({ appKey: key, appBaseUrl: baseUrl });
const issuer: Issuer = { ...host.issuer, hosts: ['*.example'] };

let keyServer: Running;
let keyRequests: string[] = [];
let keyServerAnswers = true;
let ace: AceApp;
let ours: Running & { readonly log: string[] };
let kit: AppKit;
const folder = mkdtempSync(join(tmpdir(), 'app-kit-weaknesses-'));
let database: DatabaseSync;

async function startOurs(): Promise<Running & { readonly log: string[] }> {
  const log: string[] = [];
  const line = (...words: unknown[]) => void log.push(words.map((word) => inspect(word)).join(' '));
  const logger: Log = { debug: line, info: line, warn: line, error: line, child: () => logger };
  database = new DatabaseSync(join(folder, 'tenants.sqlite'));
  kit = createAppKit({
    descriptor: defineDescriptor({ key, baseUrl }),
    issuers: [issuer],
    store: sqliteTenantStore({ appKey: key, database, sealingKeys: { current: randomBytes(32) } }),
    sessionSecret: new Secret('a session secret of thirty-two characters'),
    fetch: (url, init) => {
      keyRequests.push(new URL(url).pathname);
      return keyServerAnswers ? host.fetch(url, init) : Promise.reject(new TypeError('refused'));
    },
    log: logger,
  });
  const make = express4();
  const server = make();
  server.use(expressKit(kit));
  server.use(make.json());
  server.get('/page', expressGuard(kit, { token: 'request' }), (request, response) => {
    response.setHeader('x-session', kit.issueSession(verifiedOf(request)));
    response.end(JSON.stringify({ clientKey: verifiedOf(request).tenant.clientKey }));
  });
  server.get('/own', expressGuard(kit, { token: 'context' }), (_request, response) => void response.end('{}'));
  server.get('/public', (request, response) => {
    let who = {};
    try {
      who = verifiedOf(request);
    } catch {
      who = {};
    }
    response.end(JSON.stringify(who));
  });
  server.post('/hook', expressGuard(kit, { token: 'request' }), (_request, response) => void response.end('{}'));
  return { ...(await listening(server)), log };
}

beforeAll(async () => {
  keyServer = await listening((request, response) => {
    keyRequests.push(request.url ?? '');
    if (!keyServerAnswers) return void request.socket.destroy();
    const known = request.url === `/keys/${host.kid}`;
    response.statusCode = known ? 200 : 404;
    response.end(known ? host.publicKeyPem : '<html>no such page</html>');
  });
  ace = await startAceApp({ key, baseUrl, keyServerUrl: `http://127.0.0.1:${keyServer.port}/keys`, whitelist: '*.example' });
  ours = await startOurs();
});
afterAll(async () => {
  await Promise.all([keyServer.close(), ace.close(), ours.close()]);
  database.close();
  rmSync(folder, { recursive: true });
});

type Send = (request: AppRequest) => Promise<RawAnswer>;
const toAce: Send = (request) => sendRaw(ace.port, request);
const toOurs: Send = (request) => sendRaw(ours.port, request);
const now = () => host.now();
const get = (rawTarget: string, headers: AppRequest['headers'] = {}): AppRequest => ({
  method: 'GET',
  rawTarget,
  headers,
  body: new Uint8Array(),
});
const jwt = (rawTarget: string, token: string, method = 'GET'): AppRequest => ({
  ...get(rawTarget, { authorization: `JWT ${token}` }),
  method,
});
const statusOf = async (answer: Promise<RawAnswer>) => (await answer).status;

/** The App's `installed` with this token. */
function install(tenant: FakeTenant, claims: Readonly<Record<string, unknown>>, kid?: string): AppRequest {
  const request = tenant.installed();
  return {
    ...request,
    headers: {
      ...request.headers,
      authorization: `JWT ${tenant.signLifecycle({ qsh: tenant.qsh('POST', '/installed'), ...claims }, kid)}`,
    },
  };
}

let serial = 0;
/** Each row on a tenant of its own, installed at this App. */
async function installed(send: Send): Promise<FakeTenant> {
  const tenant = host.tenant(`tenant-${++serial}`);
  expect(await statusOf(send(tenant.installed()))).toBe(204);
  expect(await statusOf(send(tenant.request('GET', '/page')))).toBe(200);
  return tenant;
}

type Exchange = (send: Send, tenant: FakeTenant) => Promise<number>;
const rows: readonly (readonly [title: string, ace: number, ours: number, exchange: Exchange])[] = [
  ['1. an install token without exp', 204, 401, (send, tenant) => statusOf(send(install(tenant, { exp: undefined })))],
  [
    '1. an install token of an hour ahead',
    204,
    401,
    (send, tenant) => statusOf(send(install(tenant, { iat: now() + 3600, exp: now() + 3780 }))),
  ],
  [
    '2. a re-install that moves the tenant to another base URL',
    204,
    403,
    (send, tenant) => statusOf(send(tenant.installed({ baseUrl: 'https://evil.example/t' }))),
  ],
  [
    '3. a malformed token at the install',
    500,
    401,
    (send, tenant) =>
      statusOf(send({ ...tenant.installed(), headers: { authorization: 'JWT a.b.c', 'content-type': 'application/json' } })),
  ],
  ['4. an install under a kid that nobody has', 400, 401, (send, tenant) => statusOf(send(install(tenant, {}, 'nobody')))],
  ['5. a page token without exp', 200, 401, (send, tenant) => statusOf(send(tenant.request('GET', '/page', { exp: undefined })))],
  [
    '5. a page token of an hour ahead',
    200,
    401,
    (send, tenant) => statusOf(send(tenant.request('GET', '/page', { iat: now() + 3600, exp: now() + 3780 }))),
  ],
  [
    '6. a token that says another issuer and names the tenant as its audience',
    200,
    401,
    (send, tenant) => statusOf(send(tenant.request('GET', '/page', { iss: 'somebody', aud: [tenant.clientKey] }))),
  ],
  [
    "7. the App's own token to its host, shown to a page",
    200,
    401,
    (send, tenant) => statusOf(send(tenant.request('GET', '/page', { iss: key, aud: [tenant.clientKey] }))),
  ],
  [
    "7. the App's own token to its host, shown to its own front end's route",
    200,
    401,
    (send, tenant) => statusOf(send(jwt('/own', tenant.sign({ iss: key, aud: [tenant.clientKey], qsh: tenant.qsh('GET', '/rest/x') })))),
  ],
  ['8. an enabled whose body names another tenant', 200, 401, (send, tenant) => statusOf(send(tenant.enabled({ clientKey: 'another' })))],
  [
    '9. a page after the tenant was uninstalled',
    200,
    401,
    async (send, tenant) => {
      await send(tenant.uninstalled());
      return statusOf(send(tenant.request('GET', '/page')));
    },
  ],
  [
    "11. a token of another request at the front end's route",
    200,
    401,
    (send, tenant) => statusOf(send(jwt('/own', tenant.sign({ qsh: tenant.qsh('GET', '/elsewhere') })))),
  ],
  ["11. a token without qsh at the front end's route", 200, 401, (send, tenant) => statusOf(send(jwt('/own', tenant.sign({}))))],
  [
    '12. a token in a form',
    200,
    401,
    (send, tenant) =>
      statusOf(
        send({
          method: 'POST',
          rawTarget: '/hook',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body: Buffer.from(`jwt=${tenant.sign({ qsh: tenant.qsh('POST', '/hook') })}`),
        }),
      ),
  ],
  [
    '12. a token in X-acpt',
    200,
    401,
    (send, tenant) => statusOf(send(get('/page', { 'x-acpt': tenant.sign({ qsh: tenant.qsh('GET', '/page') }) }))),
  ],
  ['12. a token in ?acpt=', 200, 401, (send, tenant) => statusOf(send(get(`/own?acpt=${tenant.sign({})}`)))],
  [
    '14. a clock that is off by a second: no weakness to refuse, but a tenant that is locked out',
    401,
    200,
    (send, tenant) => statusOf(send(tenant.request('GET', '/page', { iat: now() - 181, exp: now() - 1 }))),
  ],
];

describe('what atlassian-connect-express accepts, and an App with the kit does not', () => {
  test.each(rows)('%s: %i there, %i here', async (_, there, here, exchange) => {
    expect(await exchange(toAce, await installed(toAce))).toBe(there);
    expect(await exchange(toOurs, await installed(toOurs))).toBe(here);
  });

  test('4. a kid with a path in it: asked for there, not here', async () => {
    for (const [send, asked] of [
      [toAce, true],
      [toOurs, false],
    ] as const) {
      const tenant = await installed(send);
      keyRequests = [];
      await send(install(tenant, {}, '../admin'));
      expect(keyRequests.length > 0).toBe(asked);
    }
  });

  test('10. a session begun with a token that has 5 s left: 15 minutes more there, what was left of 15 minutes here', async () => {
    const claims = { iat: now() - 175, exp: now() + 5 };
    const there = await toAce((await installed(toAce)).request('GET', '/page', claims));
    expect(expiryOf(String(there.headers['x-acpt'])) - now()).toBeGreaterThan(890);
    const here = await toOurs((await installed(toOurs)).request('GET', '/page', claims));
    expect(expiryOf(String(here.headers['x-session'])) - now()).toBeLessThan(726);
    // And no session comes of a session.
    const tenant = await installed(toOurs);
    const session = kit.issueSession(await kit.verifyRequest(tenant.request('GET', '/x')));
    const verified = await kit.verifySession(get('/x', { authorization: `Bearer ${session}` }));
    expect(() => kit.issueSession(verified)).toThrow(TypeError);
  });

  test('13. the host’s address from a query that nobody signed: believed there, no source of anything here', async () => {
    const target = '/public?xdm_e=https://evil.example&cp=/x';
    expect(JSON.parse((await toAce(get(target))).body)).toMatchObject({ hostBaseUrl: 'https://evil.example/x' });
    expect(JSON.parse((await toOurs(get(target))).body)).toEqual({});
  });

  test('15. the key is asked for at every install there, once an hour here; a key server that is away is 404 there, 503 here', async () => {
    for (const [send, lookups] of [
      [toAce, 3],
      [toOurs, 0],
    ] as const) {
      await installed(send);
      keyRequests = [];
      for (let time = 0; time < 3; time++) await send(host.tenant(`again-${++serial}`).installed());
      expect(keyRequests).toHaveLength(lookups);
    }
    const another = (tenant: FakeTenant) => install(tenant, {}, 'another-kid');
    keyServerAnswers = false;
    try {
      expect(await toAce(another(host.tenant('away')))).toMatchObject({
        status: 404,
        body: expect.stringContaining('Could not get public key'),
      });
      expect(await statusOf(toOurs(another(host.tenant('away'))))).toBe(503);
    } finally {
      keyServerAnswers = true;
    }
  });

  test('16. the shared secret in the production log when an install fails: there, not here', async () => {
    for (const [send, log, logged] of [
      [toAce, ace.log, true],
      [toOurs, ours.log, false],
    ] as const) {
      const tenant = await installed(send);
      await send(install(tenant, { qsh: tenant.qsh('POST', '/elsewhere') }));
      expect(log.join('\n').includes(tenant.sharedSecret.reveal())).toBe(logged);
      expect(log.length).toBeGreaterThan(0);
    }
  });

  test('17. what came in echoed in the answer: there, not here', async () => {
    for (const [send, echoed] of [
      [toAce, true],
      [toOurs, false],
    ] as const) {
      const tenant = await installed(send);
      const token = tenant.sign({ qsh: tenant.qsh('GET', '/page') });
      const { body } = await send(jwt('/page', `${token.slice(0, -4)}AAAA`));
      expect(body.includes(token.split('.')[1] ?? '')).toBe(echoed);
    }
  });

  test('18. unhandled rejections of the whole process swallowed: there, not here', async () => {
    const before = process.listenerCount('unhandledRejection');
    const more = await startOurs();
    expect(process.listenerCount('unhandledRejection')).toBe(before);
    await more.close();
    const another = await startAceApp({ key, baseUrl, keyServerUrl: `http://127.0.0.1:${keyServer.port}/keys`, whitelist: '*.example' });
    expect(process.listenerCount('unhandledRejection')).toBe(before + 1);
    await another.close();
  });

  test('19. the shared secret in clear in the store: there, not here', async () => {
    const there = await installed(toAce);
    expect(ace.stored.join('\n')).toContain(there.sharedSecret.reveal());
    const here = await installed(toOurs);
    const bytes = Buffer.concat(readdirSync(folder).map((entry) => readFileSync(join(folder, entry))));
    expect(bytes.includes(here.clientKey)).toBe(true);
    expect(bytes.includes(here.sharedSecret.reveal())).toBe(false);
  });

  test('20. six installs at once: three rows of one tenant were seen there (its table has no unique index), one here', async () => {
    const tenant = host.tenant('six');
    const answers = await Promise.all(Array.from({ length: 6 }, () => toOurs(tenant.installed())));
    expect(answers.map(({ status }) => status)).toEqual(Array(6).fill(204));
    expect(database.prepare(`select count(*) as rows from app_kit_tenants where client_key = 'six'`).get()).toMatchObject({ rows: 1 });
    expect(await statusOf(toOurs(tenant.request('GET', '/page')))).toBe(200);
  });
});

function expiryOf(token: string): number {
  return (JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { exp: number }).exp;
}
