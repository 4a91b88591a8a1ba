import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { silentLog } from '@bulkhead/base';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { connect, type ConnectionUrl } from '../connection.ts';
import { startEmbeddedPostgres, type EmbeddedPostgres, type EmbeddedPostgresOptions } from './embedded-postgres.ts';
import { startToken } from './process-table.ts';

let folder: string;
/** A folder as a first start leaves it; most tests begin with a copy, for the sake of their speed. */
let begun: string;
const running: EmbeddedPostgres[] = [];
const children: ChildProcess[] = [];
const isRoot = process.getuid?.() === 0;

beforeAll(async () => {
  begun = await mkdtemp(join(tmpdir(), 'bulkhead-embedded-'));
  await (await startEmbeddedPostgres({ dataDir: begun, log: silentLog, durable: false })).stop();
  return () => rm(begun, { recursive: true });
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bulkhead-embedded-'));
});
/** Makes `folder` one that has been used before. */
const useBegunFolder = () => cp(begun, folder, { recursive: true });
afterEach(async () => {
  for (const child of children.splice(0)) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  await Promise.all(running.splice(0).map((each) => each.stop()));
  await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
});

async function startHere(options: Partial<EmbeddedPostgresOptions> = {}): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ dataDir: folder, log: silentLog, ...options });
  running.push(postgres);
  return postgres;
}

async function ask(url: ConnectionUrl, text: string): Promise<Record<string, unknown>[]> {
  const client = await connect(url, 'test');
  try {
    return (await client.query(text)).rows as Record<string, unknown>[];
  } finally {
    await client.end();
  }
}

/** Node in a process of its own that serves `folder`; `lines` are what it printed. */
async function serveInChild(mode: 'write' | 'serve', env: NodeJS.ProcessEnv = process.env) {
  const child = spawn(process.execPath, [fileURLToPath(new URL('launch-in-child.ts', import.meta.url)), folder, mode], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env,
  });
  children.push(child);
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  await vi.waitFor(() => expect(lines.length).toBeGreaterThan(mode === 'write' ? 50 : 0), { timeout: 20_000, interval: 5 });
  const { pid } = JSON.parse(lines[0]!) as { pid: number };
  return { child, lines, pid };
}

/** Ended, whether or not the new parent has taken notice. */
const hasEnded = async (pid: number): Promise<boolean> => (await startToken(pid)) === null;

async function killed(child: ChildProcess): Promise<void> {
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await closed;
}

describe('an embedded PostgreSQL', () => {
  test('keeps what was written from one start to the next, and its passwords to itself', async () => {
    const first = await startHere();
    await ask(first.ownerUrl, `create table kept (id int); insert into kept values (1)`);
    expect(String(first.ownerUrl)).toBe('[redacted]');
    expect((await stat(folder)).mode & 0o077).toBe(0);
    expect((await stat(join(folder, 'pg', 'bulkhead-credentials.json'))).mode & 0o777).toBe(0o600);
    expect(
      await ask(
        first.adminUrl,
        `select current_setting('listen_addresses') as tcp, current_setting('TimeZone') as zone, current_setting('wal_level') as wal, current_setting('fsync') as fsync`,
      ),
    ).toEqual([{ tcp: '', zone: 'UTC', wal: 'logical', fsync: 'on' }]);
    await first.stop();
    expect(await hasEnded(first.pid)).toBe(true);
    const second = await startHere();
    expect(await ask(second.ownerUrl, 'select * from kept')).toEqual([{ id: 1 }]);
    expect((await readdir(folder)).sort()).toEqual(['pg', 'run']);
  });

  test('lets each role in with its own password only', async () => {
    await useBegunFolder();
    const postgres = await startHere();
    for (const [url, role] of [
      [postgres.ownerUrl, 'bulkhead_owner'],
      [postgres.appUrl, 'bulkhead_app'],
      [postgres.controlUrl, 'bulkhead_control'],
      [postgres.systemUrl, 'bulkhead_system'],
    ] as const) {
      expect(await ask(url, 'select session_user as role')).toEqual([{ role }]);
      await expect(ask(url.reveal().replace(/:[^:@]+@/, ':wrong@'), 'select 1')).rejects.toMatchObject({ code: '28P01' });
      await expect(ask(url.reveal().replace(role, 'postgres'), 'select 1')).rejects.toMatchObject({ code: '28P01' });
    }
  });

  test('is refused a folder in use, in a sentence that names folder and process, and the first goes on', async () => {
    await useBegunFolder();
    const first = await startHere();
    const refusal = {
      code: 'database.folder_in_use',
      message: expect.stringMatching(new RegExp(`process ${process.pid}\\).*${folder}.*Stop it`)),
    };
    await expect(startHere()).rejects.toMatchObject(refusal);
    await expect(startHere({ dataDir: `${folder}/../${folder.split('/').at(-1)}/` })).rejects.toMatchObject(refusal);
    expect(await ask(first.ownerUrl, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('is refused a folder that another process serves', async () => {
    await useBegunFolder();
    const { child } = await serveInChild('serve');
    await expect(startHere()).rejects.toMatchObject({
      code: 'database.folder_in_use',
      message: expect.stringContaining(`process ${child.pid})`),
    });
  });

  test('of four started at once on a new folder, one serves and three are refused', async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 4 }, () => startHere({ durable: false })));
    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'database.folder_in_use' });
    expect(await ask(running[0]!.ownerUrl, 'select 1 as one')).toEqual([{ one: 1 }]);
  });
});

