import type { Clock } from '@bulkhead/base';
import { claimKeys, type Config, hasRootKey, type KeyService, openKeyService } from '@bulkhead/platform';
import type { Database } from '@bulkhead/postgres';
import { keysRefused } from './keys-refused.ts';

/** The keys of this configuration, which are those of the database from now on. Throws `ConfigError` where it has others. */
export async function claimedKeys(db: Database, config: Config, clock: Clock): Promise<KeyService> {
  const keys = await openKeyService(config, { mayCreate: !(await hasRootKey(db)) });
  const refused = await claimKeys(db, keys, new Date(clock.now()));
  if (refused !== null) throw keysRefused(refused, config);
  return keys;
}
