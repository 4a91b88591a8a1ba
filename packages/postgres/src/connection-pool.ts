import type { Log } from '@bulkhead/base';
import pg from 'pg';
import { bytesHeard, clientConfig, type ConnectionUrl, CorkableClient, cutConnection } from './connection.ts';
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

/** A connection in use: what it had said when last looked at, and since when it has said nothing more. */
interface InUse {
  bytes: number;
  since: number;
}

/** How long the server may take to hear our goodbye. */
const GOODBYE_MS = 5_000;

/** Connections of one role. Whoever acquires one has it alone until it is released. */
export class ConnectionPool {
  readonly #pool: pg.Pool;
  readonly #all = new Set<pg.PoolClient>();
  readonly #inUse = new Map<pg.PoolClient, InUse>();
  readonly #gone = Promise.withResolvers<void>();
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
    this.#pool.on('connect', (client) => {
      client.on('error', () => undefined);
      this.#all.add(client);
    });
    this.#pool.on('remove', (client) => {
      this.#all.delete(client);
      if (this.#isEnding && this.#all.size === 0) this.#gone.resolve();
    });
    this.#pool.on('acquire', (client) => this.#inUse.set(client, { bytes: bytesHeard(client), since: performance.now() }));
    this.#pool.on('release', (_error, client) => this.#inUse.delete(client));
  }

  /** Whether a connection in use has said nothing for `ms`; judged by what had come at the last look. `now` as `performance.now()`. */
  hasSilent(now: number, ms: number): boolean {
    for (const [client, seen] of this.#inUse) {
      const bytes = bytesHeard(client);
      if (bytes === seen.bytes) continue;
      seen.bytes = bytes;
      seen.since = now;
    }
    return this.#silent(now, ms).length > 0;
  }

  /** Cuts the connections that have been silent for `ms` and those nobody uses; answers how many. */
  cutSilent(now: number, ms: number): number {
    const idle = [...this.#all].filter((client) => !this.#inUse.has(client));
    const doomed = [...this.#silent(now, ms), ...idle];
    for (const client of doomed) cutConnection(client);
    return doomed.length;
  }

  #silent(now: number, ms: number): pg.PoolClient[] {
    return [...this.#inUse].filter(([, { since }]) => now - since >= ms).map(([client]) => client);
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
    if (this.#all.size === 0) this.#gone.resolve();
    await this.#pool.end();
    // The pool has said goodbye to all; a server that does not hear it does not keep this process alive.
    const enough = setTimeout(() => this.#all.forEach(cutConnection), GOODBYE_MS);
    await this.#gone.promise;
    clearTimeout(enough);
  }
}
