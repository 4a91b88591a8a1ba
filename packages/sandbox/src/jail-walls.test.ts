import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { DEFAULT_LIMITS } from './contract.ts';
import { guests } from './guest.testkit.ts';
import { type Launcher, openLauncher } from './jail.ts';
import { isRunning, killedSupervisor } from './orphans.testkit.ts';

// What the engine would let a guest do if it were broken: Node in the place of workerd, in the very same walls.
describe('native code in the jail', () => {
  let folder: string;
  let launcher: Launcher;
  let listener: Server;
  let neighbour: Server;
  let port: number;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'bhx-'));
    for (const name of ['one/code', 'one/run', 'two/run']) mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, 'two', 'secret'), 'of the neighbour');
    launcher = await openLauncher(process.execPath);
    listener = createServer((socket) => socket.end('reached')).listen(0, '127.0.0.1');
    neighbour = createServer((socket) => socket.end('reached')).listen(join(folder, 'two', 'run', 'gw.sock'));
    await Promise.all([once(listener, 'listening'), once(neighbour, 'listening')]);
    port = (listener.address() as { port: number }).port;
  });
  afterAll(() => {
    listener.close();
    neighbour.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** What a script prints; `walls: false` = the same program without the jail, `filter: false` = in the jail, but without the filter of system calls. */
  async function run(script: string, { walls = true, filter: isFiltered = true } = {}): Promise<string> {
    const { program, args, filterPath } = launcher.launch({ folder: join(folder, 'one'), limits: DEFAULT_LIMITS });
    const all = args.slice(0, args.lastIndexOf('--') + 1);
    const head = isFiltered ? all : all.toSpliced(all.indexOf('--seccomp'), 2);
    const filter = openSync(filterPath!, 'r');
    const child = walls
      ? spawn(program, [...head, '/workerd', '-e', script], { env: {}, stdio: ['ignore', 'pipe', 'pipe', 'ignore', filter] })
      : spawn(process.execPath, ['-e', script], { env: {}, stdio: ['ignore', 'pipe', 'pipe'] });
    closeSync(filter);
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
    await once(child, 'close');
    return text.trim();
  }

  test('the jail is there, so that these tests are about it', () => {
    expect(launcher.isolation).toEqual({ level: 'jail', reason: null });
  });

  const connectTo = (where: string) =>
    `require('node:net').connect(${where}).on('data', (d) => { console.log(String(d)); process.exit(); }).on('error', (e) => console.log(e.code))`;

  test.each([
    ['a port of the machine', () => `{ port: ${port}, host: '127.0.0.1' }`, ['EPERM', 'EACCES', 'ENETUNREACH', 'ECONNREFUSED']],
    ["another instance's socket", () => JSON.stringify(join(folder, 'two', 'run', 'gw.sock')), ['ENOENT']],
  ])('does not reach %s', async (_, where, refusals) => {
    expect(refusals).toContain(await run(connectTo(where())));
    // Control: without the walls the same script reaches it.
    expect(await run(connectTo(where()), { walls: false })).toBe('reached');
  });

  test('does not reach a port of the machine by the namespace alone, without the filter', async () => {
    expect(['ENETUNREACH', 'ECONNREFUSED']).toContain(await run(connectTo(`{ port: ${port}, host: '127.0.0.1' }`), { filter: false }));
  });

  test.each([
    ['a file of the machine', () => '/etc/passwd'],
    ["another instance's file", () => join(folder, 'two', 'secret')],
    ['the folder of temporary files', () => tmpdir()],
    ['the sources of the host', () => import.meta.dirname],
  ])('does not see %s', async (_, path) => {
    expect(existsSync(path())).toBe(true);
    const script = `console.log(require('node:fs').existsSync(${JSON.stringify(path())}))`;
    expect(await run(script)).toBe('false');
    expect(await run(script, { walls: false })).toBe('true');
  });

  test('sees no other process, no environment, has no capability and a filter', async () => {
    const seen = JSON.parse(
      await run(`const fs = require('node:fs'); const status = fs.readFileSync('/proc/self/status', 'utf8'); const of = (name) => status.match(new RegExp('^' + name + ':\\\\s*(.*)$', 'm'))?.[1];
        console.log(JSON.stringify({ env: process.env, uid: process.getuid(), caps: of('CapEff'), bounding: of('CapBnd'), privileges: of('NoNewPrivs'), seccomp: of('Seccomp'), root: fs.readdirSync('/').sort(), processes: fs.readdirSync('/proc').filter((name) => /^\\d+$/.test(name)).length }))`),
    ) as Record<string, unknown>;
    expect(seen).toMatchObject({ uid: 65534, caps: '0000000000000000', privileges: '1', seccomp: '2' });
    expect(seen['env']).not.toHaveProperty('PATH');
    expect(seen['root']).toEqual(
      ['code', 'dev', 'lib', 'lib64', 'proc', 'run', 'workerd'].filter((name) => (seen['root'] as string[]).includes(name)),
    );
    expect(seen['processes']).toBeLessThanOrEqual(2);
  });

  test.each(['/x', '/code/x', '/lib/x', '/workerd'])('writes nothing at %s', async (path) => {
    expect(
      await run(
        `try { require('node:fs').writeFileSync(${JSON.stringify(path)}, 'x'); console.log('written') } catch (e) { console.log(e.code) }`,
      ),
    ).toMatch(/^(EROFS|EACCES|EPERM|ENOENT|ETXTBSY)$/);
  });
});

