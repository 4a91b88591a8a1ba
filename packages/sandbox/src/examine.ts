import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Isolation } from './isolation.ts';
import { openLauncher } from './jail.ts';
import { openSupervisor } from './open-supervisor.ts';
import { findProgram, findWorkerd } from './programs.ts';
import { seccompFilter } from './seccomp.ts';

/** One part of what this machine brings, or does not. */
export interface Finding {
  readonly part: string;
  /** `warning`: it runs without, with less. */
  readonly state: 'ok' | 'warning' | 'failed';
  /** What was found, as a sentence without an end. */
  readonly found: string;
  /** What to do about it; null where there is nothing to do. */
  readonly remedy: string | null;
}

export interface SandboxReport {
  /** Null: there is no engine for this machine. */
  readonly isolation: Isolation | null;
  readonly findings: readonly Finding[];
  /** First calls of installations that were never there, in milliseconds, sorted; empty where none was answered. */
  readonly coldStartsMs: readonly number[];
}

const COLD_STARTS = 5;
const SLOW_MS = 500;
const OTHERWISE = 'or accept plain processes, for code of your own only: BULKHEAD_SANDBOX=process';

/** How functions would be kept apart here, without starting any. Null: there is no engine for this machine. */
export async function probeIsolation(): Promise<Isolation | null> {
  const workerd = findWorkerd();
  return workerd === null ? null : (await openLauncher(workerd)).isolation;
}

/** Looks at each part that the jail needs, builds it once, and times a few starts in it. */
export async function examineSandbox(): Promise<SandboxReport> {
  const workerd = findWorkerd();
  const parts = [
    platform(),
    await engine(workerd),
    program('bwrap', 'bubblewrap'),
    program('prlimit', 'util-linux'),
    filter(),
    ...namespaces(),
  ];
  if (workerd === null) return { isolation: null, findings: parts, coldStartsMs: [] };
  const { isolation } = await openLauncher(workerd);
  const coldStartsMs = await coldStarts();
  return { isolation, findings: [...parts, jail(isolation), ...user(), start(coldStartsMs)], coldStartsMs };
}

const ok = (part: string, found: string): Finding => ({ part, state: 'ok', found, remedy: null });
const missing = (part: string, found: string, remedy: string): Finding => ({ part, state: 'failed', found, remedy });

function platform(): Finding {
  const found = `${process.platform} on ${process.arch}`;
  if (process.platform === 'linux' && process.arch === 'x64') return ok('platform', found);
  return missing('platform', found, `the jail needs Linux on x86-64: run the role runner there, ${OTHERWISE}`);
}

async function engine(workerd: string | null): Promise<Finding> {
  if (workerd === null)
    return missing(
      'engine',
      'workerd has no program for this machine',
      'install with the optional packages of npm (npm ci), on Linux or macOS',
    );
  try {
    const { stdout } = await promisify(execFile)(workerd, ['--version'], { env: {}, timeout: 10_000 });
    return ok('engine', stdout.trim());
  } catch (thrown) {
    const { message } = thrown as Error;
    return missing(
      'engine',
      `workerd does not start: ${message.split('\n').at(-1)}`,
      'it needs glibc 2.35 or newer: another distribution, or a container with one',
    );
  }
}

function program(name: string, debian: string): Finding {
  const path = findProgram(name);
  return path === null ? missing(name, 'not installed', `apt-get install ${debian}, ${OTHERWISE}`) : ok(name, path);
}

function filter(): Finding {
  const part = 'system call filter';
  if (seccompFilter(process.arch) === null)
    return missing(part, `none is known for ${process.arch}`, `run the role runner on x86-64, ${OTHERWISE}`);
  if (process.platform !== 'linux') return missing(part, 'there is no seccomp', `run the role runner on Linux, ${OTHERWISE}`);
  return /^Seccomp:/m.test(text('/proc/self/status'))
    ? ok(part, 'the kernel has seccomp')
    : missing(part, 'the kernel has no seccomp', `another kernel, ${OTHERWISE}`);
}

/** What keeps users without rights from having namespaces of their own, each under the name of its setting. */
function namespaces(): Finding[] {
  if (process.platform !== 'linux') return [];
  const closed = [
    { setting: 'kernel.unprivileged_userns_clone', closing: '0', open: '1' },
    { setting: 'kernel.apparmor_restrict_unprivileged_userns', closing: '1', open: '0' },
    { setting: 'user.max_user_namespaces', closing: '0', open: '15000' },
  ].filter(({ setting, closing }) => text(`/proc/sys/${setting.replaceAll('.', '/')}`).trim() === closing);
  const part = 'user namespaces';
  if (closed.length === 0) return [ok(part, 'no setting of the kernel forbids them')];
  return closed.map(({ setting, closing, open }) => ({
    part,
    // A profile of AppArmor may let bwrap have them all the same: whether the jail stands is told by building it.
    state: 'warning',
    found: `${setting} is ${closing}`,
    remedy: `sysctl -w ${setting}=${open}${setting.includes('apparmor') ? ', or a profile of AppArmor for bwrap' : ''}`,
  }));
}

function jail({ level, reason }: Isolation): Finding {
  if (level === 'jail') return ok('jail', 'it was built, and the engine runs in it');
  return missing(
    'jail',
    reason ?? 'it was not built',
    `see the parts above; in a container, one that may have namespaces of its own; ${OTHERWISE}`,
  );
}

function user(): Finding[] {
  if (process.getuid?.() !== 0) return [];
  const found = 'the user in the jail is root outside of it';
  return [{ part: 'user', state: 'warning', found, remedy: 'run as a user of its own, not as root' }];
}

function start(times: readonly number[]): Finding {
  const part = 'start of a function';
  const median = times[times.length >> 1];
  if (median === undefined) return missing(part, 'no function was answered', 'look at the parts above');
  const found = `${Math.round(median)} ms from the call to the answer (${times.length} new installations, at most ${Math.round(times.at(-1)!)} ms)`;
  return median <= SLOW_MS ? ok(part, found) : { part, state: 'warning', found, remedy: 'the machine is busy, or slow: look at its load' };
}

async function coldStarts(): Promise<number[]> {
  const supervisor = await openSupervisor({ doors: async () => ({ status: 404, headers: [], body: Buffer.alloc(0) }) });
  const times: number[] = [];
  for (let turn = 0; supervisor !== null && turn < COLD_STARTS; turn++) {
    const began = performance.now();
    const { outcome } = await supervisor.invoke({
      identity: { applicationId: 'doctor', clientKey: String(turn), environment: 'production' },
      version: '1',
      loadCode: async () => 'export const run = () => 1;',
      functionName: 'run',
      payload: 'null',
      context: 'null',
      token: '',
    });
    if (outcome.kind === 'ok') times.push(performance.now() - began);
  }
  await supervisor?.close();
  return times.toSorted((a, b) => a - b);
}

function text(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
