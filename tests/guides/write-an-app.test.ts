import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { World } from '@bulkhead/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const page = (path: string): Promise<string> => readFile(join(root, path), 'utf8');

let world: World;
let port: number;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'write-an-app-'));
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  ({ port } = probe.address() as AddressInfo);
  await new Promise((resolve) => probe.close(resolve));
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
  return lines.join('\n');
}

test('the guide to writing an App, followed from an empty folder, ends with an App that passes its test and is installed', async () => {
  const { id } = await world.application();
  const env = {
    PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
    HOME: folder,
    npm_config_offline: 'true',
    BULKHEAD: root,
    API: world.url,
    META_TOKEN: world.metaToken,
    APP: id,
  };
  const child = spawn('bash', ['-euo', 'pipefail', '-c', await script()], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [said, problems] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  expect([child.exitCode, problems], said).toEqual([0, '']);
  expect(said).toMatch(/pass 1\n[\s\S]*fail 0\n/);
  expect(said.trim().split('\n').slice(-3)).toEqual(['first-notes', 'enabled', '204']);
  const log = await readFile(join(folder, 'first-notes/app.log'), 'utf8');
  expect(log).toContain(`listening at http://127.0.0.1:${port}`);
}, 60_000);
