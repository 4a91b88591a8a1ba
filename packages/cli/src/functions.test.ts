import { once } from 'node:events';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CliWorld } from './cli-process.testkit.ts';

vi.setConfig({ testTimeout: 120_000 });
const world = new CliWorld();
const app = createServer((_request, response) => response.writeHead(204).end());
let env: Record<string, string> = {};
let folder = '';
const ids: string[] = [];
const functions = (...args: string[]) => world.run(['functions', ...args], env);

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
}

const manifest = `app: notes
functions:
  - key: count
    handler: src/index.count
  - key: shout
    handler: src/index.shout
`;

beforeAll(async () => {
  await once(app.listen(0, '127.0.0.1'), 'listening');
  const address = `127.0.0.1:${(app.address() as AddressInfo).port}`;
  const data = await world.folder();
  folder = await world.folder();
  await mkdir(join(folder, 'src'));
  const server = world.start(data, { BULKHEAD_EGRESS_ALLOW: address, BULKHEAD_SANDBOX: 'process' });
  const url = await server.ready();
  env = { META_TOKEN: server.metaToken, API: url, BULKHEAD_DATA_DIR: data };
  const meta = async (path: string, body: unknown) => {
    const headers = { authorization: `Bearer ${server.metaToken}`, 'content-type': 'application/json' };
    return (await (await fetch(`${url}/v1/meta${path}`, { method: 'POST', headers, body: JSON.stringify(body) })).json()) as { id: string };
  };
  await meta('/apps', {
    descriptor: { key: 'notes', baseUrl: `http://${address}`, authentication: { type: 'jwt' }, lifecycle: { installed: '/installed' } },
  });
  for (const name of ['Alder', 'Birch']) {
    const { id } = await meta('/applications', { name });
    await meta(`/applications/${id}/installs`, { app_key: 'notes' });
    ids.push(id);
  }
}, 120_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  app.close();
}, 60_000);

