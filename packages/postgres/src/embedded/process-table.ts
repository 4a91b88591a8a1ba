import { execFile } from 'node:child_process';
import { readFile, readlink } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function ps(pid: number, column: string): Promise<string | null> {
  const answer = await run('ps', ['-o', `${column}=`, '-p', String(pid)]).catch(() => null);
  return answer?.stdout.trim() || null;
}

/**
 * A token for the moment at which `pid` was started, or null if there is no such process. Together with the pid it
 * tells a process from a later one that was given the same number.
 */
export async function startToken(pid: number): Promise<string | null> {
  const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (line !== null) {
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended; only its parent has not looked yet.
    return fields[0] === 'Z' ? null : (fields[19] ?? null);
  }
  return (await ps(pid, 'lstart'))?.replaceAll(/\W/g, '') ?? null;
}

/** The words `pid` was started with; empty if it cannot be told. */
export async function commandLine(pid: number): Promise<readonly string[]> {
  const raw = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => null);
  return raw === null ? ((await ps(pid, 'args'))?.split(' ') ?? []) : raw.split('\0');
}

/** The folder `pid` works in, or null if it cannot be told. */
export async function workingFolder(pid: number): Promise<string | null> {
  return readlink(`/proc/${pid}/cwd`).catch(() => null);
}
