import { type FakeApp, startFakeApp } from '@bulkhead/testkit';
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
async function frameIn(tab: Tab, selector = 'main > iframe') {
  const element = await tab.waitForSelector(selector);
  const frame = await element.contentFrame();
  await frame!.waitForFunction('window.AP && AP.context');
  return frame!;
}
interface Said {
  readonly token: string;
  readonly status: number;
  readonly body: { readonly clientKey: string; readonly accountId: string } | null;
}
type Frame = Awaited<ReturnType<typeof frameIn>>;
const callBack = async (frame: Frame, path = '/api/context') => (await frame.evaluate(`callBack(${JSON.stringify(path)})`)) as Said;
const styleOf = (tab: Tab) => tab.evaluate("document.querySelector('main > iframe').style.height");

describe('a page of an App in Chromium', () => {
  it('is shown in a frame, resizes, and calls its back end with a context token, which is good for nothing else', async () => {
    const { context, tab, complaints } = await world.person();
    await tab.goto(await link(one));
    const frame = await frameIn(tab);
    const said = await callBack(frame);
    expect(said).toMatchObject({ status: 200, body: { accountId: 'ada' } });
    expect(await frame.evaluate('AP.context.getContext()')).toEqual({ issue: { key: 'A-1' } });
    expect(await frame.evaluate('AP.user.getCurrentUser()')).toEqual({ atlassianAccountId: 'ada' });
    expect(await frame.evaluate('new Promise((resolve) => AP.getLocation(resolve))')).toBe(tab.url().split('?')[0]);
    // By a callback as by a promise, and the same token while it is good.
    expect(await frame.evaluate('new Promise((resolve) => AP.context.getToken(resolve))')).toBe(said.token);
    await frame.evaluate('AP.resize("100%", 333)');
    await expect.poll(() => styleOf(tab)).toBe('333px');
    expect(complaints).toEqual([]);
    // Where a request's own token is wanted it counts for nothing: the address has one, this is none.
    expect(await callBack(frame, '/api/request')).toMatchObject({ status: 401 });
    await context.close();
  });

  it('fills the window where it asks to, and stays in its box', async () => {
    const { context, tab } = await world.person({ viewport: { width: 900, height: 700 } });
    await tab.goto(await link(one));
    const frame = await frameIn(tab);
    await frame.evaluate('AP.sizeToParent(true)');
    await expect.poll(() => tab.evaluate("document.querySelector('main > iframe').offsetHeight > 500")).toBe(true);
    expect(await tab.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    expect(
      await tab.evaluate("document.querySelector('main > iframe').getAttribute('sandbox').split(' ').includes('allow-top-navigation')"),
    ).toBe(false);
    await context.close();
  });

  it('opens a dialog, which has its own token and events, and says what it was closed with', async () => {
    const { context, tab, complaints } = await world.person();
    await tab.goto(await link(one));
    const frame = await frameIn(tab);
    await frame.evaluate(`
      window.closedWith = new Promise((resolve) => AP.events.on('dialog.close', resolve));
      window.told = new Promise((resolve) => AP.events.on('told', resolve));
      AP.dialog.create({ key: 'ask', header: '<b>Ask</b>', size: 'small', chrome: true, customData: { a: 1 } });`);
    const dialog = await frameIn(tab, 'dialog > iframe');
    expect(await tab.locator('dialog h2').textContent()).toBe('<b>Ask</b>');
    expect(await callBack(dialog)).toMatchObject({ status: 200, body: { accountId: 'ada' } });
    expect(await dialog.evaluate('new Promise((resolve) => AP.dialog.getCustomData(resolve))')).toEqual({ a: 1 });
    await dialog.evaluate("AP.events.emit('told', 'by the dialog')");
    expect(await frame.evaluate('told')).toBe('by the dialog');
    await dialog.evaluate('AP.dialog.close({ chosen: 7 })');
    expect(await frame.evaluate('closedWith')).toEqual({ chosen: 7 });
    await expect.poll(() => tab.locator('dialog').count()).toBe(0);
    // By the keyboard, in the page or in the frame, and by its button: the App is told each time, once.
    await frame.evaluate("window.times = 0; AP.events.on('dialog.close', () => { times += 1; })");
    for (const leave of [
      () => tab.locator('dialog').press('Escape'),
      () => tab.frameLocator('dialog > iframe').locator('h2').press('Escape'),
      () => tab.getByRole('button', { name: 'Cancel' }).click(),
    ]) {
      await frame.evaluate("AP.dialog.create({ key: 'ask', chrome: true })");
      await frameIn(tab, 'dialog > iframe');
      await tab.waitForTimeout(100);
      await leave();
      await expect.poll(() => tab.locator('dialog').count()).toBe(0);
    }
    await tab.waitForTimeout(700);
    expect(await frame.evaluate('times')).toBe(3);
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('opens no dialog of what is not shown to the person', async () => {
    const { context, tab } = await world.person();
    await tab.goto(await link(one));
    const frame = await frameIn(tab);
    await frame.evaluate("AP.dialog.create({ key: 'hidden', chrome: true })");
    await tab.getByRole('alert').waitFor();
    expect(await tab.locator('iframe').count()).toBe(1);
    await context.close();
  });

  it('of two Applications side by side, each gets tokens of its own', async () => {
    const { context, tab } = await world.person();
    const other = await context.newPage();
    await tab.goto(await link(one));
    await other.goto(await link(two, { end_user: 'bob' }));
    const [first, second] = [await frameIn(tab), await frameIn(other)];
    const [ada, bob] = [await callBack(first), await callBack(second)];
    expect([ada.body?.accountId, bob.body?.accountId]).toEqual(['ada', 'bob']);
    expect(ada.body?.clientKey).not.toBe(bob.body?.clientKey);
    // Loaded again each is still its own.
    await tab.reload();
    expect((await callBack(await frameIn(tab))).body).toEqual(ada.body);
    await context.close();
  });

  it('says that it has ended when the App is disabled while it is open, and speaks again when that is over', async () => {
    const application = await installed('Fabrikam');
    const { context, tab } = await world.person();
    await tab.goto(await link(application));
    const frame = await frameIn(tab);
    await world.meta('POST', `/applications/${application.id}/installs/${app.key}/disable`);
    await expect(frame.evaluate('AP.context.getToken()')).rejects.toThrow();
    expect(await tab.getByRole('alert').textContent()).toContain('This page has ended');
    expect((await tab.reload())?.status()).toBe(404);
    await world.meta('POST', `/applications/${application.id}/installs/${app.key}/enable`);
    await tab.reload();
    expect((await callBack(await frameIn(tab))).status).toBe(200);
    await context.close();
  });

  it('lets no App say who the host is', async () => {
    const { context, tab } = await world.person();
    await tab.goto(await link(one, { module_key: 'elsewhere' }));
    const frame = await frameIn(tab);
    const query = new URL(frame.url()).searchParams;
    expect([query.getAll('xdm_e'), query.getAll('cp')]).toEqual([[world.url], [`/t/${one.id}`]]);
    expect((await callBack(frame)).status).toBe(200);
    await context.close();
  });

  it('runs nothing of what an App or the context has in its texts', async () => {
    const { context, tab } = await world.person();
    const evil = '"></iframe><img src=x onerror=parent.broken=1>';
    await tab.goto(await link(one, { module_key: 'markup', context: { text: evil } }));
    const frame = await frameIn(tab);
    expect(new URL(frame.url()).searchParams.get('text')).toBe(evil);
    expect(await tab.evaluate('[typeof window.broken, document.images.length]')).toEqual(['undefined', 0]);
    expect(await tab.locator('h1').textContent()).toBe('</script><img src=x onerror=window.broken=1>');
    await context.close();
  });

  it('tells a window of another origin nothing, whatever it asks', async () => {
    const { context, tab } = await world.person();
    await tab.goto(await link(one));
    const frame = await frameIn(tab);
    const eid = await frame.evaluate('JSON.parse(window.name).extension_id');
    const ask = JSON.stringify({ eid, mid: 'm', type: 'req', mod: 'context', fn: 'getToken', args: [] });
    // Control: the App's own window gets an answer to the very same message.
    const told = `new Promise((resolve) => {
      addEventListener('message', ({ data }) => data.type === 'resp' && data.mid === 'm' && resolve(data.args));
      setTimeout(() => resolve('nothing'), 1500);
    })`;
    expect(await frame.evaluate(`{ const told = ${told}; parent.postMessage(${ask}, '*'); told; }`)).toEqual([
      undefined,
      expect.any(String),
    ]);
    const evil = await context.newPage();
    await evil.goto(world.company);
    const [popup] = await Promise.all([context.waitForEvent('page'), evil.evaluate(`window.page = open(${JSON.stringify(tab.url())})`)]);
    const inner = await frameIn(popup);
    const other = await inner.evaluate('JSON.parse(window.name).extension_id');
    for (const type of ['req', 'init', 'broadcast', 'event_query'])
      for (const id of [eid, other]) {
        const message = JSON.stringify({ eid: id, mid: 'm', type, mod: 'context', fn: 'getToken', args: [] });
        expect(await evil.evaluate(`{ const told = ${told.replace('1500', '300')}; page.postMessage(${message}, '*'); told; }`)).toBe(
          'nothing',
        );
      }
    await context.close();
  });

  it.each([
    { width: 320, colorScheme: 'light' as const },
    { width: 320, colorScheme: 'dark' as const },
    { width: 1280, colorScheme: 'light' as const },
  ])('fits a screen of $width pixels ($colorScheme), with a dialog on it', async ({ width, colorScheme }) => {
    const { context, tab } = await world.person({ viewport: { width, height: 640 }, colorScheme });
    await tab.goto(await link(one));
    const frame = await frameIn(tab);
    await frame.evaluate('AP.resize(3000, 300)');
    await frame.evaluate("AP.dialog.create({ key: 'ask', header: 'Ask', size: 'x-large', chrome: true })");
    await frameIn(tab, 'dialog > iframe');
    expect(await tab.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    expect(await tab.evaluate("document.querySelector('dialog').getBoundingClientRect().right <= innerWidth")).toBe(true);
    await context.close();
  });

  it('speaks the language of the browser', async () => {
    const { context, tab } = await world.person({ locale: 'de-DE' });
    await tab.goto(await link(one));
    expect(await tab.locator('.by').textContent()).toBe('von Panel App');
    await context.close();
  });
});

describe('a page of an App within a page of the company, over https', () => {
  let secure: BrowserWorld;
  let plain: FakeApp;
  let application: Application;
  beforeAll(async () => {
    plain = await startFakeApp({ key: 'plain' });
    plain.descriptor['modules'] = { webPanels: [{ key: 'panel', url: '/panel', name: { value: 'Panel' }, location: 'side' }] };
    plain.answer = ({ path }) =>
      path.startsWith('/panel') ? { status: 200, body: '<!doctype html><p id="there">There</p>' } : { status: 204 };
    secure = await BrowserWorld.create({ tls: true, egressAllow: [plain.address] });
    await secure.meta('POST', '/apps', { descriptor: plain.descriptor });
    application = await secure.application();
    await secure.meta('POST', `/applications/${application.id}/installs`, { app_key: 'plain' });
  }, 60_000);
  afterAll(async () => {
    await secure[Symbol.asyncDispose]();
    await plain[Symbol.asyncDispose]();
  });

  /** What has become of the link in a frame of the company's page: how the frame answers to a request for a token. */
  async function framed(frame_ancestors: readonly string[]): Promise<unknown> {
    const body = { app_key: 'plain', module_key: 'panel', end_user: 'ada', frame_ancestors };
    const made = await secure.call('POST', '/v1/module_links', application, body);
    const { context, tab } = await secure.person();
    await tab.goto(secure.company);
    await tab.evaluate(`new Promise((resolve) => {
      const frame = document.createElement('iframe');
      frame.src = ${JSON.stringify(made.json['url'])};
      frame.addEventListener('load', () => resolve());
      document.body.append(frame);
    })`);
    const frame = tab.frames().find((each) => each.url().startsWith(`${secure.url}/t/`));
    const outcome =
      frame === undefined
        ? 'not shown'
        : await frame.evaluate(`(async () => {
            const { tokenUrl, session } = JSON.parse(document.getElementById('config').textContent);
            const answer = await fetch(tokenUrl, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ session }) });
            return answer.status;
          })()`);
    await context.close();
    return outcome;
  }

  it('is shown where its link names the origin, with its session, and nowhere else', async () => {
    expect(await framed([secure.company])).toBe(200);
    expect(await framed([])).toBe('not shown');
    expect(await framed(['https://another.example'])).toBe('not shown');
  });
});
