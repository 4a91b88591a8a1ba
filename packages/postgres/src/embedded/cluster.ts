import { chmod, chown, lchown, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBase62, Secret } from '@bulkhead/base';
import { databaseErrors } from '../database-errors.ts';
import type { BulkheadRole } from '../roles.ts';
import { type Binaries, isReachableByOthers } from './binaries.ts';
import { type RunAs, start } from './run-as.ts';

/** Where things lie in the data folder. */
export interface Layout {
  readonly folder: string;
  /** PGDATA. It appears in one step, so a half-made one is never taken for whole. */
  readonly pgData: string;
  readonly credentials: string;
  readonly socketFolder: string;
  /** Whether the socket folder lies outside and goes when the server stops. */
  readonly hasTemporarySocket: boolean;
}

export type Login = 'postgres' | BulkheadRole;
export type Passwords = Readonly<Record<Login, Secret>>;
const logins: readonly Login[] = ['postgres', 'bulkhead_owner', 'bulkhead_app', 'bulkhead_control', 'bulkhead_system'];

const SERVER_VERSION = '18';
const CREDENTIALS = 'bulkhead-credentials.json';
const LONGEST_SOCKET_FOLDER = 80; // the path of a socket ends at 103 bytes on macOS, 107 on Linux, its file name included
const ABANDONED_AFTER_MS = 10 * 60_000;

/** Makes what is missing in the data folder. Only for a folder that was inspected, and that nobody serves from. */
export async function layOut(folder: string, as: RunAs): Promise<Layout> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (as.kind === 'user') {
    await chmod(folder, 0o711);
    if (!(await isReachableByOthers(folder))) {
      const problem = `it cannot run as root, this machine refuses user namespaces, and an ordinary user cannot reach ${folder}. Start Bulkhead as an ordinary user, or choose a data folder such as /var/lib/bulkhead with BULKHEAD_DATA_DIR.`;
      throw databaseErrors('database.not_started', { params: { problem } });
    }
  }
  const inside = join(folder, 'run');
  await mkdir(inside, { recursive: true, mode: 0o700 });
  const hasTemporarySocket = Buffer.byteLength(inside) > LONGEST_SOCKET_FOLDER || !(await canHoldSockets(inside));
  const socketFolder = hasTemporarySocket ? await mkdtemp(join(tmpdir(), 'bulkhead-')) : inside;
  await ownTree(socketFolder, as);
  const pgData = join(folder, 'pg');
  return { folder, pgData, credentials: join(pgData, CREDENTIALS), socketFolder, hasTemporarySocket };
}

/** Some shared folders of virtual machines and containers cannot. */
async function canHoldSockets(folder: string): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(join(folder, `.probe-${process.pid}-${randomBase62(4)}`));
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    // Closing removes the file.
    server.close();
  }
}

async function own(path: string, as: RunAs): Promise<void> {
  if (as.uid !== undefined && as.gid !== undefined) await chown(path, as.uid, as.gid);
}

async function ownTree(path: string, as: RunAs): Promise<void> {
  const wanted = as.uid ?? process.getuid?.();
  if (wanted === undefined || process.getuid?.() !== 0 || (await stat(path)).uid === wanted) return;
  // The machine lets us run PostgreSQL another way than last time.
  const gid = as.gid ?? process.getgid?.() ?? 0;
  for (const entry of await readdir(path, { recursive: true })) {
    // The passwords stay with the account that Bulkhead runs as: by them a folder of root's is told from another's.
    if (entry !== CREDENTIALS) await lchown(join(path, entry), wanted, gid);
  }
  await chown(path, wanted, gid);
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null;
}

function emptyIfMissing(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return '';
  throw error;
}

/** The passwords of the cluster in `layout`, which is created if it is not there. */
export async function ensureCluster(layout: Layout, as: RunAs, binaries: Binaries): Promise<Passwords> {
  if (!(await exists(layout.pgData))) await createCluster(layout, as, binaries);
  const version = (await readFile(join(layout.pgData, 'PG_VERSION'), 'utf8').catch(emptyIfMissing)).trim();
  if (version !== SERVER_VERSION) {
    const what = version === '' ? 'holds no cluster of PostgreSQL (there is no PG_VERSION in it)' : `was written by PostgreSQL ${version}`;
    const problem = `${layout.pgData} ${what}, and this program brings PostgreSQL ${SERVER_VERSION}. Put the data back as it was, or set BULKHEAD_DATA_DIR to another folder.`;
    throw databaseErrors('database.not_started', { params: { problem } });
  }
  await ownTree(layout.pgData, as);
  const stored = JSON.parse(await readFile(layout.credentials, 'utf8')) as Record<string, unknown>;
  return Object.fromEntries(
    logins.map((login) => {
      const text = stored[login];
      if (typeof text !== 'string')
        throw databaseErrors('database.not_started', { params: { problem: `${layout.credentials} has no password for ${login}.` } });
      return [login, new Secret(text)];
    }),
  ) as Record<Login, Secret>;
}

async function createCluster(layout: Layout, as: RunAs, binaries: Binaries): Promise<void> {
  await removeAbandoned(layout.folder);
  const place = await mkdtemp(join(layout.folder, 'init-'));
  const pgData = join(place, 'pg');
  const passwordFile = join(place, 'password');
  try {
    const passwords = Object.fromEntries(logins.map((login) => [login, randomBase62(43)]));
    await writeFile(passwordFile, `${passwords['postgres']}\n`, { mode: 0o600 });
    await mkdir(pgData, { mode: 0o700 });
    for (const path of [place, pgData, passwordFile]) await own(path, as);
    await initdb(as, binaries, pgData, passwordFile);
    await writeFile(join(pgData, CREDENTIALS), JSON.stringify(passwords), { mode: 0o600 });
    await rename(pgData, layout.pgData).catch((error: NodeJS.ErrnoException) => {
      // Another process made one at the same moment; whose server gets the folder is PostgreSQL's to say.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

async function removeAbandoned(folder: string): Promise<void> {
  for (const entry of await readdir(folder)) {
    const path = join(folder, entry);
    if (entry.startsWith('init-') && Date.now() - (await stat(path)).mtimeMs > ABANDONED_AFTER_MS)
      await rm(path, { recursive: true, force: true });
  }
}

async function initdb(as: RunAs, binaries: Binaries, pgData: string, passwordFile: string): Promise<void> {
  const access = ['--username', 'postgres', '--pwfile', passwordFile, '--auth', 'scram-sha-256'];
  // The built-in locale sorts and folds the same on every machine, whatever its C library.
  const locale = ['--encoding', 'UTF8', '--locale-provider', 'builtin', '--builtin-locale', 'C.UTF-8', '--locale', 'C'];
  const child = start(as, binaries.initdb, ['--pgdata', pgData, ...access, ...locale, '--no-sync', '--no-instructions']);
  let complaint = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (complaint = (complaint + text).slice(-2_000)));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw databaseErrors('database.not_started', { params: { problem: `initdb ended with ${code}: ${complaint.trim()}` } });
}
