import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { type FakeApp, startFakeApp, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = new URL('../../', import.meta.url);
const page = (path: string): string => readFileSync(fileURLToPath(new URL(path, root)), 'utf8');
const guide = page('docs/guides/install-an-app.md');
/** What the README's reader has set by then. */
const prelude = page('README.md')
  .split('\n')
  .filter((line) => /^(field|meta)\(\)/.test(line))
  .join('\n');
const shells = ['bash'].filter((shell) => spawnSync(shell, ['-c', 'command -v curl node']).status === 0);

let app: FakeApp;
let world: World;
beforeAll(async () => {
  app = await startFakeApp({ key: 'notes', scopes: ['READ'] });
  world = await World.create({ egressAllow: [app.address] });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

describe('the guide to installing an App', () => {
  test.each(shells)('can be followed command by command (%s)', async (shell) => {
    const { id } = await world.application();
    const commands = [...guide.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, block]) => block).join('\n');
    const env = { ...process.env, API: world.url, META_TOKEN: world.metaToken, APP: id, NOTES: app.url };
    const child = spawn(shell, ['-euo', 'pipefail', '-c', `${prelude}\n${commands}`], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const [said, problems] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    expect([child.exitCode, problems]).toEqual([0, '']);
    const { clientKey } = app.calls[0]!.body;
    expect(said.trim().split('\n').slice(-4)).toEqual([clientKey, 'disabled', 'enabled', '4']);
  });

  test('lists what an App finds at its host, and no path that is not there', async () => {
    const { json } = await world.call('GET', '/v1/openapi.json');
    const paths = Object.keys(json.paths).filter((path) => path.startsWith('/t/{application_id}/rest/'));
    const listed = [...guide.matchAll(/(?:`GET|`DELETE) (\/rest\/[^`]+)`/g)].map(([, path]) => path);
    const known = paths.map((path) => path.replace('/t/{application_id}', '').replace('{version}', '1').replace('{app_key}', '{key}'));
    expect(listed.map((path) => path!.replace('{name}', '{property_key}')).every((path) => known.includes(path))).toBe(true);
    expect(listed).toHaveLength(8);
  });
});
