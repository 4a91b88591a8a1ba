import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');

/** Each row is a file of its own: where it lies, what it says, and the one rule that must speak up (null: none). */
const rows: readonly (readonly [title: string, path: string, text: string, rule: string | null])[] = [
  [
    'a promise nobody waits for',
    'packages/base/src/floating.ts',
    `async function f() {}\nexport function g(): void {\n  f();\n}\n`,
    'no-floating-promises',
  ],
  [
    'a promise that is waited for',
    'packages/base/src/awaited.ts',
    `async function f() {}\nexport async function g(): Promise<void> {\n  await f();\n}\n`,
    null,
  ],
  [
    'a promise where a condition is asked',
    'packages/base/src/misused.ts',
    `async function f() {\n  return true;\n}\nexport function g(): number {\n  return f() ? 1 : 2;\n}\n`,
    'no-misused-promises',
  ],
  ['a default export', 'packages/base/src/default.ts', `export default 1;\n`, 'no-default-export'],
  ['any', 'packages/base/src/any.ts', `export const a = (x: any): string => String(x);\n`, 'no-explicit-any'],
  ['unknown', 'packages/base/src/unknown.ts', `export const a = (x: unknown): string => String(x);\n`, null],
  ['a thrown string', 'packages/base/src/throw.ts', `export function f(): never {\n  throw 'no';\n}\n`, 'only-throw-error'],
  [
    'a switch that forgets a case',
    'packages/base/src/switch.ts',
    `export function f(x: 'a' | 'b'): void {\n  switch (x) {\n    case 'a':\n      f(x);\n  }\n}\n`,
    'switch-exhaustiveness-check',
  ],
  [
    'the global fetch',
    'packages/platform/src/vault/fetch.ts',
    `export const f = async () => fetch('https://example.org');\n`,
    'no-restricted-globals',
  ],
  [
    'the global fetch by its owner',
    'packages/platform/src/vault/owner.ts',
    `export const f = async () => globalThis.fetch('https://example.org');\n`,
    'no-restricted-properties',
  ],
  ['fetch inside egress', 'packages/http/src/egress/fetch.ts', `export const f = async () => fetch('https://example.org');\n`, null],
  ['fetch in a test', 'packages/http/src/server/fetch.test.ts', `export const f = async () => fetch('http://127.0.0.1');\n`, null],
  ['the environment outside the config', 'packages/platform/src/vault/env.ts', `export const a = process.env['A'];\n`, 'no-process-env'],
  ['the environment in the config', 'packages/platform/src/config/env.ts', `export const a = process.env['A'];\n`, null],
  ['the console', 'packages/base/src/console.ts', `console.log('a');\n`, 'no-console'],
  [
    'a circle, first half',
    'packages/base/src/circle-a.ts',
    `import { b } from './circle-b.ts';\nexport const a = (): number => b();\n`,
    'no-cycle',
  ],
  [
    'a circle, second half',
    'packages/base/src/circle-b.ts',
    `import { a } from './circle-a.ts';\nexport const b = (): number => a();\n`,
    'no-cycle',
  ],
  [
    'an error expected without a word',
    'packages/base/src/ignore.ts',
    `// @ts-expect-error\nexport const a: string = 1;\n`,
    'ban-ts-comment',
  ],
  [
    'an error expected for a reason',
    'packages/base/src/reason.ts',
    `// @ts-expect-error -- the test hands in the wrong type on purpose\nexport const a: string = 1;\n`,
    null,
  ],
  [
    'a test that runs alone',
    'packages/base/src/only.test.ts',
    `import { expect, test } from 'vitest';\ntest.only('a', () => {\n  expect(1).toBe(1);\n});\n`,
    'no-focused-tests',
  ],
  [
    'a suppression with nothing to suppress',
    'packages/base/src/stale.ts',
    `// oxlint-disable-next-line no-console -- nothing is printed here any more\nexport const a = 1;\n`,
    'unused-directive',
  ],
];

let folder: string;
let found: Map<string, string[]>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bulkhead-lint-'));
  await Promise.all(['.oxlintrc.json', 'tsconfig.json'].map((name) => copyFile(join(root, name), join(folder, name))));
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  for (const [, path, text] of rows) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  found = findingsByPath(await runOxlint());
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('oxlint, with the configuration of this repository', () => {
  test.each(rows.filter(([, , , rule]) => rule !== null))('finds %s', (_, path, __, rule) => {
    expect(found.get(path)).toEqual([rule]);
  });

  test.each(rows.filter(([, , , rule]) => rule === null))('control: leaves %s alone', (_, path) => {
    expect(found.get(path) ?? []).toEqual([]);
  });
});

async function runOxlint(): Promise<string> {
  return new Promise((resolve) => {
    // A run with findings ends with code 1; what counts is what it printed.
    execFile(join(root, 'node_modules/.bin/oxlint'), ['--format', 'json'], { cwd: folder }, (_error, stdout) => {
      resolve(stdout);
    });
  });
}

function findingsByPath(json: string): Map<string, string[]> {
  const report = JSON.parse(json) as { diagnostics: { filename: string; code?: string; message: string }[] };
  const byPath = new Map<string, string[]>();
  for (const { filename, code, message } of report.diagnostics) {
    const rule = /\((.+)\)/.exec(code ?? '')?.[1] ?? (/unused .*directive/i.test(message) ? 'unused-directive' : message);
    byPath.set(filename, [...(byPath.get(filename) ?? []), rule]);
  }
  return byPath;
}
