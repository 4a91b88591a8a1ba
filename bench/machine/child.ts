import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { toolPath } from './tools.ts';

/** The server under test has core 0 to itself; load, upstream and database share core 1. What has processes of its own may have all. */
export type Core = 'server' | 'rest' | 'all';

const CORES: Readonly<Record<Core, string>> = {
  server: '0',
  all: `0-${availableParallelism() - 1}`,
  rest: availableParallelism() > 1 ? `1-${availableParallelism() - 1}` : '0',
};

const READY_LIMIT_MS = 60_000;

/** A program on its core, until it is stopped. */
export class Child implements AsyncDisposable {
  readonly process: ChildProcess;
  /** What it said it offers, when it was ready. */
  readonly ready: unknown;

  private constructor(process: ChildProcess, ready: unknown) {
    this.process = process;
    this.ready = ready;
  }

  get pid(): number {
    return this.process.pid!;
  }

  /** A TypeScript program of this folder. It gets `options` as its last argument and prints `ready JSON` when it serves. */
  static async program(core: Core, name: string, options: unknown = {}, nodeOptions: readonly string[] = []): Promise<Child> {
    const file = fileURLToPath(new URL(`../servers/${name}.ts`, import.meta.url));
    const child = start(core, process.execPath, [...nodeOptions, file, JSON.stringify(options)]);
    return new Child(child, await said(child, name));
  }

  /** Any other program; ready when `isReady` says so. */
  static async command(core: Core, path: string, args: readonly string[], isReady: () => Promise<boolean>): Promise<Child> {
    const child = start(core, path, args);
    let ended = false;
    child.once('exit', () => (ended = true));
    for (const limit = performance.now() + READY_LIMIT_MS; !(await isReady()); ) {
      if (ended || performance.now() > limit) throw new Error(`${path} did not start`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return new Child(child, null);
  }

  /** Seconds of processor time the process has used so far. */
  cpuSeconds(): number {
    return cpuSecondsOf(this.pid);
  }

  residentBytes(): number {
    return residentBytesOf(this.pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const exit = once(this.process, 'exit');
    this.process.kill('SIGTERM');
    const force = setTimeout(() => this.process.kill('SIGKILL'), 5_000);
    await exit;
    clearTimeout(force);
  }
}

function start(core: Core, path: string, args: readonly string[]): ChildProcess {
  // Standard input is the cord: a program of ours ends when it is cut, however this process ends.
  return spawn(toolPath('taskset'), ['-c', CORES[core], path, ...args], {
    // What a server logs is written, as in earnest, and thrown away; BENCH_LOG=1 shows it.
    stdio: ['pipe', 'pipe', process.env['BENCH_LOG'] === '1' ? 'inherit' : 'ignore'],
  });
}

async function said(child: ChildProcess, name: string): Promise<unknown> {
  const lines = createInterface({ input: child.stdout! });
  const limit = AbortSignal.timeout(READY_LIMIT_MS);
  const exit = once(child, 'exit', { signal: limit }).then(() => Promise.reject(new Error(`${name} ended before it was ready`)));
  const ready = (async () => {
    for await (const line of lines) if (line.startsWith('ready ')) return JSON.parse(line.slice(6)) as unknown;
    throw new Error(`${name} said nothing`);
  })();
  exit.catch(() => undefined);
  const value = await Promise.race([ready, exit]);
  child.stdout!.resume();
  return value;
}

/** Binds a process that runs already, with all its threads, to the cores of `core`. What it starts later inherits that. */
export async function pin(core: Core, pid: number): Promise<void> {
  const child = spawn(toolPath('taskset'), ['-a', '-c', '-p', CORES[core], String(pid)], { stdio: 'ignore' });
  await once(child, 'exit');
}

/** Of all threads, as the scheduler counts it: exact where ticks of a hundredth of a second are too coarse. */
export function cpuSecondsOf(pid: number): number {
  const tasks = readdirSync(`/proc/${pid}/task`);
  return tasks.reduce((sum, task) => sum + Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]) / 1e9, 0);
}

function residentBytesOf(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}
