import { appToken, type FakeApp, startFakeApp, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

let app: FakeApp;
let world: World;
let applicationId: string;
let apiKey: string;
beforeAll(async () => {
  app = await startFakeApp({ key: 'notes', scopes: ['READ'] });
  app.descriptor['modules'] = { generalPages: [{ key: 'page', url: '/page', name: { value: 'Page' } }] };
  world = await World.create({ egressAllow: [app.address] });
  await world.meta('POST', '/apps', { descriptor: app.descriptor });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});
beforeEach(async () => {
  ({ id: applicationId, apiKey } = await world.application({ events_enabled: true }));
  await install();
});

const install = async () => {
  const answer = await world.meta('POST', `/applications/${applicationId}/installs`, { app_key: 'notes', scopes: ['READ'] });
  expect([200, 201]).toContain(answer.status);
  await world.platform.runDueDeliveries();
};
function call(method: string, { query = '', body }: { query?: string; body?: unknown } = {}) {
  const path = `/t/${applicationId}/rest/atlassian-connect/1/app/module/dynamic${query}`;
  const { sharedSecret } = app.calls.findLast(({ path: to }) => to === '/installed')!.body;
  const token = appToken({ appKey: 'notes', sharedSecret }, { method, path, now: world.clock.now() });
  return world.call(method, path, { headers: { authorization: `JWT ${token}` }, ...(body === undefined ? {} : { body }) });
}
const hook = (key: string, url = `/${key}`, event = 'account.connected') => ({ key, event, url });
const keys = async () => (await call('GET')).json.webhooks.map(({ key }: { key: string }) => key);
let accounts = 0;
/** Which addresses of the App hear of an account that is connected now. */
async function hearing(): Promise<string[]> {
  app.calls.splice(
    0,
    app.calls.findLastIndex(({ path }) => path === '/installed'),
  );
  const before = app.calls.length;
  const body = { service: 'gdrive', account: `a${(accounts += 1)}`, token: 'x' };
  await world.call('POST', '/v1/accounts', { headers: { authorization: `APIKey ${apiKey}` }, body });
  await world.platform.runDueDeliveries();
  return app.calls
    .slice(before)
    .map(({ path }) => path)
    .toSorted();
}

describe('modules that an App adds while it runs', () => {
  test('are refused where they would not do what they say', async () => {
    for (const [changes, field] of [
      [{ filter: 'a = 1' }, 'webhooks.0.filter'],
      [{ propertyKeys: ['a'] }, 'webhooks.0.propertyKeys'],
      [{ event: 'jira:issue_created' }, 'webhooks.0.event'],
      [{ colour: 'blue' }, 'webhooks.0'],
    ] as const)
      expect((await call('POST', { body: { webhooks: [{ ...hook('one'), ...changes }] } })).json).toMatchObject({
        code: 'dynamic_module.invalid',
        field,
      });
    expect((await call('POST', { body: { webhooks: [{ ...hook('one'), excludeBody: true }] } })).status).toBe(204);
    expect((await call('GET')).json.webhooks).toEqual([{ ...hook('one'), excludeBody: true }]);
    await hearing();
    expect(app.calls.at(-1)).toMatchObject({ path: '/one', body: null });
    // One address hears of an event with its body or without, whoever asks for the second.
    expect((await call('POST', { body: { webhooks: [{ ...hook('two'), url: '/one' }] } })).json).toMatchObject({
      field: 'webhooks.0.excludeBody',
    });
    const modules = app.descriptor['modules'] as object;
    app.descriptor['modules'] = { ...modules, webhooks: [{ event: 'account.connected', url: '/one' }] };
    await world.meta('POST', '/apps', { descriptor: app.descriptor });
    await install();
    expect(await keys()).toEqual([]);
    expect((await call('POST', { body: { webhooks: [{ ...hook('one'), excludeBody: true }] } })).status).toBe(400);
    app.descriptor['modules'] = modules;
    await world.meta('POST', '/apps', { descriptor: app.descriptor });
  });

  test('are webhooks of this install until they are taken away', async () => {
    expect(await hearing()).toEqual([]);
    expect((await call('POST', { body: { webhooks: [hook('one'), hook('two'), hook('three')] } })).status).toBe(204);
    expect(await keys()).toEqual(['one', 'two', 'three']);
    expect(await hearing()).toEqual(['/one', '/three', '/two']);
    expect((await call('DELETE', { query: '?moduleKey=one&moduleKey=three' })).status).toBe(204);
    expect(await hearing()).toEqual(['/two']);
    expect((await call('DELETE')).status).toBe(204);
    expect(await hearing()).toEqual([]);
  });

  test('are checked like a descriptor, all of them or none is added', async () => {
    await call('POST', { body: { webhooks: [hook('there')] } });
    for (const [body, name] of [
      [{ webhooks: [hook('new'), hook('there')] }, 'key'],
      [{ webhooks: [hook('page')] }, 'key'],
      [{ webhooks: [hook('new'), hook('b c', '/b')] }, 'key'],
      [{ webhooks: [hook('elsewhere', 'https://evil.example/hook')] }, 'url'],
      [{ webhooks: [hook('up', '/../up')] }, 'url'],
      [{ webhooks: [{ key: 'no-url', event: 'account.connected' }] }, 'url'],
      [{ generalPages: [] }, ''],
      [{}, ''],
      [{ configurePage: { key: 'set-up', url: '/set-up', name: { value: 'Set-up' } } }, ''],
      [{ generalPages: [{ key: 'there', url: '/p', name: { value: 'P' } }] }, 'generalPages.0.key'],
      [{ generalPages: [{ key: 'p', url: '/p' }] }, 'generalPages.0.name'],
      [{ webPanels: [{ key: 'p', url: 'https://evil.example/p', name: { value: 'P' } }] }, 'webPanels.0.url'],
      [{ webPanels: [{ key: 'p', url: '/p', name: { value: 'P' }, conditions: [{}] }] }, 'webPanels.0.conditions.0.condition'],
    ] as const) {
      const answer = await call('POST', { body });
      expect([answer.status, answer.json.code], answer.text).toEqual([400, 'dynamic_module.invalid']);
      expect(answer.json.field ?? '').toContain(name);
    }
    const many = Array.from({ length: 100 }, (_, index) => hook(`k${index}`));
    expect((await call('POST', { body: { webhooks: many } })).json.code).toBe('dynamic_module.limit');
    expect(await keys()).toEqual(['there']);
  });

  test('are pages, panels and dialogs too, listed as they were given and taken away by their keys', async () => {
    const panel = { key: 'panel', url: '/panel', name: { value: 'Panel' }, location: 'side', weight: 3 };
    expect((await call('POST', { body: { webPanels: [panel], dialogs: [{ key: 'ask', url: '/ask' }] } })).status).toBe(204);
    expect((await call('GET')).json).toEqual({ webhooks: [], webPanels: [panel], dialogs: [{ key: 'ask', url: '/ask' }] });
    expect((await call('POST', { body: { webhooks: [hook('panel')] } })).json.code).toBe('dynamic_module.invalid');
    await call('DELETE', { query: '?moduleKey=ask' });
    expect((await call('GET')).json).toEqual({ webhooks: [], webPanels: [panel] });
    const modules = { generalPages: [{ key: 'panel', url: '/static', name: { value: 'Static' } }] };
    await world.meta('POST', '/apps', { descriptor: { ...app.descriptor, modules } });
    await install();
    expect((await call('GET')).json).toEqual({ webhooks: [] });
    await world.meta('POST', '/apps', { descriptor: app.descriptor });
  });

  test('outlive another install, but for one whose key the descriptor has now; they end with the install', async () => {
    await call('POST', { body: { webhooks: [hook('kept'), hook('taken')] } });
    const modules = { ...(app.descriptor['modules'] as object), webhooks: [{ key: 'taken', event: 'account.connected', url: '/static' }] };
    await world.meta('POST', '/apps', { descriptor: { ...app.descriptor, modules } });
    await install();
    expect(await keys()).toEqual(['kept']);
    expect(await hearing()).toEqual(['/kept', '/static']);
    await world.meta('DELETE', `/applications/${applicationId}/installs/notes`);
    await world.meta('POST', '/apps', { descriptor: app.descriptor });
    await install();
    expect(await keys()).toEqual([]);
  });
});
