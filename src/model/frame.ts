// A code frame: the line that is wrong, the one before it, and carets below the place.

/** Columns of text that are shown; a longer line is cut around the place. */
const width = 96

/** Control, format and separator characters: what could move the cursor, or hide text, on a terminal. */
const hostile = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu
const wide =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}！-｠]/u

/** Text of a stranger, made safe to print: what is no visible character is written as an escape. */
export function legible(text: string): string {
  return text
    .replaceAll('\t', ' ')
    .replace(hostile, (unit) => `\\u{${(unit.codePointAt(0) ?? 0).toString(16)}}`)
}

/** Terminal columns that a legible text takes. */
function columns(text: string): number {
  let sum = 0
  for (const char of text) sum += /\p{M}/u.test(char) ? 0 : wide.test(char) ? 2 : 1
  return sum
}

/**
 * The frame of `length` UTF-16 units at `line` and `column` (from 1), ready to print, without a last newline.
 * At least one caret; never more than to the end of the line.
 */
export function frame(text: string, line: number, column: number, length: number): string {
  const lines = text.split('\n')
  const row = (lines[line - 1] ?? '').replace(/\r$/, '')
  const from = column > width - 16 ? column - 17 : 0
  const shown = (source: string): string => legible(source.replace(/\r$/, '').slice(from, from + width))
  const gutter = String(line).length
  const before = line > 1 ? [`  ${String(line - 1).padStart(gutter)} | ${shown(lines[line - 2] ?? '')}`] : []
  const indent = columns(legible(row.slice(from, column - 1)))
  const end = Math.min(column - 1 + Math.max(1, length), row.length, from + width)
  const carets = Math.max(1, columns(legible(row.slice(column - 1, end))))
  return [
    ...before,
    `> ${line} | ${shown(row)}`,
    `  ${' '.repeat(gutter)} | ${' '.repeat(indent)}${'^'.repeat(carets)}`,
  ].join('\n')
}
