import type { Log } from '@bulkhead/base';
import pg from 'pg';
import { ConnectionLine } from './connection-line.ts';
import { bytesHeard, clientConfig, type ConnectionUrl, CorkableClient, cutConnection, isCut } from './connection.ts';
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

/** A connection in use: what it had said when last looked at, since when it has said nothing more, and when it last did in this use. */
interface InUse {
  bytes: number;
  since: number;
  heardAt: number;
}

/** How long the server may take to hear our goodbye. */
const GOODBYE_MS = 5_000;

/** Connections of one role. Whoever acquires one has it alone until it is released. */
export class ConnectionPool {
  readonly url: ConnectionUrl;
  readonly #pool: pg.Pool;
  readonly #line: ConnectionLine;
  /** Every connection, with the time it was made. */
  readonly #all = new Map<pg.PoolClient, number>();
  readonly #inUse = new Map<pg.PoolClient, InUse>();
  readonly #gone = Promise.withResolvers<void>();
  #isEnding = false;

  constructor(options: ConnectionPoolOptions) {
    this.url = options.url;
    this.#line = new ConnectionLine(options.size, options.acquireTimeoutMs);
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
      this.#all.set(client, performance.now());
    });
    this.#pool.on('remove', (client) => {
      this.#all.delete(client);
      if (this.#isEnding && this.#all.size === 0) this.#gone.resolve();
    });
    this.#pool.on('acquire', (client) => this.#inUse.set(client, { bytes: bytesHeard(client), since: performance.now(), heardAt: 0 }));
    this.#pool.on('release', (_error, client) => {
      this.#inUse.delete(client);
      this.#line.leave();
    });
  }

  /** The connections in use that have said nothing for `ms`; judged by what had come at the last look. `now` as `performance.now()`. */
  silent(now: number, ms: number): pg.PoolClient[] {
    for (const [client, seen] of this.#inUse) {
      const bytes = bytesHeard(client);
      if (bytes === seen.bytes) continue;
      seen.bytes = bytes;
      seen.since = now;
      seen.heardAt = now;
    }
    return [...this.#inUse].filter(([, { since }]) => now - since >= ms).map(([client]) => client);
  }

  /** Of these, the ones that are in use and have still said nothing since the last look. */
  stillSilent(clients: readonly pg.PoolClient[]): pg.PoolClient[] {
    return clients.filter((client) => this.#inUse.get(client)?.bytes === bytesHeard(client));
  }

  /** Cuts the connections nobody uses; answers how many. */
  cutIdle(): number {
    const idle = [...this.#all.keys()].filter((client) => !this.#inUse.has(client));
    idle.forEach(cutConnection);
    return idle.length;
  }

  /**
   * Cuts the connections that are older than `since` and have said nothing since then, those nobody uses included; answers how
   * many. One that was taken only a moment ago is as dead as the others.
   */
  cutSilentSince(since: number): number {
    const old = [...this.#all].filter(([, madeAt]) => madeAt < since).map(([client]) => client);
    const idle = old.filter((client) => !this.#inUse.has(client));
    const silent = old.filter((client) => {
      const seen = this.#inUse.get(client);
      return seen !== undefined && seen.heardAt < since && bytesHeard(client) === seen.bytes;
    });
    for (const client of [...idle, ...silent]) cutConnection(client);
    return idle.length + silent.length;
  }

  /** A connection, when it is the party's turn. Throws `database.unavailable` where none is to be had in time. */
  async acquire(party = ''): Promise<pg.PoolClient> {
    try {
      for (;;) {
        const turn = this.#line.enter(party);
        if (turn !== null) await turn;
        const client = await this.#connect();
        if (!isCut(client)) return client;
        // Cut a moment ago, and the pool is yet to be told.
        client.release(true);
      }
    } catch (error) {
      throw fromDriver(error);
    }
  }

  async #connect(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (error) {
      this.#line.leave();
      throw error;
    }
  }

  /** Waits for the connections that are out, then closes all. */
  async end(): Promise<void> {
    this.#isEnding = true;
    if (this.#all.size === 0) this.#gone.resolve();
    await this.#pool.end();
    // The pool has said goodbye to all; a server that does not hear it does not keep this process alive.
    const enough = setTimeout(() => [...this.#all.keys()].forEach(cutConnection), GOODBYE_MS);
    await this.#gone.promise;
    clearTimeout(enough);
  }
}
