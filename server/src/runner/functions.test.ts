import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { silentLog } from '@bulkhead/base';
import { approveFunctions, type FakeApp, startFakeApp, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RunnerProcess } from './runner-process.ts';

// Through the real doors: the routes of the platform, the process of the runner, the engine in its own processes.
let world: World;
let runner: RunnerProcess;
let app: FakeApp;
let upstream: Server;
let upstreamAddress: string;
const tenants: string[] = [];
const heard: string[] = [];

beforeAll(async () => {
  upstream = createServer((request, response) => {
    heard.push(request.url ?? '');
    response.writeHead(request.url === '/away' ? 302 : 200, request.url === '/away' ? { location: 'http://undeclared.example/' } : {});
    response.end(`you asked ${request.url}`);
  }).listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  upstreamAddress = `127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  app = await startFakeApp({ key: 'notes' });
  runner = new RunnerProcess({ acceptProcess: true, apiUrl: () => world.url, log: silentLog });
  world = await World.create({ runner, egressAllow: [app.address, upstreamAddress] });
  await world.meta('POST', '/apps', { descriptor: app.descriptor });
  for (let made = 0; made < 2; made++) {
    const { id } = await world.application();
    expect((await world.meta('POST', `/applications/${id}/installs`, { app_key: 'notes' })).status).toBe(201);
    tenants.push(id);
  }
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await runner.close();
  await app[Symbol.asyncDispose]();
  upstream.close();
});

const storage = `const storage = async (body) => (await fetch('http://host.bulkhead.internal/storage', { method: 'POST', body: JSON.stringify(body) })).json();`;

interface Deployed {
  readonly environment?: string;
  readonly hosts?: readonly string[];
  readonly isolation?: 'call';
  readonly storage?: unknown;
  readonly limits?: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

async function deploy(
  code: string,
  keys: readonly string[],
  { environment = 'production', hosts = [], isolation, limits, storage: kept }: Deployed = {},
) {
  const manifest = {
    app: 'notes',
    ...(isolation === undefined ? {} : { isolation }),
    functions: keys.map((key) => ({ key, handler: `index.${key}`, ...(limits?.[key] === undefined ? {} : { limits: limits[key] }) })),
    permissions: { external: { fetch: { backend: hosts } } },
    ...(kept === undefined ? {} : { storage: kept }),
  };
  const answer = await world.meta('POST', '/apps/notes/deployments', { environment, manifest, code });
  expect(answer.status, answer.text).toBe(201);
  return answer.json;
}

async function invoke(tenant: string, name: string, payload: unknown = null, environment?: string) {
  const body = { function: name, payload, ...(environment === undefined ? {} : { environment }) };
  const answer = await world.meta('POST', `/applications/${tenant}/installs/notes/invoke`, body);
  return { status: answer.status, ...answer.json };
}

describe('functions of an installed App', () => {
  test('are called with what was deployed last, from the next call on', async () => {
    expect(await deploy(`export const run = () => 'first'`, ['run'])).toMatchObject({ version: 1, functions: ['run'] });
    expect(await invoke(tenants[0]!, 'run')).toMatchObject({ status: 200, version: 1, outcome: { kind: 'ok', value: 'first' } });
    expect(await deploy(`export const run = (payload, context) => ({ payload, context })`, ['run'])).toMatchObject({ version: 2 });
    const { outcome, version } = await invoke(tenants[0]!, 'run', { a: 1 });
    expect(version).toBe(2);
    expect(outcome.value).toMatchObject({
      payload: { a: 1 },
      context: { applicationId: tenants[0], appKey: 'notes', environment: 'production', version: 2, function: 'run' },
    });
  });

  test('are not there in another environment, nor where the App is not installed or disabled, nor under another name', async () => {
    expect(await invoke(tenants[0]!, 'run', null, 'staging')).toMatchObject({ status: 409, code: 'function.not_deployed' });
    expect(await invoke(tenants[0]!, 'other')).toMatchObject({ status: 400, code: 'function.unknown', field: 'function' });
    const { id } = await world.application();
    expect(await invoke(id, 'run')).toMatchObject({ status: 404 });
    await world.meta('POST', `/applications/${id}/installs`, { app_key: 'notes' });
    await world.meta('POST', `/applications/${id}/installs/notes/disable`);
    expect(await invoke(id, 'run')).toMatchObject({ status: 409, code: 'function.install_disabled' });
  });

  test('tell how they ended, and what they wrote; the log keeps it in order', async () => {
    await deploy(
      `export const run = (payload) => { console.log('said', payload); return 1; };
       export const bad = () => { console.error('before'); throw new RangeError('no'); };
       export const spin = () => { while (true); };`,
      ['run', 'bad', 'spin'],
    );
    const fresh = (await world.application()).id;
    await world.meta('POST', `/applications/${fresh}/installs`, { app_key: 'notes' });
    expect(await invoke(fresh, 'run', 'x')).toMatchObject({ outcome: { kind: 'ok' }, logs: [{ level: 'info', message: 'said x' }] });
    expect(await invoke(fresh, 'bad')).toMatchObject({ status: 200, outcome: { kind: 'threw', name: 'RangeError', message: 'no' } });
    expect(await invoke(fresh, 'spin')).toMatchObject({ status: 200, outcome: { kind: 'timeout', limit: 'cpu' } });
    const logs = (query = '') => world.meta('GET', `/applications/${fresh}/installs/notes/logs${query}`);
    const { objects, cursor } = (await logs()).json;
    expect(objects.map((call: Record<string, unknown>) => [call['function'], call['outcome']])).toEqual([
      ['run', 'ok'],
      ['bad', 'threw'],
      ['spin', 'timeout'],
    ]);
    expect(objects[1].lines).toMatchObject([{ level: 'error', message: 'before' }]);
    expect((await logs(`?cursor=${cursor}`)).json).toMatchObject({ objects: [], cursor, remaining: false });
    // Nothing of another install, and its logs are sealed.
    expect((await world.meta('GET', `/applications/${tenants[1]}/installs/notes/logs`)).text).not.toContain('said x');
  });

  test('keep values per install and environment', async () => {
    const code = `${storage} export const put = ({ key, value }) => storage({ op: 'set', key, value }); export const get = ({ key }) => storage({ op: 'get', key }); export const list = () => storage({ op: 'list' });`;
    for (const environment of ['production', 'staging']) await deploy(code, ['put', 'get', 'list'], { environment });
    await approveFunctions(world, tenants[0]!, 'notes', 'staging');
    await invoke(tenants[0]!, 'put', { key: 'name', value: { of: 'the first' } });
    await invoke(tenants[1]!, 'put', { key: 'name', value: 'the second' });
    expect((await invoke(tenants[0]!, 'get', { key: 'name' })).outcome.value).toMatchObject({ found: true, value: { of: 'the first' } });
    expect((await invoke(tenants[1]!, 'get', { key: 'name' })).outcome.value).toMatchObject({ found: true, value: 'the second' });
    expect((await invoke(tenants[0]!, 'get', { key: 'name' }, 'staging')).outcome.value).toEqual({ found: false });
    expect((await invoke(tenants[1]!, 'list')).outcome.value).toEqual({ keys: ['name'] });
  });

  test('keep what an entity declares, and four mebibytes in one transaction', async () => {
    const code = `${storage} export const run = async () => {
      const items = Array.from({ length: 17 }, (_, n) => ({ op: 'set', entity: 'part', key: 'p' + n, value: { of: 'all', text: 'x'.repeat(240_000) } }));
      const written = await storage({ op: 'transaction', items });
      const page = await storage({ op: 'entity_query', entity: 'part', index: 'of', range: { condition: 'equalTo', values: ['all'] }, limit: 100 });
      return [written.results.length, page.records.length, typeof page.cursor, await storage({ op: 'set', entity: 'part', key: 'k', value: { of: 1 } })];
    };`;
    const entities = [{ name: 'part', attributes: { of: { type: 'string' }, text: { type: 'string' } }, indexes: ['of'] }];
    await deploy(code, ['run'], { storage: { entities } });
    expect((await invoke(tenants[0]!, 'run')).outcome).toMatchObject({
      kind: 'ok',
      value: [17, 17, 'object', { status_code: 400, code: 'function.storage_invalid' }],
    });
  });

  test('keep nothing more from the moment their App is disabled, though they still run', async () => {
    const code = `${storage} export const late = async () => { const before = await storage({ op: 'get', key: 'x' }); await new Promise((done) => setTimeout(done, 1500)); return [before, await storage({ op: 'get', key: 'x' })]; };`;
    await deploy(code, ['late']);
    const { id } = await world.application();
    await world.meta('POST', `/applications/${id}/installs`, { app_key: 'notes' });
    const running = invoke(id, 'late');
    await new Promise((resolve) => setTimeout(resolve, 700));
    await world.meta('POST', `/applications/${id}/installs/notes/disable`);
    const [before, after] = (await running).outcome.value;
    expect(before).toEqual({ found: false });
    expect(after).toMatchObject({ status_code: 401 });
  });

  test('fetch from the hosts that are declared, and from no other, by whatever way', async () => {
    const code = `export const get = async (url) => { const answer = await fetch(url); return [answer.status, await answer.text()]; }; export const run = async (url) => { await fetch(url); };`;
    await deploy(code, ['get', 'run'], { hosts: [`http://${upstreamAddress}`] });
    await approveFunctions(world, tenants[0]!, 'notes');
    expect((await invoke(tenants[0]!, 'get', `http://${upstreamAddress}/a?b`)).outcome.value).toEqual([200, 'you asked /a?b']);
    for (const url of [
      `http://localhost:${upstreamAddress.split(':')[1]}/`,
      'https://undeclared.example/',
      `${world.url}/v1/meta/applications`,
      'http://169.254.169.254/latest',
      `http://${upstreamAddress}/away`,
    ])
      expect((await invoke(tenants[0]!, 'run', url)).outcome, url).toEqual({ kind: 'denied', reason: 'egress' });
    expect(heard).toEqual(['/a?b', '/away']);
    // Declared but private, and not opened by the operator: the door refuses.
    await deploy(code, ['get', 'run'], { hosts: ['http://127.0.0.1:1', 'http://10.0.0.1'] });
    await approveFunctions(world, tenants[0]!, 'notes');
    expect((await invoke(tenants[0]!, 'run', 'http://10.0.0.1/')).outcome).toEqual({ kind: 'denied', reason: 'egress' });
  });
});

