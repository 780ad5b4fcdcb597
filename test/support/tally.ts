// The last line of a test run, in the plain form that any CI can read: `N passed, N failed, N skipped`.
import type { Reporter, TestModule } from 'vitest/node'

export default class Tally implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const tally = { passed: 0, failed: errors.length, skipped: 0, pending: 0 }
    for (const module of modules) {
      const tests = [...module.children.allTests()]
      for (const test of tests) tally[test.result().state] += 1
      // A file that failed to load, or whose hooks failed, has failed even where each test in it did not.
      if (module.state() === 'failed' && !tests.some((test) => test.result().state === 'failed'))
        tally.failed += 1
    }
    const { passed, failed, skipped, pending } = tally
    process.on('exit', () =>
      process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped + pending} skipped\n`),
    )
  }
}
