import { chmod, chown, readdir, rename, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { alteredEnd } from '@bulkhead/testkit';
import { CliWorld, metaStatus, processesOn } from './cli-process.testkit.ts';

// Each test starts whole servers, some three of them, while other suites share the machine.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });
const world = new CliWorld();
afterAll(() => world[Symbol.asyncDispose]());

const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;
/** Whether `nobody` may enter every folder above this checkout. */
const checkoutIsOpen = await (async () => {
  for (let folder = import.meta.dirname; ; folder = join(folder, '..')) {
    if (((await stat(folder)).mode & 0o005) !== 0o005) return false;
    if (folder === '/') return true;
  }
})();

describe('bulkhead start on an empty folder', () => {
  it('prints where everything is and a Meta token that works, once; SIGTERM ends it with 0 and its PostgreSQL too', async () => {
    const folder = await world.folder();
    const first = world.start(folder);
    const url = await first.ready();
    expect(first.stdout).toContain(url);
    expect(first.stdout).toContain('Written this once');
    expect(await metaStatus(url, first.metaToken)).toBe(200);
    expect(await metaStatus(url, alteredEnd(first.metaToken))).toBe(401);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    expect(await processesOn(join(folder, 'pg'))).not.toEqual([]);
    expect(await first.end('SIGTERM')).toBe(0);
    expect(first.stderr).toMatch(/Stopping \(SIGTERM\): [\s\S]*\nStopped\.\n$/);
    expect(await processesOn(join(folder, 'pg'))).toEqual([]);

    const second = world.start(folder);
    const urlAgain = await second.ready();
    expect(second.stdout).toContain('created at first start; `npx bulkhead meta-tokens create` makes another');
    expect(second.metaToken).toBe('');
    expect(await metaStatus(urlAgain, first.metaToken)).toBe(200);
    expect(await second.end('SIGINT')).toBe(0);
  });

  it.runIf(isRoot && checkoutIsOpen)('does the same for a user without rights', async () => {
    const folder = await world.folder();
    await chown(folder, NOBODY, NOBODY);
    const started = world.start(folder, { HOME: folder }, { uid: NOBODY, gid: NOBODY, cwd: folder });
    expect(await metaStatus(await started.ready(), started.metaToken)).toBe(200);
    expect(await started.end()).toBe(0);
    expect(await processesOn(join(folder, 'pg'))).toEqual([]);
  });

  it('uses the Meta token of BULKHEAD_META_TOKEN, issues none and prints none', async () => {
    const chosen = 'a-token-that-the-operator-has-chosen';
    const started = world.start(await world.folder(), { BULKHEAD_META_TOKEN: chosen });
    expect(await metaStatus(await started.ready(), chosen)).toBe(200);
    expect(started.stdout).toContain('the one in BULKHEAD_META_TOKEN');
    expect(started.stdout + started.stderr).not.toMatch(/bhm_|a-token-that/);
  });

  it('issues no token it cannot show: a start that fails at its port leaves the first token to the next start', async () => {
    const folder = await world.folder();
    await using taken = await takenPort();
    const failed = world.start(folder, { BULKHEAD_PORT: String(taken.port) });
    await failed.ended;
    expect(failed.exitCode).toBe(1);
    expect(failed.stderr).toContain(`Port ${taken.port} on 127.0.0.1 is in use`);
    expect(failed.stderr).toContain('BULKHEAD_PORT=');
    expect(failed.stderr).not.toContain('    at ');
    expect(failed.stdout).toBe('');
    expect(await processesOn(join(folder, 'pg'))).toEqual([]);
    const next = world.start(folder);
    await next.ready();
    expect(next.metaToken).not.toBe('');
  });
});

describe('bulkhead start on a folder in use', () => {
  it('is refused with the folder and the process that has it, which goes on serving', async () => {
    const folder = await world.folder();
    const first = world.start(folder);
    const url = await first.ready();
    const second = world.start(folder);
    await second.ended;
    expect(second.exitCode).toBe(1);
    expect(second.stderr).toContain(`Another Bulkhead (process ${first.child.pid}) is using the data folder ${folder}`);
    expect(second.stderr).toContain('BULKHEAD_DATA_DIR');
    expect(second.stdout).toBe('');
    expect(await metaStatus(url, first.metaToken)).toBe(200);
  });

  it('works after the process before it was killed, with everything it had acknowledged', async () => {
    const folder = await world.folder();
    const first = world.start(folder);
    const url = await first.ready();
    const authorization = { authorization: `Bearer ${first.metaToken}` };
    const made = await fetch(`${url}/v1/meta/applications`, {
      method: 'POST',
      headers: { ...authorization, 'content-type': 'application/json' },
      body: '{"name":"Survivor"}',
    });
    expect(made.status).toBe(201);
    await first.end('SIGKILL');
    const second = world.start(folder);
    const list = await fetch(`${await second.ready()}/v1/meta/applications`, { headers: authorization });
    expect(await list.text()).toContain('Survivor');
  });
});

describe('bulkhead start', () => {
  it('as a worker serves no port, issues no token and says it is ready', async () => {
    const folder = await world.folder();
    const started = world.start(folder, { BULKHEAD_ROLES: 'worker' });
    expect(await started.ready()).toBe('worker');
    expect(started.stdout).not.toMatch(/http:|bhm_/);
    expect(await started.end()).toBe(0);
    const api = world.start(folder, { BULKHEAD_ROLES: 'api' });
    expect(await metaStatus(await api.ready(), api.metaToken)).toBe(200);
  });

  it('stays up as a runner alone, and says that it has nothing to run', async () => {
    const started = world.start(await world.folder(), { BULKHEAD_ROLES: 'runner', BULKHEAD_LOG_LEVEL: 'debug' });
    expect(await started.ready()).toBe('runner');
    expect(started.exitCode).toBe(null);
    expect(await started.end()).toBe(0);
    expect(started.stderr).toContain('The role runner runs functions for the api role of its own process, and there is none');
  });

  it('keeps its secrets to itself: root key, passwords and log', async () => {
    const folder = await world.folder();
    const started = world.start(folder, { BULKHEAD_LOG_LEVEL: 'debug' });
    await started.ready();
    await started.end();
    expect((await stat(join(folder, 'root.key'))).mode & 0o077).toBe(0);
    expect((await stat(join(folder, 'pg'))).mode & 0o077).toBe(0);
    expect(started.stderr).toContain('A migration was run');
    expect(started.stderr).not.toMatch(/bhm_\w{20}|postgresql:\/\/\w+:(?!\[)/);
  });

  it('refuses a root key that the data was not made with, and a missing one, before anything is sealed', async () => {
    const folder = await world.folder();
    const first = world.start(folder);
    await first.ready();
    await first.end();
    const wrong = world.start(folder, { BULKHEAD_ROOT_KEY: Buffer.alloc(32, 7).toString('base64') });
    await wrong.ended;
    expect([wrong.exitCode, wrong.stderr]).toEqual([
      2,
      expect.stringContaining('BULKHEAD_ROOT_KEY: expected the root key this database was made with'),
    ]);
    await rename(join(folder, 'root.key'), join(folder, 'root.key.away'));
    const missing = world.start(folder);
    await missing.ended;
    expect([missing.exitCode, missing.stderr]).toEqual([2, expect.stringContaining('Put the file back')]);
    expect(await readdir(folder)).not.toContain('root.key');
    await rename(join(folder, 'root.key.away'), join(folder, 'root.key'));
    expect(await metaStatus(await world.start(folder).ready(), first.metaToken)).toBe(200);
  });

  it('says in one sentence that it cannot reach the database, without its password', async () => {
    await using taken = await takenPort();
    const started = world.start(await world.folder(), {
      BULKHEAD_DATABASE_URL: `postgres://bulkhead:hunter2@127.0.0.1:${taken.closed}/bulkhead`,
    });
    await started.ended;
    expect(started.exitCode).toBe(1);
    expect(started.stderr).toContain('Bulkhead cannot reach its database (connect ECONNREFUSED');
    expect(started.stderr).toContain('BULKHEAD_DATABASE_URL');
    expect(started.stderr).not.toContain('hunter2');
  });

  it.runIf(isRoot && checkoutIsOpen)('names a data folder it may not write to', async () => {
    const folder = await world.folder();
    await chmod(folder, 0o755);
    const started = world.spawn(['start'], { BULKHEAD_PORT: '0', BULKHEAD_DATA_DIR: join(folder, 'data') }, { uid: NOBODY, gid: NOBODY });
    await started.ended;
    expect(started.exitCode).toBe(1);
    for (const said of [`may not use ${join(folder, 'data')}`, 'EACCES', 'BULKHEAD_DATA_DIR']) expect(started.stderr).toContain(said);
  });
});

describe('bulkhead start --demo', () => {
  it('brings a page and services beside the API, and a Meta token for them that ends with it', async () => {
    const folder = await world.folder();
    const started = world.spawn(['start', '--demo'], { BULKHEAD_PORT: '0', BULKHEAD_DATA_DIR: folder });
    const url = await started.ready();
    const demoUrl = /Demo +(\S+)/.exec(started.stdout)?.[1] ?? '';
    expect(await (await fetch(demoUrl)).text()).toContain('<html');
    expect(await metaStatus(url, started.metaToken)).toBe(200);
    const lanternUrl = /Lantern Notes +(\S+)/.exec(started.stdout)?.[1] ?? '';
    expect((await fetch(`${lanternUrl}/me`)).status).toBe(401);
    expect((await fetch(`${lanternUrl}/me`, { headers: { 'x-api-key': 'lantern-demo-key-alder' } })).status).toBe(200);
    const during = await world.run(['meta-tokens', 'list'], { BULKHEAD_DATA_DIR: folder });
    expect(during.stdout).toContain('Demo page (revoked when its server stops)');
    expect(await started.end()).toBe(0);
    expect(started.stderr).not.toContain('"level":');
    const after = await world.run(['meta-tokens', 'list'], { BULKHEAD_DATA_DIR: folder });
    expect(after.stdout).toContain('First start');
    expect(after.stdout).not.toContain('Demo page');
  });

  it('is refused where this process serves no API', async () => {
    const refused = world.spawn(['start', '--demo'], { BULKHEAD_ROLES: 'worker', BULKHEAD_DATA_DIR: await world.folder() });
    await refused.ended;
    expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringContaining('--demo needs the API in this process')]);
  });
});

