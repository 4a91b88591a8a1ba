import { silentLog } from '@bulkhead/base';
import { World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DemoApp } from '../app/index.ts';
import { type DemoServices, startDemoServices } from '../services.ts';
import { ask } from '../upstream/browser.testkit.ts';
import { type DemoSite, startDemoSite } from './start-demo-site.ts';

let services: DemoServices;
let world: World;
let site: DemoSite;
/** The App, which a test may have lie. */
let app: DemoApp;

beforeAll(async () => {
  services = await startDemoServices({ log: silentLog });
  expect((await ask(`${services.app.url}/atlassian-connect.json`)).status, 'nobody may install it yet').toBe(503);
  world = await World.create({ egressAllow: services.egressAllow });
  app = { ...services.app };
  const { upstream, receiver } = services;
  site = await startDemoSite({
    bulkheadUrl: world.url,
    metaToken: world.metaToken,
    upstream,
    receiver,
    app,
    clock: world.clock,
    log: silentLog,
  });
});
afterAll(async () => {
  await site.close();
  await world[Symbol.asyncDispose]();
  await services.close();
});

/** A visitor without JavaScript: the browser sends the form and follows to the page. */
async function visitor() {
  const cookie = String((await ask(site.url)).headers['set-cookie']).split(';')[0] ?? '';
  const post = async (path: string, fields: Record<string, string> = {}) => {
    const headers = { origin: site.url, cookie, 'content-type': 'application/x-www-form-urlencoded' };
    expect((await ask(site.url + path, { method: 'POST', headers, body: new URLSearchParams(fields).toString() })).status).toBe(303);
    return (await ask(site.url, { headers: { cookie } })).text;
  };
  return {
    post,
    async bothInstalled() {
      for (const key of ['alder', 'birch']) await post(`/${key}/clone`);
      await post('/alder/app');
      return post('/birch/app');
    },
  };
}

/** The part of the page that is one customer's panel of the step. */
const panel = (page: string, key: string) => new RegExp(`id="app-${key}"[\\s\\S]*?</section>`).exec(page)?.[0] ?? '';
const kept = (page: string, key: string) =>
  [...panel(page, key).matchAll(/<li>((?!In this|Here|It has)[^<]*)<\/li>/g)].map(([, text]) => text);

describe('the App of the demo', () => {
  it('is installed into both customers; what it keeps for one it does not find for the other, and nothing typed becomes markup', async () => {
    const someone = await visitor();
    const installed = await someone.bothInstalled();
    for (const name of ['Alder Logistics', 'Birch Clinics']) expect(installed).toContain(`Issue notes is installed for ${name}.`);
    await someone.post('/alder/note', { text: 'for <i>Alder</i>' });
    const page = await someone.post('/birch/note', { text: 'for Birch' });
    expect(kept(page, 'alder')).toEqual(['for &lt;i&gt;Alder&lt;/i&gt;']);
    expect(kept(page, 'birch')).toEqual(['for Birch']);
    expect(panel(page, 'birch')).toContain('For Alder Logistics the App finds what it found before: one note.');
  });

  it('is a tenant apart in each Application, and both of another visitor’s are others', async () => {
    const clientKeys = new Set<string>();
    for (const someone of [await visitor(), await visitor()]) {
      const page = await someone.bothInstalled();
      for (const [, key = ''] of page.matchAll(/&quot;client_key&quot;: &quot;(ins\w+)&quot;/g)) clientKeys.add(key);
    }
    expect(clientKeys.size).toBe(4);
  });

  it('shows the link to its panel without the ticket that opens it, and one link at a time', async () => {
    const someone = await visitor();
    await someone.bothInstalled();
    await someone.post('/alder/panel');
    const page = await someone.post('/alder/panel');
    expect(panel(page, 'alder').match(/A link to its panel, for Ada Alder/g)).toHaveLength(2);
    expect(page).toMatch(/bhl_\w{4}…/);
    expect(page).not.toMatch(/bhl_\w{12,}/);
    const nobody = await visitor();
    expect(await nobody.post('/alder/panel')).toContain('This step comes after another. First: Install.');
  });

  it('says so when a note turns up at the other customer', async () => {
    const someone = await visitor();
    await someone.bothInstalled();
    const all: string[] = [];
    const honest = services.app;
    app.addNote = (_clientKey, text) => Promise.resolve(all.push(text) > 0);
    app.notes = () => Promise.resolve([...all]);
    const page = await someone.post('/alder/note', { text: 'leaks' });
    Object.assign(app, honest);
    expect(page).toContain('The wall has a hole: the note turned up at Birch Clinics.');
    expect(page).toContain('role="alert"');
  });

  it('says so when the App is shown an account of somebody else', async () => {
    const someone = await visitor();
    await someone.post('/alder/clone');
    const honest = services.app;
    app.accountsOf = () => Promise.resolve(['1']);
    const page = await someone.post('/alder/app');
    Object.assign(app, honest);
    expect(page).toContain('The wall has a hole: the App was shown an account of somebody else.');
  });

  it('says what comes first, and what to do where it was uninstalled meanwhile', async () => {
    const someone = await visitor();
    expect(await someone.post('/alder/app')).toContain('This step comes after another. First: Clone.');
    expect(await someone.post('/alder/note', { text: 'x' })).toContain('This step comes after another. First: Install.');
    const page = await someone.bothInstalled();
    expect(await someone.post('/alder/note', { text: '  ' })).toContain('A note has some text.');
    const id = /\/v1\/meta\/applications\/(?:<wbr>)?(app\w+)\/(?:<wbr>)?installs/.exec(panel(page, 'alder'))?.[1];
    expect((await world.meta('DELETE', `/applications/${id}/installs/issue-notes`)).status).toBe(204);
    world.clock.advance(2_000);
    await world.platform.runDueDeliveries();
    expect(await someone.post('/alder/note', { text: 'late' })).toContain('The App is not installed for Alder Logistics any more.');
  });

  it('answers nobody without a token of a host', async () => {
    expect((await ask(`${app.url}/notes?issue=PAPER-1`)).status).toBe(401);
    expect((await ask(`${app.url}/api/notes?issue=PAPER-1`)).status).toBe(401);
    expect((await ask(`${app.url}/atlassian-connect.json`)).status, 'control').toBe(200);
  });
});
