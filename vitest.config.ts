import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

const globalSetup = join(import.meta.dirname, 'packages/testkit/src/global-setup.ts');

export default defineConfig({
  test: {
    include: ['packages/*/src/**/*.test.ts', 'server/**/*.test.ts', 'demo/**/*.test.ts', 'tests/**/*.test.ts', 'bench/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/.bulkhead/**'],
    // A process per file: a suite may open pools, bind ports and move clocks without another one seeing it.
    pool: 'forks',
    isolate: true,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Leftovers are found where they are made: a stub or an environment variable never outlives its test.
    unstubEnvs: true,
    unstubGlobals: true,
    restoreMocks: true,
    reporters: ['default', ['json', { outputFile: join(import.meta.dirname, 'test-results/vitest.json') }]],
    ...(existsSync(globalSetup) ? { globalSetup: [globalSetup] } : {}),
  },
});
