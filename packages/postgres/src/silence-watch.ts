import type { Log } from '@bulkhead/base';
import type pg from 'pg';
import { connect, type ConnectionUrl, cutConnection, isAwaitingAnswer } from './connection.ts';
import type { ConnectionPool } from './connection-pool.ts';
import { sqlState } from './database-errors.ts';

export interface SilenceWatchOptions {
  readonly pools: readonly ConnectionPool[];
  /** Milliseconds of silence on a connection in use after which the server is asked about it. */
  readonly silenceMs: number;
  /** Milliseconds a probe may take. */
  readonly probeMs: number;
  readonly log: Log;
}

/** What a new connection says of the silent ones: nobody is there, or for which of them the server has nothing to do. */
type Verdict = 'nobody' | readonly pg.PoolClient[];

/**
 * Notices a server that has gone without a word, and a connection that the network has forgotten: no reset comes through a network
 * that drops everything, and a statement may rightly take long. So a connection that is in use and silent makes it ask over a new
 * one. Where that is not answered, every connection that has said nothing meanwhile is cut, the idle ones too. Where it is, and the
 * server waits for us on a connection on which we wait for it, that one is cut, and the idle ones, which are as old. Their callers
 * get `database.unavailable` within seconds, and nobody is given a connection that leads nowhere.
 */
export class SilenceWatch {
  readonly #options: SilenceWatchOptions;
  readonly #timer: NodeJS.Timeout;
  #isProbing = false;
  #goodUntil = 0;

  constructor(options: SilenceWatchOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#look(), options.silenceMs / 2).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    const { log, pools, probeMs, silenceMs } = this.#options;
    const now = performance.now();
    const silent = pools.map((pool) => ({ pool, clients: pool.silent(now, silenceMs) })).filter(({ clients }) => clients.length > 0);
    if (silent.length === 0 || this.#isProbing || now < this.#goodUntil) return;
    this.#isProbing = true;
    const verdicts = await Promise.all(
      silent.map(async ({ pool, clients }) => {
        const verdict = await ask(pool.url, clients, probeMs);
        return verdict === 'nobody' ? verdict : pool.stillSilent(verdict);
      }),
    );
    this.#isProbing = false;
    if (verdicts.includes('nobody')) {
      const cut = pools.reduce((sum, pool) => sum + pool.cutSilentSince(now), 0);
      log.warn('The database does not answer; its silent connections were cut', { connections: cut });
      return;
    }
    this.#goodUntil = performance.now() + silenceMs;
    const forgotten = verdicts.filter((verdict) => verdict !== 'nobody').flat();
    if (forgotten.length === 0) return;
    forgotten.forEach(cutConnection);
    const idle = pools.reduce((sum, pool) => sum + pool.cutIdle(), 0);
    log.warn('Database connections that lead nowhere were cut', { connections: forgotten.length + idle });
  }
}

/** A server that refuses us by an error of its own is there. A login sees what its own backends do. */
async function ask(url: ConnectionUrl, silent: readonly pg.PoolClient[], probeMs: number): Promise<Verdict> {
  try {
    const client = await connect(url, 'bulkhead-probe', probeMs);
    try {
      const awaited = silent.filter(isAwaitingAnswer);
      const ids = awaited.map((each) => backendOf(each));
      const { rows } = await client.query<{ own: number; busy: number[] }>({
        text: BUSY,
        values: [ids],
        query_timeout: probeMs,
      } as pg.QueryConfig);
      const [answer] = rows;
      // A pooler in between gives its clients numbers that are not the server's: it cannot be asked about one connection.
      if (answer === undefined || answer.own !== backendOf(client)) return [];
      return awaited.filter((each, at) => !answer.busy.includes(ids[at] ?? 0));
    } finally {
      cutConnection(client);
    }
  } catch (error) {
    return sqlState(error) === undefined ? 'nobody' : [];
  }
}

/** The number that the server, or a pooler, gave this connection; the driver's types do not have it. */
function backendOf(client: object): number | null {
  return (client as { readonly processID: number | null }).processID;
}

/** Of the backends asked about, those with something to do; one that has just become idle may have its answer on the way to us. */
const BUSY = `select pg_backend_pid() as own, coalesce(array_agg(pid), '{}') as busy from pg_stat_activity
  where pid = any($1::int[]) and (state is null or state not like 'idle%' or state_change > clock_timestamp() - interval '1 second')`;
