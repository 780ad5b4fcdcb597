// Bytes, durations, counts, times and names as people read them. Nothing from a medium passes here with its control bytes.
import stringWidth from 'string-width'
import { count } from '../model/counted.ts'
import type { Step } from '../model/stage.ts'

const prefixes = ['kB', 'MB', 'GB', 'TB', 'PB'] as const

/** Bytes in decimal units with two or three digits that count: `512 B`, `1.5 MB`, `43 MB`, `1.2 TB`. */
export function size(bytes: number): string {
  if (bytes < 1000) return `${Math.round(bytes)} B`
  let value = bytes
  let unit = ''
  for (const prefix of prefixes) {
    value /= 1000
    unit = prefix
    // 999.6 kB would round up to 1000.
    if (Math.round(value) < 1000) break
  }
  return `${value < 9.95 ? value.toFixed(1) : count(Math.round(value))} ${unit}`
}

/** Seconds as told in a sentence: `0.4 s`, `12 s`, `2 min 5 s`, `1 h 2 min`, `3 d 4 h`. */
export function duration(seconds: number): string {
  if (seconds === 0) return '0 s'
  if (seconds < 0.05) return `${(seconds * 1000).toFixed(seconds < 0.001 ? 1 : 0)} ms`
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return pair(whole, 60, 'min', 's')
  const minutes = Math.round(seconds / 60)
  if (minutes < 1440) return pair(minutes, 60, 'h', 'min')
  return pair(Math.round(seconds / 3600), 24, 'd', 'h')
}

function pair(value: number, per: number, big: string, small: string): string {
  const rest = value % per
  return `${Math.floor(value / per)} ${big}${rest === 0 ? '' : ` ${rest} ${small}`}`
}

/** An estimate, which deserves no more than two digits: `3 s`, `1 min 20 s`, `25 min`; never less than a second. */
export function roughly(seconds: number): string {
  const grain = seconds < 60 ? 1 : seconds < 600 ? 10 : seconds < 36_000 ? 60 : 3600
  return duration(Math.max(1, Math.round(seconds / grain) * grain)).replace('.0 ', ' ')
}

const grains = [
  [90, 1, 's'],
  [5400, 60, 'min'],
  [129_600, 3600, 'h'],
  [Number.POSITIVE_INFINITY, 86_400, 'd'],
] as const

/** Two estimates in the few columns of a table: `3–4 s`, `50 s–2 min`, `12 min+` where the end is open. */
export function shortRange(low: number, high: number | null): string {
  const told = (seconds: number): readonly [string, string] => {
    const [, unit, name] = grains.find(([below]) => seconds < below) ?? grains[3]
    return [String(Math.max(1, Math.round(seconds / unit))), name]
  }
  const [from, unit] = told(low)
  if (high === null) return `${from} ${unit}+`
  const [to, other] = told(high)
  if (unit !== other) return `${from} ${unit}–${to} ${other}`
  return from === to ? `${to} ${unit}` : `${from}–${to} ${unit}`
}

/** Seconds as a clock: `0:13`, `12:04`, `1:02:03`, `3d 04:05`. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const two = (n: number): string => String(n).padStart(2, '0')
  const [s, m, h, d] = [
    whole % 60,
    Math.floor(whole / 60) % 60,
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 86_400),
  ]
  if (d > 0) return `${d}d ${two(h)}:${two(m)}`
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`
}

/** How long ago: `just now`, `12 min ago`, `3 d ago`. */
export function age(iso: string, nowMs: number): string {
  const seconds = (nowMs - Date.parse(iso)) / 1000
  if (Number.isNaN(seconds)) return 'at an unknown time'
  if (seconds < 60) return 'just now'
  const [value, unit] =
    seconds < 3600
      ? [seconds / 60, 'min']
      : seconds < 86_400
        ? [seconds / 3600, 'h']
        : [seconds / 86_400, 'd']
  return `${Math.floor(Number(value))} ${unit} ago`
}

/** Done of total in whole percent, rounded down: 100 only when nothing is left. */
export const percent = (done: number, total: number): number =>
  total <= 0 ? 0 : Math.max(0, Math.min(100, Math.floor((done / total) * 100)))

/** The first digits of a digest. */
export const short = (digest: string): string => `${digest.slice(0, 8)}…`

