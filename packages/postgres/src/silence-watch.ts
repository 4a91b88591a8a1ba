import type { Log } from '@bulkhead/base';
import { connect, type ConnectionUrl, cutConnection } from './connection.ts';
import type { ConnectionPool } from './connection-pool.ts';
import { sqlState } from './database-errors.ts';

export interface SilenceWatchOptions {
  /** Whom a probe asks. */
  readonly url: ConnectionUrl;
  readonly pools: readonly ConnectionPool[];
  /** Milliseconds of silence on a connection in use after which the server is asked whether it is there at all. */
  readonly silenceMs: number;
  /** Milliseconds a probe may take. */
  readonly probeMs: number;
  readonly log: Log;
}

/** A statement that takes long keeps its connection silent; after a good probe the next one is this many times later. */
const PATIENCE = 5;

/**
 * Notices a server that has gone without a word: no reset comes through a network that drops everything, and a statement may
 * rightly take long. So a connection that is in use and silent makes it ask over a new one; where that is not answered either,
 * every connection that has said nothing meanwhile is cut, the idle ones too. Their callers get `database.unavailable` within seconds, and nobody is given
 * a connection that the network has forgotten.
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
    const { log, pools, probeMs, silenceMs, url } = this.#options;
    const now = performance.now();
    const isSilent = pools.map((pool) => pool.hasSilent(now, silenceMs)).includes(true);
    if (!isSilent || this.#isProbing || now < this.#goodUntil) return;
    this.#isProbing = true;
    const isThere = await answers(url, probeMs);
    this.#isProbing = false;
    if (isThere) {
      this.#goodUntil = performance.now() + silenceMs * PATIENCE;
      return;
    }
    const cut = pools.reduce((sum, pool) => sum + pool.cutSilentSince(now), 0);
    log.warn('The database does not answer; its silent connections were cut', { connections: cut });
  }
}

/** A server that refuses us by an error of its own is there. */
async function answers(url: ConnectionUrl, probeMs: number): Promise<boolean> {
  try {
    const client = await connect(url, 'bulkhead-probe', probeMs);
    try {
      await client.query({ text: 'select 1', query_timeout: probeMs } as { text: string });
      return true;
    } finally {
      cutConnection(client);
    }
  } catch (error) {
    return sqlState(error) !== undefined;
  }
}
