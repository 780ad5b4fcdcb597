// A document that a person wrote, held against a schema: every problem with its line, its column and a frame.
import { counted } from './counted.ts'
import { DesiredError } from './errors.ts'
import type { Problem } from './errors.ts'
import { frame, legible } from './frame.ts'
import { nearest } from './nearest.ts'
import { parseYaml } from './yaml.ts'

/** What a compiled JSON Schema holds against a value; the shape is ajv's, with `verbose` and `allErrors`. */
export interface Complaint {
  readonly keyword: string
  /** JSON Pointer to the value. */
  readonly instancePath: string
  readonly params: Readonly<Record<string, unknown>>
  readonly parentSchema?: Readonly<Record<string, unknown>>
  readonly data?: unknown
  /** Set where the name of a key is what is wrong. */
  readonly propertyName?: string
}

/** A compiled schema: true, or false with `errors` set until the next call. */
export interface Validate {
  (value: unknown): boolean
  errors?: readonly Complaint[] | null
}

export interface Document {
  readonly file: string
  /** The value, where it is what the schema says; null where it is not, and `problems` say why. */
  readonly value: unknown
  readonly problems: readonly Problem[]
  /** A problem with what a path leads to: with its key, or with its value. */
  problem(path: readonly string[], message: string, at?: 'key' | 'value'): Problem
}

/** Reads a document. Never throws for what is in it. */
export function readDocument(file: string, source: string | Uint8Array, validate: Validate): Document {
  const { text, broken } = decode(source)
  const starts = lineStarts(text)
  const place = (offset: number, length: number, field: string, message: string): Problem => {
    const line = starts.findLastIndex((start) => start <= offset) + 1
    const column = offset - (starts[line - 1] ?? 0) + 1
    return { file, line, column, field, message, frame: frame(text, line, column, length) }
  }
  if (broken)
    return {
      file,
      value: null,
      problems: [place(text.length, 1, '', 'from here on it is not UTF-8: save the file as UTF-8')],
      problem: (path, message) => place(0, 1, path.join('.'), message),
    }

  const tree = parseYaml(text)
  const problem: Document['problem'] = (path, message, at = 'value') => {
    const { key, value } = tree.locate(path)
    const { start, end } = (at === 'key' ? (key ?? value) : (value ?? key)) ?? { start: 0, end: 1 }
    return place(start, end - start, dotted(path), message)
  }
  const written = (path: readonly string[]): string => tree.locate(path).value?.source ?? ''
  const problems = tree.flaws.map(({ offset, length, message }) => place(offset, length, '', message))
  if (tree.value !== undefined && !validate(tree.value)) {
    for (const complaint of validate.errors ?? []) {
      const said = say(complaint, written)
      // One place, one problem: the first is the most precise.
      if (said !== null && !problems.some(({ field }) => field === dotted(said.path)))
        problems.push(problem(said.path, said.message, said.at))
    }
  }
  return { file, value: problems.length === 0 ? tree.value : null, problems, problem }
}

/** By UTF-16 units: the same order on every machine, whatever its locale. */
export const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** All problems as one error: sorted by place, and counted. */
export function refusal(problems: readonly Problem[]): DesiredError {
  const sorted = problems.toSorted(
    (a, b) => compare(a.file, b.file) || a.line - b.line || a.column - b.column,
  )
  const files = new Set(sorted.map(({ file }) => file)).size
  return new DesiredError(`${counted(sorted.length, 'problem')} in ${counted(files, 'file')}`, sorted)
}

/** What a schema holds against a single value that comes from no document; null where it is sound. */
export function valueProblem(validate: Validate, path: readonly string[], value: unknown): string | null {
  const whole = path.reduceRight((inner: unknown, key) => ({ [key]: inner }), value)
  if (validate(whole)) return null
  const [complaint] = validate.errors ?? []
  return complaint === undefined ? null : (say(complaint, () => String(value))?.message ?? null)
}

/** Text of UTF-8 bytes without its byte order mark; of other bytes what comes before the first that is wrong. */
function decode(source: string | Uint8Array): { text: string; broken: boolean } {
  if (typeof source === 'string') return { text: source.replace(/^\uFEFF/, ''), broken: false }
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(source), broken: false }
  } catch {
    // Decoded as a stream, the longest good start is what a decoder gives before it throws: found by halving.
    let [good, bad] = [0, source.length]
    while (bad - good > 1) {
      const half = (good + bad) >> 1
      try {
        new TextDecoder('utf-8', { fatal: true }).decode(source.subarray(0, half), { stream: true })
        good = half
      } catch {
        bad = half
      }
    }
    return { text: new TextDecoder('utf-8').decode(source.subarray(0, good), { stream: true }), broken: true }
  }
}

function lineStarts(text: string): readonly number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

interface Said {
  readonly path: readonly string[]
  readonly message: string
  readonly at?: 'key' | 'value'
}

/** A complaint as a sentence for people; null for one that only repeats others. */
function say(complaint: Complaint, written: (path: readonly string[]) => string): Said | null {
  const { keyword, instancePath, params, parentSchema = {}, propertyName } = complaint
  const path = instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
  const wanted = typeof parentSchema['title'] === 'string' ? parentSchema['title'] : 'something else'
  switch (keyword) {
    case 'if':
    case 'propertyNames':
      return null
    case 'required':
      return {
        path: [...path, String(params['missingProperty'])],
        message: 'missing: it is needed here',
        at: 'key',
      }
    case 'additionalProperties': {
      const key = String(params['additionalProperty'])
      const known = Object.keys(parentSchema['properties'] ?? {})
      return { path: [...path, key], message: `unknown key${meant(key, known)}`, at: 'key' }
    }
    case 'enum': {
      const allowed = (params['allowedValues'] as readonly unknown[]).map(String)
      if (propertyName !== undefined)
        return { path: [...path, propertyName], message: `must be ${wanted}`, at: 'key' }
      return { path, message: `must be one of ${allowed.join(', ')}${meant(written(path), allowed, false)}` }
    }
    default:
      if (propertyName !== undefined)
        return { path: [...path, propertyName], message: `must be ${wanted}`, at: 'key' }
      return {
        path,
        message: `must be ${wanted}${keyword === 'type' ? not(complaint, written(path)) : ''}`,
        // Nothing has no place of its own.
        at: complaint.data === null ? 'key' : 'value',
      }
  }
}

const meant = (word: string, known: readonly string[], list = true): string => {
  const near = nearest(word, known)
  if (near !== null) return ` — did you mean "${near}"?`
  return list ? ` — known here: ${known.join(', ')}` : ''
}

/** What a value of the wrong type is, and how to mend it where quotes would. */
function not({ data, params }: Complaint, source: string): string {
  const text = params['type'] === 'string'
  if (data === null) return ', not nothing: give it a value or leave the line out'
  if (Array.isArray(data)) return ', not a list'
  if (typeof data === 'object') return ', not a map'
  const is = typeof data === 'number' ? 'a number' : typeof data === 'boolean' ? 'true or false' : 'text'
  return text && typeof data !== 'string' ? `, not ${is} — quote it: "${legible(source)}"` : `, not ${is}`
}

/** `source.image`, `exclude[2]`; names of keys that are no plain words are made legible. */
function dotted(path: readonly string[]): string {
  return path
    .map((part, depth) =>
      /^\d+$/.test(part) && depth > 0 ? `[${part}]` : `${depth > 0 ? '.' : ''}${legible(part)}`,
    )
    .join('')
}
