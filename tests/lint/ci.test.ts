import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { completeLock, type Lock } from '../../.ci/complete-lock.mjs';
import { readmeSteps } from '../../.ci/readme.ts';

describe('the commands taken from a README', () => {
  test('are the sh blocks in order, around the start command', () => {
    const page = [
      '```sh',
      'git clone https://example.org/bulkhead',
      'cd bulkhead',
      'npm ci && npm start   # prints the URLs',
      '```',
      '```text',
      'not typed',
      '```',
      '```sh',
      '$ TOKEN=abc',
      'curl --fail http://127.0.0.1:8400/healthz # alive',
      '```',
    ].join('\n');
    expect(readmeSteps(page)).toEqual({
      before: [],
      start: 'npm start',
      after: ['TOKEN=abc', 'curl --fail http://127.0.0.1:8400/healthz # alive'],
    });
  });

  test('a page that never starts the server is noticed', () => {
    expect(readmeSteps('```sh\nnpm test\n```\n```console\nnpm start\n```').start).toBeNull();
  });
});

describe('the closing line', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bulkhead-summary-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function closingLine(reports: readonly unknown[], exitCode: string): Promise<string | undefined> {
    const path = join(folder, crypto.randomUUID());
    if (reports.length > 0) await mkdir(path);
    for (const [index, report] of reports.entries())
      await writeFile(join(path, `${index}.json`), typeof report === 'string' ? report : JSON.stringify(report));
    const script = join(import.meta.dirname, '../../.ci/summary.mjs');
    return new Promise((resolve) => {
      execFile(process.execPath, [script, path, exitCode], (_error, stdout) => resolve(stdout.trimEnd().split('\n').at(-1)));
    });
  }

  const report = { numPassedTests: 7, numFailedTests: 0, numPendingTests: 1, numTodoTests: 1, testResults: [] };

  test.each([
    ['a good run', [report], '0', '7 passed, 0 failed, 2 skipped'],
    ['two suites', [report, { ...report, numPassedTests: 30 }], '0', '37 passed, 0 failed, 4 skipped'],
    ['failed tests', [{ ...report, numFailedTests: 3 }], '1', '7 passed, 3 failed, 2 skipped'],
    ['failed tests of the second suite', [report, { ...report, numFailedTests: 3 }], '1', '14 passed, 3 failed, 4 skipped'],
    [
      'a file that fails to load',
      [{ ...report, testResults: [{ status: 'failed', assertionResults: [] }] }],
      '1',
      '7 passed, 1 failed, 2 skipped',
    ],
    ['a report that was cut off', [report, '{"numPassed'], '1', '7 passed, 1 failed, 2 skipped'],
    ['a step that failed after good tests', [report], '1', '7 passed, 1 failed, 2 skipped'],
    ['no report at all', [], '1', '0 passed, 1 failed, 0 skipped'],
    ['no report in a run that calls itself good', [], '0', '0 passed, 1 failed, 0 skipped'],
    ['a run without tests', [{ ...report, numPassedTests: 0 }], '0', '0 passed, 1 failed, 2 skipped'],
  ])('tells the truth about %s', async (_, given, exitCode, line) => {
    expect(await closingLine(given, exitCode)).toBe(line);
  });
});

describe('the lock file', () => {
  const parent = {
    version: '1.0.0',
    dev: true,
    optionalDependencies: { '@x/tool-linux-x64-musl': '1.0.0', '@x/tool-darwin-arm64': '1.0.0' },
  };
  const present = { version: '1.0.0', os: ['linux'], cpu: ['x64'], libc: ['musl'] };

  test('names the binaries of every platform, so that npm ci takes it wherever it was written', () => {
    const lock = JSON.parse(readFileSync(join(import.meta.dirname, '../../package-lock.json'), 'utf8')) as Lock;
    expect(completeLock(lock).added).toEqual([]);
  });

  test('control: a lock without one of them is completed with the version its parent pins', () => {
    const { lock, added } = completeLock({
      packages: { '': {}, 'node_modules/tool': parent, 'node_modules/@x/tool-linux-x64-musl': present },
    });
    expect(added).toEqual(['@x/tool-darwin-arm64']);
    expect(lock.packages['node_modules/@x/tool-darwin-arm64']).toEqual({
      version: '1.0.0',
      os: ['darwin'],
      cpu: ['arm64'],
      dev: true,
      optional: true,
    });
  });

  test.each([
    ['a range', { '@x/tool-darwin-arm64': '^1.0.0' }],
    ['a name without a platform', { '@x/extra': '1.0.0' }],
  ])('%s is left to a person', (_, optionalDependencies) => {
    expect(() => completeLock({ packages: { 'node_modules/tool': { version: '1.0.0', optionalDependencies } } })).toThrow('by hand');
  });
});
