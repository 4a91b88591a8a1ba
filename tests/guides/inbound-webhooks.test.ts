import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = new URL('../../', import.meta.url);
const page = (path: string): string => readFileSync(fileURLToPath(new URL(path, root)), 'utf8');
const guide = page('docs/guides/inbound-webhooks.md');
/** What the README's reader has set by then. */
const prelude = page('README.md')
  .split('\n')
  .filter((line) => /^(field|meta)\(\)/.test(line))
  .join('\n');
const shells = ['bash'].filter((shell) => spawnSync(shell, ['-c', 'command -v curl node']).status === 0);

let world: World;
beforeAll(async () => {
  world = await World.create();
});
afterAll(() => world[Symbol.asyncDispose]());

describe('the guide to inbound webhooks', () => {
  test('has a row for every scheme, and no other', async () => {
    const { json } = await world.call('GET', '/v1/openapi.json');
    const { requestBody } = json.paths['/v1/meta/applications/{application_id}/inbound_webhooks'].post;
    const schemes: string[] = requestBody.content['application/json'].schema.properties.scheme.enum;
    const rows = [...guide.matchAll(/^\| `(\w+)` \|/gm)].map(([, scheme]) => scheme);
    expect(rows.toSorted()).toEqual(schemes.toSorted());
  });

  test.each(shells)('can be followed command by command (%s)', async (shell) => {
    const { id, apiKey } = await world.application();
    const commands = [...guide.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, block]) => block).join('\n');
    const env = { ...process.env, API: world.url, META_TOKEN: world.metaToken, APP: id, API_KEY: apiKey };
    const child = spawn(shell, ['-euo', 'pipefail', '-c', `${prelude}\n${commands}`], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const [said, problems] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    expect([child.exitCode, problems]).toEqual([0, '']);
    expect(said.trim().split('\n').slice(-2)).toEqual([`${world.url}/v1/inbound/${id}/github`, 'refs/heads/main']);
  });
});
