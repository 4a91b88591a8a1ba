import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

const globalSetup = join(import.meta.dirname, 'packages/testkit/src/global-setup.ts');

// One report per suite, so that the last line of a run counts them all.
const isJail = process.env['TEST_JAIL'] === '1';
const reportName = isJail
  ? 'jail'
  : (process.env['TEST_POSTGRES'] ?? (process.env['TEST_NODE'] === undefined ? 'vitest' : `node${process.env['TEST_NODE']}`));

export default defineConfig({
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'server/**/*.test.ts',
      'demo/**/*.test.ts',
      'examples/**/*.test.ts',
      'tests/**/*.test.ts',
      'bench/**/*.test.ts',
    ],
    // These need programs of Debian: `npm run test:pooler`, `npm run test:jail`.
    exclude: [
      '**/node_modules/**',
      '**/.bulkhead/**',
      ...(process.env['TEST_POSTGRES'] === 'pgbouncer' ? [] : ['tests/pooler/**']),
      ...(isJail ? [] : ['packages/sandbox/src/jail-walls.test.ts']),
    ],
    // A process per file: a suite may open pools, bind ports and move clocks without another one seeing it.
    pool: 'forks',
    // Much of a suite's time is waiting: on two cores, two at a time.
    maxWorkers: Math.max(2, availableParallelism()),
    isolate: true,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // How long something that will happen is waited for on a busy machine; nothing asserts that it was quick.
    expect: { poll: { timeout: 15_000 } },
    // Leftovers are found where they are made: a stub or an environment variable never outlives its test.
    unstubEnvs: true,
    unstubGlobals: true,
    restoreMocks: true,
    reporters: ['default', ['json', { outputFile: join(import.meta.dirname, 'test-results', `${reportName}.json`) }]],
    ...(existsSync(globalSetup) ? { globalSetup: [globalSetup] } : {}),
  },
});
