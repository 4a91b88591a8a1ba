import { link, mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Random, randomBase62, systemRandom } from '@bulkhead/base';

const KEY_BYTES = 32;

/** The key in a file, 32 bytes in base64; null where there is no file. Throws where it holds something else or may not be read. */
export async function readKeyFile(path: string): Promise<Buffer | null> {
  let text: string;
  try {
    text = (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  const bytes = Buffer.from(text, 'base64');
  if (bytes.byteLength !== KEY_BYTES) throw new TypeError(`${path} does not hold ${KEY_BYTES} bytes in base64`);
  return bytes;
}

/**
 * Keeps a key in a file of its owner's alone (0600), on disk when this resolves. Whoever is first wins: a file that is there
 * stays as it is, and nobody ever reads half of one.
 */
export async function writeNewFile(path: string, text: string): Promise<void> {
  const folder = dirname(path);
  const made = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (made !== undefined) await syncFolder(dirname(made));
  // Not by the process id: in a container that is the same at every start, and a killed one's file would be in the way.
  const temporary = `${path}.${randomBase62(12)}`;
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(`${text}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await link(temporary, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await unlink(temporary);
  await syncFolder(folder);
}

export async function writeNewKeyFile(path: string, bytes: Uint8Array): Promise<void> {
  await writeNewFile(path, Buffer.from(bytes).toString('base64'));
}

/** Puts a file into the place of another in one step, on disk when this resolves. */
export async function replaceFile(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncFolder(dirname(to));
}

/**
 * Overwrites a file and removes it, on disk when this resolves; nothing to do where there is none. What a copying file system, a
 * drive that moves its blocks or a backup keeps of it is beyond reach.
 */
export async function shredFile(path: string, random: Random = systemRandom): Promise<void> {
  try {
    const file = await open(path, 'r+');
    try {
      const { size } = await file.stat();
      await file.write(Buffer.from(random(size)), 0, size, 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await unlink(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return;
  }
  await syncFolder(dirname(path));
}

/** A name in a folder survives a loss of power only once the folder itself is written. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
