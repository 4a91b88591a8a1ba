import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, lstat, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { silentLog } from '@bulkhead/base';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connect, type ConnectionUrl } from '../connection.ts';
import { accountName } from './accounts.ts';
import { attachEmbeddedPostgres } from './attach.ts';
import { isReachableByOthers } from './binaries.ts';
import { explainFolderError, inspectFolder } from './data-folder.ts';
import { type EmbeddedPostgres, type EmbeddedPostgresOptions, startEmbeddedPostgres } from './embedded-postgres.ts';

const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;
const launcher = fileURLToPath(new URL('launch-in-child.ts', import.meta.url));
const canBeNobody = isRoot && (await isReachableByOthers(import.meta.dirname)) && (await isReachableByOthers(join(process.execPath, '..')));

let folder: string;
const running: EmbeddedPostgres[] = [];
const children: ChildProcess[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bulkhead-data-folder-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const closed = once(child, 'close');
    child.kill('SIGTERM');
    await closed;
  }
  await Promise.all(running.splice(0).map((each) => each.stop()));
  await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
});

async function startHere(options: Partial<EmbeddedPostgresOptions> = {}): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ dataDir: folder, log: silentLog, durable: false, ...options });
  running.push(postgres);
  return postgres;
}

async function ask(url: ConnectionUrl, text = 'select 1 as one'): Promise<unknown> {
  const client = await connect(url, 'test');
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

/** Owner, group and mode of everything in the folder that is not the server's to make and remove as it goes. */
async function ownership(): Promise<readonly string[]> {
  const entries = ['.', ...(await readdir(folder)), ...(await readdir(join(folder, 'pg')).catch(() => [])).map((entry) => `pg/${entry}`)];
  return Promise.all(
    entries.sort().map(async (entry) => {
      const { uid, gid, mode } = await lstat(join(folder, entry));
      return `${entry} ${uid}:${gid} ${mode.toString(8)}`;
    }),
  );
}

/** Serves the folder from a process that runs as nobody. */
async function serveAsNobody(): Promise<void> {
  const child = spawn(process.execPath, [launcher, folder, 'serve'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    uid: NOBODY,
    gid: NOBODY,
    cwd: '/',
  });
  children.push(child);
  await once(child.stdout, 'data');
}

/** The last words of a process that tries to serve the folder as nobody. */
async function refusedAsNobody(): Promise<string> {
  const child = spawn(process.execPath, [launcher, folder, 'serve'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    uid: NOBODY,
    gid: NOBODY,
    cwd: '/',
  });
  children.push(child);
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  await once(child, 'close');
  return said;
}

const notStarted = (message: RegExp) => ({ code: 'database.not_started', message: expect.stringMatching(message) });

describe.runIf(isRoot)('to root, the folder of another account', () => {
  test.runIf(canBeNobody)('is refused while that account serves from it, whose server goes on and comes back after a stop', async () => {
    await chown(folder, NOBODY, NOBODY);
    await serveAsNobody();
    const before = await ownership();
    const name = await accountName(NOBODY);
    await expect(startHere()).rejects.toMatchObject(
      notStarted(new RegExp(`${folder} belongs to ${name}.*Run the command as ${name}.*BULKHEAD_DATA_DIR`)),
    );
    await expect(startHere({ runAs: 'user' })).rejects.toMatchObject(notStarted(/belongs to/));
    expect(await ownership()).toEqual(before);
    // A command beside the server joins it and leaves no trace.
    const urls = await attachEmbeddedPostgres({ dataDir: folder, log: silentLog });
    expect(await ask(urls!.ownerUrl)).toEqual([{ one: 1 }]);
    expect(await ownership()).toEqual(before);
    const [child] = children.splice(0);
    const closed = once(child!, 'close');
    child!.kill('SIGTERM');
    await closed;
    await expect(startHere()).rejects.toMatchObject(notStarted(/belongs to/));
    await serveAsNobody();
    expect(await ask((await attachEmbeddedPostgres({ dataDir: folder, log: silentLog }))!.ownerUrl)).toEqual([{ one: 1 }]);
  });

  test('is refused without a server and without a cluster too; the same folder is taken when it is root’s', async () => {
    await chown(folder, NOBODY, NOBODY);
    await expect(startHere()).rejects.toMatchObject(notStarted(/belongs to .*BULKHEAD_DATA_DIR/));
    expect(await readdir(folder)).toEqual([]);
    await chown(folder, 0, 0);
    expect(await ask((await startHere()).ownerUrl)).toEqual([{ one: 1 }]);
  });

  test.runIf(canBeNobody)('is refused where only what lies in it is that account’s', async () => {
    await chmod(folder, 0o777);
    await serveAsNobody();
    const before = await ownership();
    await expect(startHere()).rejects.toMatchObject(notStarted(/belongs to/));
    expect(await ownership()).toEqual(before);
  });
});

describe('a folder that is served from', () => {
  test.runIf(isRoot)('keeps every owner when a start that would run PostgreSQL another way is refused', async () => {
    const first = await startHere({ runAs: 'user' });
    expect((await stat(join(folder, 'pg'))).uid).not.toBe(0);
    const before = await ownership();
    await expect(startHere({ runAs: 'namespace' })).rejects.toMatchObject({
      code: 'database.folder_in_use',
      message: expect.stringContaining('BULKHEAD_DATA_DIR'),
    });
    expect(await ownership()).toEqual(before);
    expect(await ask(first.ownerUrl)).toEqual([{ one: 1 }]);
  });

  test.runIf(isRoot)('by root is taken up in each way of running PostgreSQL after the other', async () => {
    for (const runAs of ['user', 'namespace', 'user', 'user'] as const) {
      const postgres = await startHere({ runAs });
      expect(await ask(postgres.ownerUrl)).toEqual([{ one: 1 }]);
      expect((await stat(join(folder, 'pg', 'bulkhead-credentials.json'))).uid).toBe(0);
      await postgres.stop();
    }
  });
});

describe('a folder we may not use', () => {
  test.runIf(canBeNobody)('is refused with its owner’s name and not with another cause', async () => {
    const root = await startHere();
    await root.stop();
    const told = new RegExp(
      `${await accountName(NOBODY)} may not use ${folder}.*\\(EACCES\\).* belongs to root\\. Run the command as root, or set BULKHEAD_DATA_DIR`,
    );
    expect(await refusedAsNobody()).toMatch(told);
    await chmod(folder, 0o755);
    expect(await refusedAsNobody()).toMatch(told);
  });

  test.runIf(!isRoot)('is refused though it is ours, by its permissions', async () => {
    await chmod(folder, 0o500);
    await expect(startHere()).rejects.toMatchObject(notStarted(/permissions of .*BULKHEAD_DATA_DIR/));
    await chmod(folder, 0o700);
    await expect(inspectFolder(folder)).resolves.toBeUndefined();
  });

  test('is refused where it is a file', async () => {
    const file = join(folder, 'file');
    await writeFile(file, '');
    await expect(startHere({ dataDir: file })).rejects.toMatchObject(notStarted(/is no folder.*BULKHEAD_DATA_DIR/));
    await expect(startHere({ dataDir: join(file, 'data') })).rejects.toMatchObject(notStarted(/is no folder.*BULKHEAD_DATA_DIR/));
    await expect(attachEmbeddedPostgres({ dataDir: file, log: silentLog })).rejects.toMatchObject(notStarted(/is no folder/));
  });

  test('is told from an error about a path elsewhere, which stays what it is', async () => {
    const error = (path: string, code: string) => Object.assign(new Error(code), { code, path });
    const inside = error(join(folder, 'pg'), 'EROFS');
    expect(await explainFolderError(inside, folder)).toMatchObject({ ...notStarted(/read-only.*BULKHEAD_DATA_DIR/), cause: inside });
    for (const other of [error(`${folder}-beside`, 'EROFS'), error(join(folder, 'pg'), 'EIO'), new Error('no path')])
      expect(await explainFolderError(other, folder)).toBe(other);
  });
});

describe('a folder with things in it', () => {
  test('that are not ours is refused and nothing is added to it', async () => {
    for (const name of ['applications', 'doc', 'info', 'man']) await mkdir(join(folder, name));
    await expect(startHere()).rejects.toMatchObject(notStarted(/holds other things \(applications, doc, info, …\).*BULKHEAD_DATA_DIR/));
    expect(await readdir(folder)).toHaveLength(4);
  });

  test('that only look like a cluster is refused', async () => {
    await mkdir(join(folder, 'pg'));
    await expect(inspectFolder(folder)).rejects.toMatchObject(notStarted(/other things \(pg\)/));
    await writeFile(join(folder, 'root.key'), 'x');
    await expect(startHere()).rejects.toMatchObject(notStarted(/pg holds no cluster of PostgreSQL/));
  });

  test.each([
    [['root.key']],
    [['root.key', 'notes.txt']],
    [['run', 'init-a1B2c3', 'root.key.x7', 'postgres-18.1.0']],
    [['lost+found']],
    [[]],
  ])('of which we know %j is used', async (names) => {
    for (const name of names) await writeFile(join(folder, name), '');
    await expect(inspectFolder(folder)).resolves.toBeUndefined();
  });

  test('beside a cluster is used, and so is one that is not there yet', async () => {
    const dataDir = join(folder, 'new', 'data');
    await (await startHere({ dataDir })).stop();
    await writeFile(join(dataDir, 'notes.txt'), '');
    expect(await ask((await startHere({ dataDir })).ownerUrl)).toEqual([{ one: 1 }]);
  });
});
