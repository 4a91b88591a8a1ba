import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Log } from '@bulkhead/base';
import { type FunctionRunner, RUNNER_ENDED, type RunnerCall, type RunnerCheck } from '@bulkhead/platform';
import type { InvocationResult, Isolation } from '@bulkhead/sandbox';
import type { FromRunner, ToRunner } from './messages.ts';

const program = fileURLToPath(new URL('./runner-program.ts', import.meta.url));
const STOP_MS = 5_000;

export interface RunnerOptions {
  /** Whether a plain process will do where the jail cannot be built. */
  readonly acceptProcess: boolean;
  /** Where the api role answers. */
  readonly apiUrl: () => string;
  readonly log: Log;
  /** False: no jail is tried. For tests. */
  readonly jail?: boolean;
  /** From this port on, debuggers listen on 127.0.0.1 for what runs in `development`, in plain processes. No setting leads here. */
  readonly inspectPort?: number;
}

interface Started {
  readonly child: ChildProcess;
  /** Null: there is no engine for this machine, or the process did not come up. */
  readonly isolation: Isolation | null;
}

/**
 * The role runner: a process beside this one, which starts with the first call of a function, and again after it has died. It is given no
 * environment, no database and no key.
 */
export class RunnerProcess implements FunctionRunner {
  readonly #options: RunnerOptions;
  readonly #calls = new Map<number, (result: InvocationResult) => void>();
  #started: Promise<Started> | null = null;
  #nextId = 1;
  #isClosed = false;

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  async refusal(): Promise<string | null> {
    const { isolation } = await this.#start();
    if (isolation === null) return 'the engine could not be started on this machine';
    if (isolation.level === 'jail' || this.#options.acceptProcess) return null;
    return `there is no jail to keep them in, because ${isolation.reason}, and BULKHEAD_SANDBOX does not accept less`;
  }

  invoke(call: RunnerCall): Promise<InvocationResult> {
    return this.#ask((id) => ({ type: 'invoke', id, call, apiUrl: this.#options.apiUrl() }));
  }

  check(check: RunnerCheck): Promise<InvocationResult> {
    return this.#ask((id) => ({ type: 'check', id, check }));
  }

  async #ask(messageOf: (id: number) => ToRunner): Promise<InvocationResult> {
    const { child } = await this.#start();
    const id = this.#nextId++;
    return new Promise((resolve) => {
      this.#calls.set(id, resolve);
      const message = messageOf(id);
      if (!child.connected) return this.#end(id, crashed);
      child.send(message, (error) => {
        if (error !== null) this.#end(id, crashed);
      });
    });
  }

  /** As the kernel may do at any moment. For tests. */
  kill(): void {
    void this.#started?.then(({ child }) => child.kill('SIGKILL'));
  }

  /** Ends the process and every instance; what runs ends as `crashed`. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#started === null) return;
    const { child } = await this.#started;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    if (child.connected) child.disconnect();
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await gone;
    clearTimeout(late);
  }

  #start(): Promise<Started> {
    return (this.#started ??= this.#fork());
  }

  #fork(): Promise<Started> {
    const { jail, inspectPort } = this.#options;
    const args = [...(jail === false ? ['--no-jail'] : []), ...(inspectPort === undefined ? [] : [`--inspect=${inspectPort}`])];
    const child = fork(program, args, {
      env: {},
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    return new Promise((resolve) => {
      child.on('message', (message: FromRunner) => {
        if (message.type === 'result') return this.#end(message.id, message.result);
        const { isolation } = message;
        if (isolation?.level === 'process' && this.#options.acceptProcess)
          this.#options.log.warn('Functions run in plain processes, without the jail', { reason: isolation.reason });
        resolve({ child, isolation });
      });
      const gone = (): void => {
        if (!this.#isClosed)
          this.#options.log.error('The process of the runner has ended; the next call starts another', { pid: child.pid });
        // Calls belong to one process at a time: what was given to this one is lost with it.
        for (const id of this.#calls.keys()) this.#end(id, crashed);
        this.#started = null;
        resolve({ child, isolation: null });
      };
      child.once('exit', gone);
      child.once('error', gone);
    });
  }

  #end(id: number, result: InvocationResult): void {
    this.#calls.get(id)?.(result);
    this.#calls.delete(id);
  }
}

const crashed: InvocationResult = {
  outcome: { kind: 'crashed', detail: RUNNER_ENDED },
  durationMs: 0,
  logs: [],
  logsDropped: 0,
};
