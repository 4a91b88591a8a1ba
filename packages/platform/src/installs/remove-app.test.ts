import { type FakeApp, startFakeApp, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

let app: FakeApp;
let world: World;
let applicationId: string;
/** Runs once, after the next look at what is registered. */
let afterLook: (() => Promise<unknown>) | undefined;
beforeAll(async () => {
  app = await startFakeApp({ key: 'notes' });
  world = await World.create({
    egressAllow: [app.address],
    database: (db) => ({
      ...db,
      async withOrganization(organizationId, work) {
        const found = await db.withOrganization(organizationId, work);
        const next = afterLook;
        afterLook = undefined;
        await next?.();
        return found;
      },
    }),
  });
  applicationId = (await world.application()).id;
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});
beforeEach(async () => {
  app.answer = () => ({ status: 204 });
  expect((await world.meta('POST', '/apps', { descriptor: app.descriptor })).status).toBeLessThan(300);
});

const remove = () => world.meta('DELETE', '/apps/notes');
const install = () => world.meta('POST', `/applications/${applicationId}/installs`, { app_key: 'notes' });
const uninstall = () => world.meta('DELETE', `/applications/${applicationId}/installs/notes`);

describe('an App that is removed', () => {
  test('is registered no more, cannot be installed, and can be registered anew', async () => {
    expect((await remove()).status).toBe(204);
    expect((await world.meta('GET', '/apps/notes')).status).toBe(404);
    expect((await world.meta('GET', '/apps')).json.objects).toEqual([]);
    expect((await install()).json.code).toBe('install.app_unknown');
    expect((await remove()).status).toBe(404);
    expect((await world.meta('POST', '/apps', { descriptor: app.descriptor })).status).toBe(201);
  });

  test('was installed nowhere: else it stays, and the answer names where it is and the way out', async () => {
    expect((await install()).status).toBe(201);
    const kept = await remove();
    expect(kept.json).toMatchObject({
      status_code: 409,
      code: 'app.installed',
      message: expect.stringContaining(`DELETE /v1/meta/applications/${applicationId}/installs/notes`),
    });
    await world.meta('POST', `/applications/${applicationId}/installs/notes/disable`);
    expect((await remove()).status).toBe(409);
    await uninstall();
    expect((await remove()).status).toBe(204);
  });

  test('leaves to whoever registers and installs it again within 30 days its clientKey', async () => {
    const { client_key: clientKey } = (await install()).json;
    await uninstall();
    await remove();
    await world.meta('POST', '/apps', { descriptor: app.descriptor });
    expect((await install()).json.client_key).toBe(clientKey);
    await uninstall();
  });

  test('is not being installed: neither is an App installed that is gone, nor one removed that is', async () => {
    let during: Awaited<ReturnType<typeof remove>> | undefined;
    app.answer = async ({ path }) => {
      if (path === '/installed') during = await remove();
      return { status: 204 };
    };
    expect((await install()).status).toBeLessThan(300);
    expect(during?.json.code).toBe('app.installed');
    app.answer = () => ({ status: 204 });
    await uninstall();
    for (let round = 0; round < 5; round++) {
      const [installed, removed] = await Promise.all([install(), remove()]);
      const registered = (await world.meta('GET', '/apps/notes')).status === 200;
      const isInstalled = (await world.meta('GET', `/applications/${applicationId}/installs/notes`)).status === 200;
      expect([installed.status < 300, removed.status === 204]).toEqual([isInstalled, !registered]);
      expect(isInstalled && !registered).toBe(false);
      if (isInstalled) await uninstall();
      await world.meta('POST', '/apps', { descriptor: app.descriptor });
    }
  });

  test('in the moment between the look and the handshake is not installed either', async () => {
    app.calls.length = 0;
    afterLook = async () => expect((await remove()).status).toBe(204);
    expect((await install()).json.code).toBe('install.app_unknown');
    expect(app.calls).toEqual([]);
    expect((await world.meta('GET', `/applications/${applicationId}/installs`)).json.objects).toEqual([]);
    // Control: registered again it is installed.
    await world.meta('POST', '/apps', { descriptor: app.descriptor });
    expect((await install()).status).toBeLessThan(300);
    await uninstall();
  });
});
