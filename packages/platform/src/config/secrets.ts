import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Random, systemRandom } from '@bulkhead/base';
import { ConfigError, type RootKeySource } from './config.ts';
import { readKeyFile, writeNewKeyFile } from './key-file.ts';

/** Where the root key of a data folder lies. */
export function rootKeyPath(dataDir: string): string {
  return join(dataDir, 'root.key');
}

/**
 * The 32 bytes of the root key. From the data folder it is made once (0600), never again over existing data: `mayCreate`
 * says whether the database is new. Written to a temporary file and linked into place, so that two first starts agree.
 */
export async function loadRootKey(
  source: RootKeySource,
  dataDir: string,
  mayCreate: boolean,
  random: Random = systemRandom,
): Promise<Buffer> {
  if (source.kind === 'value') return Buffer.from(source.base64.reveal(), 'base64');
  const path = source.kind === 'file' ? source.path : rootKeyPath(dataDir);
  if (source.kind === 'data-dir' && !existsSync(path)) {
    if (!mayCreate)
      throw new ConfigError(
        'BULKHEAD_ROOT_KEY',
        `the root key this database was made with: ${path} is missing, and a new key could not open the secrets stored here. Put the file back, or set the variable`,
      );
    await writeNewKeyFile(path, random(32));
  }
  let bytes: Buffer | null;
  try {
    bytes = await readKeyFile(path);
  } catch (error) {
    throw new ConfigError('BULKHEAD_ROOT_KEY', error instanceof TypeError ? `32 bytes in base64 in ${path}` : `a readable file at ${path}`);
  }
  if (bytes === null) throw new ConfigError('BULKHEAD_ROOT_KEY', `a readable file at ${path}`);
  return bytes;
}
