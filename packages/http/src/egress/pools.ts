import type { ApplicationId } from '@bulkhead/base';
import { Pool } from 'undici';
import { type ConnectOptions, guardedConnector } from './connect.ts';
import type { Destination } from './destination.ts';
import { limits } from './limits.ts';

export interface PoolsOptions extends ConnectOptions {
  readonly connectionsPerPoolMax?: number;
  readonly poolsMax?: number;
}

/**
 * Connections by tenant and origin. Tenants never share one: what a connection has carried (a client certificate asked
 * for, an NTLM handshake, a desynchronised response) stays with the tenant that carried it.
 */
export class Pools {
  readonly #options: PoolsOptions;
  readonly #max: number;
  readonly #pools = new Map<string, Pool>();
  readonly #leaving = new Set<Pool>();

  constructor(options: PoolsOptions) {
    this.#options = options;
    this.#max = options.poolsMax ?? limits.poolsMax;
  }

  get size(): number {
    return this.#pools.size;
  }

  /** The pool of a tenant (null: the server itself) and origin, made on first use. */
  get(tenant: ApplicationId | null, destination: Destination): Pool {
    const key = `${tenant ?? ''} ${destination.origin}`;
    const known = this.#pools.get(key);
    // Who was used last matters where one will have to go.
    if (known && this.#pools.size <= this.#max / 2) return known;
    const pool = known ?? this.#open(destination);
    // A Map keeps the order of insertion: putting it in again makes it the most recently used.
    if (known) this.#pools.delete(key);
    this.#pools.set(key, pool);
    if (!known) this.#trim();
    return pool;
  }

  /** Breaks what is under way and resolves when every socket is closed. */
  async close(): Promise<void> {
    const pools = [...this.#pools.values(), ...this.#leaving];
    this.#pools.clear();
    await Promise.all(pools.map((pool) => pool.destroy()));
  }

  #open(destination: Destination): Pool {
    return new Pool(destination.origin, {
      connect: guardedConnector(destination, this.#options),
      connections: this.#options.connectionsPerPoolMax ?? limits.connectionsPerPoolMax,
      pipelining: 1,
      allowH2: false,
      clientTtl: limits.connectionLifetimeMs,
      keepAliveTimeout: limits.keepAliveMs,
      keepAliveMaxTimeout: limits.keepAliveMsMax,
      maxHeaderSize: limits.responseHeaderBytesMax,
      headersTimeout: limits.headersTimeoutMs,
      bodyTimeout: limits.bodyIdleTimeoutMs,
    });
  }

  #trim(): void {
    for (const [key, pool] of this.#pools) {
      if (this.#pools.size <= this.#max) return;
      this.#pools.delete(key);
      // Requests under way finish; only then do its connections close.
      this.#leaving.add(pool);
      pool.close(() => this.#leaving.delete(pool));
    }
  }
}