/** What the plan shows of each action. */
export function glyph(action: Step['action']): string {
  switch (action) {
    case 'keep':
      return '='
    case 'prove':
      return 'v'
    case 'run':
      return '+'
    case 'refuse':
      return 'x'
    case 'unknown':
      return '?'
    case 'wait':
      return '|'
    default:
      return action satisfies never
  }
}

const named: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\0': '\\0' }

const escaped = (char: string): string => {
  const code = char.codePointAt(0) ?? 0
  return (
    named[char] ?? (code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`)
  )
}

// Controls, format characters (bidi overrides among them), lone surrogates, private and unassigned code points, line and
// paragraph separators. The two joiners stay: Persian and Indic names need them, and they move nothing.
const hidden = /[[\p{C}\p{Zl}\p{Zp}]--[\u200C\u200D]]/gv

/** Text from outside, on one line: what a terminal would obey, or what would not be seen, is shown as an escape. */
export const readable = (text: string): string => text.replace(hidden, escaped)

/** The lines of a text from outside, each readable; empty lines at the ends are left out. */
export const readableLines = (text: string): readonly string[] =>
  text
    .replace(/\r\n?/g, '\n')
    .replace(/^\n+|\n+$/g, '')
    .split('\n')
    .map((line) => readable(line.replaceAll('\t', '    ')))

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * A name or path from a medium, from its bytes (or a string with one char for each byte). What is UTF-8 is read as that, every
 * other byte is shown as `\xe4`; a backslash is doubled, so that no two names look the same for their escapes.
 */
export function pathName(bytes: Buffer | string): string {
  const source = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes
  const sequence =
    /\p{ASCII}+|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|[^]/gu
  return source.toString('latin1').replace(sequence, (part) => {
    const piece = Buffer.from(part, 'latin1')
    if ((piece[0] ?? 0) < 0x80) return readable(part.replaceAll('\\', '\\\\'))
    try {
      return readable(utf8.decode(piece))
    } catch (error) {
      // Well framed and still not UTF-8: overlong, a surrogate, or beyond the last code point.
      if (!(error instanceof TypeError)) throw error
      return part.replace(/[^]/g, escaped)
    }
  })
}

/** Columns that a readable text takes on a terminal. */
export const columns = (text: string): number =>
  /^[\x20-\x7e]*$/.test(text) ? text.length : stringWidth(text)

const graphemes = new Intl.Segmenter()

/** A readable text in at most `width` columns; what is cut is marked. */
export function clip(text: string, width: number, mark = '…'): string {
  if (columns(text) <= width) return text
  let kept = ''
  let used = columns(mark)
  if (used > width) return ''
  for (const { segment } of graphemes.segment(text)) {
    used += columns(segment)
    if (used > width) break
    kept += segment
  }
  return `${kept}${mark}`
}

/** A readable text in exactly `width` columns, or more where it is longer. */
export const pad = (text: string, width: number): string =>
  text + ' '.repeat(Math.max(0, width - columns(text)))

/** The same with the text at the right. */
export const padLeft = (text: string, width: number): string =>
  ' '.repeat(Math.max(0, width - columns(text))) + text

/** Words in lines of at most `width` columns; a longer word is broken. */
export function wrap(text: string, width: number): readonly string[] {
  if (columns(text) <= width || width < 8) return [text]
  const lines: string[] = []
  let line = ''
  for (let word of text.split(' ')) {
    if (line !== '' && columns(line) + 1 + columns(word) <= width) {
      line += ` ${word}`
      continue
    }
    if (line !== '') lines.push(line)
    while (columns(word) > width) {
      const head = clip(word, width, '')
      if (head === '') break
      lines.push(head)
      word = word.slice(head.length)
    }
    line = word
  }
  lines.push(line)
  return lines
}

/** Parts one after the other in lines of at most `width` columns; no part is broken. */
export const wrapParts = (parts: readonly string[], between: string, width: number): readonly string[] =>
  parts.reduce<readonly string[]>((lines, part) => {
    const last = lines.at(-1)
    return last === undefined || columns(last) + columns(between) + columns(part) > width
      ? [...lines, part]
      : [...lines.slice(0, -1), `${last}${between}${part}`]
  }, [])

const asciiFor: Readonly<Record<string, string>> = {
  '…': '...',
  '·': '.',
  '–': '-',
  '→': '->',
  '×': 'x',
  '›': '>',
}

/** For terminals without Unicode: the few characters of ours by their look-alikes, all others as escapes. */
export const toAscii = (text: string): string =>
  text.replace(/\P{ASCII}/gu, (char) => asciiFor[char] ?? escaped(char))
