import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CliWorld } from './cli-process.testkit.ts';

vi.setConfig({ testTimeout: 120_000 });
const world = new CliWorld();
let status = 204;
const app = createServer((request, response) =>
  request.url === '/atlassian-connect.json' ? response.end(JSON.stringify(descriptor)) : response.writeHead(status).end(),
);
let descriptor: Record<string, unknown> = {};
let env: Record<string, string> = {};
let id = '';
let folder = '';
const bulkhead = (...args: string[]) => world.run(args, env);
const installs = (verb: string, ...args: string[]) => bulkhead('installs', verb, ...args, '--application', id);

beforeAll(async () => {
  await once(app.listen(0, '127.0.0.1'), 'listening');
  const address = `127.0.0.1:${(app.address() as AddressInfo).port}`;
  descriptor = {
    key: 'notes',
    name: 'Notes',
    baseUrl: `http://${address}`,
    authentication: { type: 'jwt' },
    lifecycle: { installed: '/installed' },
    scopes: ['READ'],
    colour: 'blue',
  };
  folder = await world.folder();
  const server = world.start(folder, { BULKHEAD_EGRESS_ALLOW: address });
  const url = await server.ready();
  env = { META_TOKEN: server.metaToken, API: url, BULKHEAD_DATA_DIR: folder };
  const made = await fetch(`${url}/v1/meta/applications`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.metaToken}`, 'content-type': 'application/json' },
    body: '{"name":"Alder"}',
  });
  id = ((await made.json()) as { id: string }).id;
}, 120_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  app.close();
}, 60_000);

describe('bulkhead apps', () => {
  it('register takes a descriptor from its address or a file, and says what it asks for and what nobody knows', async () => {
    const made = await bulkhead('apps', 'register', `${String(descriptor['baseUrl'])}/atlassian-connect.json`);
    expect([made.exitCode, made.stdout]).toEqual([0, expect.stringContaining('Registered: notes (asks for READ)')]);
    expect(made.stderr).toContain('"colour"');
    const file = join(folder, 'descriptor.json');
    await writeFile(file, JSON.stringify({ ...descriptor, key: 'clocks', scopes: [] }));
    expect((await bulkhead('apps', 'register', '--file', file)).stdout).toContain('Registered: clocks (asks for no scope)');
    expect((await bulkhead('apps', 'list')).stdout).toMatch(/^notes +READ +http/m);
  });
});

describe('bulkhead installs', () => {
  it('add, list, logs and remove follow an install from its consent to its end', async () => {
    const without = await installs('add', 'notes');
    expect([without.exitCode, without.stderr]).toEqual([1, expect.stringContaining('asks for the scopes READ')]);
    status = 500;
    const refused = await installs('add', 'notes', '--scopes', 'READ');
    expect([refused.exitCode, refused.stderr]).toEqual([1, expect.stringContaining('did not accept the install')]);
    status = 204;
    expect((await installs('add', 'notes', '--scopes', 'READ')).stdout).toMatch(/^Installed: notes is ins\w+ here\.$/m);
    expect((await installs('list')).stdout).toMatch(/^notes +enabled +READ/m);
    const kept = await bulkhead('apps', 'remove', 'notes');
    expect([kept.exitCode, kept.stderr]).toEqual([1, expect.stringContaining('Uninstall it in each first')]);
    expect((await installs('logs', 'notes')).stdout).toMatch(/installed +delivered +1 +status 204[^]*installed +failed +1 +http_500/);
    const removed = await installs('remove', 'notes');
    expect([removed.exitCode, removed.stdout]).toEqual([0, 'Uninstalled: notes\n']);
    expect((await installs('list')).stdout).toBe('No App is installed.\n');
    expect((await installs('remove', 'notes')).exitCode).toBe(1);
    const gone = await bulkhead('apps', 'remove', 'notes');
    expect([gone.exitCode, gone.stdout]).toEqual([0, 'Removed: notes\n']);
    expect((await bulkhead('apps', 'remove', 'notes')).exitCode).toBe(1);
  });

  it.each([
    ['neither address nor file', ['apps', 'register'], 2, 'Name the address of the descriptor'],
    ['no file', ['apps', 'register', '--file', '/nowhere.json'], 2, '--file: /nowhere.json'],
    ['no Application', ['installs', 'list'], 2, '--application <id>'],
    ['leaked without what', ['keys', 'rotate', '--leaked'], 2, '--leaked goes with --installs'],
  ])('%s is answered with a sentence', async (_, args, exitCode, sentence) => {
    const answer = await bulkhead(...args);
    expect([answer.exitCode, answer.stderr]).toEqual([exitCode, expect.stringContaining(sentence)]);
  });
});

describe('bulkhead keys rotate --installs', () => {
  it('puts a new key into the place of the old, beside a running server', async () => {
    const rotated = await bulkhead('keys', 'rotate', '--installs', '--json');
    expect([rotated.exitCode, JSON.parse(rotated.stdout)]).toEqual([0, { kid: expect.stringMatching(/^ink/), retired: 1 }]);
    expect((await fetch(`${env['API']}/keys/${(JSON.parse(rotated.stdout) as { kid: string }).kid}`)).status).toBe(200);
  });
});
