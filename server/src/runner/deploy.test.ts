import { silentLog } from '@bulkhead/base';
import { approveFunctions, type FakeApp, startFakeApp, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RunnerProcess } from './runner-process.ts';

// Through the real doors: the routes of the platform, the process of the runner, the engine in its own processes.
let world: World;
let runner: RunnerProcess;
let app: FakeApp;
let id: string;

beforeAll(async () => {
  app = await startFakeApp({ key: 'notes' });
  runner = new RunnerProcess({ acceptProcess: true, apiUrl: () => world.url, log: silentLog });
  world = await World.create({ runner, egressAllow: [app.address] });
  await world.meta('POST', '/apps', { descriptor: app.descriptor });
  ({ id } = await world.application());
  expect((await world.meta('POST', `/applications/${id}/installs`, { app_key: 'notes' })).status).toBe(201);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await runner.close();
  await app[Symbol.asyncDispose]();
});

interface Given {
  readonly environment?: string;
  readonly hosts?: readonly string[];
  readonly keys?: readonly string[];
  readonly variables?: readonly Record<string, unknown>[];
}

function deploy(code: string, { environment = 'production', hosts = [], keys = ['run'], variables = [] }: Given = {}) {
  const manifest = {
    app: 'notes',
    functions: keys.map((key) => ({ key, handler: `index.${key}` })),
    variables,
    permissions: { external: { fetch: { backend: hosts } } },
  };
  return world.meta('POST', '/apps/notes/deployments', { environment, manifest, code });
}

async function run(environment = 'production'): Promise<{ status: number; code?: string; version?: number; value?: unknown }> {
  const { status, json } = await world.meta('POST', `/applications/${id}/installs/notes/invoke`, { function: 'run', environment });
  return { status, code: json.code, version: json.version, value: json.outcome?.value };
}

const rollBack = (version?: number) =>
  world.meta('POST', '/apps/notes/deployments/rollback', { environment: 'production', ...(version === undefined ? {} : { version }) });

describe('a deployment', () => {
  test.each([
    ['throws when it starts', `throw new RangeError('not today'); export const run = () => 1;`, /RangeError: not today/],
    ['is no code', 'export const run = ;', /SyntaxError/],
    ['does not export what its manifest names', 'export const other = () => 1;', /no function named run/],
    ['exports something else under that name', 'export const run = 1;', /no function named run/],
    ['never comes up', 'while (true); export const run = () => 1;', /took too long to start/],
    ['fills the memory', 'const all = []; while (true) all.push(new Array(1e6).fill(1.5)); export const run = () => 1;', /memory/],
  ])('of code that %s is refused with what went wrong, and nothing is switched', async (_, code, said) => {
    expect((await deploy(`export const run = () => 'good';`)).status).toBe(201);
    const before = await run();
    const answer = await deploy(code);
    expect([answer.status, answer.json.code]).toEqual([400, 'function.does_not_load']);
    expect(answer.json.message).toMatch(said);
    expect(await run()).toEqual(before);
  });

  test('is tried with every door shut, and the words of its error turn nothing', async () => {
    const code = `throw new Error('\\u001b[2J' + 'x'.repeat(5000)); export const run = () => 1;`;
    const { json } = await deploy(code);
    expect(json.message).not.toContain('\u001b');
    expect(json.message.length).toBeLessThan(1_200);
  });

  test('that requests nothing new runs from the next call on; one that does waits, and the version before goes on', async () => {
    const first = (await deploy(`export const run = () => 'a';`)).json;
    expect(await run()).toMatchObject({ version: first.version, value: 'a' });
    const second = (await deploy(`export const run = () => 'b';`, { hosts: ['b.example', 'a.example'] })).json;
    expect(second).toMatchObject({
      permissions: ['fetch:a.example', 'fetch:b.example'],
      new_permissions: ['fetch:a.example', 'fetch:b.example'],
      installs: 1,
      installs_waiting: 1,
    });
    expect(await run()).toMatchObject({ version: first.version, value: 'a' });
    await approveFunctions(world, id, 'notes');
    expect(await run()).toMatchObject({ version: second.version, value: 'b' });
    const third = (await deploy(`export const run = () => 'c';`, { hosts: ['a.example'] })).json;
    expect(third).toMatchObject({ new_permissions: [], installs_waiting: 0 });
    expect(await run()).toMatchObject({ version: third.version, value: 'c' });
  });

  test('is taken back at once: the version before runs again, or the one that is named', async () => {
    const versions = [];
    for (const name of ['a', 'b', 'c']) versions.push((await deploy(`export const run = () => '${name}';`)).json.version);
    expect((await rollBack()).json).toMatchObject({ version: versions[1], installs_waiting: 0 });
    expect(await run()).toMatchObject({ version: versions[1], value: 'b' });
    expect((await rollBack(versions[0])).status).toBe(200);
    expect(await run()).toMatchObject({ value: 'a' });
    expect((await rollBack(versions[2])).status).toBe(200);
    expect(await run()).toMatchObject({ value: 'c' });
    expect((await rollBack(1_000)).json).toMatchObject({ code: 'function.no_version' });
    expect((await deploy(`export const run = () => 'd';`)).json.version).toBe(versions[2] + 1);
  });

  test('is of one environment, which an install joins', async () => {
    await deploy(`export const run = () => 'staged';`, { environment: 'staging' });
    expect(await run('staging')).toMatchObject({ status: 409, code: 'function.not_joined' });
    await approveFunctions(world, id, 'notes', 'staging');
    expect(await run('staging')).toMatchObject({ status: 200, value: 'staged' });
    expect((await world.meta('DELETE', `/applications/${id}/installs/notes/environments/staging`)).status).toBe(204);
    expect(await run('staging')).toMatchObject({ status: 409, code: 'function.not_joined' });
  });
});

