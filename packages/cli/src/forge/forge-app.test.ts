import { AsyncLocalStorage } from 'node:async_hooks';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CliWorld } from '../cli-process.testkit.ts';
import { readFunctionSource } from '../function-source.ts';

// The example as its vendor would bring it: read, bundled and deployed by the command, on a server with the real engine, in two Applications.
vi.setConfig({ testTimeout: 180_000 });
const root = join(import.meta.dirname, '../../../..');
const folder = join(root, 'examples/forge-app');
const CALLS = 800;
const AT_ONCE = 10;

const world = new CliWorld();
const app = createServer((_request, response) => response.writeHead(204).end());
let env: Record<string, string> = {};
let url = '';
let token = '';
const tenants: string[] = [];
const apiKeys: string[] = [];

async function meta(path: string, body: unknown, method = 'POST') {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const answer = await fetch(`${url}/v1/meta${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  return (await answer.json()) as Record<string, unknown> & { id: string; outcome?: { kind: string; value?: unknown } };
}

/** What the guide says is printed for the example. */
async function inertInTheGuide(): Promise<string[]> {
  const guide = await readFile(join(root, 'docs/guides/bring-a-forge-back-end.md'), 'utf8');
  return /^```\n(manifest\.yml: [\s\S]*?)\n```$/m.exec(guide)?.[1]?.split('\n') ?? [];
}

const resolve = (tenant: string, functionKey: string, payload: unknown = {}) =>
  meta(`/applications/${tenant}/installs/notes/invoke`, { function: 'resolver', payload: { call: { functionKey, payload } } });

beforeAll(async () => {
  await once(app.listen(0, '127.0.0.1'), 'listening');
  const address = `127.0.0.1:${(app.address() as AddressInfo).port}`;
  const data = await world.folder();
  const server = world.start(data, { BULKHEAD_EGRESS_ALLOW: address, BULKHEAD_SANDBOX: 'process' });
  url = await server.ready();
  token = server.metaToken;
  env = { META_TOKEN: token, API: url, BULKHEAD_DATA_DIR: data };
  await meta('/apps', { descriptor: { key: 'notes', baseUrl: `http://${address}`, authentication: { type: 'none' }, scopes: ['READ'] } });
  for (const name of ['Alder', 'Birch']) {
    const { id, default_api_key } = await meta('/applications', { name, events_enabled: true });
    await meta(`/applications/${id}/installs`, { app_key: 'notes', scopes: ['READ'] });
    tenants.push(id);
    apiKeys.push((default_api_key as { key: string }).key);
  }
}, 120_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  app.close();
}, 60_000);