describe('bulkhead demo', () => {
  it('walks through the product with every answer as expected, and leaves nothing behind', async () => {
    const temporary = await world.folder();
    const told = await world.run(['demo'], { TMPDIR: temporary });
    expect(told.stdout).toContain('Every answer was the expected one.');
    expect([told.exitCode, told.stderr]).toEqual([0, '']);
    expect(await readdir(temporary)).toEqual([]);
  });
});

describe('the door on an older Node', () => {
  const pretend = (version: string) => [
    '--import',
    `data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"${version}"}})`,
  ];

  it('runs the command on the Node that npm ci brought, and passes signals and exit codes on', async () => {
    const folder = await world.folder();
    const started = world.start(folder, {}, { nodeArgs: pretend('20.20.2') });
    const url = await started.ready();
    expect(await metaStatus(url, started.metaToken)).toBe(200);
    expect(await started.end('SIGTERM')).toBe(0);
    expect(await processesOn(join(folder, 'pg'))).toEqual([]);
    const wrong = world.spawn(['start'], { BULKHEAD_PORT: 'ninety' }, { nodeArgs: pretend('14.0.0') });
    await wrong.ended;
    expect(wrong.exitCode).toBe(2);
  });

  it('leaves no server behind when it is killed', async () => {
    const folder = await world.folder();
    const started = world.start(folder, {}, { nodeArgs: pretend('20.20.2') });
    await started.ready();
    await started.end('SIGKILL');
    // The inner Node notices by its channel, drains and ends; a new start waits for that or finds it done.
    await expect.poll(() => processesOn(join(folder, 'pg')), { timeout: 20_000 }).toEqual([]);
  });
});

/** A port somebody listens on, and one that nobody does. */
async function takenPort() {
  const server = createServer().listen(0, '127.0.0.1');
  const other = createServer().listen(0, '127.0.0.1');
  await Promise.all([once(server, 'listening'), once(other, 'listening')]);
  const closed = (other.address() as AddressInfo).port;
  other.close();
  await once(other, 'close');
  return {
    port: (server.address() as AddressInfo).port,
    closed,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, 'close');
    },
  };
}
