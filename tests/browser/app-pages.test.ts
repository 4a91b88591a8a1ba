import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Application, BrowserWorld, type Tab } from './connect-world.ts';
import { type PanelApp, startPanelApp } from './panel-app.ts';

let world: BrowserWorld;
let app: PanelApp;
let one: Application;
let two: Application;
beforeAll(async () => {
  const started = await startPanelApp();
  app = started;
  world = await BrowserWorld.create({ tls: false, egressAllow: [app.address] });
  started.at(world.url);
  await world.meta('POST', '/apps', { descriptor_url: `${app.url}/atlassian-connect.json` });
  [one, two] = [await installed('Northwind Planner'), await installed('Contoso Desk')];
}, 60_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

async function installed(name: string): Promise<Application> {
  const application = await world.application({ name });
  await world.meta('POST', `/applications/${application.id}/installs`, { app_key: app.key, scopes: ['READ'] });
  return application;
}
async function link(application: Application, fields: Record<string, unknown> = {}): Promise<string> {
  const body = { app_key: app.key, module_key: 'main', end_user: 'ada', context: { issue: { key: 'A-1' } }, ...fields };
  const made = await world.call('POST', '/v1/module_links', application, body);
  expect(made.status, JSON.stringify(made.json)).toBe(201);
  return made.json['url'] as unknown as string;
}
/** The App's frame, once it speaks with its host. */
async function frameIn(tab: Tab) {
  const element = await tab.locator('main > iframe').elementHandle();
  const frame = await element!.contentFrame();
  await frame!.waitForFunction('window.AP && AP.context');
  return frame!;
}

describe('a page of an App in Chromium', () => {
  it('is shown in a frame, resizes, and calls its back end with a context token of the person', async () => {
    const { context, tab, complaints } = await world.person();
    await tab.goto(await link(one));
    const frame = await frameIn(tab);
    const said = (await frame.evaluate("callBack('/api/context')")) as { token: string; status: number; body: Record<string, string> };
    expect(said).toMatchObject({ status: 200, body: { accountId: 'ada' } });
    expect(await frame.evaluate('AP.context.getContext()')).toEqual({ issue: { key: 'A-1' } });
    expect(await frame.evaluate('AP.user.getCurrentUser()')).toEqual({ atlassianAccountId: 'ada' });
    await frame.evaluate('AP.resize("100%", 333)');
    await expect.poll(() => tab.evaluate("document.querySelector('main > iframe').style.height")).toBe('333px');
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('of two Applications side by side, each gets tokens of its own', async () => {
    const { context, tab } = await world.person();
    const other = await context.newPage();
    await tab.goto(await link(one));
    await other.goto(await link(two, { end_user: 'bob' }));
    const [first, second] = [await frameIn(tab), await frameIn(other)];
    const saidOf = async (frame: typeof first) =>
      ((await frame.evaluate("callBack('/api/context')")) as { body: { clientKey: string; accountId: string } }).body;
    const [ada, bob] = [await saidOf(first), await saidOf(second)];
    expect([ada.accountId, bob.accountId]).toEqual(['ada', 'bob']);
    expect(ada.clientKey).not.toBe(bob.clientKey);
    await context.close();
  });
});