describe('an App written for Forge', () => {
  it('is deployed by its manifest.yml as it stands, and told what of it is inert', async () => {
    const deployed = await world.run(['functions', 'deploy', folder, '--app', 'notes', '--environment', 'production'], env);
    expect([deployed.exitCode, deployed.stdout]).toEqual([0, expect.stringContaining('Deployed: version 1 of notes in production')]);
    expect(deployed.stderr.replaceAll(`${folder}/`, '').trim().split('\n')).toEqual(await inertInTheGuide());
    // What it may do is new to both.
    for (const tenant of tenants) {
      const path = `/applications/${tenant}/installs/notes/environments/production`;
      const { requested } = await meta(path, undefined, 'GET');
      await meta(path, { permissions: requested }, 'PUT');
    }
  });

  it('answers by its resolver, each installation with what is its own', async () => {
    expect((await resolve(tenants[0]!, 'addNote', { id: 'a', text: 'of Alder', priority: 2 })).outcome).toEqual({
      kind: 'ok',
      value: { id: 'a', site: tenants[0], jobId: expect.any(String) },
    });
    await resolve(tenants[0]!, 'addNote', { id: 'later', text: 'in a while' });
    expect((await resolve(tenants[0]!, 'listNotes', { from: 1 })).outcome?.value).toEqual([{ id: 'a', text: 'of Alder', priority: 2 }]);
    expect((await resolve(tenants[1]!, 'listNotes')).outcome?.value).toEqual([]);
    expect((await resolve(tenants[0]!, 'noSuch')).outcome).toMatchObject({
      kind: 'threw',
      message: expect.stringContaining('It has: addNote'),
    });
  });

  it('is called by its queue, and again where it asks for it', async () => {
    const digest = async () => (await resolve(tenants[0]!, 'digestOf')).outcome?.value as { note: string; attempts: number }[];
    await expect.poll(async () => (await digest()).length, { timeout: 60_000 }).toBe(2);
    expect((await digest()).toSorted((one, other) => one.note.localeCompare(other.note))).toEqual([
      { note: 'a', attempts: 1 },
      { note: 'later', attempts: 2 },
    ]);
    expect((await resolve(tenants[1]!, 'digestOf')).outcome?.value).toEqual([]);
  });

  it('answers at the address of its web trigger, in the form of Forge', async () => {
    const at = `${url}/f/${tenants[1]}/notes/incoming`;
    const answer = await fetch(`${at}?id=hooked`, { method: 'POST', body: 'from outside' });
    expect([answer.status, answer.headers.get('content-type'), await answer.json()]).toEqual([
      201,
      'application/json',
      { id: 'hooked', installContext: `ari:cloud:bulkhead::site/${tenants[1]}` },
    ]);
    expect((await fetch(at)).status).toBe(405);
    expect((await resolve(tenants[1]!, 'listNotes', { from: 1 })).outcome?.value).toEqual([
      { id: 'hooked', text: 'from outside', priority: 1 },
    ]);
  });

  it('is called by an event of its Application, and sees the accounts of that one alone', async () => {
    const about = async (tenant: string) => (await resolve(tenant, 'about')).outcome?.value;
    const none = { accounts: [], lastEvent: null };
    expect(await about(tenants[0]!)).toEqual({ ...none, hook: `${url}/f/${tenants[0]}/notes/incoming` });
    const headers = { authorization: `APIKey ${apiKeys[0]}`, 'content-type': 'application/json' };
    const body = JSON.stringify({ service: 'gdrive', account: 'ada', token: 'x' });
    expect((await fetch(`${url}/v1/accounts`, { method: 'POST', headers, body })).status).toBe(201);
    await expect
      .poll(() => about(tenants[0]!), { timeout: 60_000 })
      .toMatchObject({ accounts: [{ displayName: 'ada' }], lastEvent: 'account.connected' });
    expect(await about(tenants[1]!)).toMatchObject(none);
  });

  it('is called by its schedule, told which', async () => {
    const called = await meta(`/applications/${tenants[0]}/installs/notes/invoke`, { function: 'scheduled-tidy-daily' });
    expect(called.outcome).toMatchObject({ kind: 'ok' });
    expect((await resolve(tenants[0]!, 'digestOf')).outcome?.value).toEqual([]);
  });
});

describe('a bundle that was built before', () => {
  it('finds around it what Forge puts there, each call its own', async () => {
    const built = await world.folder();
    await mkdir(join(built, 'src'));
    const manifest = 'app:\n  id: ari:cloud:ecosystem::app/built\nmodules:\n  function:\n    - key: run\n      handler: index.run\n';
    await writeFile(join(built, 'manifest.yml'), manifest);
    const bundle = `const crypto = require('crypto');
const atLoad = typeof globalThis.__forge_runtime__;
const kvs = (path, body) => globalThis.__forge_fetch__({ type: 'kvs', provider: 'app', remote: 'kvs' }, '/api/v1/' + path, { method: 'POST', body: JSON.stringify(body) });
exports.run = async (payload) => {
  const before = await kvs('get', { key: 'who' });
  await kvs('set', { key: 'who', value: payload.who });
  const { appContext } = globalThis.__forge_runtime__;
  return [atLoad, before.status, (await (await kvs('get', { key: 'who' })).json()).value, appContext.environmentType, crypto.createHash('sha256').update('a').digest('hex').length];
};
`;
    await writeFile(join(built, 'src', 'index.js'), bundle);
    const deployed = await world.run(['functions', 'deploy', built, '--app', 'notes', '--environment', 'staging'], env);
    expect([deployed.exitCode, deployed.stdout]).toEqual([0, expect.stringContaining('in staging')]);
    for (const tenant of tenants) {
      await meta(`/applications/${tenant}/installs/notes/environments/staging`, { permissions: [] }, 'PUT');
      const body = { function: 'run', environment: 'staging', payload: { who: tenant } };
      const { outcome } = await meta(`/applications/${tenant}/installs/notes/invoke`, body);
      expect(outcome).toEqual({ kind: 'ok', value: ['undefined', 404, tenant, 'STAGING', 64] });
    }
  });
});

