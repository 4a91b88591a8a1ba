import type { Config } from '@bulkhead/platform';
import { type DatabaseOptions, type EmbeddedUrls, ensureRoles } from '@bulkhead/postgres';
import type { Log } from '@bulkhead/base';

/** What `openDatabase` and `migrate` take of the database a configuration names or brings. */
export type DatabaseAddress = EmbeddedUrls & Pick<DatabaseOptions, 'listenUrl' | 'preparedStatements'>;

/**
 * The database of `BULKHEAD_DATABASE_URL`, its roles made ready; null where none is named. Behind a pooler in transaction
 * mode only what ends with its transaction holds: serving goes through it without prepared statements, while roles,
 * migrations (advisory locks) and LISTEN go past it. Throws `database.unavailable`, `database.roles_unfit`.
 */
export async function namedDatabase(config: Config, log: Log): Promise<DatabaseAddress | null> {
  if (config.databaseUrl === null) return null;
  const direct = config.databaseUrl;
  await ensureRoles({ url: direct, log });
  if (config.databasePoolerUrl === null) return { ownerUrl: direct, appUrl: direct, controlUrl: direct, systemUrl: direct };
  const pooled = config.databasePoolerUrl;
  return { ownerUrl: direct, listenUrl: direct, appUrl: pooled, controlUrl: pooled, systemUrl: pooled, preparedStatements: false };
}