describe('bulkhead functions', () => {
  it('deploy bundles TypeScript with the kit; invoke calls it, each install with what is its own', async () => {
    await write({
      'bulkhead.yml': manifest,
      'src/index.ts': `import { context, storage } from '@bulkhead/functions-kit';
import { greeting } from './greeting.ts';
export async function count(): Promise<{ seen: number; where: string; greeting: string }> {
  const seen = ((await storage.get<number>('seen')) ?? 0) + 1;
  await storage.set('seen', seen);
  console.log('seen', seen);
  return { seen, where: context().applicationId, greeting };
}
export const shout = (): never => { console.error('\\u001b[2Jcleared'); throw new Error('no \\u001b[31mred'); };
`,
      'src/greeting.ts': `export const greeting = 'hello';`,
    });
    const deployed = await functions('deploy', folder, '--app', 'notes', '--environment', 'production');
    expect([deployed.exitCode, deployed.stderr]).toEqual([0, '']);
    expect(deployed.stdout).toContain('Deployed: version 1 of notes in production (count, shout; may fetch from no host');
    for (const [id, seen] of [
      [ids[0]!, 1],
      [ids[0]!, 2],
      [ids[1]!, 1],
    ] as const) {
      const called = await functions('invoke', 'notes', 'count', '--application', id);
      expect([called.exitCode, JSON.parse(called.stdout)]).toEqual([0, { seen, where: id, greeting: 'hello' }]);
      expect(called.stderr).toContain(`info  seen ${seen}`);
    }
  });

  it('invoke of one that throws ends with 1; what it wrote turns nothing in the terminal', async () => {
    const called = await functions('invoke', 'notes', 'shout', '--application', ids[0]!);
    expect([called.exitCode, called.stdout]).toEqual([1, '']);
    expect(called.stderr).toContain('threw: Error: no \\u001b[31mred');
    expect(called.stderr).toContain('\\u001b[2Jcleared');
    expect(called.stderr).not.toContain('\u001b');
  });

  it('logs shows the calls of one install in their order, and where to go on', async () => {
    const { stdout, stderr } = await functions('logs', 'notes', '--application', ids[0]!);
    expect(
      stdout
        .split('\n')
        .filter((line) => /^\d/.test(line))
        .map((line) => line.split('  ').slice(1, 3).join(' ')),
    ).toEqual(['count@1 ok', 'count@1 ok', 'shout@1 threw']);
    expect(stdout).not.toContain('\u001b');
    expect(stderr).toBe('cursor 3\n');
    expect((await functions('logs', 'notes', '--application', ids[0]!, '--cursor', '3')).stdout).toBe('');
  });

  it('webtriggers gives an address a secret, shows it once, and lists who may call', async () => {
    await write({
      'bulkhead.yml': `${manifest}webtriggers:\n  - {key: hook, function: count, authentication: {type: bearer}}\n`,
      'src/index.ts': "export const count = () => ({ statusCode: 200, body: 'called' });\nexport const shout = () => 1;\n",
    });
    expect((await functions('deploy', folder, '--environment', 'production')).exitCode).toBe(0);
    const of = ['notes', '--application', ids[0]!] as const;
    expect((await functions('webtriggers', 'list', ...of)).stdout).toContain('no secret yet: rotate-secret');
    const rotated = await functions('webtriggers', 'rotate-secret', 'notes', 'hook', '--application', ids[0]!);
    expect([rotated.exitCode, rotated.stdout.trim()]).toEqual([0, expect.stringMatching(/^bhs_\w+$/)]);
    const url = (await functions('webtriggers', 'url', 'notes', 'hook', '--application', ids[0]!)).stdout.trim();
    const call = (secret: string) => fetch(url, { headers: { authorization: `Bearer ${secret}` } });
    expect(await (await call(rotated.stdout.trim())).text()).toBe('called');
    expect((await call('another secret')).status).toBe(404);
    const listed = (await functions('webtriggers', 'list', ...of)).stdout;
    expect(listed).toContain('has a secret');
    expect(listed).not.toContain(rotated.stdout.trim());
    const missing = await functions('webtriggers', 'url', 'notes', 'other', '--application', ids[0]!);
    expect([missing.exitCode, missing.stderr]).toEqual([2, expect.stringContaining('There is no web trigger "other". There are: hook.')]);
  });

  it.each([
    ['a manifest that is wrong', { 'bulkhead.yml': `${manifest}colour: blue\n` }, /bulkhead\.yml:7:1: colour: there is no such field/],
    ['a file that is not there', { 'bulkhead.yml': manifest.replaceAll('src/index', 'src/other') }, /Could not resolve "\.\/src\/other"/],
    ['code that is none', { 'bulkhead.yml': manifest, 'src/index.ts': 'export const count = ;' }, /src\/index\.ts:1:22: /],
    [
      'a native add-on',
      {
        'bulkhead.yml': manifest,
        'src/add.node': 'x',
        'src/index.ts': "import './add.node'; export const count = 1; export const shout = 1;",
      },
      /src\/index\.ts:1:8: .*"\.\/add\.node" is a native add-on, which cannot run here/,
    ],
    [
      'a function that is not exported',
      { 'bulkhead.yml': manifest, 'src/index.ts': 'export const count = 1;' },
      /No matching export in "src\/index\.ts" for import "shout"/,
    ],
  ])('deploy of %s says where, and deploys nothing', async (_, files, said) => {
    await write(files);
    const deployed = await functions('deploy', folder, '--environment', 'staging');
    expect([deployed.exitCode, deployed.stderr]).toEqual([2, expect.stringMatching(said)]);
    expect((await functions('invoke', 'notes', 'count', '--application', ids[0]!, '--environment', 'staging')).stderr).toContain(
      'Nothing is deployed',
    );
  });

  it('storage tells what is kept, writes it to a file, and puts back what an uninstall has left', async () => {
    await write({
      'bulkhead.yml': manifest,
      'src/index.ts': `import { storage } from '@bulkhead/functions-kit';
export const count = async () => { await storage.set('kept', 'before'); await storage.setSecret('token', 'not-in-an-export'); };
export const shout = () => storage.get('kept');
`,
    });
    expect((await functions('deploy', folder, '--environment', 'production')).exitCode).toBe(0);
    const [id] = ids;
    const at = ['notes', '--application', id!];
    expect((await functions('invoke', 'notes', 'count', '--application', id!)).exitCode).toBe(0);
    const usage = await functions('storage', 'usage', ...at);
    expect(usage.stdout).toMatch(/^production +\d of 10000 +\d+ of 52428800 +in use +fst/m);
    const output = join(folder, 'notes.ndjson');
    const written = await functions('storage', 'export', ...at, '--output', output);
    expect([written.exitCode, written.stderr]).toEqual([0, expect.stringMatching(/^\d values\n$/)]);
    const lines = (await readFile(output, 'utf8')).trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { key?: string }).key)).toEqual(expect.arrayContaining(['kept', 'token']));
    expect(lines.join()).not.toContain('not-in-an-export');
    expect((await stat(output)).mode & 0o777).toBe(0o600);
    expect(await functions('storage', 'export', ...at, '--output', output)).toMatchObject({ exitCode: 2 });
    const none = await functions('storage', 'relink', ...at);
    expect([none.exitCode, none.stderr]).toEqual([1, expect.stringContaining('kept for 28 days after an uninstall')]);

    const installs = (...args: string[]) => world.run(['installs', ...args], env);
    expect((await installs('remove', 'notes', '--application', id!)).exitCode).toBe(0);
    expect((await installs('add', 'notes', '--application', id!)).exitCode).toBe(0);
    expect((await functions('invoke', 'notes', 'shout', '--application', id!)).stdout).toBe('null\n');
    const relinked = await functions('storage', 'relink', ...at);
    expect([relinked.exitCode, relinked.stdout]).toEqual([0, expect.stringContaining('in use')]);
    expect((await functions('invoke', 'notes', 'shout', '--application', id!)).stdout).toBe('"before"\n');
  });
});