describe('the guide', () => {
  it('has commands that do what they say, from the descriptor to a call', async () => {
    const home = await world.folder();
    const guide = await readFile(join(root, 'docs/guides/bring-a-forge-back-end.md'), 'utf8');
    const [, descriptor = ''] = /^```json\n([\s\S]*?)^```/m.exec(guide) ?? [];
    await writeFile(join(home, 'descriptor.json'), descriptor);
    const readme = await readFile(join(root, 'README.md'), 'utf8');
    const lines = [
      ...readme.split('\n').filter((line) => /^(field|meta)\(\)/.test(line)),
      // The command of this checkout in the place of an installed one.
      `npx() { shift; "${process.execPath}" "$BULKHEAD/packages/cli/bin/bulkhead.mjs" "$@"; }`,
      ...Array.from(guide.matchAll(/^```sh\n([\s\S]*?)^```/gm), ([, block = '']) => block),
    ];
    const { id } = await meta('/applications', { name: 'Cedar' });
    const { PATH = '' } = process.env;
    const child = spawn('bash', ['--norc', '-euo', 'pipefail', '-c', lines.join('\n')], {
      cwd: home,
      env: { ...env, PATH: `${dirname(process.execPath)}:${PATH}`, BULKHEAD: root, APP: id },
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (said += text));
    const [status] = (await once(child, 'close')) as [number];
    expect(status, said).toBe(0);
    expect(said).toContain('Deployed: version 1 of forge-notes in production');
    expect(said).toMatch(/"site": "app/);
  });
});

describe('two tenants at once', () => {
  it(`${CALLS} interleaved calls of the App, none crossed: neither in its cache nor in its storage`, async () => {
    const outcomes = [];
    for (let turn = 0; turn < CALLS; turn += AT_ONCE) {
      const batch = Array.from({ length: AT_ONCE }, (_, index) => {
        const who = tenants[index % 2]!;
        // Of ten calls two write a note as well, which the queue takes up beside all the others.
        return index > 1
          ? resolve(who, 'visit', { who, turn: turn + index })
          : resolve(who, 'addNote', { id: `${who}-${turn}`, text: who, priority: 9 });
      });
      outcomes.push(...(await Promise.all(batch)).map(({ outcome }) => outcome));
    }
    expect(outcomes.filter((outcome) => outcome?.kind !== 'ok')).toEqual([]);
    expect(outcomes).toHaveLength(CALLS);
    expect(outcomes.filter((outcome) => (outcome as unknown as { value: { crossed?: boolean } }).value.crossed)).toEqual([]);
    for (const tenant of tenants) {
      const notes = (await resolve(tenant, 'listNotes', { from: 9 })).outcome?.value as { text: string }[];
      expect(notes).toHaveLength(CALLS / AT_ONCE);
      expect(notes.filter(({ text }) => text !== tenant)).toEqual([]);
    }
  });

  it('control: the same bundle in one process for both crosses in its cache, though storage is kept apart', async () => {
    const { bundle } = await readFunctionSource(folder, { app: 'notes' });
    const file = join(await world.folder(), 'bundle.mjs');
    await writeFile(file, await bundle());
    const calls = new AsyncLocalStorage<{ applicationId: string; kept: Map<string, unknown> }>();
    vi.stubGlobal(Symbol.for('bulkhead.host') as unknown as string, {
      context: () => calls.getStore(),
      fetch: async (_url: string, { body }: { body: string }) => {
        const { kept } = calls.getStore()!;
        const { op, key, value } = JSON.parse(body) as { op: string; key: string; value: unknown };
        if (op === 'set') kept.set(key, value);
        return Response.json({ found: kept.has(key), value: kept.get(key) });
      },
    });
    const { resolver } = (await import(pathToFileURL(file).href)) as {
      resolver: (payload: unknown, context: unknown) => Promise<{ crossed: boolean }>;
    };
    const both = ['one', 'two'].map((applicationId) => ({ applicationId, kept: new Map<string, unknown>() }));
    const visits = Array.from({ length: 100 }, (_, turn) => {
      const context = both[turn % 2]!;
      return calls.run(context, () => resolver({ call: { functionKey: 'visit', payload: { who: context.applicationId, turn } } }, context));
    });
    expect((await Promise.all(visits)).filter(({ crossed }) => crossed)).toHaveLength(99);
    expect(both.map(({ applicationId, kept }) => kept.get('visitor') === applicationId)).toEqual([true, true]);
  });
});
