import { applicationId as applicationIds, type ApplicationId, type Log } from '@bulkhead/base';
import type { ConnectionUrl } from './connection.ts';
import { ConnectionPool } from './connection-pool.ts';
import { databaseErrors } from './database-errors.ts';
import { Listener, type Listening, type ListenOptions } from './listener.ts';
import { controlScope, organizationScope, type ScopeLimits, systemScope, tenantScope } from './scope.ts';
import { SilenceWatch } from './silence-watch.ts';
import { type Sql, sql } from './sql.ts';
import { type OrganizationTx, type TenantTx, Transaction, type TransactionOptions, type Tx } from './transaction.ts';

export interface DatabaseOptions {
  /** Where `bulkhead_app`, `bulkhead_control` and `bulkhead_system` log in; with one login for all, three times the same URL. */
  readonly appUrl: ConnectionUrl;
  readonly controlUrl: ConnectionUrl;
  readonly systemUrl: ConnectionUrl;
  /** For LISTEN, which a transaction-mode pooler cannot carry: a URL past it. Default: `systemUrl`. */
  readonly listenUrl?: ConnectionUrl;
  readonly log: Log;
  /** Connections for tenant work (default 10); control and system get half as many each. */
  readonly poolSize?: number;
  /** Keep statements prepared on their connection. Turn off behind a pooler that loses them. Default: on. */
  readonly preparedStatements?: boolean;
  /** Milliseconds; defaults 30,000, 15,000 and 5,000. */
  readonly statementTimeoutMs?: number;
  readonly idleInTransactionTimeoutMs?: number;
  readonly acquireTimeoutMs?: number;
  /** Milliseconds without a word on a connection in use after which the server is asked whether it is there at all. Default 2,000. */
  readonly silenceMs?: number;
}

export interface SystemOptions {
  /** Milliseconds one statement may take, where the task needs longer than a request does. */
  readonly statementTimeoutMs?: number;
}

/** The only way to the database. Every statement runs in a transaction that has taken on a role and a scope. */
export interface Database {
  /** The `origin` of its transactions; what wraps a database hands it on. */
  readonly origin: object;
  /** Work on the tables of one Application. Row-level security shows and takes only its rows. */
  withTenant<T>(applicationId: ApplicationId, work: (tx: TenantTx) => Promise<T>): Promise<T>;
  /** One statement on the tables of one Application, in a single flight. The quick way for reads. */
  tenantQuery<Row extends object = Record<string, unknown>>(applicationId: ApplicationId, statement: Sql): Promise<Row[]>;
  /** The same for several statements that need nothing of each other: one flight, one transaction, the rows of each in order. They may write: all or none. */
  tenantQueries(applicationId: ApplicationId, statements: readonly Sql[]): Promise<readonly object[][]>;
  /** Work on the control tables for one organization; of `applications` it sees that organization's rows. */
  withOrganization<T>(organizationId: string, work: (tx: OrganizationTx) => Promise<T>): Promise<T>;
  /** Work on the control tables before an organization is known (log-in, tokens). Sees no Application. */
  withControl<T>(reason: string, work: (tx: Tx) => Promise<T>): Promise<T>;
  /** Work across all Applications; for the few tasks that cannot do without. */
  withSystem<T>(reason: string, work: (tx: Tx) => Promise<T>, options?: SystemOptions): Promise<T>;
  /** Hears NOTIFY on `channel`, through losses of the connection. */
  listen(channel: string, onPayload: (payload: string) => void, options?: ListenOptions): Promise<Listening>;
  /** Throws `database.unavailable` where the database does not answer within three seconds. Busy pools do not count. */
  ping(): Promise<void>;
  /** Waits for running transactions, then closes every connection. */
  close(): Promise<void>;
}

/** NOTIFY, sent when `tx` commits. The payload reaches every listener of the database: ids, never content. At most 7,999 bytes. */
export async function notify(tx: Tx, channel: string, payload: string): Promise<void> {
  await tx.execute(sql`select pg_notify(${channel}, ${payload})`);
}

const organizationForm = /^[0-9A-Za-z_-]{1,128}$/;

