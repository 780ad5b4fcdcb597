// A check that failed, in the words of facts and of screens alike.
import type { Check } from './stage.ts'

/** `files: expected 1,056 files, found 1,055 files`. */
export const mismatch = ({ name, expected, actual }: Omit<Check, 'ok'>): string =>
  `${name}: expected ${expected}, found ${actual}`
