// What people declared: the files of media.d as checked declarations, or every problem of all of them at once.
import { medium as validate } from './generated/validators.js'
import { compare, readDocument, refusal } from './model/document.ts'
import type { Document } from './model/document.ts'
import type { Problem } from './model/errors.ts'
import { legible } from './model/frame.ts'
import type { Declaration, Expectation, KindName, Policy, Source, Target } from './model/medium.ts'
import { patternProblem } from './model/pattern.ts'
import { parseSize } from './model/size.ts'

/** One file of media.d, as it was read. */
export interface MediumFile {
  /** Its path as told to people; relative ones begin at `base`. */
  readonly file: string
  readonly text: string | Uint8Array
  /** Why nobody can read it as a declaration, although its name says that it is one. */
  readonly unfit?: string
}

/** A document that satisfies schemas/medium.schema.json. */
interface MediumDocument {
  readonly label?: string
  readonly kind?: KindName
  readonly source: { readonly [type in Source['type']]?: string }
  readonly target?: Target
  readonly medium_hash?: string
  readonly expect?: Omit<Expectation, 'bytes'> & { readonly bytes?: number | string }
  readonly exclude?: readonly string[]
  readonly policy?: {
    readonly rescued?: number | string
    readonly unreadable_files?: Policy['unreadableFiles']
    readonly partitions?: Policy['partitions']
    readonly why?: string
  }
}

interface Read {
  readonly declaration: Declaration
  /** The document again, for a problem that only shows beside others; thousands of trees are not kept for that. */
  document(): Document
}

/**
 * Checks all files and gives their declarations in the order of their names. `base`: the absolute folder that relative
 * file names begin at. Throws DesiredError with all problems of all files, by file and line.
 */
export function readDesired(files: readonly MediumFile[], base: string): readonly Declaration[] {
  const problems: Problem[] = []
  const read = files.flatMap((file): readonly Read[] => {
    const [found, wrong] = readFile(file, base)
    problems.push(...wrong)
    return found
  })
  problems.push(...conflicts(read))
  if (problems.length > 0) throw refusal(problems)
  return read.map(({ declaration }) => declaration).toSorted((a, b) => compare(a.name, b.name))
}

function readFile(
  { file, text, unfit }: MediumFile,
  base: string,
): readonly [readonly Read[], readonly Problem[]] {
  const whole = (message: string): Problem => ({ file, line: 0, column: 0, field: '', message, frame: '' })
  if (unfit !== undefined) return [[], [whole(unfit)]]
  const again = (): Document => readDocument(file, text, validate)
  const document = again()
  const name = mediumName(file)
  const misnamed = nameProblem(name)
  const named: readonly Problem[] = misnamed === null ? [] : [whole(misnamed)]
  if (document.value === null || document.problems.length > 0) return [[], [...named, ...document.problems]]

  // Validated against the schema in the line before.
  const written = document.value as MediumDocument
  const declaration = declare(name, file, written, base)
  const wrong = [...named, ...contradictions(written, declaration, document)]
  return wrong.length > 0 ? [[], wrong] : [[{ declaration, document: again }], []]
}

/** The file name without folder and ending. */
export const mediumName = (file: string): string =>
  file.slice(file.lastIndexOf('/') + 1).replace(/\.ya?ml$/, '')

/** Names are typed, printed, and asked for in the database: letters, digits and `. _ + -`, none but the first two in front. */
export function nameProblem(name: string): string | null {
  if (/^[\p{L}\p{N}][\p{L}\p{M}\p{N}._+-]{0,99}$/u.test(name)) return null
  return `the file name is the medium's name: "${legible(name)}" must begin with a letter or digit and have only letters, digits, ".", "_", "+" and "-" (at most 100)`
}