/** Opens the pools; connections are made when first needed. The roles must exist (`ensureRoles`). */
export function openDatabase(options: DatabaseOptions): Database {
  const log = options.log.child({ subsystem: 'postgres' });
  const limits: ScopeLimits = {
    statementTimeoutMs: options.statementTimeoutMs ?? 30_000,
    idleInTransactionTimeoutMs: options.idleInTransactionTimeoutMs ?? 15_000,
  };
  const poolSize = options.poolSize ?? 10;
  const smallSize = Math.max(2, Math.ceil(poolSize / 2));
  const pool = (url: ConnectionUrl, size: number, applicationName: string, answerTimeoutMs: number): ConnectionPool =>
    new ConnectionPool({ url, size, applicationName, acquireTimeoutMs: options.acquireTimeoutMs ?? 5_000, answerTimeoutMs, log });
  // The server's own time-out comes first; ours is for a server that has fallen silent.
  const answerTimeoutMs = limits.statementTimeoutMs + 5_000;
  const pools = {
    app: pool(options.appUrl, poolSize, 'bulkhead-app', answerTimeoutMs),
    control: pool(options.controlUrl, smallSize, 'bulkhead-control', answerTimeoutMs),
    system: pool(options.systemUrl, smallSize, 'bulkhead-system', LONGEST_SYSTEM_STATEMENT_MS + 5_000),
  };
  const origin = {};
  // Of its own, so that a busy process is not taken for one without a database.
  const pingPool = new ConnectionPool({
    url: options.controlUrl,
    size: 1,
    applicationName: 'bulkhead-ping',
    acquireTimeoutMs: PING_MS,
    answerTimeoutMs: PING_MS,
    log,
  });
  let pinging: Promise<void> | undefined;
  const watch = new SilenceWatch({
    url: options.controlUrl,
    pools: [...Object.values(pools), pingPool],
    silenceMs: options.silenceMs ?? 2_000,
    probeMs: PING_MS,
    log,
  });
  const listener = new Listener(options.listenUrl ?? options.systemUrl, log);
  const inScope = (scope: Sql): TransactionOptions => ({ scope, preparedStatements: options.preparedStatements ?? true, log, origin });
  const asIs = (tx: Tx): Tx => tx;

  function checkedTenant(applicationId: ApplicationId): ApplicationId {
    if (!applicationIds.is(applicationId))
      throw databaseErrors('database.misused', { detail: 'The scope of a tenant transaction is not the id of an Application.' });
    return applicationId;
  }

  return {
    origin,

    async withTenant(applicationId, work) {
      const scope = tenantScope(checkedTenant(applicationId), limits);
      return Transaction.run(await pools.app.acquire(), inScope(scope), (tx) => Object.assign(tx, { applicationId }), work);
    },

    async tenantQuery<Row extends object>(applicationId: ApplicationId, statement: Sql) {
      const scope = tenantScope(checkedTenant(applicationId), limits);
      const [rows] = await Transaction.single(await pools.app.acquire(), inScope(scope), [statement]);
      return rows as Row[];
    },

    async tenantQueries(applicationId, statements) {
      const scope = tenantScope(checkedTenant(applicationId), limits);
      return Transaction.single(await pools.app.acquire(), inScope(scope), statements);
    },

    async withOrganization(organizationId, work) {
      if (!organizationForm.test(organizationId))
        throw databaseErrors('database.misused', { detail: 'The scope of an organization transaction is not an id.' });
      const scope = organizationScope(organizationId, limits);
      return Transaction.run(await pools.control.acquire(), inScope(scope), (tx) => Object.assign(tx, { organizationId }), work);
    },

    async withControl(reason, work) {
      log.debug('A control transaction without an organization', { reason });
      return Transaction.run(await pools.control.acquire(), inScope(controlScope(limits)), asIs, work);
    },

    async withSystem(reason, work, systemOptions = {}) {
      log.debug('A transaction across all Applications', { reason });
      const statementTimeoutMs = Math.min(systemOptions.statementTimeoutMs ?? limits.statementTimeoutMs, LONGEST_SYSTEM_STATEMENT_MS);
      return Transaction.run(await pools.system.acquire(), inScope(systemScope({ ...limits, statementTimeoutMs })), asIs, work);
    },

    listen: (channel, onPayload, listenOptions) => listener.listen(channel, onPayload, listenOptions),

    ping() {
      const ask = async (): Promise<void> =>
        void (await Transaction.single(await pingPool.acquire(), inScope(controlScope(limits)), [sql`select 1`]));
      return (pinging ??= ask().finally(() => (pinging = undefined)));
    },

    async close() {
      await Promise.all([listener.close(), pingPool.end(), ...Object.values(pools).map((each) => each.end())]);
      watch.close();
    },
  };
}

const PING_MS = 3_000;
const LONGEST_SYSTEM_STATEMENT_MS = 10 * 60_000;
