import { applicationId as applicationIds, type ApplicationId, type Log } from '@bulkhead/base';
import type { ConnectionUrl } from './connection.ts';
import { ConnectionPool } from './connection-pool.ts';
import { databaseErrors } from './database-errors.ts';
import { Listener, type Listening, type ListenOptions } from './listener.ts';
import { controlScope, organizationScope, type ScopeLimits, systemScope, tenantScope } from './scope.ts';
import { SilenceWatch } from './silence-watch.ts';
import { type Sql, sql } from './sql.ts';
import { Recall } from './recall.ts';
import { HAS_CHANGED, type OrganizationTx, type TenantTx, Transaction, type TransactionOptions, type Tx } from './transaction.ts';

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
  /** Use again, for at most a second, what `recall` has read. Default: on. */
  readonly recalls?: boolean;
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
  /**
   * One statement on the tables of one Application, or what it gave within the last second, under a name that says all it depends on. What
   * `make` makes of the rows is shared by whoever asks next, and so is never changed; null is not kept. A change is seen at once by
   * the process that made it, by others when they are told, and by all after a second. Every table of the statement has the trigger
   * `tell_change`.
   */
  recall<T>(
    applicationId: ApplicationId,
    name: string,
    statement: () => Sql,
    make: (rows: readonly object[]) => T | null,
  ): Promise<T | null>;
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

/** Told by the trigger `tell_change` when a row that may be remembered somewhere has changed. Payload: the Application's id. */
export const CHANGES_CHANNEL = 'bulkhead_changes';

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
  let hearing: { now: boolean } | undefined;
  const watch = new SilenceWatch({
    pools: [...Object.values(pools), pingPool],
    silenceMs: options.silenceMs ?? 2_000,
    probeMs: PING_MS,
    log,
  });
  const listener = new Listener(options.listenUrl ?? options.systemUrl, log);
  const recall = new Recall();
  const recalls = options.recalls ?? true;
  const inScope = (scope: Sql): TransactionOptions => ({ scope, preparedStatements: options.preparedStatements ?? true, log, origin });
  const inTenantScope = (applicationId: ApplicationId): TransactionOptions => ({
    ...inScope(tenantScope(checkedTenant(applicationId), limits)),
    ended: () => recall.forget(applicationId),
  });
  /** For a transaction that may change any Application. */
  const inWideScope = (scope: Sql): TransactionOptions => ({
    ...inScope(scope),
    asksWhetherChanged: true,
    ended: () => recall.forgetAll(),
  });
  const asIs = (tx: Tx): Tx => tx;

  function checkedTenant(applicationId: ApplicationId): ApplicationId {
    if (!applicationIds.is(applicationId))
      throw databaseErrors('database.misused', { detail: 'The scope of a tenant transaction is not the id of an Application.' });
    return applicationId;
  }

  async function inOneFlight(applicationId: ApplicationId, statements: readonly Sql[]): Promise<readonly object[][]> {
    const inScopeOf = inTenantScope(applicationId);
    const client = await pools.app.acquire(applicationId);
    if (statements.every(({ text }) => /^\s*select\b/i.test(text))) return Transaction.single(client, inScopeOf, statements);
    let hasChanged = true;
    try {
      const answers = await Transaction.single(client, inScopeOf, [...statements, HAS_CHANGED]);
      hasChanged = (answers.at(-1)![0] as { has_changed: boolean }).has_changed;
      return answers.slice(0, -1);
    } finally {
      if (hasChanged) recall.forget(applicationId);
    }
  }

  /** Whether this process hears what others change. Begins to listen when first asked; until it does, nothing is remembered. */
  function hearsChanges(): boolean {
    if (hearing !== undefined) return hearing.now;
    const begun: { now: boolean } = (hearing = { now: false });
    const hears = (now: boolean) => (): void => {
      recall.forgetAll();
      begun.now = now;
    };
    const forget = (applicationId: string): void => recall.forget(applicationId as ApplicationId);
    listener
      .listen(CHANGES_CHANNEL, forget, { onLost: hears(false), onReconnect: hears(true) })
      .then(hears(true), () => void setTimeout(() => (hearing = undefined), HEAR_AGAIN_MS).unref());
    return false;
  }

  return {
    origin,

    async withTenant(applicationId, work) {
      const inScopeOf = inTenantScope(applicationId);
      return Transaction.run(await pools.app.acquire(applicationId), inScopeOf, (tx) => Object.assign(tx, { applicationId }), work);
    },

    async tenantQuery<Row extends object>(applicationId: ApplicationId, statement: Sql) {
      const [rows] = await inOneFlight(applicationId, [statement]);
      return rows as Row[];
    },

    tenantQueries: inOneFlight,

    async recall<T>(applicationId: ApplicationId, name: string, statement: () => Sql, make: (rows: readonly object[]) => T | null) {
      if (!recalls) return make((await inOneFlight(applicationId, [statement()]))[0]!);
      const known = recall.find(applicationId, name);
      if (known !== undefined) return known as T;
      const keep = hearsChanges() ? recall.begin(applicationId, name) : undefined;
      const made = make((await inOneFlight(applicationId, [statement()]))[0]!);
      if (made !== null) keep?.(made);
      return made;
    },

    async withOrganization(organizationId, work) {
      if (!organizationForm.test(organizationId))
        throw databaseErrors('database.misused', { detail: 'The scope of an organization transaction is not an id.' });
      const scope = organizationScope(organizationId, limits);
      return Transaction.run(await pools.control.acquire(), inWideScope(scope), (tx) => Object.assign(tx, { organizationId }), work);
    },

    async withControl(reason, work) {
      log.debug('A control transaction without an organization', { reason });
      return Transaction.run(await pools.control.acquire(), inScope(controlScope(limits)), asIs, work);
    },

    async withSystem(reason, work, systemOptions = {}) {
      log.debug('A transaction across all Applications', { reason });
      const statementTimeoutMs = Math.min(systemOptions.statementTimeoutMs ?? limits.statementTimeoutMs, LONGEST_SYSTEM_STATEMENT_MS);
      return Transaction.run(await pools.system.acquire(), inWideScope(systemScope({ ...limits, statementTimeoutMs })), asIs, work);
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
/** How long after it could not be had a connection that hears is asked for again. */
const HEAR_AGAIN_MS = 1_000;
const LONGEST_SYSTEM_STATEMENT_MS = 10 * 60_000;
