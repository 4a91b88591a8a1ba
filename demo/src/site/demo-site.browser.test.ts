import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLog } from '@bulkhead/base';
import { launchBrowser, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type DemoServices, startDemoServices } from '../services.ts';
import { type DemoSite, startDemoSite } from './start-demo-site.ts';

type Browser = Awaited<ReturnType<typeof launchBrowser>>;

let services: DemoServices;
let world: World;
let site: DemoSite;
let browser: Browser;

beforeAll(async () => {
  services = await startDemoServices({ log: silentLog });
  world = await World.create({ egressAllow: services.egressAllow });
  site = await startDemoSite({
    bulkheadUrl: world.url,
    metaToken: world.metaToken,
    upstream: services.upstream,
    receiver: services.receiver,
    app: services.app,
    clock: world.clock,
    log: silentLog,
  });
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser.close();
  await site.close();
  await world[Symbol.asyncDispose]();
  await services.close();
});

it('a visitor clicks through all six steps for both customers, meets the 404, and writes notes that stay apart', async () => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, permissions: ['clipboard-read', 'clipboard-write'] });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(site.url);

  const press = async (step: string, key: string) => {
    await page.locator(`#${step}-${key}-button`).click();
    await page.locator(`#${step}-${key}-result`).waitFor();
  };
  for (const key of ['alder', 'birch']) await press('clone', key);
  for (const [key, name] of [
    ['alder', 'Allow as Ada Alder'],
    ['birch', 'Allow as Bea Birch'],
  ] as const) {
    await page.locator(`#connect-${key}-button`).click();
    await page.getByRole('heading', { name: 'Connect an account' }).waitFor();
    await page.getByRole('button', { name: 'Harbour Files' }).click();
    await page.getByRole('button', { name }).click();
    await page.locator(`#connect-${key}-result`).waitFor();
    expect(page.url()).toBe(`${site.url}/#connect-${key}`);
    await page.waitForFunction(
      `document.getElementById('connect-title').getBoundingClientRect().top >= document.querySelector('.progress').getBoundingClientRect().bottom`,
    );
  }
  for (const step of ['call', 'exchange', 'wall']) for (const key of ['alder', 'birch']) await press(step, key);

  expect(await page.locator('#wall-alder .outcome').textContent()).toContain(
    '404: for Alder Logistics, Birch Clinics’s account does not exist.',
  );
  expect(await page.locator('#wall-alder .status').allTextContents()).toEqual([
    '404 Not Found',
    '404 Not Found',
    '404 Not Found',
    '404 Not Found',
    '200 OK',
  ]);
  expect(await page.locator('#call-birch .outcome').textContent()).toContain('Birch Clinics – budget.csv');
  await press('app', 'alder');
  await press('app', 'birch');
  expect(await page.locator('#app-alder .status').allTextContents()).toEqual(['201 Created', '201 Created', '200 OK']);
  expect(await page.locator('#app-birch .outcome').textContent()).toContain('Issue notes is installed for Birch Clinics.');
  for (const [key, text] of [
    ['alder', 'call <b>Ada</b> back'],
    ['birch', 'order more forms'],
  ] as const) {
    await page.locator(`#note-${key}-text`).fill(text);
    await page.keyboard.press('Enter');
    await page.locator(`#app-${key} .kept li`).waitFor();
    expect(await page.evaluate('document.activeElement.id')).toBe(`note-${key}-button`);
  }
  expect(await page.locator('#app-alder .kept li').allTextContents()).toEqual(['call <b>Ada</b> back']);
  expect(await page.locator('#app-birch .kept li').allTextContents()).toEqual(['order more forms']);
  expect(await page.locator('#app-birch .outcome').textContent()).toContain(
    'Written for Birch Clinics. For Alder Logistics the App finds what it found before: one note.',
  );
  expect(await page.locator('.progress .done').count()).toBe(6);

  // The copied line is one that can be run: with A's token on B's account it gives the very same refusal.
  await page.locator('#wall-alder .call .copy').first().click();
  const line = String(await page.evaluate('navigator.clipboard.readText()'));
  const [, url = '', token = ''] = /^curl (\S+) -H 'Authorization: Bearer (bha_\S+)'$/.exec(line) ?? [];
  expect((await world.call('GET', url, { headers: { authorization: `Bearer ${token}` } })).status).toBe(404);
  expect(complaints).toEqual([]);
  await context.close();
}, 90_000);

