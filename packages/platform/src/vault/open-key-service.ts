import { join } from 'node:path';
import type { Random } from '@bulkhead/base';
import { type Config, loadRootKey } from '../config/index.ts';
import { ApplicationKeyFolder } from './application-key-folder.ts';
import { EnvironmentKeys } from './environment-keys.ts';
import { FileKeys } from './file-keys.ts';
import type { KeyService } from './key-service.ts';

/**
 * The keys of this configuration. `mayCreate` says whether the database is new: only then is a first root key made. Throws
 * `ConfigError` where a key is missing or cannot be read.
 */
export async function openKeyService(
  config: Pick<Config, 'rootKey' | 'previousRootKeys' | 'dataDir' | 'keyDir' | 'databaseUrl'>,
  { mayCreate, random }: { readonly mayCreate: boolean; readonly random?: Random },
): Promise<KeyService> {
  // Beside the embedded database there is one durable folder. With a database of the operator's own, processes may run anywhere
  // and on disks that come and go: only the operator can name a folder that all of them share.
  const folder = config.keyDir ?? (config.databaseUrl === null ? join(config.dataDir, 'keys') : null);
  const applicationKeys = folder === null ? null : new ApplicationKeyFolder(folder, random);
  if (config.rootKey.kind === 'data-dir')
    return FileKeys.open({ dataDir: config.dataDir, mayCreate, applicationKeys, ...(random === undefined ? {} : { random }) });
  const first = await loadRootKey(config.rootKey, config.dataDir, false);
  const previous = await Promise.all(config.previousRootKeys.map((source) => loadRootKey(source, config.dataDir, false)));
  return new EnvironmentKeys([first, ...previous], applicationKeys);
}
