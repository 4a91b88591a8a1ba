import { existsSync } from 'node:fs';
import { link, mkdir, open, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type Random, randomBase62, systemRandom } from '@bulkhead/base';
import { ConfigError, type RootKeySource } from './config.ts';

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
  const path = source.kind === 'file' ? source.path : join(dataDir, 'root.key');
  if (source.kind === 'data-dir' && !existsSync(path)) {
    if (!mayCreate)
      throw new ConfigError(
        'BULKHEAD_ROOT_KEY',
        `the root key this database was made with: ${path} is missing, and a new key could not open the secrets stored here. Put the file back, or set the variable`,
      );
    await createKeyFile(path, dataDir, random);
  }
  let text: string;
  try {
    text = (await readFile(path, 'utf8')).trim();
  } catch {
    throw new ConfigError('BULKHEAD_ROOT_KEY', `a readable file at ${path}`);
  }
  const bytes = Buffer.from(text, 'base64');
  if (bytes.byteLength !== 32) throw new ConfigError('BULKHEAD_ROOT_KEY', `32 bytes in base64 in ${path}`);
  return bytes;
}

async function createKeyFile(path: string, dataDir: string, random: Random): Promise<void> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  // Not by the process id: in a container that is the same at every start, and a killed one's file would be in the way.
  const temporary = `${path}.${randomBase62(12)}`;
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(`${Buffer.from(random(32)).toString('base64')}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await link(temporary, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await unlink(temporary);
}