describe('variables', () => {
  const set = (name: string, value: string, { secret = true, install = false } = {}) => {
    const where = install ? `/applications/${id}/installs/notes` : '/apps/notes';
    return world.meta('PUT', `${where}/environments/production/variables/${name}`, { value, secret });
  };
  const code = `import { env } from 'node:process';
    export const run = () => ({ ...env, same: env.PLAIN === process.env.PLAIN });`;
  const variables = [{ name: 'PLAIN', default: 'by default' }, { name: 'KEY', secret: true }, { name: 'UNSET' }];

  test('are what is set for the install, else for the environment, else the default; a change counts from the next call on', async () => {
    await deploy(code, { variables });
    expect((await run()).value).toEqual({ PLAIN: 'by default', same: true });
    await set('PLAIN', 'of all "\\\n\u0001\u00e4', { secret: false });
    await set('KEY', 'k-of-all');
    await set('NOT_DECLARED', 'x');
    expect((await run()).value).toEqual({ PLAIN: 'of all "\\\n\u0001\u00e4', KEY: 'k-of-all', same: true });
    await set('KEY', 'k-of-one', { install: true });
    expect((await run()).value).toMatchObject({ KEY: 'k-of-one' });
    await world.meta('DELETE', `/applications/${id}/installs/notes/environments/production/variables/KEY`);
    await world.meta('DELETE', '/apps/notes/environments/production/variables/PLAIN');
    expect((await run()).value).toEqual({ PLAIN: 'by default', KEY: 'k-of-all', same: true });
  });

  test('that are secrets are shown to nobody again', async () => {
    await deploy(code, { variables });
    const texts = [await set('KEY', 's3cret-value', { secret: false }), await set('OTHER', 's3cret-other')].map(({ text }) => text);
    await set('SEEN', 'not hidden', { secret: false });
    const listed = await world.meta('GET', '/apps/notes/environments/production/variables');
    expect(listed.json.objects.find(({ name }: { name: string }) => name === 'SEEN').value).toBe('not hidden');
    for (const text of [...texts, listed.text]) expect(text).not.toMatch(/s3cret/);
  });
});
