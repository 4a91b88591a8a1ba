import { rm, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '@bulkhead/base';
import { type EmbeddedPostgres, runPastDoors, startEmbeddedPostgres } from '@bulkhead/postgres';
import { FaultProxy } from '@bulkhead/testkit';

const LOGIN = 'bulkhead_faults';

/**
 * A durable PostgreSQL of this test's own, and the proxy through which the servers reach it. They log in as an operator's do:
 * one login that owns the database and may create roles.
 */
export class Cluster implements AsyncDisposable {
  readonly #folder: string;
  #postgres: EmbeddedPostgres;
  readonly proxy: FaultProxy;
  /** For the servers: through the proxy. */
  readonly url: string;

  private constructor(folder: string, postgres: EmbeddedPostgres, proxy: FaultProxy) {
    this.#folder = folder;
    this.#postgres = postgres;
    this.proxy = proxy;
    this.url = `postgres://${LOGIN}:faults@${proxy.address}/${LOGIN}`;
  }

  static async start(): Promise<Cluster> {
    const folder = await mkdtemp(join(tmpdir(), 'bulkhead-faults-'));
    const postgres = await startEmbeddedPostgres({ dataDir: folder, log: silentLog });
    await runPastDoors(postgres.adminUrl, `create role ${LOGIN} login createrole password 'faults'`);
    // The roles of this cluster were made by its launcher, so an administrator hands them on.
    await runPastDoors(
      postgres.adminUrl,
      `grant bulkhead_owner, bulkhead_app, bulkhead_control, bulkhead_system to ${LOGIN} with inherit false, set true, admin true`,
    );
    await runPastDoors(postgres.adminUrl, `create database ${LOGIN} owner ${LOGIN}`);
    const proxy = await FaultProxy.start({ target: { path: join(postgres.socketDir, '.s.PGSQL.5432') } });
    return new Cluster(folder, postgres, proxy);
  }

  /** A statement past proxy and doors, as superuser, on the servers' database. */
  query(text: string): Promise<Record<string, unknown>[]> {
    return runPastDoors(this.#postgres.adminUrl.reveal().replace('/postgres?', `/${LOGIN}?`), text);
  }

  /** Connections of the servers that hold a transaction open without doing anything in it. */
  async idleInTransaction(): Promise<number> {
    const [row] = await this.query(
      `select count(*)::int as n from pg_stat_activity where application_name like 'bulkhead-%' and state like 'idle in transaction%'`,
    );
    return row!['n'] as number;
  }

  /** Ends PostgreSQL without a goodbye and without a checkpoint; its launcher starts it again. */
  crash(signal: 'SIGQUIT' | 'SIGKILL'): void {
    process.kill(this.#postgres.pid, signal);
  }

  async stop(): Promise<void> {
    await this.#postgres.stop();
  }

  async start(): Promise<void> {
    this.#postgres = await startEmbeddedPostgres({ dataDir: this.#folder, log: silentLog });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]();
    await this.#postgres.stop();
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}
