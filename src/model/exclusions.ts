// What is left out, by gitignore patterns against the path inside the filesystem. The only importer of `ignore`.
import ignore, { type Ignore } from 'ignore'
import { fingerprint } from './canonical.ts'

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

/** The pattern that leaves out what is mounted at a path (one char for each byte), as a folder or as a file; null: none does. */
export function excludingMount(patterns: readonly string[]): (path: string) => string | null {
  const exclude = excluding(patterns)
  return (path) => exclude(Buffer.from(path, 'latin1')) ?? exclude(Buffer.from(`${path}/`, 'latin1'))
}

/** The pattern for the folder at a path (one char for each byte). Bytes that cannot be written in a pattern stand as `?`, which fits any one. */
export function patternFor(path: string): string {
  const escaped = path.replaceAll(/[\\*?[]/g, String.raw`\$&`)
  const bytes = Buffer.from(escaped, 'latin1')
  const text = bytes.toString('utf8')
  const isText = Buffer.from(text).equals(bytes)
  // oxlint-disable-next-line no-control-regex -- a pattern is one line
  return `/${isText ? text.replaceAll(/[\0-\x1f\x7f]/g, '?') : escaped.replaceAll(/[^ -~]/g, '?')}/`
}

/** Patterns that an `ignore` before 7.0.17 took for something else than git does: what was decided by them is decided anew. */
const wasMisread = (pattern: string): boolean => /\[|\\\?/.test(pattern)

/** By which exclusions something was decided; their order counts. */
export const exclusionsPrint = (patterns: readonly string[]): string =>
  fingerprint(patterns.some(wasMisread) ? { patterns, as: 'git' } : patterns).slice(0, 16)