describe('two tenants at once', () => {
  const code = `${storage} let last = null;
    export const mark = async ({ who, turn }) => {
      const before = last; last = who;
      await storage({ op: 'set', key: 'mark', value: who });
      const { value } = await storage({ op: 'get', key: 'mark' });
      return { who, turn, crossed: (before !== null && before !== who) || value !== who };
    };`;

  test('400 interleaved calls, none crossed: neither in memory nor in storage', async () => {
    await deploy(code, ['mark']);
    const results = [];
    for (let turn = 0; turn < 400; turn += 10) {
      const batch = Array.from({ length: 10 }, (_, index) =>
        invoke(tenants[index % 2]!, 'mark', { who: tenants[index % 2], turn: turn + index }),
      );
      results.push(...(await Promise.all(batch)));
    }
    expect(results.filter(({ outcome }) => outcome?.kind !== 'ok')).toEqual([]);
    expect(results.filter(({ outcome }) => outcome.value.crossed)).toEqual([]);
    expect(results).toHaveLength(400);
  });

  test('control: in one instance for both the variable of the module crosses', async () => {
    const payloads = ['one', 'two'].map((who) => ({ who, turn: 0 }));
    const results = [];
    for (const payload of payloads) results.push(await invoke(tenants[0]!, 'mark', payload));
    expect(results.map(({ outcome }) => outcome.value.crossed)).toContain(true);
  });
});

