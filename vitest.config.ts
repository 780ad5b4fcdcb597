// Tests: real programs, files and servers; one process a file, so that signals and working directories do not leak.
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
    globalSetup: ['test/support/global.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Real devices, servers and signals on a machine that others use too: failing twice is failing.
    retry: 1,
    pool: 'forks',
    maxWorkers: 2,
    reporters: ['default', './test/support/tally.ts'],
  },
})
