// What is left out, by gitignore patterns against the path inside the filesystem. The only importer of `ignore`.
import ignore, { type Ignore } from 'ignore'
import { fingerprint } from '../../model/canonical.ts'

/** `ignore` keeps what it was asked for ever; after so many paths we take a new one. */
const patience = 20_000

/** The pattern that leaves a path out, as it was declared; null: it is not left out. */
export type Exclude = (path: Buffer) => string | null

/**
 * Bytes are compared as bytes: one character of the pattern's UTF-8 is one byte of the name, upper and lower case differ.
 * The last pattern that fits decides, and what lies in a folder that is left out cannot be taken back in, as in git.
 */
export function excluding(patterns: readonly string[]): Exclude {
  if (patterns.length === 0) return () => null
  const bytes = patterns.map((pattern) => Buffer.from(pattern).toString('latin1'))
  const fresh = (): Ignore => ignore({ ignorecase: false, allowRelativePaths: true }).add(bytes)
  let matcher = fresh()
  let asked = 0
  return (path) => {
    if (path.length === 0) return null
    if (++asked % patience === 0) matcher = fresh()
    const name = path.toString('latin1')
    if (!matcher.ignores(name)) return null
    const pattern = matcher.test(name).rule?.pattern ?? ''
    return Buffer.from(pattern, 'latin1').toString()
  }
}

/** By which exclusions something was decided; their order counts. */
export const exclusionsPrint = (patterns: readonly string[]): string => fingerprint(patterns).slice(0, 16)
