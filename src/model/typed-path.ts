// Paths and patterns as a person types them: bytes that are shown as escapes are typed as the same escapes.
import { UsageError } from './errors.ts'

const controls: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '0': '\0' }

/** An escape as views show it (`\xe4`, `\u{202e}`, `\n`, `\\`), or a backslash before what is to be taken as it is. */
const escape = /\\(?:x([0-9a-f]{2})|u\{([0-9a-f]{1,6})\}|([^]))/giu

interface Piece {
  readonly bytes: Buffer
  /** Nothing in it means anything but itself. */
  readonly isLiteral: boolean
}

function pieces(typed: string): readonly Piece[] {
  const found: Piece[] = []
  let at = 0
  const plain = (text: string): void => {
    if (text !== '') found.push({ bytes: Buffer.from(text), isLiteral: false })
  }
  for (const match of typed.matchAll(escape)) {
    const [whole, byte, point, char = ''] = match
    plain(typed.slice(at, match.index))
    at = match.index + whole.length
    const bytes =
      byte !== undefined
        ? Buffer.from(byte, 'hex')
        : Buffer.from(point !== undefined ? pointOf(point) : (controls[char] ?? char))
    found.push({ bytes, isLiteral: true })
  }
  plain(typed.slice(at))
  return found
}

function pointOf(hex: string): string {
  const point = parseInt(hex, 16)
  if (point > 0x10_ffff) throw new UsageError(`\\u{${hex}} is no character`)
  return String.fromCodePoint(point)
}

/** The bytes of a path; a slash at its beginning or end is nothing. */
export function typedPath(typed: string): Buffer {
  const text = Buffer.concat(pieces(typed).map(({ bytes }) => bytes)).toString('latin1')
  return Buffer.from(text.replace(/^\/+|\/+$/g, ''), 'latin1')
}

/** One character as UTF-8 has it, or one byte that is none; no slash. */
const anyOne = '(?:[\u0001-.0-\u007f]|[\u00c0-\u00ff][\u0080-\u00bf]+|[\u0080-\u00ff])'

/** What a pattern matches. */
export interface Pattern {
  /** A regular expression of PostgreSQL (ARE), over bytes read as Latin-1. */
  readonly regex: string
  /** The whole path, or its last name alone. */
  readonly of: 'path' | 'name'
}

/**
 * A pattern as shells have it: `*` and `?` stand for no slash, `**` for anything, `[a-z]` and `[!a-z]` for one byte that is no slash. One with a slash is
 * held against the whole path, else against the last name. Throws UsageError where a class has no end.
 */
export function typedPattern(typed: string): Pattern {
  const inside = typed.replace(/^\/+|\/+$/g, '')
  const regex = pieces(inside)
    .map(({ bytes, isLiteral }) => {
      const text = bytes.toString('latin1')
      return isLiteral ? literal(text) : wildcards(text)
    })
    .join('')
  return { regex: `^${regex}$`, of: typed.includes('/') ? 'path' : 'name' }
}

const literal = (text: string): string => text.replace(/[.^$*+?()[\]{}|\\]/g, String.raw`\$&`)

function wildcards(text: string): string {
  return text.replace(
    /\*\*|\*|\?|\[(!?)(\]?[^\]]*)(\]?)|[^*?[]+/g,
    (part, not: string, set: string, end: string) => {
      if (part === '**') return '.*'
      if (part === '*') return '[^/]*'
      if (part === '?') return anyOne
      if (!part.startsWith('[')) return literal(part)
      if (end === '' || set === '')
        throw new UsageError(`the class ${part} has no end`, {
          hint: String.raw`A bracket that is meant: \[`,
        })
      if (!/^[ -Z\]-~]+$/.test(set))
        throw new UsageError('a class holds single bytes of ASCII, no names of classes and nothing else')
      return `[${not === '' ? '' : '^/'}${set.replace(/[\\[^]/g, String.raw`\$&`)}]`
    },
  )
}
