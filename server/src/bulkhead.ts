import { type Clock, type Log, type Secret, systemClock } from '@bulkhead/base';
import { auditTrailOf, type Config, createPlatform, MIGRATIONS_FOLDER, type Platform, prepareFirstOrganization } from '@bulkhead/platform';
import { type Database, migrate, openDatabase, startEmbeddedPostgres } from '@bulkhead/postgres';
import { claimedKeys } from './claimed-keys.ts';
import { closeInReverse } from './closing.ts';
import { issueFirstMetaToken } from './first-meta-token.ts';
import { reportIsolation } from './runner/report-isolation.ts';
import { RunnerProcess } from './runner/runner-process.ts';
import { type DatabaseAddress, namedDatabase } from './named-database.ts';

export interface Bulkhead {
  readonly platform: Platform;
  readonly db: Database;
  readonly publicUrl: string;
  readonly organizationId: string;
  /** The Meta token that this start issued, because the database had none; its text is nowhere else. */
  readonly firstMetaToken: Secret | null;
  /**
   * Drains requests and workers, then the database. `graceMs` as in `Platform.close`. Once is enough; a second call waits for the
   * first.
   */
  close(options?: { readonly graceMs?: number }): Promise<void>;
}

export interface StartOptions {
  readonly config: Config;
  readonly log: Log;
  readonly clock?: Clock;
  /** Addresses outbound calls may reach beside the configured ones: the demo's own services. */
  readonly egressAllow?: readonly string[];
  /** Functions may run without the jail, whatever the configuration says: the demo. */
  readonly acceptProcess?: boolean;
  /** As the runner's: `bulkhead functions dev`, and nothing else. */
  readonly inspectPort?: number;
}

/**
 * Everything from a configuration to a listening process: database, migrations, root key, roles.
 * Throws `ConfigError` for a setting that turns out wrong, the catalogue's `database.*` errors, and what the system says
 * about the port (`EADDRINUSE`, `EACCES`). Whatever had been started by then is stopped.
 */
export async function startBulkhead({
  config,
  log,
  clock = systemClock,
  egressAllow = [],
  acceptProcess = false,
  inspectPort,
}: StartOptions): Promise<Bulkhead> {
  const closing: (() => Promise<void>)[] = [];
  let closed: Promise<void> | undefined;
  let grace = {};
  const close: Bulkhead['close'] = (options = {}) => {
    grace = options;
    return (closed ??= closeInReverse(closing));
  };
  try {
    const urls = await databaseAddress(config, log, closing);
    await migrate({ ownerUrl: urls.ownerUrl, folder: MIGRATIONS_FOLDER, log });
    const db = openDatabase({ ...urls, log });
    closing.push(() => db.close());
    const keys = await claimedKeys(db, config, clock);
    const runner = config.roles.has('runner')
      ? new RunnerProcess({
          acceptProcess: acceptProcess || config.sandbox === 'process',
          apiUrl: () => platform.localUrl(),
          log,
          ...(inspectPort === undefined ? {} : { inspectPort }),
        })
      : null;
    const platform: Platform = await createPlatform({
      ...(runner === null ? {} : { runner }),
      db,
      keys,
      clock,
      log,
      host: config.host,
      publicUrl: publicUrlOf(config),
      egressAllow: [...config.egressAllow, ...egressAllow],
      trustProxy: config.trustProxy,
      rateLimits: config.rateLimits,
      tenantShare: config.tenantShare,
      accountsMax: config.accountsMax,
      functionLimits: config.functionLimits,
    });
    closing.push(() => runner?.close() ?? Promise.resolve());
    closing.push(() => platform.close(grace));
    await auditTrailOf(db);
    const organizationId = await prepareFirstOrganization(db, config.metaToken, new Date(clock.now()));
    if (config.roles.has('runner') && !config.roles.has('api'))
      log.warn('The role runner runs functions for the api role of its own process, and there is none');
    platform.startUses();
    if (config.roles.has('worker')) await platform.startWorker();
    if (config.roles.has('runner') && config.roles.has('api'))
      void reportIsolation(log, { acceptProcess: acceptProcess || config.sandbox === 'process' });
    const publicUrl = config.roles.has('api') ? await platform.listen(config.port) : platform.publicUrl();
    // What runs there asks the api role of this process.
    if (config.roles.has('api')) await platform.startJobs();
    // Last, once nothing can fail any more: a token that nobody gets to see would be lost.
    const firstMetaToken = config.roles.has('api') && config.metaToken === null ? await issueFirstMetaToken(db, clock) : null;
    return { platform, db, publicUrl, organizationId, firstMetaToken, close };
  } catch (thrown) {
    await close().catch((error: unknown) => log.error('Not everything could be stopped after a failed start', { err: error }));
    throw thrown;
  }
}

/** A process that does not listen writes the links of the one that does; only a listener knows the port behind 0. */
function publicUrlOf(config: Config): string | null {
  if (config.publicUrl !== null || config.roles.has('api')) return config.publicUrl;
  return `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${config.port}`;
}

async function databaseAddress(config: Config, log: Log, closing: (() => Promise<void>)[]): Promise<DatabaseAddress> {
  const named = await namedDatabase(config, log);
  if (named !== null) return named;
  const embedded = await startEmbeddedPostgres({ dataDir: config.dataDir, log });
  closing.push(() => embedded.stop());
  return embedded;
}
