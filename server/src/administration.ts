import { type Log, systemClock } from '@bulkhead/base';
import { type Config, MIGRATIONS_FOLDER, provideAuditTrailOf } from '@bulkhead/platform';
import {
  attachEmbeddedPostgres,
  type Database,
  hasEmbeddedCluster,
  migrate,
  openDatabase,
  startEmbeddedPostgres,
} from '@bulkhead/postgres';
import { claimedKeys } from './claimed-keys.ts';
import { closeInReverse } from './closing.ts';
import { type DatabaseAddress, namedDatabase } from './named-database.ts';

/** The database of this configuration does not exist yet; says where it was looked for. */
export class NoDatabaseYet extends Error {
  override readonly name = 'NoDatabaseYet';
}

/**
 * Runs `work` on the database of this configuration, beside a server that runs on it or without one: the embedded
 * PostgreSQL is joined where it runs, and started for the duration where it does not. A folder without a database is
 * refused rather than filled: most likely the command was typed in the wrong place.
 */
export async function withDatabase<T>(
  { config, log }: { readonly config: Config; readonly log: Log },
  work: (db: Database) => Promise<T>,
): Promise<T> {
  const closing: (() => Promise<void>)[] = [];
  try {
    const urls = await addressOf(config, log, closing);
    // A running server has migrated; a newer database than this program is refused here as at any start.
    await migrate({ ownerUrl: urls.ownerUrl, folder: MIGRATIONS_FOLDER, log });
    const db = openDatabase({ ...urls, log, poolSize: 2 });
    closing.push(() => db.close());
    provideAuditTrailOf(db, { keys: () => claimedKeys(db, config, systemClock), clock: systemClock });
    return await work(db);
  } finally {
    await closeInReverse(closing);
  }
}

async function addressOf(config: Config, log: Log, closing: (() => Promise<void>)[]): Promise<DatabaseAddress> {
  const named = await namedDatabase(config, log);
  if (named !== null) return named;
  if (!(await hasEmbeddedCluster(config.dataDir))) throw new NoDatabaseYet(config.dataDir);
  const running = await attachEmbeddedPostgres({ dataDir: config.dataDir, log });
  if (running !== null) return running;
  const embedded = await startEmbeddedPostgres({ dataDir: config.dataDir, log });
  closing.push(() => embedded.stop());
  return embedded;
}
