import { readFileSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';

/** USER_HZ of Linux: what /proc counts CPU time in, whatever the kernel was built with. */
const TICK_MS = 10;
const PAGE_BYTES = 4096;

export interface ProcessUsage {
  /** User and system time since it began. */
  readonly cpuMs: number;
  readonly residentMb: number;
}

/** What a process has used, from /proc; null when it is gone, or where there is no /proc. */
export function processUsage(pid: number): ProcessUsage | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name of the program stands in parentheses and may hold anything; what follows the last one is numbers.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return {
      cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS,
      residentMb: (Number(fields[21]) * PAGE_BYTES) / 1024 / 1024,
    };
  } catch {
    return null;
  }
}

/** What a process holds for itself, in MiB: resident pages but those of files, which all instances share. Null when it is gone. */
export function ownMemoryMb(pid: number): number | null {
  try {
    const [, resident = 0, shared = 0] = readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ').map(Number);
    return ((resident - shared) * PAGE_BYTES) / 1024 / 1024;
  } catch {
    return null;
  }
}

/** Behind what starts at `nice 5`, and whatever else runs here. */
const NICE_OF_A_RUNAWAY = 15;

/**
 * Lets a process compute where nobody else wants to, for good: only root could take it back. Linux shares processors out among sessions first, and
 * an instance in the jail is a session of its own, so that its group is told too (sched(7), autogroup). False: the kernel wants to be asked again,
 * as it takes ten such wishes a second.
 */
export function yieldToOthers(pid: number): boolean {
  try {
    setPriority(pid, NICE_OF_A_RUNAWAY);
    const group = groupOf(pid);
    if (group !== null && group !== groupOf(process.pid)) writeFileSync(`/proc/${pid}/autogroup`, String(NICE_OF_A_RUNAWAY));
    return true;
  } catch (thrown) {
    // Else it is gone, or there is no such thing here.
    return (thrown as NodeJS.ErrnoException).code !== 'EAGAIN';
  }
}

/** Null: processes have no groups here. */
function groupOf(pid: number): string | null {
  try {
    return readFileSync(`/proc/${pid}/autogroup`, 'latin1').split(' ', 1)[0] ?? null;
  } catch {
    return null;
  }
}

/** The process of a name at the end of a line of children (nice → bwrap → bwrap → workerd); null while it is not there yet. */
export function findDescendant(pid: number, name: string): number | null {
  try {
    if (readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === name) return pid;
    for (const child of readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')) {
      const found = child === '' ? null : findDescendant(Number(child), name);
      if (found !== null) return found;
    }
  } catch {
    // Gone while we looked.
  }
  return null;
}
