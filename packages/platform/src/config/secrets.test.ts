import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '@bulkhead/base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from './config.ts';
import { loadRootKey } from './secrets.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bulkhead-secrets-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const fromFolder = (mayCreate: boolean, where = folder) => loadRootKey({ kind: 'data-dir' }, where, mayCreate);

describe('the root key of a data folder', () => {
  it('is made at the first start, for its owner alone, and is the same at the next', async () => {
    const made = await fromFolder(true, join(folder, 'new', 'data'));
    expect(made.byteLength).toBe(32);
    expect((await stat(join(folder, 'new', 'data', 'root.key'))).mode & 0o777).toBe(0o600);
    expect((await fromFolder(true, join(folder, 'new', 'data'))).equals(made)).toBe(true);
    expect((await fromFolder(false, join(folder, 'new', 'data'))).equals(made)).toBe(true);
  });

  it('is one, whoever of several first starts makes it', async () => {
    // Different sources of randomness, as in different processes: only what lies in the file may be answered.
    const keys = await Promise.all(
      [1, 2, 3].map((seed) => loadRootKey({ kind: 'data-dir' }, join(folder, 'raced'), true, (length) => Buffer.alloc(length, seed))),
    );
    const stored = Buffer.from((await readFile(join(folder, 'raced', 'root.key'), 'utf8')).trim(), 'base64');
    for (const key of keys) expect(key.equals(stored)).toBe(true);
  });

  it('is never made anew over data it could not open', async () => {
    await expect(fromFolder(false)).rejects.toThrow(
      /BULKHEAD_ROOT_KEY: expected the root key this database was made with: .*root\.key is missing/,
    );
    expect(await readdir(folder)).toEqual([]);
    // The control: the same empty folder with a new database gets one.
    expect((await fromFolder(true)).byteLength).toBe(32);
  });

  it('leaves no second copy behind', async () => {
    await fromFolder(true);
    expect(await readdir(folder)).toEqual(['root.key']);
  });

  it.each(['', 'not base64 of 32 bytes', Buffer.alloc(16).toString('base64')])(
    'is refused where the file holds %j, and the file stays',
    async (text) => {
      await writeFile(join(folder, 'root.key'), text);
      await expect(fromFolder(true)).rejects.toThrow(ConfigError);
      expect(await readFile(join(folder, 'root.key'), 'utf8')).toBe(text);
    },
  );
});

describe('a root key given by the operator', () => {
  const base64 = Buffer.alloc(32, 9).toString('base64');

  it('is taken as it is, and nothing is written', async () => {
    expect((await loadRootKey({ kind: 'value', base64: new Secret(base64) }, folder, true)).toString('base64')).toBe(base64);
    expect(await readdir(folder)).toEqual([]);
  });

  it('is read from its file, whose last line may end', async () => {
    await writeFile(join(folder, 'given'), `${base64}\n`);
    expect((await loadRootKey({ kind: 'file', path: join(folder, 'given') }, folder, false)).toString('base64')).toBe(base64);
  });

  it('that is not there is refused and never made, not even for a new database', async () => {
    await expect(loadRootKey({ kind: 'file', path: join(folder, 'none') }, folder, true)).rejects.toThrow(
      `BULKHEAD_ROOT_KEY: expected a readable file at ${join(folder, 'none')}.`,
    );
    expect(await readdir(folder)).toEqual([]);
  });
});
