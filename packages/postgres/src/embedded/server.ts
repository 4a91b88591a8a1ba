import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { Log, Secret } from '@bulkhead/base';
import { connect } from '../connection.ts';
import { databaseErrors, sqlState } from '../database-errors.ts';
import type { Binaries } from './binaries.ts';
import type { Layout } from './cluster.ts';
import { clearFolder, isServing, launcherSetting } from './occupant.ts';
import { type RunAs, start } from './run-as.ts';

export interface ServerOptions {
  readonly as: RunAs;
  readonly binaries: Binaries;
  readonly layout: Layout;
  readonly log: Log;
  readonly isDurable: boolean;
  readonly adminUrl: Secret;
}

const START_LIMIT_MS = 10 * 60_000; // crash recovery of a large database takes its time
const STOP_LIMIT_MS = 20_000;
const LAST_RESTART_DELAY_MS = 5_000;
const LINES_KEPT = 20;
/** How long a server that is shutting down, or whose backends have yet to notice its death, may hold the folder. */
const LEAVING_LIMIT_MS = 30_000;
const heldForm = /lock file .* already exists|pre-existing shared memory block .* is still in use/;

/** The postgres process: started, watched, started again when it dies alone, stopped. */
export class Server {
  readonly #options: ServerOptions;
  #child: ChildProcess;
  #isStopping = false;
  #restart: Promise<void> | undefined;
  readonly #endWithUs = () => void this.#child.kill('SIGINT');

  private constructor(options: ServerOptions, child: ChildProcess) {
    this.#options = options;
    this.#child = child;
  }

  static async start(options: ServerOptions): Promise<Server> {
    const server = new Server(options, await launch(options));
    // For machines without a parent-death signal; it covers every end but a kill.
    process.on('exit', server.#endWithUs);
    server.#watch();
    return server;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    process.off('exit', this.#endWithUs);
    await this.#restart;
    await end(this.#child);
  }

  #watch(): void {
    const child = this.#child;
    // Where nothing else keeps the process alive, the server does not either: it ends with us.
    child.unref();
    child.once('exit', (code, signal) => {
      if (this.#isStopping) return;
      this.#options.log.error('PostgreSQL ended on its own and is started again', { code, signal });
      this.#restart = this.#startAgain();
    });
  }

  async #startAgain(): Promise<void> {
    for (let waitMs = 50; !this.#isStopping; waitMs = Math.min(waitMs * 2, LAST_RESTART_DELAY_MS)) {
      try {
        this.#child = await launch(this.#options);
        this.#watch();
        return;
      } catch (error) {
        // At first the remains of the dead server still hold its shared memory.
        this.#options.log.warn('PostgreSQL could not be started again yet', { error });
        await delay(waitMs);
      }
    }
  }
}

async function settings(options: ServerOptions): Promise<readonly string[]> {
  return [
    await launcherSetting(),
    'listen_addresses=',
    `unix_socket_directories=${quoted(options.layout.socketFolder)}`,
    'unix_socket_permissions=0700',
    'max_connections=200',
    'shared_buffers=128MB',
    'wal_level=logical',
    'timezone=UTC',
    'log_timezone=UTC',
    'jit=off',
    // Statements and details of errors hold what tenants stored; they stay out of the log.
    'log_error_verbosity=terse',
    'log_min_error_statement=panic',
    ...(options.isDurable ? [] : ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off']),
  ];
}

/** One entry of a list setting; a folder's name may hold a comma or a space. */
function quoted(entry: string): string {
  return `"${entry.replaceAll('"', '""')}"`;
}

/**
 * Starts a postgres and waits until it takes connections. Throws `database.folder_in_use` where another Bulkhead serves
 * the folder; a server on its way out is waited for.
 */
async function launch(options: ServerOptions): Promise<ChildProcess> {
  const { folder, pgData } = options.layout;
  const limit = performance.now() + LEAVING_LIMIT_MS;
  for (;;) {
    await clearFolder(pgData, folder, options.log);
    const attempt = await launchOnce(options);
    if ('child' in attempt) return attempt.child;
    const isHeld = attempt.lines.some((line) => heldForm.test(line));
    if (!isHeld || performance.now() > limit) {
      const complaints = attempt.lines.filter((line) => /FATAL|PANIC|HINT/.test(line));
      throw databaseErrors('database.not_started', {
        params: { problem: (complaints.length > 0 ? complaints : attempt.lines).join(' ') || 'it ended without a word.' },
      });
    }
    await delay(100);
  }
}

async function launchOnce(options: ServerOptions): Promise<{ readonly child: ChildProcess } | { readonly lines: readonly string[] }> {
  const words = (await settings(options)).flatMap((setting) => ['-c', setting]);
  const child = start(options.as, options.binaries.postgres, ['-D', options.layout.pgData, ...words]);
  const lines: string[] = [];
  if (child.stderr) {
    createInterface({ input: child.stderr }).on('line', (line) => {
      lines.push(line);
      if (lines.length > LINES_KEPT) lines.shift();
      if (line.includes('PANIC:')) options.log.error('PostgreSQL panicked', { line });
      else options.log.debug('PostgreSQL says', { line });
    });
  }
  let ended = false;
  const exit = new Promise<void>((resolve) => {
    const settle = () => {
      ended = true;
      resolve();
    };
    child.once('close', settle);
    child.once('error', (error) => {
      lines.push(error.message);
      settle();
    });
  });
  const limit = performance.now() + START_LIMIT_MS;
  while (!ended && performance.now() < limit) {
    // What answers may be another's server on the same folder, while ours is about to give up.
    if ((await isServing(child.pid, options.layout.pgData)) && (await takesConnections(options.adminUrl))) return { child };
    await Promise.race([exit, delay(10)]);
  }
  if (!ended) await end(child);
  return { lines };
}

/** False while there is no server yet or it is still recovering. */
async function takesConnections(adminUrl: Secret): Promise<boolean> {
  try {
    const client = await connect(adminUrl, 'bulkhead-start');
    await client.end();
    return true;
  } catch (error) {
    const state = sqlState(error);
    if (state === undefined || state === '57P03') return false;
    throw error;
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.ref();
  const exit = once(child, 'exit');
  child.kill('SIGINT');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
  await exit;
  clearTimeout(timer);
}
