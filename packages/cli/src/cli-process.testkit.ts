import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../bin/bulkhead.mjs', import.meta.url));
const READY_LIMIT_MS = 60_000;

/** A `bulkhead` as a process of its own, with what it has printed so far. */
export class CliProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<void>;
  stdout = '';
  stderr = '';

  constructor(
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    options: SpawnOptions & { readonly nodeArgs?: readonly string[] } = {},
  ) {
    const { nodeArgs = [], ...spawnOptions } = options;
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(BULKHEAD_|NODE_OPTIONS$|VITEST)/.test(name)));
    this.child = spawn(process.execPath, [...nodeArgs, bin, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...inherited, ...env },
      ...spawnOptions,
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.ended = once(this.child, 'close').then(() => undefined);
  }

  get exitCode(): number | null {
    return this.child.exitCode;
  }

  /** The URL of the ready line, or what follows "ready" where the process serves no API. Throws if it ends before. */
  async ready(): Promise<string> {
    const limit = performance.now() + READY_LIMIT_MS;
    for (;;) {
      const match = /^ready (\S+)$/m.exec(this.stdout);
      if (match?.[1] !== undefined) return match[1];
      if (this.child.exitCode !== null || this.child.signalCode !== null || performance.now() > limit)
        throw new Error(`not ready: ${this.stdout}${this.stderr}`);
      await Promise.race([this.ended, once(this.child.stdout!, 'data', { signal: AbortSignal.timeout(READY_LIMIT_MS) })]);
    }
  }

  /** Sends a signal, waits for the end, answers the exit code. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.child.kill(signal);
    await this.ended;
    return this.exitCode;
  }

  get metaToken(): string {
    return /bhm_\w+/.exec(this.stdout)?.[0] ?? '';
  }
}

/** The data folders and processes of one test file; `close` ends and removes them all. */
export class CliWorld implements AsyncDisposable {
  readonly #folders: string[] = [];
  readonly #processes: CliProcess[] = [];

  async folder(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'bulkhead-cli-'));
    this.#folders.push(folder);
    return folder;
  }

  /** A command, started. */
  spawn(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    options: ConstructorParameters<typeof CliProcess>[2] = {},
  ): CliProcess {
    const started = new CliProcess(args, env, options);
    this.#processes.push(started);
    return started;
  }

  /** A command, run to its end. */
  async run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliProcess> {
    const started = this.spawn(args, env);
    await started.ended;
    return started;
  }

  /** `bulkhead start` on a free port. */
  start(folder: string, env: Readonly<Record<string, string>> = {}, options: ConstructorParameters<typeof CliProcess>[2] = {}): CliProcess {
    return this.spawn(['start'], { BULKHEAD_PORT: '0', BULKHEAD_DATA_DIR: folder, ...env }, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#processes.splice(0)) if (each.child.exitCode === null && each.child.signalCode === null) await each.end();
    for (const folder of this.#folders.splice(0)) await rm(folder, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
  }
}

/** Pids whose command line names this folder: a postgres on it above all. */
export async function processesOn(folder: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const [words, stat] = await Promise.all([readFile(`/proc/${pid}/cmdline`, 'utf8'), readFile(`/proc/${pid}/stat`, 'utf8')]).catch(
        () => ['', ''],
      );
      return words?.includes(folder) && !/\) Z /.test(stat ?? '') ? [Number(pid)] : [];
    }),
  );
  return found.flat();
}

/** The status of a call to the Meta API with this token. */
export async function metaStatus(url: string, token: string): Promise<number> {
  return (await fetch(`${url}/v1/meta/applications`, { headers: { authorization: `Bearer ${token}` } })).status;
}
