import { Secret } from '@bulkhead/base';
import { queryStringHash, sharedSecretKey, signConnectJwt } from '@bulkhead/protocol';
import { HttpBrowser, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AceApp, freePort, startAceApp } from './ace-process.ts';

let world: World;
let app: AceApp;
beforeAll(async () => {
  const port = await freePort();
  world = await World.create({ egressAllow: [`127.0.0.1:${port}`] });
  app = await startAceApp({ port, keysUrl: `${world.url}/keys` });
  const registered = await world.meta('POST', '/apps', { descriptor_url: `${app.url}/atlassian-connect.json` });
  expect(registered.status, registered.text).toBe(201);
}, 60_000);
afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

/** The App's clock is the machine's; the world's stands still until it is moved. */
const now = (): number => {
  world.clock.advance(Date.now() - world.clock.now());
  return Math.floor(Date.now() / 1_000);
};
const install = async (applicationId: string) => {
  now();
  return world.meta('POST', `/applications/${applicationId}/installs`, { app_key: app.key, scopes: ['READ'] });
};
const property = (name: string) => `/rest/atlassian-connect/1/addons/${app.key}/properties/${name}`;

describe('an App on unmodified atlassian-connect-express 11.5.3', () => {
  test('is installed, serves a page to a token, keeps properties through httpClient, and is uninstalled', async () => {
    const { id } = await world.application();
    const answer = await install(id);
    expect(answer.status, `${answer.text}\n${app.output()}`).toBe(201);
    const { client_key: clientKey } = answer.json;
    await world.platform.runDueDeliveries();
    expect(await app.heard()).toEqual([`installed ${clientKey}`, `enabled ${clientKey}`]);

    const [info] = await app.clientInfos();
    const iat = now();
    const key = sharedSecretKey(new Secret(String(info!.val['sharedSecret'])));
    const claims = { iss: clientKey, iat, exp: iat + 180, context: {} };
    const jwt = signConnectJwt(
      { algorithm: 'HS256', key },
      { ...claims, qsh: queryStringHash({ method: 'GET', target: '/notes?lic=active' }) },
    );
    const page = await fetch(`${app.url}/notes?lic=active&jwt=${jwt}`);
    expect(page.status).toBe(200);
    expect(await page.text()).toContain(`<h1>Notes at ${world.url}/t/${id}</h1>`);
    // Control: the same token for another address is none.
    expect((await fetch(`${app.url}/notes?lic=none&jwt=${jwt}`)).status).toBe(401);

    now();
    expect(await app.callHost({ clientKey, method: 'put', path: property('note'), json: { text: 'first' } })).toMatchObject({
      status: 201,
    });
    expect(await app.callHost({ clientKey, method: 'put', path: property('note'), json: { text: 'second' } })).toMatchObject({
      status: 200,
    });
    expect(await app.callHost({ clientKey, method: 'get', path: `${property('note')}?b=2&a=1` })).toMatchObject({
      status: 200,
      body: { key: 'note', value: { text: 'second' } },
    });
    expect(await app.callHost({ clientKey, method: 'get', path: property('') })).toMatchObject({ body: { keys: [{ key: 'note' }] } });

    expect((await world.meta('DELETE', `/applications/${id}/installs/${app.key}`)).status).toBe(204);
    expect(await app.callHost({ clientKey, method: 'get', path: property('note') })).toMatchObject({ status: 401 });
    await world.platform.runDueDeliveries();
    world.clock.advance(1_000);
    await world.platform.runDueDeliveries();
    expect((await app.heard()).slice(-2)).toEqual([`disabled ${clientKey}`, `uninstalled ${clientKey}`]);
    expect(await app.clientInfos()).toEqual([]);
  });

  test("hears by its webhook of an account that is connected, and takes the call for its host's", async () => {
    const { id, apiKey } = await world.application({ events_enabled: true });
    const { client_key: clientKey } = (await install(id)).json;
    const body = { service: 'gdrive', account: 'ada', token: 'x' };
    const account = await world.call('POST', '/v1/accounts', { headers: { authorization: `APIKey ${apiKey}` }, body });
    await world.platform.runDueDeliveries();
    expect(await app.heard()).toContain(`account.connected ${account.json.id} ${clientKey}`);
  });

  test('one App in two Applications keeps their properties apart', async () => {
    const [first, second] = [await world.application(), await world.application()];
    const keys = [];
    for (const { id } of [first, second]) keys.push((await install(id)).json.client_key as string);
    expect(new Set(keys).size).toBe(2);
    for (const clientKey of keys)
      expect((await app.callHost({ clientKey, method: 'put', path: property('whose'), json: clientKey })).status).toBe(201);
    for (const clientKey of keys)
      expect((await app.callHost({ clientKey, method: 'get', path: property('whose') })).body).toMatchObject({ value: clientKey });
  });

  test('an install that it refuses is rolled back and can be made after; again it gets a new secret and goes on', async () => {
    const { id } = await world.application();
    await app.refuse(503);
    const refused = await install(id);
    expect(refused.json).toMatchObject({ code: 'install.refused', message: expect.stringContaining('HTTP 503: not today') });
    expect((await world.meta('GET', `/applications/${id}/installs`)).json.objects).toEqual([]);
    await app.refuse(0);
    const { client_key: clientKey } = (await install(id)).json;
    const secretOf = async () => (await app.clientInfos()).find((row) => row.clientKey === clientKey)?.val['sharedSecret'];
    const before = await secretOf();
    expect((await app.callHost({ clientKey, method: 'put', path: property('a'), json: 1 })).status).toBe(201);
    await app.refuse(503);
    expect((await install(id)).status).toBe(502);
    expect((await app.callHost({ clientKey, method: 'put', path: property('a'), json: 2 })).status).toBe(200);
    await app.refuse(0);
    expect((await install(id)).json.client_key).toBe(clientKey);
    expect(await secretOf()).not.toBe(before);
    expect((await app.callHost({ clientKey, method: 'get', path: property('a') })).body).toMatchObject({ value: 2 });
  });

  test('six installs at once leave it with one tenant, whose secret works', async () => {
    const { id } = await world.application();
    const answers = await Promise.all(Array.from({ length: 6 }, () => install(id)));
    const made = answers.filter(({ status }) => status < 300);
    expect(made.length).toBeGreaterThan(0);
    expect(answers.filter(({ status }) => status >= 300).every(({ json }) => json.code === 'install.busy')).toBe(true);
    const clientKey = made[0]!.json.client_key as string;
    expect((await app.clientInfos()).filter((row) => row.clientKey === clientKey)).toHaveLength(1);
    expect((await app.callHost({ clientKey, method: 'get', path: property('') })).status).toBe(200);
  });

  test('that is being developed registers itself by UPM with a Meta token, and takes itself away when it is stopped', async () => {
    const port = await freePort();
    await using developed = await World.create({ egressAllow: [`127.0.0.1:${port}`] });
    const own = await developed.application();
    const at = developed.url.replace('http://', `http://admin:${developed.metaToken}@`);
    now();
    await using dev = await startAceApp({ port, keysUrl: `${developed.url}/keys`, env: { SELF_REGISTER_AT: `${at}/t/${own.id}` } });
    const installs = async () => (await developed.meta('GET', `/applications/${own.id}/installs`)).json.objects;
    await expect.poll(async () => (await installs()).length, { timeout: 15_000, message: dev.output() }).toBe(1);
    await expect.poll(() => dev.output(), { timeout: 5_000 }).toMatch(/Registered with host/);
    const [{ client_key: clientKey }] = await installs();
    expect(await dev.heard()).toContain(`installed ${clientKey}`);
    developed.clock.advance(Date.now() - developed.clock.now());
    expect((await dev.callHost({ clientKey, method: 'put', path: property('a'), json: 1 })).status).toBe(201);
    await dev.stop();
    expect(await installs()).toEqual([]);
    // Control: what is no Meta token is no password.
    for (const password of ['', 'noise', world.metaToken]) {
      const authorization = `Basic ${Buffer.from(`admin:${password}`).toString('base64')}`;
      expect((await developed.call('GET', `/t/${own.id}/rest/plugins/1.0/`, { headers: { authorization } })).status).toBe(401);
    }
  });

  test("shows its page to a person whom the company has sent there, in a frame that it takes for its host's", async () => {
    const { id, apiKey } = await world.application();
    const { client_key: clientKey } = (await install(id)).json;
    const body = { app_key: app.key, module_key: 'notes', end_user: 'ada' };
    const link = await world.call('POST', '/v1/module_links', { headers: { authorization: `APIKey ${apiKey}` }, body });
    expect(link.status, link.text).toBe(201);
    const visit = await new HttpBrowser(world.url).open(link.json.url);
    const { frame } = JSON.parse(/id="config">(.*?)<\/script>/s.exec(visit.text)![1]!);
    const page = await fetch(frame.url);
    expect([page.status, page.headers.get('content-type')], app.output()).toEqual([200, 'text/html; charset=utf-8']);
    expect(await app.heard()).toContain(`installed ${clientKey}`);
    // Control: at another address the token is none.
    expect((await fetch(frame.url.replace('lic=active', 'lic=none'))).status).toBe(401);
  });

  test('finds nothing at its host that is not listed, and says what it is', async () => {
    const { id } = await world.application();
    const { client_key: clientKey } = (await install(id)).json;
    const info = await app.callHost({ clientKey, method: 'get', path: `/rest/atlassian-connect/latest/addons/${app.key}` });
    expect(info).toMatchObject({ status: 200, body: { key: app.key, state: 'ENABLED' } });
    for (const path of ['/rest/api/3/issue/A-1', '/rest/plugins/1.0/', '/rest/atlassian-connect/1/addons'])
      expect([path, (await app.callHost({ clientKey, method: 'get', path })).status]).toEqual([
        path,
        path === '/rest/plugins/1.0/' ? 401 : 403,
      ]);
  });
});
