import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { storageDeclaration } from '@bulkhead/protocol';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';

const root = join(import.meta.dirname, '../..');
let folder: string;
let blocks: readonly { readonly language: string; readonly text: string }[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'write-a-function-'));
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  await writeFile(join(folder, 'package.json'), '{"type": "module"}');
  const guide = await readFile(join(root, 'docs/guides/write-a-function.md'), 'utf8');
  blocks = [...guide.matchAll(/^```(ts|yaml)\n([\s\S]*?)^```/gm)].map(([, language = '', text = '']) => ({ language, text }));
});
afterAll(() => rm(folder, { recursive: true }));

test('the functions of the guide that keep something pass the test of the guide, in Node alone', async () => {
  for (const { text } of blocks) {
    const name = /^\/\/ (\S+\.ts)\n/.exec(text)?.[1];
    if (name === undefined) continue;
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  const { stdout } = await promisify(execFile)(process.execPath, ['--test', 'src/tasks.test.ts'], { cwd: folder });
  expect(stdout).toMatch(/pass 1\n/);
});

test('the entities of the guide are those of its test', async () => {
  const declared = blocks.filter(({ language, text }) => language === 'yaml' && text.startsWith('storage:'));
  expect(declared).toHaveLength(1);
  const { entities } = storageDeclaration.parse((parse(declared[0]!.text) as { storage: unknown }).storage);
  expect(entities).toEqual([
    {
      name: 'task',
      attributes: { list: { type: 'string' }, due: { type: 'integer' }, done: { type: 'boolean' } },
      indexes: [{ name: 'by-list', partition: ['list'], range: ['due'] }],
    },
  ]);
});
