import { systemClock } from '@bulkhead/base';
import { configFrom, type KeyService, readEnvironment } from '@bulkhead/platform';
import type { Database } from '@bulkhead/postgres';
import { claimedKeys, pinoLog, withDatabase } from '@bulkhead/server';

/**
 * Runs `work` on the database and the keys that `bulkhead start` would use here, beside a server or without one. Throws
 * `ConfigError` for keys that are not this database's.
 */
export async function onKeys<T>(work: (parts: { readonly db: Database; readonly keys: KeyService }) => Promise<T>): Promise<T> {
  const config = configFrom(readEnvironment(), process.cwd());
  return withDatabase({ config, log: pinoLog(config.logLevel) }, async (db) =>
    work({ db, keys: await claimedKeys(db, config, systemClock) }),
  );
}
