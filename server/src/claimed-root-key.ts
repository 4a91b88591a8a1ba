import type { Clock } from '@bulkhead/base';
import { claimRootKey, type Config, ConfigError, hasRootKey, loadRootKey } from '@bulkhead/platform';
import type { Database } from '@bulkhead/postgres';

const OTHER_ROOT_KEY =
  'the root key this database was made with; the one given opens none of its secrets. Processes that share a database share its key: copy root.key of the first data folder, or set the variable in each';

/** The root key of this configuration, which is that of the database from now on. Throws `ConfigError` where another is. */
export async function claimedRootKey(db: Database, config: Config, clock: Clock): Promise<Buffer> {
  const bytes = await loadRootKey(config.rootKey, config.dataDir, !(await hasRootKey(db)));
  if (!(await claimRootKey(db, bytes, new Date(clock.now())))) throw new ConfigError('BULKHEAD_ROOT_KEY', OTHER_ROOT_KEY);
  return bytes;
}
