import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { HOST_CONDITIONS, PAGE_MODULE_TYPES } from '@bulkhead/protocol';
import { type FakeApp, HttpBrowser, startFakeApp, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const guide = readFileSync(new URL('../../docs/guides/show-app-pages.md', import.meta.url), 'utf8');
const shells = ['bash'].filter((shell) => spawnSync(shell, ['-c', 'command -v curl']).status === 0);

let app: FakeApp;
let world: World;
beforeAll(async () => {
  app = await startFakeApp({ key: 'notes' });
  app.descriptor['modules'] = { generalPages: [{ key: 'board', url: '/board?issue={issue.key}', name: { value: 'Board' } }] };
  world = await World.create({ egressAllow: [app.address] });
  await world.meta('POST', '/apps', { descriptor: app.descriptor });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

describe("the guide to showing an App's pages", () => {
  test.each(shells)('can be followed command by command (%s)', async (shell) => {
    const { id, apiKey } = await world.application();
    await world.meta('POST', `/applications/${id}/installs`, { app_key: 'notes' });
    const said: string[] = [];
    for (const [, command] of guide.matchAll(/^```sh\n([\s\S]*?)^```/gm)) {
      const env = { ...process.env, API: world.url, API_KEY: apiKey };
      const child = spawn(shell, ['-euo', 'pipefail', '-c', command!], { env, stdio: ['ignore', 'pipe', 'pipe'] });
      const [out, problems] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
      expect([child.exitCode, problems]).toEqual([0, '']);
      said.push(out);
    }
    const [listed, linked] = said.map((each) => JSON.parse(each));
    expect(listed.objects).toMatchObject([{ app_key: 'notes', module_key: 'board', name: 'Board' }]);
    const visit = await new HttpBrowser(world.url).open(linked.url);
    expect([visit.status, visit.text.includes('/board?issue=A-1\\u0026xdm_e=')]).toEqual([200, true]);
    expect(visit.headers.get('content-security-policy')).toContain('frame-ancestors https://app.northwind.example');
  });

  test('names every module type and every condition that there is', () => {
    const written = guide.replaceAll('`…_', '`entity_property_');
    for (const name of [...HOST_CONDITIONS, ...PAGE_MODULE_TYPES]) expect(written).toContain(`\`${name}\``);
  });
});
