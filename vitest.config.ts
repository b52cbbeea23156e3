import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    // The Temporal SDK and DuckDB are native modules: a process each.
    pool: 'forks',
    maxWorkers: 2,
    // Google's clients look for a metadata server for seconds unless they are told that there is none.
    env: { METADATA_SERVER_DETECTION: 'none' },
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
