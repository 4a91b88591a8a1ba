import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

const bin = join(import.meta.dirname, '../../packages/cli/bin/bulkhead.mjs');
/** What each process logged stays there after the run. */
const logs = join(import.meta.dirname, '../../test-results/faults');
const READY_LIMIT_MS = 90_000;

/** A `bulkhead start` as a process of its own. */
export class ServerProcess {
  readonly name: string;
  readonly child: ChildProcess;
  /** Resolves with the exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  readonly url: string;
  stdout = '';
  stderr = '';

  private constructor(name: string, port: number, env: Readonly<Record<string, string>>) {
    this.name = name;
    mkdirSync(logs, { recursive: true });
    this.url = `http://127.0.0.1:${port}`;
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^(BULKHEAD_|NODE_OPTIONS$|VITEST)/.test(key)));
    this.child = spawn(process.execPath, [bin, 'start'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      // One tenant's load stands for that of many: it is not what is to be refused.
      env: { ...inherited, BULKHEAD_RATE_LIMITS: 'off', BULKHEAD_PORT: String(port), ...env },
    });
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      appendFileSync(join(logs, `${name}.log`), text);
    });
    this.ended = once(this.child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals);
  }

  /** Started on a free port; behind a public URL, the ready line names that instead. */
  static async spawn(name: string, env: Readonly<Record<string, string>>): Promise<ServerProcess> {
    return new ServerProcess(name, await freePort(), env);
  }

  /** Waits for the ready line. Throws with all it has said where it ends before. */
  async ready(): Promise<this> {
    const signal = AbortSignal.timeout(READY_LIMIT_MS);
    for (;;) {
      if (/^ready \S/m.test(this.stdout)) return this;
      if (this.hasEnded || signal.aborted) throw new Error(`${this.name} is not ready: ${this.stdout}${this.stderr}`);
      await Promise.race([this.ended, once(this.child.stdout!, 'data', { signal }).catch(() => undefined)]);
    }
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Sends a signal and waits for the end. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | NodeJS.Signals> {
    this.child.kill(signal);
    return this.ended;
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
