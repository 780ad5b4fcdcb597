// Checks: two facts that should be the same, and one that failed in the words of facts and of screens alike.
import type { Check } from './stage.ts'

/** `files: expected 1,056 files, found 1,055 files`. */
export const mismatch = ({ name, expected, actual }: Omit<Check, 'ok'>): string =>
  `${name}: expected ${expected}, found ${actual}`

/** That what was found is what was expected. */
export const equal = (name: string, expected: number | string, actual: number | string): Check => ({
  name,
  ok: expected === actual,
  expected: String(expected),
  actual: String(actual),
})