describe('after a kill', () => {
  test('of the Node process no acknowledged row is lost, and the server does not outlive it', async () => {
    await useBegunFolder();
    const { child, lines, pid } = await serveInChild('write');
    await killed(child);
    const acknowledged = Number(lines.at(-1));
    await vi.waitFor(async () => expect(await hasEnded(pid)).toBe(true), { timeout: 10_000 });
    const again = await startHere();
    const [row] = await ask(again.ownerUrl, 'select count(*) as count, max(number) as last from acknowledged');
    // One more may have been written and not reported.
    expect([acknowledged, acknowledged + 1]).toContain(row?.['count']);
    expect(row?.['last']).toBe(row?.['count']);
  });

  test('of Node and PostgreSQL together no acknowledged row is lost', async () => {
    await useBegunFolder();
    const { child, lines, pid } = await serveInChild('write');
    process.kill(pid, 'SIGKILL');
    await killed(child);
    const acknowledged = Number(lines.at(-1));
    const again = await startHere();
    expect(Number((await ask(again.ownerUrl, 'select count(*) as count from acknowledged'))[0]?.['count'])).toBeGreaterThanOrEqual(
      acknowledged,
    );
  });

  test('of PostgreSQL alone it is started again, at the same address', async () => {
    await useBegunFolder();
    const postgres = await startHere();
    await ask(postgres.ownerUrl, 'create table kept (id int); insert into kept values (1)');
    const { pid } = postgres;
    process.kill(pid, 'SIGKILL');
    await vi.waitFor(async () => expect(await ask(postgres.ownerUrl, 'select * from kept')).toEqual([{ id: 1 }]), {
      timeout: 15_000,
      interval: 20,
    });
    await vi.waitFor(() => expect(postgres.pid).not.toBe(pid));
  });

  test('a server that has outlived its launcher is shut down and its folder taken over', async () => {
    await useBegunFolder();
    // Without setpriv on the path nothing tells PostgreSQL that its parent has died, as on macOS.
    const path = join(folder, '..', `${folder.split('/').at(-1)}-bin`);
    await mkdir(path);
    for (const name of ['unshare', 'true']) await symlink(`/usr/bin/${name}`, join(path, name));
    try {
      const { child, pid } = await serveInChild('serve', { ...process.env, PATH: path });
      await killed(child);
      expect(await hasEnded(pid)).toBe(false);
      const again = await startHere();
      expect(await hasEnded(pid)).toBe(true);
      expect(await ask(again.ownerUrl, 'select count(*) as count from acknowledged')).toEqual([{ count: 0 }]);
    } finally {
      await rm(path, { recursive: true });
    }
  });

  test('a lock whose number now belongs to another process does not keep the folder shut', async () => {
    await useBegunFolder();
    const first = await startHere();
    const lock = join(folder, 'pg', 'postmaster.pid');
    const text = await readFile(lock, 'utf8');
    await first.stop();
    await writeFile(lock, text.replace(/^\d+/, String(process.ppid)));
    await expect(startHere()).resolves.toBeDefined();
  });

  test('a cluster that was only half made is not taken for one', async () => {
    await mkdir(join(folder, 'init-abandoned', 'pg'), { recursive: true });
    await writeFile(join(folder, 'init-abandoned', 'pg', 'PG_VERSION'), '18\n');
    expect(await ask((await startHere()).ownerUrl, 'select 1 as one')).toEqual([{ one: 1 }]);
  });
});

describe('where it runs', () => {
  test('a folder whose path is too long for a socket gets one elsewhere, gone after the stop', async () => {
    const postgres = await startHere({ dataDir: join(folder, 'x'.repeat(90)), durable: false });
    expect(postgres.socketDir.startsWith(folder)).toBe(false);
    await expect(startHere({ dataDir: join(folder, 'x'.repeat(90)) })).rejects.toMatchObject({ code: 'database.folder_in_use' });
    await postgres.stop();
    await expect(stat(postgres.socketDir)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('a folder of another version is refused by name', async () => {
    await mkdir(join(folder, 'pg'));
    await writeFile(join(folder, 'pg', 'PG_VERSION'), '17\n');
    await expect(startHere()).rejects.toMatchObject({ code: 'database.not_started', message: expect.stringContaining('PostgreSQL 17') });
  });

  test.runIf(isRoot)('as root without user namespaces it runs as another user, and back', async () => {
    await useBegunFolder();
    const first = await startHere({ runAs: 'user' });
    await ask(first.ownerUrl, 'create table kept (id int)');
    expect((await stat(`/proc/${first.pid}`)).uid).not.toBe(0);
    await first.stop();
    expect(await ask((await startHere()).ownerUrl, 'select * from kept')).toEqual([]);
  });

  test.runIf(isRoot)('as root without user namespaces, in a folder no other user reaches, it says what to do', async () => {
    await chmod(folder, 0o700);
    await expect(startHere({ dataDir: join(folder, 'data'), runAs: 'user' })).rejects.toMatchObject({
      code: 'database.not_started',
      message: expect.stringMatching(/choose a data folder/),
    });
  });
});
