import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { LedgerReporter } from './ledger-reporter.ts';

const root = join(import.meta.dirname, '../..');
const isCrash = process.env['TEST_CRASH'] === '1';

/** The crash, race and network cases on real server processes: `npm run test:faults`. Not part of `npm test`. */
export default defineConfig({
  root,
  test: {
    include: ['tests/faults/**/*.faults.ts'],
    // By itself (`npm run test:crash`), because CI runs it too.
    exclude: isCrash ? [] : ['tests/faults/deliveries.faults.ts'],
    pool: 'forks',
    // One world of processes at a time: what one file kills and starves, another would feel.
    fileParallelism: false,
    maxConcurrency: 16,
    // A hang is found here: no case takes half of it, on two busy cores.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000, interval: 100 } },
    reporters: [new LedgerReporter(), 'default', ['json', { outputFile: join(root, `test-results/${isCrash ? 'crash' : 'faults'}.json`) }]],
  },
});
