// YAML text into one tree whose nodes know their place; what is no YAML, or too much of it, is told and not thrown.
import {
  Composer,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  Lexer,
  Parser,
  Schema,
  stringify,
  visit,
} from 'yaml'
import type { Alias, Document, Node } from 'yaml'

/** A document for media.d or ntt.yaml: no text in it can end a line or begin a key, and no line is folded. */
export const writeYaml = (document: object): string =>
  stringify(document, { lineWidth: 0, minContentWidth: 0 })

/** Something wrong with the text as YAML. Offsets are UTF-16 units. */
export interface Flaw {
  readonly offset: number
  readonly length: number
  readonly message: string
  /** The rest of the document can still be read. */
  readonly mendable: boolean
}

export interface Tree {
  /** Plain values; undefined where the text cannot be read as one document. */
  readonly value: unknown
  readonly flaws: readonly Flaw[]
  /** The key and the value that a path leads to; of a path that breaks off, the last that is there. */
  locate(path: readonly string[]): { readonly key?: Span; readonly value?: Span }
}

/** Where something is written, and how, if it is one plain value. Offsets are UTF-16 units. */
export interface Span {
  readonly start: number
  readonly end: number
  readonly source: string
}

/** Far more than a document of ours needs; what is beyond it would exhaust the parser. */
const most = { length: 1024 * 1024, depth: 64, aliases: 100 }

/** One for all documents; also of those that ask for YAML 1.1, where `no` would be false and 010 would be 8. */
const schema = new Schema({ schema: 'core', resolveKnownTags: false })

const ours: Partial<Record<string, { message: string; mendable: boolean }>> = {
  DUPLICATE_KEY: { message: 'the same key is there twice', mendable: true },
  TAB_AS_INDENT: { message: 'a tab: indent with spaces', mendable: false },
  BLOCK_AS_IMPLICIT_KEY: {
    message: 'a second `: ` in one line: a value that has one is written in quotes, as "box: 7"',
    mendable: false,
  },
  NON_STRING_KEY: { message: 'a key must be a plain word', mendable: false },
  TAG_RESOLVE_FAILED: { message: 'tags (`!name`) mean nothing here', mendable: true },
}

/** Reads the first document of the text; a second one is a flaw. Keys are text, whatever they look like. */
export function parseYaml(text: string): Tree {
  const flaws: Flaw[] = []
  const flaw = (offset: number, length: number, message: string, mendable = false): number =>
    flaws.push({ offset, length, message, mendable })

  const composer = new Composer({ schema, stringKeys: true, logLevel: 'silent', prettyErrors: false })
  const [document, second] = [...composer.compose(tokens(text, flaw), true, text.length)]
  for (const { code, message, pos } of [...(document?.errors ?? []), ...(document?.warnings ?? [])]) {
    const known = ours[code]
    flaw(pos[0], pos[1] - pos[0], known?.message ?? `this is not YAML: ${message}`, known?.mendable)
  }
  if (second !== undefined)
    flaw(second.range[0], 3, 'a second document begins here: one file declares one medium', true)

  const locate: Tree['locate'] = (path) => (document === undefined ? {} : walk(document, path))
  if (document === undefined || flaws.some(({ mendable }) => !mendable))
    return { value: undefined, flaws, locate }
  for (const alias of looseAliases(document)) {
    const [start = 0, end = 0] = alias.range ?? []
    flaw(
      start,
      end - start,
      `*${alias.source} stands for nothing: no &${alias.source} comes before it, or it is inside of it`,
    )
  }
  if (flaws.some(({ mendable }) => !mendable)) return { value: undefined, flaws, locate }
  try {
    return { value: document.toJS({ maxAliasCount: most.aliases }), flaws, locate }
  } catch (error) {
    // A ReferenceError is how yaml refuses aliases of aliases of aliases; anything else is a bug of ours.
    if (!(error instanceof ReferenceError)) throw error
    flaw(0, 1, 'its aliases (`*name`) stand for too much: write the values out')
    return { value: undefined, flaws, locate }
  }
}

/** The parser's tokens; ends early, with a flaw, where the text is too large or nested too deep. */
function* tokens(text: string, flaw: (offset: number, length: number, message: string) => void) {
  if (text.length > most.length)
    return flaw(0, 1, `longer than ${most.length} characters: hardly written by hand`)
  const parser = new Parser()
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme)
    if (parser.stack.length > most.depth) return flaw(parser.offset, 1, `nested more than ${most.depth} deep`)
  }
  yield* parser.end()
}

/** Aliases without an anchor before them, and aliases within what they stand for. */
function looseAliases(document: Document.Parsed): readonly Alias[] {
  const loose: Alias[] = []
  visit(document, {
    Alias(_key, alias) {
      const anchored = alias.resolve(document)
      const at = alias.range?.[0] ?? 0
      const [start = 0, , end = 0] = anchored?.range ?? []
      if (anchored === undefined || (start <= at && at < end)) loose.push(alias)
    },
  })
  return loose
}

function walk(document: Document.Parsed, path: readonly string[]): { key?: Span; value?: Span } {
  let node: unknown = document.contents
  let key: Node | undefined
  for (const segment of path) {
    if (isAlias(node)) node = node.resolve(document)
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === segment)
      if (pair === undefined) break
      key = isNode(pair.key) ? pair.key : undefined
      node = pair.value
    } else if (isSeq(node)) {
      key = undefined
      node = node.items[Number(segment)]
    } else break
  }
  return { ...(key && { key: span(key) }), ...(isNode(node) && { value: span(node) }) }
}

function span(node: Node): Span {
  const [start = 0, end = start] = node.range ?? []
  return { start, end, source: isScalar(node) ? (node.source ?? '') : '' }
}
