/**
 * Runs the whole suite on another Node than the one the install brings: `node .ci/on-node.ts 22 [vitest's arguments]`.
 * That Node comes from npm too, into a temporary folder, so that nothing of the checkout changes.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [major = '', ...vitestArguments] = process.argv.slice(2);
if (!/^\d+$/.test(major)) {
  process.stderr.write('usage: node .ci/on-node.ts MAJOR [vitest arguments]\n');
  process.exit(2);
}
const root = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), `bulkhead-node-${major}-`));
// Tests start programs as users without rights, too.
chmodSync(folder, 0o755);
const name = `node-${process.platform}-${process.arch}`;

function run(command: string, words: readonly string[], env: NodeJS.ProcessEnv = process.env): void {
  const { status, error } = spawnSync(command, words, { cwd: root, stdio: 'inherit', env });
  if (status !== 0) throw new Error(`${command} ${words[0]} ended with ${status ?? error?.message}`);
}

try {
  run('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--silent', '--prefix', folder, `${name}@${major}`]);
  const node = join(folder, 'node_modules', name, 'bin/node');
  run(node, ['--version']);
  // The packages' own bin folder still holds the other one; programs that tests start must be found as here.
  const path = `${join(folder, 'node_modules', name, 'bin')}:${process.env['PATH']}`;
  run(node, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...vitestArguments], { ...process.env, PATH: path, TEST_NODE: major });
} catch (thrown) {
  process.stderr.write(`${(thrown as Error).message}\n`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
