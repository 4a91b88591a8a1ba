/**
 * Follows README.md as a reader does: every block fenced as `sh`, in order.
 * A block with a start command (`npm start`, `bulkhead start`) runs in the background until it prints its ready line;
 * the blocks after it run in one shell, so that a variable set in one is there in the next. At the end Ctrl-C must
 * stop the server. What is not meant to be typed belongs into a block of another kind (`text`, `json`).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const readyWithinMs = 180_000;
const stoppedWithinMs = 60_000;

export interface ReadmeSteps {
  /** What is typed before the server runs. */
  readonly before: readonly string[];
  /** The command that starts the server; null when the page has none. */
  readonly start: string | null;
  /** What is typed while the server runs. */
  readonly after: readonly string[];
}

/** Lines that `.ci/run` has already done, or that only make sense outside the clone. */
const done = /^(git clone\b.*|cd\b.*|npm ci|npm test)$/;
const starts = /^(npm start|npm run bulkhead -- start|npx bulkhead start)\b/;

/** Pure: the page in, what to type out. `npm ci && npm start` counts as `npm start`. */
export function readmeSteps(markdown: string): ReadmeSteps {
  const before: string[] = [];
  const after: string[] = [];
  let start: string | null = null;
  for (const [, block = ''] of markdown.matchAll(/^```sh\n([\s\S]*?)^```/gm)) {
    for (const raw of block.trimEnd().split('\n')) {
      const line = raw.replace(/^\$ /, '').replace(/^(npm ci && )+/, '');
      const command = line.replace(/\s+#.*$/, '').trim();
      if (done.test(command) || command.startsWith('#')) continue;
      if (starts.test(command)) start ??= command;
      else (start === null ? before : after).push(line);
    }
  }
  return { before, start, after };
}

async function followReadme(root: string): Promise<void> {
  const steps = readmeSteps(readFileSync(join(root, 'README.md'), 'utf8'));
  if (steps.start === null) throw new Error('README.md has no `sh` block that starts the server.');
  await runScript(root, steps.before);
  const server = spawn('bash', ['-c', `exec ${steps.start}`], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  try {
    await ready(server);
    await runScript(root, steps.after);
  } finally {
    await stop(server);
  }
  console.log('README.md: every command ran');
}

/** Resolves at the line `ready http://…`; rejects when the process ends first or the time is up. */
async function ready(server: ChildProcess): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    let seen = '';
    const timer = setTimeout(() => reject(new Error(`No ready line within ${readyWithinMs / 1000} s.`)), readyWithinMs);
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      act();
    };
    server.stdout?.on('data', (chunk: Buffer) => {
      process.stdout.write(chunk);
      seen += chunk.toString();
      if (/^ready https?:\/\/\S+/m.test(seen)) settle(resolve);
    });
    server.once('error', (error) => settle(() => reject(error)));
    server.once('exit', (code) => settle(() => reject(new Error(`The server ended with code ${code} before it was ready.`))));
  });
}

/** Ctrl-C, as a terminal sends it: to the whole foreground group. A server that stays is an error, and is killed. */
async function stop(server: ChildProcess): Promise<void> {
  const { pid } = server;
  if (pid === undefined || server.exitCode !== null || server.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  process.kill(-pid, 'SIGINT');
  const late = setTimeout(() => process.kill(-pid, 'SIGKILL'), stoppedWithinMs);
  await ended;
  clearTimeout(late);
  if (server.signalCode === 'SIGKILL') throw new Error(`The server did not stop within ${stoppedWithinMs / 1000} s of Ctrl-C.`);
}

async function runScript(root: string, lines: readonly string[]): Promise<void> {
  if (lines.every((line) => line.trim() === '')) return;
  const shell = spawn('bash', ['-v', '-euo', 'pipefail', '-s'], { cwd: root, stdio: ['pipe', 'inherit', 'inherit'] });
  shell.stdin.end(`${lines.join('\n')}\n`);
  const code = await new Promise<number | null>((resolve, reject) => {
    shell.once('error', reject);
    shell.once('exit', resolve);
  });
  if (code !== 0) throw new Error(`A command of README.md ended with code ${code}.`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await followReadme(join(import.meta.dirname, '..'));
