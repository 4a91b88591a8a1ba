import { Secret } from '@bulkhead/base';
import { queryStringHash, sharedSecretKey, signConnectJwt } from '@bulkhead/protocol';
import { World } from '@bulkhead/testkit';
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
    expect(await page.json()).toEqual({ clientKey, hostBaseUrl: `${world.url}/t/${id}` });
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
});
