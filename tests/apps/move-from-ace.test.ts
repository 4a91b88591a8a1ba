import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { runPastDoors } from '@bulkhead/postgres';
import { queryStringHash } from '@bulkhead/protocol';
import { launchBrowser, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AceApp, freePort, startAceApp, untilListening } from './ace-process.ts';

const folders = {
  before: join(import.meta.dirname, '../../examples/ace-app-before'),
  after: join(import.meta.dirname, '../../examples/ace-app-after'),
};

interface Tenant {
  readonly applicationId: string;
  readonly apiKey: string;
  readonly clientKey: string;
  readonly sharedSecret: string;
}

let world: World;
let url: string;
let before: AceApp;
let after: ChildProcess | undefined;
let env: Record<string, string>;
let tenants: Tenant[];

/** The App's clock is the machine's; the world's stands still until it is moved. */
const now = (): number => {
  world.clock.advance(Date.now() - world.clock.now());
  return Math.floor(Date.now() / 1_000);
};
const install = (id: string) => {
  now();
  return world.meta('POST', `/applications/${id}/installs`, { app_key: 'ace-notes', scopes: ['READ'] });
};

beforeAll(async () => {
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  world = await World.create({ egressAllow: [`127.0.0.1:${port}`] });
  before = await startAceApp({ port, keysUrl: `${world.url}/keys` });
  expect((await world.meta('POST', '/apps', { descriptor_url: `${url}/atlassian-connect.json` })).status).toBe(201);
  const installed: Omit<Tenant, 'sharedSecret'>[] = [];
  for (let at = 0; at < 2; at++) {
    const { id, apiKey } = await world.application({ events_enabled: true });
    const answer = await install(id);
    expect(answer.status, answer.text).toBe(201);
    installed.push({ applicationId: id, apiKey, clientKey: answer.json.client_key as string });
  }
  await world.platform.runDueDeliveries();
  const infos = await before.clientInfos();
  tenants = installed.map((tenant) => ({
    ...tenant,
    sharedSecret: String(infos.find(({ clientKey }) => clientKey === tenant.clientKey)?.val['sharedSecret']),
  }));
  env = {
    PATH: process.env['PATH'] ?? '',
    PORT: String(port),
    AC_LOCAL_BASE_URL: url,
    BULKHEAD_URL: world.url,
    DB_URL: before.databaseUrls.serving,
    OWNER_DB_URL: before.databaseUrls.owner,
    SERVING_ROLE: 'bulkhead_app',
    APP_SEALING_KEY: randomBytes(32).toString('base64'),
    APP_SESSION_SECRET: randomBytes(32).toString('base64'),
  };
}, 60_000);
afterAll(async () => {
  if (after?.exitCode === null) {
    after.kill('SIGTERM');
    await once(after, 'close');
  }
  await before[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

/** A token of these claims and no others, whether a host would make it or not. */
function token({ sharedSecret }: Tenant, claims: Record<string, unknown>): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const input = `${part({ typ: 'JWT', alg: 'HS256' })}.${part(claims)}`;
  return `${input}.${createHmac('sha256', sharedSecret).update(input).digest('base64url')}`;
}
const claimsOf = ({ clientKey }: Tenant, method = 'GET', target = '/notes') => {
  const iat = now();
  return { iss: clientKey, sub: 'ada', iat, exp: iat + 180, context: {}, qsh: queryStringHash({ method, target }) };
};
/** The page as the host would load it into its frame. */
async function openPage(tenant: Tenant): Promise<{ page: string; session: string; headers: Headers }> {
  const answer = await fetch(`${url}/notes?jwt=${token(tenant, claimsOf(tenant))}`);
  const page = await answer.text();
  expect(answer.status, page).toBe(200);
  return { page, session: /name="token" content="([^"]+)"/.exec(page)?.[1] ?? '', headers: answer.headers };
}
/** The same in Chromium, in the host's frame: a note is saved by the page's script, with a token that AP JavaScript got from the host. */
async function saveInFrame({ apiKey }: Tenant, note: string): Promise<string | null> {
  now();
  const body = { app_key: 'ace-notes', module_key: 'notes', end_user: 'ada' };
  const link = await world.call('POST', '/v1/module_links', { headers: { authorization: `APIKey ${apiKey}` }, body });
  const browser = await launchBrowser();
  try {
    const tab = await browser.newPage();
    await tab.goto(link.json.url as string);
    const frame = await (await tab.locator('main > iframe').elementHandle())!.contentFrame();
    await frame!.waitForFunction('window.AP && AP.context');
    await frame!.locator('input').fill(note);
    await frame!.locator('button').click();
    await frame!.waitForFunction(`document.getElementById('note').textContent === ${JSON.stringify(note)}`);
    return await frame!.locator('#note').textContent();
  } finally {
    await browser.close();
  }
}
const json = { 'content-type': 'application/json' };
/** What the page's script does with the token that it found in the page. */
const writeNote = (authorization: string, note: string, more: Record<string, unknown> = {}) =>
  fetch(`${url}/api/note`, {
    method: 'PUT',
    headers: { ...json, ...(authorization === '' ? {} : { authorization }) },
    body: JSON.stringify({ note, ...more }),
  });
const connectAccount = async ({ apiKey }: Tenant, account: string): Promise<string> => {
  const body = { service: 'gdrive', account, token: 'x' };
  const made = await world.call('POST', '/v1/accounts', { headers: { authorization: `APIKey ${apiKey}` }, body });
  now();
  await world.platform.runDueDeliveries();
  return String(made.json.id);
};
const post = (path: string, authorization: string, body: unknown) =>
  fetch(`${url}${path}`, { method: 'POST', headers: { ...json, authorization }, body: JSON.stringify(body) });

/** Requests that a host of today does not make, with the number of the weakness in connect.md §3.3 and what each App answers. */
const weaknesses: readonly (readonly [string, number, number, (tenant: Tenant, other: Tenant) => Promise<Response>])[] = [
  [
    '3. an install with a token that is none',
    500,
    401,
    ({ clientKey }) =>
      post('/installed', 'JWT a.b.c', {
        key: 'ace-notes',
        clientKey,
        baseUrl: world.url,
        sharedSecret: 'x'.repeat(32),
        eventType: 'installed',
      }),
  ],
  [
    '5. a page’s token without an end',
    200,
    401,
    (tenant) => fetch(`${url}/notes?jwt=${token(tenant, { ...claimsOf(tenant), exp: undefined })}`),
  ],
  [
    '6. a token whose issuer is one tenant and whose audience another',
    200,
    401,
    (tenant, other) => fetch(`${url}/notes?jwt=${token(tenant, { ...claimsOf(tenant), iss: other.clientKey, aud: [tenant.clientKey] })}`),
  ],
  [
    '7. what the App itself has signed for its host',
    200,
    401,
    (tenant) => fetch(`${url}/notes?jwt=${token(tenant, { ...claimsOf(tenant), iss: 'ace-notes', aud: [tenant.clientKey] })}`),
  ],
  [
    '8. one tenant’s token to say that another is enabled',
    204,
    401,
    (tenant, other) =>
      post('/enabled', `JWT ${token(tenant, claimsOf(tenant, 'POST', '/enabled'))}`, {
        key: 'ace-notes',
        clientKey: other.clientKey,
        baseUrl: world.url,
        eventType: 'enabled',
      }),
  ],
  [
    '11. a token of another request where the page’s own is asked for',
    204,
    401,
    (tenant) => writeNote(`JWT ${token(tenant, claimsOf(tenant))}`, `note of ${tenant.clientKey}`),
  ],
  ['12. a token in a body', 204, 401, (tenant) => writeNote('', `note of ${tenant.clientKey}`, { jwt: token(tenant, claimsOf(tenant)) })],
];
const answersOf = async () => {
  const statuses: [string, number][] = [];
  for (const [title, , , send] of weaknesses) {
    now();
    statuses.push([title, (await send(tenants[0]!, tenants[1]!)).status]);
  }
  return statuses;
};
const node = async (script: string) => {
  const child = spawn(process.execPath, [join(folders.after, script)], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [said, problems] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  expect([child.exitCode, problems]).toEqual([0, '']);
  return JSON.parse(said) as unknown;
};

/** The tests of this file go one after the other through the life of one App. */
describe('an App of atlassian-connect-express that moves over', () => {
  const accounts: string[] = [];

  test('its routes are the same file before and after, and so is its descriptor', () => {
    for (const name of ['routes.js', 'atlassian-connect.json'])
      expect(readFileSync(join(folders.after, name), 'utf8')).toBe(readFileSync(join(folders.before, name), 'utf8'));
  });

  test('before: two customers use it, each with a note and an account of its own; it accepts what it should not', async () => {
    for (const tenant of tenants) {
      const { session, headers } = await openPage(tenant);
      expect(headers.get('x-acpt'), '10. a session that renews itself').not.toBeNull();
      expect((await writeNote(`JWT ${session}`, `note of ${tenant.clientKey}`)).status).toBe(204);
      accounts.push(await connectAccount(tenant, tenant.clientKey));
    }
    for (const [at, tenant] of tenants.entries()) {
      const { page } = await openPage(tenant);
      expect(page).toContain(`<p id="note">note of ${tenant.clientKey}</p>\n<ul><li>${accounts[at]}</li></ul>`);
    }
    expect(await answersOf()).toEqual(weaknesses.map(([title, status]) => [title, status]));
    const { clientKey } = tenants[0]!;
    expect(await saveInFrame(tenants[0]!, `note of ${clientKey}`)).toBe(`note of ${clientKey}`);
  });

  test('its tenants are taken over, once, out of the very database in which they are', async () => {
    await before.stop();
    expect(await node('import.js')).toEqual({ tenants: 2, records: 2, skipped: [] });
    expect(await node('import.js')).toMatchObject({ tenants: 0, records: 0 });
    const dump = async (table: string) => JSON.stringify(await runPastDoors(before.databaseUrls.owner, `select t::text from ${table} t`));
    const { sharedSecret } = tenants[0]!;
    expect(await dump('"AddonSettings"'), '19. the secret in clear').toContain(sharedSecret);
    for (const table of ['app_kit.tenants', 'app_kit.records']) {
      const stored = await dump(table);
      expect(stored).toContain(tenants[0]!.clientKey);
      expect(stored).not.toContain(sharedSecret);
      expect(stored).not.toContain(Buffer.from(sharedSecret).toString('hex'));
    }
  });

  test('after: nobody has installed it again, and each customer finds what was there', async () => {
    const child = spawn(process.execPath, [join(folders.after, 'app.js')], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    after = child;
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (said: string) => (output += said));
    await untilListening(child, () => output);
    for (const [at, tenant] of tenants.entries()) {
      const { page, session, headers } = await openPage(tenant);
      expect(page).toContain(`<h1>Notes at ${world.url}/t/${tenant.applicationId}</h1>`);
      expect(page).toContain(`<p id="note">note of ${tenant.clientKey}</p>\n<ul><li>${accounts[at]}</li></ul>`);
      expect(headers.get('x-acpt')).toBeNull();
      expect((await writeNote(`JWT ${session}`, `second note of ${tenant.clientKey}`)).status).toBe(204);
      const next = await connectAccount(tenant, `${tenant.clientKey} again`);
      const again = (await openPage(tenant)).page;
      expect(again).toContain(`<p id="note">second note of ${tenant.clientKey}</p>\n<ul><li>${accounts[at]}</li><li>${next}</li></ul>`);
    }
    expect(await saveInFrame(tenants[0]!, 'third note')).toBe('third note');
    expect((await openPage(tenants[0]!)).page).toContain('<p id="note">third note</p>');
    expect((await openPage(tenants[1]!)).page).toContain(`<p id="note">second note of ${tenants[1]!.clientKey}</p>`);
  });

  test('after: what it should not accept is refused', async () => {
    expect(await answersOf()).toEqual(weaknesses.map(([title, , status]) => [title, status]));
  });

  test('after: it is installed again, disabled, enabled and uninstalled like any App', async () => {
    const [first, second] = tenants as [Tenant, Tenant];
    expect((await install(first.applicationId)).status).toBeLessThan(300);
    for (const verb of ['disable', 'enable']) {
      now();
      expect((await world.meta('POST', `/applications/${first.applicationId}/installs/ace-notes/${verb}`)).status).toBe(200);
      await world.platform.runDueDeliveries();
    }
    // Installed again with another secret, which nobody but host and App knows; the one before counts until that was used.
    expect((await fetch(`${url}/notes?jwt=${token(second, claimsOf(second))}`)).status).toBe(200);
    expect((await world.meta('DELETE', `/applications/${second.applicationId}/installs/ace-notes`)).status).toBe(204);
    for (let time = 0; time < 3; time++) {
      world.clock.advance(1_000);
      await world.platform.runDueDeliveries();
    }
    expect((await fetch(`${url}/notes?jwt=${token(second, claimsOf(second))}`)).status).toBe(401);
    const told = await world.meta('GET', `/applications/${first.applicationId}/installs/ace-notes/deliveries`);
    const calls = (told.json.objects as { event: string; status: string }[]).map(({ event, status }) => `${event} ${status}`);
    // What was made in one moment has no order.
    expect(calls.slice(0, 4).toSorted()).toEqual(['disabled delivered', 'enabled cancelled', 'enabled delivered', 'installed delivered']);
  });
});
