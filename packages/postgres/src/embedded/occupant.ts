import { readFile, realpath, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '@bulkhead/base';
import { databaseErrors } from '../database-errors.ts';
import { commandLine, isAlive, startToken, workingFolder } from './process-table.ts';

const ORPHAN_LIMIT_MS = 30_000;
const launcherForm = /^bulkhead\.launcher=(\d+)\.(\w+)$/;

/** The setting by which a postgres on the process table names the Node process that started it. */
export async function launcherSetting(): Promise<string> {
  return `bulkhead.launcher=${process.pid}.${(await startToken(process.pid)) ?? 'unknown'}`;
}

interface PostmasterFile {
  readonly pid: number;
  readonly socket: string;
}

async function readPostmasterFile(pgData: string): Promise<PostmasterFile | null> {
  const text = await readFile(join(pgData, 'postmaster.pid'), 'utf8').catch(() => null);
  if (text === null) return null;
  const lines = text.split('\n');
  return { pid: Number(lines[0]), socket: `${lines[4] ?? ''}/.s.PGSQL.${lines[3] ?? ''}` };
}

/** Whether anything accepts connections at this socket. It tells even across containers that share the folder. */
function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = createConnection({ path: socket, timeout: 2_000 });
    const settle = (value: boolean) => {
      connection.destroy();
      resolve(value);
    };
    connection.once('connect', () => settle(true));
    connection.once('timeout', () => settle(true));
    connection.once('error', () => settle(false));
  });
}

async function isPostmasterOf(pid: number, pgData: string): Promise<boolean> {
  if (!Number.isSafeInteger(pid) || pid <= 1 || !isAlive(pid) || (await startToken(pid)) === null) return false;
  const folder = await workingFolder(pid);
  if (folder !== null) return folder === (await realpath(pgData));
  return (await commandLine(pid)).includes(pgData);
}

async function launcherOf(postmaster: number): Promise<{ readonly pid: number; readonly isAlive: boolean } | null> {
  for (const word of await commandLine(postmaster)) {
    const match = launcherForm.exec(word);
    if (match) return { pid: Number(match[1]), isAlive: (await startToken(Number(match[1]))) === match[2] };
  }
  return null;
}

/**
 * Leaves the data folder free for a server of ours, or throws `database.folder_in_use`. What a killed process left
 * behind is cleared: the lock of a dead server does not stand in the way, a live server whose launcher is dead is shut down.
 */
export async function clearFolder(pgData: string, folder: string, log: Log): Promise<void> {
  const file = await readPostmasterFile(pgData);
  if (file === null) return;
  const isRunning = await isPostmasterOf(file.pid, pgData);
  if (!isRunning && !(await answers(file.socket))) {
    log.info('A PostgreSQL that is no longer running had left its lock behind', { pid: file.pid });
    // A lock of a dead process PostgreSQL takes over by itself, safely. A process that was given the same number
    // since would keep it out for ever.
    if (isAlive(file.pid)) await rm(join(pgData, 'postmaster.pid'), { force: true });
    return;
  }
  const launcher = isRunning ? await launcherOf(file.pid) : null;
  if (launcher === null || launcher.isAlive) {
    throw databaseErrors('database.folder_in_use', { params: { folder, pid: launcher?.pid ?? file.pid } });
  }
  log.warn('A PostgreSQL had outlived the Bulkhead that started it; it is shut down first', { pid: file.pid, launcher: launcher.pid });
  await endOrphan(file.pid, pgData);
}

/** Whether the server that holds the folder's lock is this process. */
export async function isServing(pid: number | undefined, pgData: string): Promise<boolean> {
  return (await readPostmasterFile(pgData))?.pid === pid;
}

async function endOrphan(pid: number, pgData: string): Promise<void> {
  const limit = performance.now() + ORPHAN_LIMIT_MS;
  // SIGINT is PostgreSQL's fast shutdown. It may be under way already: the death of the launcher sends it too.
  process.kill(pid, 'SIGINT');
  while (await isPostmasterOf(pid, pgData)) {
    if (performance.now() > limit) process.kill(pid, 'SIGKILL');
    await delay(20);
  }
}
