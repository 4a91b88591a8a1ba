import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

const root = join(import.meta.dirname, '../..');

/** Hostile functions beside a neighbour that is called twenty times a second: `npm run test:hostile`. Not part of `npm test`. */
export default defineConfig({
  root,
  test: {
    include: ['tests/hostile/*.suite.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ['default', ['json', { outputFile: join(root, 'test-results/hostile.json') }]],
  },
});
