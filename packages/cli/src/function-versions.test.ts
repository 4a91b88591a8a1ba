import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
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
const production = ['--environment', 'production'];

const source = (said: string, hosts: readonly string[] = []) => ({
  'bulkhead.yml': `app: notes
functions: [{key: run, handler: src/index.run}]
variables: [{name: REGION, default: nowhere}, {name: API_KEY, secret: true}]
permissions: {external: {fetch: {backend: [${hosts.join(', ')}]}}}
`,
  'src/index.ts': `import { variables } from '@bulkhead/functions-kit';
export const run = () => ({ said: '${said}', region: variables['REGION'], key: variables['API_KEY'] ?? null });`,
});

async function deploy(said: string, hosts?: readonly string[], environment = 'production') {
  for (const [name, text] of Object.entries(source(said, hosts))) await writeFile(join(folder, name), text);
  return functions('deploy', folder, '--environment', environment);
}
const run = async (id: string, environment = 'production') => {
  const called = await functions('invoke', 'notes', 'run', '--application', id, '--environment', environment);
  return called.exitCode === 0 ? (JSON.parse(called.stdout) as Record<string, unknown>) : called.stderr;
};

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
  await meta('/apps', { descriptor: { key: 'notes', baseUrl: `http://${address}`, authentication: { type: 'none' } } });
  for (const name of ['Alder', 'Birch', 'Cedar']) {
    const { id } = await meta('/applications', { name });
    await meta(`/applications/${id}/installs`, { app_key: 'notes' });
    ids.push(id);
  }
}, 120_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  app.close();
}, 60_000);

describe('bulkhead functions versions, approve, rollback', () => {
  it('deploy says what is new and who waits; approve shows it first, then lets it run, for one install or for all', async () => {
    expect((await deploy('first')).stdout).not.toContain('wait');
    const second = await deploy('second', ['b.example', 'a.example']);
    expect(second.stdout).toContain('It requests what the version before did not: fetch:a.example, fetch:b.example\n3 of 3 installs wait');
    expect(await run(ids[0]!)).toMatchObject({ said: 'first' });

    const asked = await functions('approve', 'notes', ...production, '--application', ids[0]!);
    expect([asked.exitCode, asked.stderr]).toEqual([2, expect.stringMatching(/new is fetch:a\.example, fetch:b\.example[^]*--yes/)]);
    expect(await run(ids[0]!)).toMatchObject({ said: 'first' });
    expect((await functions('approve', 'notes', ...production, '--application', ids[0]!, '--yes')).stdout).toContain('version 2 runs');
    expect([await run(ids[0]!), await run(ids[1]!)]).toMatchObject([{ said: 'second' }, { said: 'first' }]);

    const all = await functions('approve', 'notes', ...production, '--all', '--yes');
    expect(all.stderr).toContain('For 2 installs not all of it is approved');
    expect(all.stdout).toBe('Approved: for 2 installs in production.\n');
    expect(await run(ids[2]!)).toMatchObject({ said: 'second' });
    expect((await functions('approve', 'notes', ...production, '--all')).stdout).toBe('No install waits.\n');
  });

  it('deploy of code that does not load says why, in one line that turns nothing, and the version before goes on', async () => {
    await writeFile(join(folder, 'src/index.ts'), "throw new Error('\\u001b[2Jno\\nsecond line'); export const run = () => 1;");
    const deployed = await functions('deploy', folder, ...production);
    expect([deployed.exitCode, deployed.stdout]).toEqual([1, '']);
    expect(deployed.stderr).toContain('Nothing was deployed, because the code does not load: ');
    expect(deployed.stderr).toMatch(/Error: \S*\[2Jno second line/);
    expect(deployed.stderr).not.toContain('\u001b');
    expect(await run(ids[0]!)).toMatchObject({ said: 'second' });
  });

  it('rollback lets the version before run again, and versions shows which are withdrawn', async () => {
    expect((await functions('rollback', 'notes', ...production)).stdout).toContain('Back: version 1 of notes runs in production');
    expect(await run(ids[0]!)).toMatchObject({ said: 'first' });
    const { stdout } = await functions('versions', 'notes', '--json');
    expect((JSON.parse(stdout) as { withdrawn: unknown }[]).map(({ withdrawn }) => withdrawn === null)).toEqual([false, true]);
    expect((await functions('rollback', 'notes', ...production, '--to', '2')).exitCode).toBe(0);
    expect(await run(ids[0]!)).toMatchObject({ said: 'second' });
    const none = await functions('rollback', 'notes', ...production, '--to', '9');
    expect([none.exitCode, none.stderr]).toEqual([1, expect.stringContaining('no such version')]);
  });
});

describe('bulkhead functions env', () => {
  it('set takes a secret from standard input only, and shows it to nobody again; an install may have its own', async () => {
    expect(await run(ids[0]!)).toMatchObject({ region: 'nowhere', key: null });
    const told = await functions('env', 'set', 'notes', 'API_KEY', 's3cret', ...production);
    expect([told.exitCode, told.stderr]).toEqual([2, expect.stringContaining('standard input')]);
    const set = world.spawn(['functions', 'env', 'set', 'notes', 'API_KEY', ...production], env, { stdio: ['pipe', 'pipe', 'pipe'] });
    set.child.stdin!.end('s3cret-of-all\n');
    await set.ended;
    expect([set.exitCode, set.stderr]).toEqual([0, '']);
    await functions('env', 'set', 'notes', 'REGION', 'eu', '--plain', ...production);
    await functions('env', 'set', 'notes', 'REGION', 'us', '--plain', ...production, '--application', ids[1]!);
    expect([await run(ids[0]!), await run(ids[1]!)]).toMatchObject([
      { region: 'eu', key: 's3cret-of-all' },
      { region: 'us', key: 's3cret-of-all' },
    ]);
    const listed = await functions('env', 'variables', 'notes', ...production);
    expect(listed.stdout).toMatch(/API_KEY\s+\(secret\)[^]*REGION\s+eu/);
    expect(listed.stdout).not.toContain('s3cret');
    expect((await functions('env', 'unset', 'notes', 'REGION', ...production)).exitCode).toBe(0);
    expect(await run(ids[0]!)).toMatchObject({ region: 'nowhere' });
  });

  it('join brings an install into an environment, leave takes it out, remove ends the environment', async () => {
    await deploy('staged', [], 'staging');
    expect(await run(ids[0]!, 'staging')).toContain('is not in the environment "staging"');
    expect((await functions('env', 'join', 'notes', '--environment', 'staging', '--application', ids[0]!)).exitCode).toBe(0);
    expect(await run(ids[0]!, 'staging')).toMatchObject({ said: 'staged', key: null });
    expect((await functions('env', 'list', 'notes')).stdout).toMatch(/production\s+2\s+2\s+1\s+3\s+0\n?staging\s+1\s+1\s+0\s+1\s+0/);
    expect((await functions('env', 'leave', 'notes', '--environment', 'staging', '--application', ids[0]!)).exitCode).toBe(0);
    expect(await run(ids[0]!, 'staging')).toContain('is not in the environment');
    const asked = await functions('env', 'remove', 'notes', 'staging');
    expect([asked.exitCode, asked.stderr]).toEqual([2, expect.stringContaining('With staging go 1 versions')]);
    expect((await functions('env', 'remove', 'notes', 'staging', '--yes')).stdout).toBe('Removed: staging of notes.\n');
    expect(await run(ids[0]!, 'staging')).toContain('Nothing is deployed');
    expect((await functions('env', 'remove', 'notes', 'production', '--yes')).exitCode).toBe(1);
  });
});
