import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import {
  AceAddon,
  type AceContext,
  type AceRow,
  bulkhead,
  type DefineDescriptor,
  defineDescriptor,
  importAceSettings,
  Secret,
  sqliteTenantStore,
} from '@bulkhead/app-kit';
import { queryStringHash, sharedSecretKey, signConnectJwt } from '@bulkhead/protocol';
import { World } from '@bulkhead/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort, startAceApp } from './ace-process.ts';

const descriptorFile = join(import.meta.dirname, 'ace-notes/atlassian-connect.json');
let world: World;
let server: Server | undefined;
let port: number;

beforeAll(async () => {
  port = await freePort();
  world = await World.create({ egressAllow: [`127.0.0.1:${port}`] });
});
afterAll(async () => {
  server?.closeAllConnections();
  server?.close();
  await world[Symbol.asyncDispose]();
});

/** The App's clock is the machine's; the world's stands still until it is moved. */
const now = (): number => {
  world.clock.advance(Date.now() - world.clock.now());
  return Math.floor(Date.now() / 1_000);
};
const property = '/rest/atlassian-connect/1/addons/ace-notes/properties/note';

/** The routes of `ace-notes/app.mjs` on the kit. */
function movedApp(addon: AceAddon): Server {
  const page = addon.authenticate();
  return createServer((request, response) => {
    addon.middleware()(request, response, () => {
      if (!request.url?.startsWith('/notes')) return void response.writeHead(404).end();
      page(request, response, () => {
        const { clientKey, hostBaseUrl } = (request as IncomingMessage & { context: AceContext }).context;
        response.end(JSON.stringify({ clientKey, hostBaseUrl }));
      });
    });
  });
}

test('an App moves over from atlassian-connect-express: its tenants stay installed, its host notices nothing', async () => {
  const ids = [(await world.application()).id, (await world.application()).id];
  const rows: AceRow[] = [];
  const clientKeys: string[] = [];
  {
    await using before = await startAceApp({ port, keysUrl: `${world.url}/keys` });
    expect((await world.meta('POST', '/apps', { descriptor_url: `${before.url}/atlassian-connect.json` })).status).toBe(201);
    for (const id of ids) {
      now();
      const answer = await world.meta('POST', `/applications/${id}/installs`, { app_key: 'ace-notes', scopes: ['READ'] });
      expect(answer.status, answer.text).toBe(201);
      clientKeys.push(answer.json.client_key as string);
    }
    await world.platform.runDueDeliveries();
    for (const clientKey of clientKeys)
      expect((await before.callHost({ clientKey, method: 'put', path: property, json: clientKey })).status).toBe(201);
    for (const { clientKey, val } of await before.clientInfos()) rows.push({ clientKey, key: 'clientInfo', val });
    await before.stop();
  }

  const baseUrl = `http://127.0.0.1:${port}`;
  const issuers = [bulkhead(world.url)];
  const store = sqliteTenantStore({
    appKey: 'ace-notes',
    database: new DatabaseSync(':memory:'),
    sealingKeys: { current: randomBytes(32) },
  });
  expect(await importAceSettings({ rows, store, issuers })).toEqual({ tenants: 2, records: 0, skipped: [] });
  const old = JSON.parse(readFileSync(descriptorFile, 'utf8')) as DefineDescriptor;
  const addon = new AceAddon({
    descriptor: defineDescriptor({ ...old, baseUrl }),
    issuers,
    store,
    sessionSecret: new Secret('a session secret of thirty-two characters'),
  });
  const saved: string[] = [];
  addon.on('host_settings_saved', (clientKey: string) => saved.push(clientKey));
  const running = movedApp(addon);
  server = running;
  await new Promise<void>((resolve) => running.listen(port, '127.0.0.1', resolve));

  const info = rows.find(({ clientKey }) => clientKey === clientKeys[0])?.val as { sharedSecret: string };
  const iat = now();
  const claims = {
    iss: clientKeys[0] ?? '',
    iat,
    exp: iat + 180,
    context: {},
    qsh: queryStringHash({ method: 'GET', target: '/notes?a=1' }),
  };
  const jwt = signConnectJwt({ algorithm: 'HS256', key: sharedSecretKey(new Secret(info.sharedSecret)) }, claims);
  expect(await (await fetch(`${baseUrl}/notes?a=1&jwt=${jwt}`)).json()).toEqual({
    clientKey: clientKeys[0],
    hostBaseUrl: `${world.url}/t/${ids[0]}`,
  });
  expect((await fetch(`${baseUrl}/notes?a=2&jwt=${jwt}`)).status).toBe(401);
  for (const clientKey of clientKeys)
    expect(await addon.httpClient({ clientKey }).get({ url: property, json: true })).toMatchObject({
      statusCode: 200,
      body: { value: clientKey },
    });

  // And from here on as any App: installed again, disabled, gone.
  now();
  expect((await world.meta('POST', `/applications/${ids[0]}/installs`, { app_key: 'ace-notes', scopes: ['READ'] })).status).toBeLessThan(
    300,
  );
  expect(saved).toEqual([clientKeys[0]]);
  expect(await addon.httpClient({ clientKey: clientKeys[0] ?? '' }).get({ url: property, json: true })).toMatchObject({ statusCode: 200 });
  expect((await world.meta('DELETE', `/applications/${ids[1]}/installs/ace-notes`)).status).toBe(204);
  for (let time = 0; time < 3; time++) {
    world.clock.advance(1_000);
    await world.platform.runDueDeliveries();
  }
  expect(await store.find(clientKeys[1] ?? '')).toMatchObject({ state: 'uninstalled' });
  expect(await store.find(clientKeys[0] ?? '')).toMatchObject({ state: 'installed', enabled: true });
}, 60_000);
