import { type Clock, type Log, systemClock } from '@bulkhead/base';
import { checkRootKey, type Config, ConfigError, createPlatform, holdsSecrets, loadRootKey, MIGRATIONS_FOLDER, type Platform, prepareFirstOrganization } from '@bulkhead/platform';
import { type EmbeddedPostgres, ensureRoles, migrate, openDatabase, startEmbeddedPostgres } from '@bulkhead/postgres';

export interface Bulkhead {
  readonly platform: Platform;
  readonly publicUrl: string;
  readonly organizationId: string;
  /** Drains requests, then workers, then the database. */
  close(): Promise<void>;
}

export interface StartOptions {
  readonly config: Config;
  readonly log: Log;
  readonly clock?: Clock;
  /** Addresses outbound calls may reach beside the configured ones: the demo's own services. */
  readonly egressAllow?: readonly string[];
}

/** Everything from a configuration to a listening process: database, migrations, root key, roles. */
export async function startBulkhead({ config, log, clock = systemClock, egressAllow = [] }: StartOptions): Promise<Bulkhead> {
  const closing: (() => Promise<void>)[] = [];
  const closeAll = async () => {
    for (const close of closing.reverse()) await close();
  };
  try {
    const urls = await databaseUrls(config, log, closing);
    await migrate({ ownerUrl: urls.ownerUrl, folder: MIGRATIONS_FOLDER, log });
    const db = openDatabase({ ...urls, log });
    closing.push(() => db.close());
    const rootKeyBytes = await loadRootKey(config.rootKey, config.dataDir, !(await holdsSecrets(db)));
    if (!(await checkRootKey(db, rootKeyBytes))) throw new ConfigError('BULKHEAD_ROOT_KEY', 'the root key this database was made with; the one given opens none of its secrets');
    const organizationId = await prepareFirstOrganization(db, config.metaToken, new Date(clock.now()));
    const platform = await createPlatform({
      db,
      rootKeyBytes,
      clock,
      log,
      host: config.host,
      publicUrl: config.publicUrl,
      egressAllow: [...config.egressAllow, ...egressAllow],
      trustProxy: config.trustProxy,
    });
    closing.push(() => platform.close());
    if (config.roles.has('worker')) await platform.startWorker();
    const publicUrl = config.roles.has('api') ? await platform.listen(config.port) : platform.publicUrl();
    return { platform, publicUrl, organizationId, close: closeAll };
  } catch (thrown) {
    await closeAll();
    throw thrown;
  }
}

type DatabaseUrls = Pick<EmbeddedPostgres, 'ownerUrl' | 'appUrl' | 'controlUrl' | 'systemUrl'>;

async function databaseUrls(config: Config, log: Log, closing: (() => Promise<void>)[]): Promise<DatabaseUrls> {
  if (config.databaseUrl !== null) {
    const url = config.databaseUrl;
    await ensureRoles({ url, log });
    return { ownerUrl: url, appUrl: url, controlUrl: url, systemUrl: url };
  }
  const embedded = await startEmbeddedPostgres({ dataDir: config.dataDir, log });
  closing.push(() => embedded.stop());
  return embedded;
}