describe('workerd in the jail', () => {
  test('answers, and what leaves goes by the gateway', async () => {
    await using world = await guests({ jail: true });
    expect(world.supervisor.isolation.level).toBe('jail');
    const code = `export const run = async () => (await fetch('https://api.example/a')).status`;
    expect((await world.call('one', code)).outcome).toEqual({ kind: 'ok', value: '200' });
    expect(world.asked).toMatchObject([{ url: 'https://api.example/a', identity: { clientKey: 'one' } }]);
  });

  test('a runaway is killed within its budget while a neighbour answers', async () => {
    await using world = await guests({ jail: true });
    await world.call('calm', 'export const run = () => 1');
    const wild = world.call('wild', 'export const run = () => { while (true); }', { limits: { cpuMs: 500 } });
    let isOver = false;
    void wild.finally(() => (isOver = true));
    while (!isOver) expect((await world.call('calm', 'export const run = () => 1')).outcome.kind).toBe('ok');
    expect((await wild).outcome).toEqual({ kind: 'timeout', limit: 'cpu' });
  });

  test('a runaway goes behind all others with its whole session, where the machine shares out by sessions', async () => {
    await using world = await guests({ jail: true });
    await world.call('calm', 'export const run = () => 1');
    const wild = world.call('wild', 'export const run = () => { while (true); }', { limits: { cpuMs: 5_000, wallMs: 20_000 } });
    const groupOf = (tenant: string) => {
      const { pid } = world.supervisor.instances.find(({ identity }) => identity.clientKey === tenant) ?? {};
      return pid == null || !existsSync(`/proc/${pid}/autogroup`) ? null : readFileSync(`/proc/${pid}/autogroup`, 'utf8').trim();
    };
    if (existsSync('/proc/self/autogroup')) {
      await vi.waitUntil(() => groupOf('wild')?.endsWith('nice 15'), 15_000);
      expect(groupOf('calm')).toMatch(/nice 0$/);
    }
    await world.supervisor.close();
    await wild;
  });

  test('a bomb in memory ends that instance alone', async () => {
    await using world = await guests({ jail: true, limits: { cpuMs: 20_000 } });
    const bomb = 'export const run = () => { const all = []; while (true) all.push(new Array(1000).fill({})); }';
    await world.call('calm', 'export const run = () => 1');
    expect((await world.call('wild', bomb)).outcome).toEqual({ kind: 'memory' });
    expect((await world.call('calm', 'export const run = () => 1')).outcome.kind).toBe('ok');
  });

  test('leaves no file behind', async () => {
    const left = () => readdirSync(tmpdir()).filter((name) => name.startsWith('bhj-') || name.startsWith(`bhs-${process.pid}-`));
    const before = left();
    {
      await using world = await guests({ jail: true });
      expect((await world.call('one', 'export const run = () => 1')).outcome.kind).toBe('ok');
      expect(left()).toHaveLength(before.length + 1);
    }
    expect(left()).toEqual(before);
  });

  test('ends with its supervisor, however that ended', async () => {
    const pid = await killedSupervisor('jail');
    await expect.poll(() => isRunning(pid)).toBe(false);
  });
});
