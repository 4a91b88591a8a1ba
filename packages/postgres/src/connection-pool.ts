import type { Log } from '@bulkhead/base';
import pg from 'pg';
import { clientConfig, type ConnectionUrl, CorkableClient } from './connection.ts';
import { fromDriver } from './database-errors.ts';

export interface ConnectionPoolOptions {
  readonly url: ConnectionUrl;
  readonly applicationName: string;
  readonly size: number;
  /** Milliseconds a caller waits for a connection before it is told `database.unavailable`. */
  readonly acquireTimeoutMs: number;
  /** Milliseconds without an answer after which a connection counts as dead. */
  readonly answerTimeoutMs: number;
  readonly log: Log;
}

/** Connections of one role. Whoever acquires one has it alone until it is released. */
export class ConnectionPool {
  readonly #pool: pg.Pool;
  #isEnding = false;

  constructor(options: ConnectionPoolOptions) {
    this.#pool = new pg.Pool({
      ...clientConfig(options.url, {
        applicationName: options.applicationName,
        connectTimeoutMs: options.acquireTimeoutMs,
        answerTimeoutMs: options.answerTimeoutMs,
      }),
      Client: CorkableClient,
      max: options.size,
      idleTimeoutMillis: 60_000,
    });
    // A server that goes away makes idle connections emit 'error'. They leave the pool by themselves; the next
    // caller gets a new one or `database.unavailable`.
    this.#pool.on('error', (error) => {
      // The pool says goodbye without waiting for it to be heard; a server that stops right after may be quicker.
      if (!this.#isEnding) options.log.warn('A database connection was lost while idle', { error: error.message });
    });
    this.#pool.on('connect', (client) => client.on('error', () => undefined));
  }

  /** A connection. Throws `database.unavailable` where none is to be had in time. */
  async acquire(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (error) {
      throw fromDriver(error);
    }
  }

  /** Waits for the connections that are out, then closes all. */
  async end(): Promise<void> {
    this.#isEnding = true;
    await this.#pool.end();
  }
}
