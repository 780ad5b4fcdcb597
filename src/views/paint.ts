// Lines of spans into text: the only place that writes escape bytes, and only where colours are wanted.
import { shellWord } from '../model/shell.ts'
import { readable, toAscii } from './format.ts'

/** What a span means; its shape is in the text, its colour is only the second sign. */
export type Style = 'good' | 'busy' | 'doubt' | 'bad' | 'dim' | 'bold'

export type Span = string | { readonly text: string; readonly style: Style }
export type Line = readonly Span[]

/** How text is to be written for this reader. */
export interface Manner {
  /** The flags that a command which is told must repeat to lead to the same place, as words. */
  readonly leading?: readonly string[]
  readonly color: boolean
  readonly ascii: boolean
  /** Columns; Infinity where nothing is to be wrapped or cut. */
  readonly width: number
}

/** A command as the reader can type it where they are. */
export const command = (words: string, { leading = [] }: Manner): string =>
  ['ntt', ...leading.map(shellWord), words].join(' ')

/** Commands within a sentence, at its beginning or behind a backtick, as the reader can type them. */
export const typed = (text: string, manner: Manner): string =>
  text.replace(/(^|`)ntt (?!-)/g, (_, before: string) => `${before}${command('', manner)}`)

/** For files, pipes and tests. */
export const plainManner: Manner = { color: false, ascii: false, width: Number.POSITIVE_INFINITY }

// Basic colours follow the reader's theme, light or dark; yellow and blue are left out, each is unreadable on one of them.
const codes: Readonly<Record<Style, string>> = {
  good: '32',
  busy: '36',
  doubt: '35',
  bad: '31',
  dim: '2',
  bold: '1',
}

export const span = (style: Style, text: string): Span => ({ text, style })

/** Text as this reader can be shown it. */
export const written = (text: string, { ascii }: Pick<Manner, 'ascii'>): string =>
  ascii ? toAscii(readable(text)) : readable(text)

/** One line without its newline. */
export function renderLine(line: Line, manner: Manner): string {
  return line
    .map((part) => {
      if (typeof part === 'string') return written(part, manner)
      const text = written(part.text, manner)
      return manner.color && text !== '' ? `\x1b[${codes[part.style]}m${text}\x1b[0m` : text
    })
    .join('')
    .trimEnd()
}

/** All lines, each ended by a newline. */
export const render = (lines: readonly Line[], manner: Manner): string =>
  lines.map((line) => `${renderLine(line, manner)}\n`).join('')
