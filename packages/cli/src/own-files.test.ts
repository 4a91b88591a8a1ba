import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { functionManifest } from '@bulkhead/protocol';
import { build } from 'esbuild';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { bundleFunctions } from './bundle-functions.ts';

// F4: what a folder brings along, before anything is uploaded.
const SECRET = 'what-lies-outside';
let outer: string;
let folder: string;
beforeAll(async () => {
  outer = await mkdtemp(join(tmpdir(), 'bulkhead-own-files-'));
  await writeFile(join(outer, 'outside.json'), JSON.stringify({ secret: SECRET }));
});
afterAll(() => rm(outer, { recursive: true, force: true }));
beforeEach(async () => {
  folder = await mkdtemp(join(outer, 'app-'));
  await mkdir(join(folder, 'src'));
});

const manifest = functionManifest.parse({ app: 'notes', functions: [{ key: 'run', handler: 'src/index.run' }] });
const bundle = async (source: string): Promise<string> => {
  await writeFile(join(folder, 'src/index.ts'), source);
  return bundleFunctions(folder, manifest).catch((error: unknown) => (error as Error).message);
};
const importing = (path: string) => `import data from '${path}';\nexport const run = () => data;`;

describe('a folder of functions', () => {
  const outside: [string, string, () => Promise<void>][] = [
    ['a path above it', '../../outside.json', async () => undefined],
    ['an absolute path', '/outside.json', async () => undefined],
    ['a symbolic link that leaves it', './link.json', () => symlink(join(outer, 'outside.json'), join(folder, 'src/link.json'))],
    ['a folder that is one', './linked/outside.json', () => symlink(outer, join(folder, 'src/linked'))],
  ];
  it.each(outside)('brings nothing along by %s', async (_, path, prepare) => {
    await prepare();
    const said = await bundle(importing(path.startsWith('/') ? join(outer, path) : path));
    expect(said).toMatch(/^src\/index\.ts:1:18: .*is outside the folder of the manifest/);
    expect(said).not.toContain(SECRET);
  });

  it('control: without the plugin the link would be followed', async () => {
    await symlink(join(outer, 'outside.json'), join(folder, 'src/link.json'));
    await writeFile(join(folder, 'src/index.ts'), importing('./link.json'));
    const { outputFiles } = await build({ entryPoints: [join(folder, 'src/index.ts')], bundle: true, write: false, format: 'esm' });
    expect(outputFiles[0]!.text).toContain(SECRET);
  });

  it('is not itself reached by a link of its own that goes in a circle, or to what is no file', async () => {
    await symlink('loop.json', join(folder, 'src/loop.json'));
    expect(await bundle(importing('./loop.json'))).toMatch(/src\/index\.ts:1:18: /);
    await symlink('/dev/zero', join(folder, 'src/zero.json'));
    expect(await bundle(importing('./zero.json'))).toMatch(/src\/index\.ts:1:18: /);
  });

  it('brings its own files, links within it and packages', async () => {
    await writeFile(join(folder, 'shared.json'), '{"own": "of the folder"}');
    await symlink(join(folder, 'shared.json'), join(folder, 'src/link.json'));
    await mkdir(join(outer, 'node_modules/a-package'), { recursive: true });
    await writeFile(join(outer, 'node_modules/a-package/package.json'), '{"name": "a-package", "main": "main.js"}');
    await writeFile(join(outer, 'node_modules/a-package/main.js'), "export { value as default } from './value.js';");
    await writeFile(join(outer, 'node_modules/a-package/value.js'), "export const value = 'of a package';");
    const text = await bundle(`import link from './link.json';\nimport shared from '../shared.json';\nimport thing from 'a-package';
export const run = () => [link, shared, thing];`);
    expect(text).toContain('of the folder');
    expect(text).toContain('of a package');
  });

  it.each([
    ['a native add-on', 'add.node', 'x', /"\.\/add\.node" is a native add-on/],
    ['a file of more than 5 MiB', 'large.json', `"${'x'.repeat(5 * 1024 * 1024)}"`, /larger than 5242880 bytes/],
    ['more than a server takes', 'much.json', `"${'x'.repeat(900_000)}"`, /at most 900000 are taken/],
    ['an archive', 'all.zip', 'PK\u0003\u0004', /No loader is configured for "\.zip" files/],
    ['what is compressed', 'code.js.gz', '\u001f\u008b', /No loader is configured for "\.gz" files/],
  ])('with %s is refused with the reason', async (_, name, content, said) => {
    await writeFile(join(folder, 'src', name), content, 'latin1');
    expect(await bundle(importing(`./${name}`))).toMatch(said);
  });
});