describe('by the manifest', () => {
  test('a call sees nothing of the one before, of the same install; control: without that, it does', async () => {
    const code = `let count = 0; export const run = () => ++count;`;
    const counts = async () => [(await invoke(tenants[0]!, 'run')).outcome.value, (await invoke(tenants[0]!, 'run')).outcome.value];
    await deploy(code, ['run'], { isolation: 'call' });
    expect(await counts()).toEqual([1, 1]);
    await deploy(code, ['run']);
    expect(await counts()).toEqual([1, 2]);
  });

  test('a function has the time it asks for, of both kinds, and the others theirs', async () => {
    const code = `export const short = () => { for (;;); }; export const slow = () => new Promise((done) => setTimeout(() => done(1), 2500));
      export const hasty = () => slow();`;
    const limits = { short: { cpu_ms: 100 }, slow: { timeout_seconds: 10 }, hasty: { timeout_seconds: 1 } };
    await deploy(code, ['short', 'slow', 'hasty'], { limits });
    const outcomes = await Promise.all(Object.keys(limits).map(async (name) => (await invoke(tenants[0]!, name)).outcome));
    expect(outcomes).toEqual([
      { kind: 'timeout', limit: 'cpu' },
      { kind: 'ok', value: 1 },
      { kind: 'timeout', limit: 'wall' },
    ]);
  });
});

describe('the process of the runner', () => {
  test('has no environment and speaks to the api role by tokens only', async () => {
    await deploy(`export const run = () => [process.env, Object.keys(globalThis).filter((name) => /token|secret/i.test(name))]`, ['run']);
    expect((await invoke(tenants[0]!, 'run')).outcome.value).toEqual([{}, []]);
  });

  test('that is killed takes its calls with it, and the next call starts another', async () => {
    await deploy(`export const run = () => 1; export const wait = () => new Promise((done) => setTimeout(done, 5000))`, ['run', 'wait']);
    await invoke(tenants[0]!, 'run');
    const waiting = invoke(tenants[0]!, 'wait');
    await new Promise((resolve) => setTimeout(resolve, 300));
    runner.kill();
    expect((await waiting).outcome).toMatchObject({ kind: 'crashed' });
    expect((await invoke(tenants[0]!, 'run')).outcome).toEqual({ kind: 'ok', value: 1 });
  });

  test('without the jail it refuses unless that was accepted', async () => {
    const strict = new RunnerProcess({ acceptProcess: false, apiUrl: () => world.url, log: silentLog, jail: false });
    expect(await strict.refusal()).toContain('no jail');
    await strict.close();
  });
});
