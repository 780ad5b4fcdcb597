// A failure as text: what it is, what was seen, what it means, and a command alone on its line. A bug prints its stack.
import { DesiredError, NttError, RunError } from '../model/errors.ts'
import { counted } from '../model/counted.ts'
import { columns, readable, readableLines, wrap } from './format.ts'
import { render, span, typed, type Line, type Manner } from './paint.ts'

/** The whole text, without a newline at its end. */
export const failureText = (error: unknown, manner: Manner): string =>
  render(failureLines(error, manner), manner).trimEnd()

function failureLines(error: unknown, manner: Manner): readonly Line[] {
  if (error instanceof DesiredError && error.problems.length > 0) return documentLines(error, manner)
  if (error instanceof NttError) return knownLines(error, manner)
  return bugLines(error)
}

const blank: Line = []

/** The sentence that never varies, so that one learns to recognise it. */
const sentences: Readonly<Record<string, string>> = {
  desired: 'wrong document',
  usage: 'wrong use',
  verify: 'verification failed',
  run: 'a step failed',
  store: 'a root can no longer be written',
  observe: 'could not look',
  refused: 'the world has changed',
  locked: 'held by another ntt',
  interrupted: 'interrupted; running again is safe',
}

/** `place` at the right: which medium and stage, where that is known. */
function headLine(tag: string, place: string, { width }: Manner): Line {
  const sentence = `error: ${sentences[tag] ?? tag}`
  const right = Number.isFinite(width) ? Math.min(width, 100) : 80
  const gap = Math.max(3, right - columns(sentence) - columns(place))
  return [
    span('bad', 'error:'),
    span('bold', sentence.slice('error:'.length)),
    ...(place === '' ? [] : [' '.repeat(gap) + place]),
  ]
}

function knownLines(error: NttError, manner: Manner): readonly Line[] {
  const seen = error instanceof RunError ? readableLines(error.stderr).slice(-8) : []
  const causes = causesOf(error)
  return [
    headLine(error.tag, '', manner),
    blank,
    ...paragraphs(newIn(error.message, error.tag), manner),
    ...causes.flatMap((text) => paragraphs(`because: ${text}`, manner)),
    ...(seen.every((line) => line === '')
      ? []
      : [blank, ...seen.map((line): Line => [span('dim', `  | ${line}`)])]),
    ...hintLines(error.hint, manner),
  ]
}

/** A message without the sentence that stands above it already. */
function newIn(message: string, tag: string): string {
  const known = `${sentences[tag] ?? tag}: `
  return message.startsWith(known) ? message.slice(known.length) : message
}

/** A command stands alone on its line; a sentence is a paragraph. */
function hintLines(hint: string | undefined, manner: Manner): readonly Line[] {
  if (hint === undefined || hint === '') return []
  const lines = readableLines(hint)
  // A sentence may begin with a command too: it has an end.
  const isCommand = lines.length === 1 && /^ntt [a-z].*[^.]$/.test(lines[0] ?? '')
  if (!isCommand) return [blank, ...lines.flatMap((line) => paragraphs(typed(line, manner), manner))]
  return [blank, ['To see more, run:'], [`    ${typed(lines[0] ?? '', manner)}`]]
}

const paragraphs = (text: string, { width }: Manner): readonly Line[] =>
  readableLines(text).flatMap((line) => wrap(line, Math.min(width, 100)).map((part): Line => [part]))

/** Messages of what lies behind, as far as they say something new. */
function causesOf(error: Error): readonly string[] {
  const told: string[] = []
  let all = error.message
  for (let cause = error.cause; cause instanceof Error && told.length < 4; cause = cause.cause) {
    if (cause.message !== '' && !all.includes(cause.message)) told.push(cause.message)
    all += cause.message
  }
  return told
}

function documentLines(error: DesiredError, manner: Manner): readonly Line[] {
  const { problems } = error
  const files = new Set(problems.map(({ file }) => file)).size
  return [
    headLine(error.tag, '', manner),
    blank,
    ...problems.flatMap(({ file, line, column, field, message, frame }) => [
      [
        // Line 0: what is wrong stands in no text.
        span('bold', line === 0 ? `${readable(file)}:` : `${readable(file)}:${line}:${column}`),
        ` ${field === '' ? '' : `${readable(field)}: `}${readable(message)}`,
      ] satisfies Line,
      ...readableFrame(frame),
      blank,
    ]),
    ...(problems.length > 1
      ? [[`${counted(problems.length, 'problem')} in ${counted(files, 'file')}.`] satisfies Line]
      : []),
    ...hintLines(error.hint, manner),
  ]
}

/** A frame keeps its columns: every line as it is, its caret line marked. */
const readableFrame = (frame: string): readonly Line[] =>
  frame === ''
    ? []
    : frame
        .replace(/\n+$/, '')
        .split('\n')
        .map((line): Line => {
          const text = `  ${readable(line.replaceAll('\t', ' '))}`
          return /^[\s|\d>]*\^+\s*$/.test(line) ? [span('bad', text)] : [text]
        })

function bugLines(error: unknown): readonly Line[] {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
  const behind =
    error instanceof Error && error.cause instanceof Error ? [error.cause.stack ?? error.cause.message] : []
  return [
    [span('bad', 'error:'), span('bold', ' this is a bug in ntt')],
    blank,
    ...readableLines(stack).map((line): Line => [`  ${line}`]),
    ...behind.flatMap((text) => readableLines(`caused by ${text}`).map((line): Line => [`  ${line}`])),
    blank,
    ['What was proven stays proven; running again is safe. Please report this with the lines above.'],
  ]
}
