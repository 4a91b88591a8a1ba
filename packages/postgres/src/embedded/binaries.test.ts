import { mkdir, mkdtemp, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { prepareBinaries } from './binaries.ts';

let folder: string;
let root: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bulkhead-binaries-'));
  root = join(folder, 'package');
  await mkdir(join(root, 'native', 'lib', 'deep'), { recursive: true });
  await mkdir(join(root, 'native', 'bin'));
  await mkdir(join(folder, 'data'));
  await writeFile(join(root, 'package.json'), '{"version":"18.0.0"}');
  await writeFile(join(root, 'native', 'lib', 'deep', 'libx.so.6.18'), 'library');
  await writeFile(
    join(root, 'native', 'pg-symlinks.json'),
    JSON.stringify([
      { source: 'native/lib/deep/libx.so.6.18', target: 'native/lib/libx.so.6' },
      { source: 'native/lib/deep/libx.so.6.18', target: 'native/lib/deep/libx.so' },
    ]),
  );
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the binaries', () => {
  test('get the links that an install script was not allowed to make', async () => {
    const { postgres } = await prepareBinaries(join(folder, 'data'), false, root);
    expect(postgres).toBe(join(root, 'native', 'bin', 'postgres'));
    expect(await readFile(join(root, 'native', 'lib', 'libx.so.6'), 'utf8')).toBe('library');
    expect(await readlink(join(root, 'native', 'lib', 'deep', 'libx.so'))).toBe('libx.so.6.18');
  });

  test('keep a link that is there', async () => {
    await symlink('elsewhere', join(root, 'native', 'lib', 'libx.so.6'));
    await prepareBinaries(join(folder, 'data'), false, root);
    expect(await readlink(join(root, 'native', 'lib', 'libx.so.6'))).toBe('elsewhere');
  });

  test('are copied, once, to where the other user can reach them', async () => {
    // mkdtemp makes a folder that only its owner may enter.
    const copies = await Promise.all([1, 2, 3].map(() => prepareBinaries(join(folder, 'data'), true, root)));
    expect(new Set(copies.map((copy) => copy.root))).toEqual(new Set([join(folder, 'data', 'postgres-18.0.0')]));
    expect(await readFile(join(folder, 'data', 'postgres-18.0.0', 'native', 'lib', 'libx.so.6'), 'utf8')).toBe('library');
  });
});