function declare(name: string, file: string, written: MediumDocument, base: string): Declaration {
  const { label, kind, target, expect = {}, exclude, policy = {} } = written
  const [type, path] = Object.entries(written.source)[0] as [Source['type'], string]
  const folder = absolute(base, file.slice(0, file.lastIndexOf('/') + 1))
  const { bytes, ...expected } = expect
  return {
    name,
    file,
    label: label ?? null,
    kind: kind ?? (type === 'directory' ? 'directory' : null),
    source: { type, path: absolute(folder, path) },
    target: target ?? 'archived',
    hash: written.medium_hash ?? (isHash(name) ? name.toLowerCase() : null),
    // An odd size is told as a problem; until then it stands for none.
    expect: { ...expected, ...(bytes !== undefined && { bytes: sizeOf(bytes) ?? 0 }) },
    exclude: exclude ?? [],
    policy: {
      rescued: Number(String(policy.rescued ?? 100).replace(/ ?%$/, '')),
      unreadableFiles: policy.unreadable_files ?? 'refuse',
      partitions: policy.partitions ?? {},
      ...(policy.why !== undefined && { why: policy.why }),
    },
  }
}

const isHash = (name: string): boolean => /^[0-9a-f]{32}$/i.test(name)
const sizeOf = (bytes: number | string): number | null =>
  typeof bytes === 'number' ? bytes : parseSize(bytes)

/** `path` below `folder`, unless it is absolute itself; `.` and `..` are resolved by name. */
function absolute(folder: string, path: string): string {
  const kept: string[] = []
  for (const part of (path.startsWith('/') ? path : `${folder}/${path}`).split('/')) {
    if (part === '..') kept.pop()
    else if (part !== '' && part !== '.') kept.push(part)
  }
  return `/${kept.join('/')}`
}

/** What a schema cannot say of one document. */
function contradictions(
  written: MediumDocument,
  declaration: Declaration,
  document: Document,
): readonly Problem[] {
  const problems: Problem[] = []
  const { name, source } = declaration
  const { expect = {}, exclude = [], medium_hash: hash } = written
  if (hash !== undefined && isHash(name) && name.toLowerCase() !== hash)
    problems.push(
      document.problem(['medium_hash'], `the file name says that the medium_hash is ${name.toLowerCase()}`),
    )
  if (expect.bytes !== undefined && sizeOf(expect.bytes) === null)
    problems.push(document.problem(['expect', 'bytes'], 'must be a whole number of bytes'))
  // A promise to look that nobody could keep is refused, not forgotten.
  for (const key of Object.keys(expect)) {
    const blind =
      source.type === 'directory' || (source.type === 'image' && (key === 'serial' || key === 'model'))
    if (blind) {
      const what = source.type === 'directory' ? 'a directory' : 'an image file'
      problems.push(document.problem(['expect', key], `cannot be looked at: ${what} has no ${key}`, 'key'))
    }
  }
  for (const [index, pattern] of exclude.entries()) {
    const message = patternProblem(pattern)
    if (message !== null) problems.push(document.problem(['exclude', String(index)], message))
  }
  return problems
}

/** What two documents cannot both say: a name, an identity, a source. */
function conflicts(read: readonly Read[]): readonly Problem[] {
  const problems: Problem[] = []
  const seen = new Map<string, Read>()
  const claim = (key: string, one: Read, path: readonly string[], message: string): void => {
    const other = seen.get(key)
    if (other === undefined) return void seen.set(key, one)
    const { file, line } = other.document().problem(path, '', 'key')
    problems.push({ ...one.document().problem(path, `${message} (also ${file}:${line})`), other: file })
  }
  for (const one of read.toSorted((a, b) => compare(a.declaration.file, b.declaration.file))) {
    const { name, hash, source, expect } = one.declaration
    claim(`name ${name.normalize()}`, one, [], `a second file for the medium ${name}`)
    if (hash !== null)
      claim(`hash ${hash}`, one, ['medium_hash'], 'the same identity twice: one medium has one file')
    // One drive reads many media, one after the other; then each must say how it is to be known.
    const known = source.type === 'device' && (hash !== null || Object.keys(expect).length > 0)
    if (!known)
      claim(
        `source ${source.path}`,
        one,
        ['source', source.type],
        source.type === 'device'
          ? 'two media in one drive: tell them apart with `expect`'
          : 'the same source twice: one medium has one file',
      )
  }
  return problems
}