it('the App’s own panel opens in a frame, as the customer’s person; what is written in it is kept for this customer, and shows when one is back', async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  const complaints: string[] = [];
  const listen = (tab: typeof page) => {
    tab.on('console', (message) => complaints.push(message.text()));
    tab.on('pageerror', (error) => complaints.push(error.message));
  };
  listen(page);
  await page.goto(site.url);
  for (const step of ['clone', 'app'])
    for (const key of ['alder', 'birch']) {
      await page.locator(`#${step}-${key}-button`).click();
      await page.locator(`#${step}-${key}-result`).waitFor();
    }
  const panelOf = async (key: string) => {
    const opened = context.waitForEvent('page');
    await page.locator(`#panel-${key}-button`).click();
    const tab = await opened;
    listen(tab);
    const element = await tab.locator('main > iframe').elementHandle();
    const frame = await element!.contentFrame();
    await frame!.locator('#text').waitFor();
    return { tab, frame: frame! };
  };
  const { tab, frame } = await panelOf('alder');
  expect(new URL(tab.url()).origin).toBe(world.url);
  await frame.locator('#text').fill('seen by Alder alone');
  await frame.locator('button').click();
  await frame.locator('#notes li').waitFor();
  expect(await frame.locator('#text').inputValue()).toBe('');
  // Loading it again is no second use of the link.
  await tab.reload();
  await (await (await tab.locator('main > iframe').elementHandle())!.contentFrame())!.locator('#notes li').waitFor();
  await tab.close();
  await page.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`);
  await page.locator('#app-alder .kept li').waitFor();
  expect(await page.locator('#app-alder .kept li').allTextContents()).toEqual(['seen by Alder alone']);
  expect(await page.locator('#app-alder .note').allTextContents()).toContain('A link to its panel, for Ada Alder: it opens once');
  const other = await panelOf('birch');
  await expect
    .poll(() => other.frame.evaluate('performance.getEntriesByType("resource").some(({ name }) => name.includes("/api/notes"))'))
    .toBe(true);
  expect(await other.frame.locator('#notes li').allTextContents()).toEqual([]);
  expect(await page.locator('#app-birch .kept li').allTextContents()).toEqual([]);
  expect(complaints).toEqual([]);
  await context.close();
}, 90_000);

it('the result is read out, and the focus stays at the button that was pressed', async () => {
  const page = await browser.newPage();
  await page.goto(site.url);
  await page.locator('#clone-alder-button').focus();
  await page.keyboard.press('Enter');
  await page.locator('#clone-alder-result').waitFor();
  await page.waitForFunction(
    `document.querySelector('[aria-live]').textContent.includes('Alder Logistics has an Application of its own.')`,
  );
  // This button is gone once it was used: then the result has the focus.
  expect(await page.evaluate('document.activeElement.id')).toBe('clone-alder-result');
  await page.locator('#connect-alder-button').focus();
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Harbour Files' }).click();
  await page.getByRole('button', { name: 'Allow as Ada Alder' }).click();
  await page.locator('#call-alder-button').focus();
  await page.keyboard.press('Enter');
  await page.locator('#call-alder-result').waitFor();
  expect(await page.evaluate('document.activeElement.id')).toBe('call-alder-button');
  await page.close();
});

it('what is broken into lines for the eye is, when it is selected by hand, the command as it stands', async () => {
  const page = await browser.newPage({ viewport: { width: 360, height: 800 } });
  await page.goto(site.url);
  await page.locator('#clone-alder-button').click();
  await page.locator('#clone-alder-result').waitFor();
  await page.locator('#ALDER_API_KEY-own > summary').click();
  for (const id of ['clone-alder-0-curl', 'ALDER_API_KEY-line']) {
    const selected = String(
      await page.evaluate(`getSelection().selectAllChildren(document.getElementById('${id}')), getSelection().toString()`),
    );
    const copied = await page.locator(`[data-select="${id}"]`).getAttribute('data-copy');
    expect(selected.replaceAll(' \\\n  ', ' ')).toBe(copied);
  }
  await page.close();
});

it('what happens shows on the receiver’s page as it arrives, checked by code that is there to copy; a forged call shows as refused', async () => {
  const context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] });
  const page = await context.newPage();
  await page.goto(site.url);
  await page.locator('#clone-birch-button').click();
  await page.locator('#clone-birch-result').waitFor();
  const receiver = await context.newPage();
  const complaints: string[] = [];
  receiver.on('console', (message) => complaints.push(message.text()));
  receiver.on('pageerror', (error) => complaints.push(error.message));
  await receiver.goto(services.receiver.url);
  await receiver.locator('#live.on').waitFor();
  await page.locator('#connect-birch-button').click();
  await page.getByRole('button', { name: 'Harbour Files' }).click();
  await page.getByRole('button', { name: 'Allow as Bea Birch' }).click();
  await page.locator('#connect-birch-result').waitFor();
  await world.platform.runDueDeliveries();
  // What earlier tests caused arrives as well, in any order.
  const arrived = receiver.locator('.arrival.good', { hasText: 'account.connected' }).filter({ hasText: 'Birch Clinics' }).first();
  await arrived.waitFor();
  expect(await arrived.textContent()).toMatch(/account\.connected\s*Birch Clinics[\s\S]*the signature is right/);
  await receiver.locator('#forge').click();
  await receiver.locator('.arrival.bad').waitFor();
  expect(await receiver.locator('.arrival.bad').textContent()).toContain('webhook.signature_refused');

  await receiver.locator('.check .copy').click();
  const copied = String(await receiver.evaluate('navigator.clipboard.readText()'));
  expect(copied).toBe(await readFile(join(import.meta.dirname, '../receiver/take-webhook.ts'), 'utf8'));
  expect(complaints).toEqual([]);
  for (const width of [360, 768, 1400]) {
    await receiver.setViewportSize({ width, height: 800 });
    expect(await receiver.evaluate('document.documentElement.scrollWidth')).toBe(width);
  }
  await context.close();
}, 90_000);

it.each([360, 768, 1400])('nothing sticks out at %i pixels', async (width) => {
  const page = await browser.newPage({ viewport: { width, height: 800 } });
  await page.goto(site.url);
  await page.locator('#clone-birch-button').click();
  await page.locator('#clone-birch-result').waitFor();
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
  await page.close();
});

it('where the demo’s server is gone the page says so and the button works again', async () => {
  const page = await browser.newPage();
  await page.goto(site.url);
  await page.route('**/alder/clone', (route) => route.abort());
  await page.locator('#clone-alder-button').click();
  await page.getByText('The demo’s server does not answer.').waitFor();
  await page.unroute('**/alder/clone');
  await page.locator('#clone-alder-button').click();
  await page.locator('#clone-alder-result').waitFor();
  expect(await page.locator('#trouble').isHidden()).toBe(true);
  await page.close();
});
