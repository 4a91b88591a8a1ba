import { configFrom, readEnvironment } from '@bulkhead/platform';
import type { Database } from '@bulkhead/postgres';
import { pinoLog, withDatabase } from '@bulkhead/server';

/** Runs `work` on the database that `bulkhead start` would use here, beside a server or without one. */
export async function onDatabase<T>(work: (db: Database) => Promise<T>): Promise<T> {
  const config = configFrom(readEnvironment(), process.cwd());
  return withDatabase({ config, log: pinoLog(config.logLevel) }, work);
}
