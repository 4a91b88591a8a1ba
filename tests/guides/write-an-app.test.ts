import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { launchBrowser, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../apps/ace-process.ts';

const root = join(import.meta.dirname, '../..');
const page = (path: string): Promise<string> => readFile(join(root, path), 'utf8');

let world: World;
let port: number;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'write-an-app-'));
  port = await freePort();
  world = await World.create({ egressAllow: [`127.0.0.1:${port}`] });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

/** Types what the guide says, from an empty folder: commands into one shell, code into the files that its first lines name. */
async function script(): Promise<string> {
  const guide = (await page('docs/guides/write-an-app.md')).replaceAll('127.0.0.1:3400', `127.0.0.1:${port}`);
  const prelude = (await page('README.md')).split('\n').filter((line) => /^(field|meta)\(\)/.test(line));
  const lines = [...prelude, `trap 'kill $(jobs -p) 2>/dev/null' EXIT`];
  let number = 0;
  for (const [, language, block = ''] of guide.matchAll(/^```(js|sh)\n([\s\S]*?)^```/gm)) {
    if (language === 'sh') lines.push(block);
    else {
      const name = /^\/\/ (\S+\.js)\n/.exec(block)?.[1];
      expect(name, block).toBeDefined();
      const kept = join(folder, `block-${number++}`);
      await writeFile(kept, block);
      lines.push(`cat ${kept} >> ${name}`);
    }
  }
  // Until the test has looked at the App, it runs.
  lines.push('echo followed', 'cat');
  return lines.join('\n');
}

test('the guide to writing an App, followed from an empty folder, ends with an App that passes its test, is installed, and shows its panel in a frame', async () => {
  const { id, apiKey } = await world.application({ events_enabled: true });
  const env = {
    PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
    HOME: folder,
    npm_config_offline: 'true',
    BULKHEAD: root,
    API: world.url,
    META_TOKEN: world.metaToken,
    APP: id,
    API_KEY: apiKey,
  };
  const child = spawn('bash', ['--norc', '-euo', 'pipefail', '-c', await script()], { cwd: folder, env, stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  let [said, problems] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (problems += text));
  while (!said.endsWith('followed\n') && child.exitCode === null) await Promise.race([once(child.stdout, 'data'), ended]);
  expect([child.exitCode, problems], said).toEqual([null, '']);
  expect(said).toMatch(/pass 1\n[\s\S]*fail 0\n/);
  const lines = said.trim().split('\n');
  expect(lines.slice(-5, -2)).toEqual(['first-notes', 'enabled', '204']);

  const body = { service: 'gdrive', account: 'ada', token: 'x' };
  const account = await world.call('POST', '/v1/accounts', { headers: { authorization: `APIKey ${apiKey}` }, body });
  await world.platform.runDueDeliveries();
  const browser = await launchBrowser();
  const tab = await browser.newPage();
  const complaints: string[] = [];
  tab.on('console', (message) => complaints.push(message.text()));
  await tab.goto(lines.at(-2) ?? '');
  const frame = await (await tab.locator('main > iframe').elementHandle())!.contentFrame();
  await frame!.locator('li').waitFor();
  expect(await frame!.locator('li').allTextContents()).toEqual([`Account ${account.json.id} was connected.`]);
  expect(complaints).toEqual([]);
  await browser.close();
  child.stdin.end();
  await ended;
  const log = await readFile(join(folder, 'first-notes/app.log'), 'utf8');
  expect(log).toContain(`listening at http://127.0.0.1:${port}`);
}, 60_000);
