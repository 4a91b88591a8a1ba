import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('./killed-supervisor.testkit.ts', import.meta.url));

/** Starts a process with a supervisor and an instance, kills it with SIGKILL, and answers the pid of what was its instance. */
export async function killedSupervisor(level: 'jail' | 'process'): Promise<number> {
  const child = spawn(process.execPath, [program, level], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
  const pid = Number(chunk.toString('utf8').trim());
  if (!isRunning(pid)) throw new Error('the instance did not run');
  child.kill('SIGKILL');
  await once(child, 'exit');
  return pid;
}

/** Not gone, and not a zombie that nobody has asked for. */
export function isRunning(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}
