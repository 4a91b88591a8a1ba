import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { browserHere, type FoundBrowser, findBrowser, launchBrowser, type Machine } from './browser.ts';

const packaged: FoundBrowser = { executablePath: '/packaged/chromium', env: { LD_LIBRARY_PATH: '/packaged/lib' } };

function machine(options: {
  env?: Record<string, string>;
  files?: string[];
  packaged?: FoundBrowser | null;
  warn?: (text: string) => void;
}): Machine {
  return {
    env: options.env ?? {},
    exists: (path) => (options.files ?? []).includes(path),
    packaged: () => Promise.resolve(options.packaged === undefined ? packaged : options.packaged),
    warn: options.warn ?? (() => undefined),
  };
}

describe('the browser that is chosen', () => {
  const debian = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'];

  test.each([
    ['CHROMIUM_PATH before all others', { env: { CHROMIUM_PATH: '/opt/chrome' }, files: ['/opt/chrome', ...debian] }, '/opt/chrome'],
    ['the headless shell of Debian before its full browser', { files: debian }, '/usr/bin/chromium-headless-shell'],
    ['the full browser of Debian before the packaged one', { files: ['/usr/bin/chromium'] }, '/usr/bin/chromium'],
    ['the packaged one last', {}, '/packaged/chromium'],
    ['the packaged one when CHROMIUM_PATH is empty', { env: { CHROMIUM_PATH: '' } }, '/packaged/chromium'],
  ])('is %s', async (_, options, path) => {
    expect((await findBrowser(machine(options)))?.executablePath).toBe(path);
  });

  test('a CHROMIUM_PATH that leads nowhere is an error, not a reason to take another browser', async () => {
    await expect(findBrowser(machine({ env: { CHROMIUM_PATH: '/opt/none' } }))).rejects.toThrow('/opt/none');
  });
});

describe('a machine without any browser', () => {
  test('skips on a developer machine, and says so', async () => {
    const said: string[] = [];
    await expect(browserHere(machine({ packaged: null, warn: (text) => said.push(text) }))).resolves.toBe(false);
    expect(said.join()).toContain('BROWSER TESTS SKIPPED');
  });

  test.each(['true', '1'])('fails under CI=%s', async (ci) => {
    await expect(browserHere(machine({ env: { CI: ci }, packaged: null }))).rejects.toThrow('No Chromium found');
  });

  test('control: with a browser CI goes on', async () => {
    await expect(browserHere(machine({ env: { CI: 'true' } }))).resolves.toBe(true);
  });
});

describe.skipIf(!(await browserHere()))('the browser itself', () => {
  let browser: Browser;
  let server: Server;
  let origin: string;

  beforeAll(async () => {
    server = createServer((request, response) => {
      response.setHeader('content-type', 'text/html; charset=utf-8');
      if (request.url !== '/lax') response.setHeader('content-security-policy', "default-src 'none'");
      response.end('<!doctype html><title>Harbour</title><h1>Connected</h1><script>document.title = "Replaced"</script>');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    browser = await launchBrowser();
  });

  afterAll(async () => {
    await browser.close();
    await new Promise((resolve) => server.close(resolve));
  });

  test('opens a page of a server on this machine and photographs it', async () => {
    const page = await browser.newPage();
    await page.goto(origin);
    expect(await page.getByRole('heading').textContent()).toBe('Connected');
    const picture = await page.screenshot();
    expect(picture.subarray(1, 4).toString()).toBe('PNG');
    expect(picture.length).toBeGreaterThan(1000);
    await page.close();
  });

  test('keeps web security: a page whose policy forbids scripts runs none', async () => {
    const page = await browser.newPage();
    await page.goto(origin);
    expect(await page.title()).toBe('Harbour');
    await page.goto(`${origin}/lax`);
    expect(await page.title(), 'control: without the policy the script runs').toBe('Replaced');
    await page.close();
  });

  test('a closed context leaves the browser to the next', async () => {
    await (await browser.newContext()).close();
    const page = await browser.newPage();
    await page.goto(origin);
    expect(browser.isConnected()).toBe(true);
    await page.close();
  });

  test('draws text: a page with words differs from the same page without', async () => {
    const page = await browser.newPage();
    await page.setContent('<body style="font-size:40px">Words</body>');
    const withText = await page.screenshot();
    await page.setContent('<body style="font-size:40px"></body>');
    expect(withText.equals(await page.screenshot())).toBe(false);
    await page.close();
  });
});
