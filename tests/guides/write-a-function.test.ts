import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

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

test('the entities of the guide are taken by the reader of bulkhead.yml', async () => {
  const declared = blocks.filter(({ language, text }) => language === 'yaml' && text.startsWith('storage:'));
  expect(declared).toHaveLength(1);
  await writeFile(join(folder, 'bulkhead.yml'), `app: notes\nfunctions:\n  - key: add\n    handler: src/tasks.add\n${declared[0]!.text}`);
  const command = [join(root, 'packages/cli/bin/bulkhead.mjs'), 'functions', 'deploy', folder, '--print-manifest'];
  const { stdout } = await promisify(execFile)(process.execPath, command);
  for (const part of ['by-list', 'partition', 'range', 'integer']) expect(stdout).toContain(part);
});
