// The older pipeline's enumerations, as records of ours: absolute paths become (filesystem, path below its root).
import { nobody, typeOfMode, type Entry, type EntryType } from '../entry.ts'
import { signed, unsigned } from '../halves.ts'
import { Fields } from './fields.ts'
import type { RawFormat, RawRecord } from './record.ts'

const separator = 0x1c
const slash = 0x2f
/** find(1) prints these; the older of the two formats has permissions, and no kind, in their place. */
const kinds: readonly string[] = ['f', 'd', 'l', 'b', 'c', 'p', 's']
/** The mount point of the older pipeline, or the folder that carved files were listed under. */
const mountPoint = /^(?:\/mnt\/ntt\/)?[0-9a-f]{16,64}(?=\/|$)(?:\/p([0-9]{1,4})(?=\/|$))?/

const isKind = (letter: string): letter is EntryType => kinds.includes(letter)

/** Which format a file is of, by its first bytes; null for neither. */
export function legacyFormat(head: Buffer): RawFormat | null {
  const stop = head.subarray(0, 8).indexOf(separator)
  const first = head.toString('latin1', 0, Math.max(0, stop))
  if (isKind(first)) return 'legacy-v1'
  return /^[0-7]{1,7}$/.test(first) ? 'legacy-v0' : null
}

/** The path of the first record, which is where the walk began; null where the bytes hold no whole record, or it is not UTF-8. */
export function legacyRoot(head: Buffer): string | null {
  if (legacyFormat(head) === null) return null
  let at = 0
  for (let field = 0; field < 6; field += 1) {
    at = head.indexOf(separator, at) + 1
    if (at === 0) return null
  }
  const end = head.indexOf(0, at)
  if (end === -1) return null
  const bytes = head.subarray(at, end)
  const text = bytes.toString('utf8')
  return Buffer.from(text, 'utf8').equals(bytes) ? text : null
}

/** Decodes the records of one file in their order. */
export class Legacy {
  #root: Buffer | null = null
  #fs = 0
  readonly #known = new Map<string, number>()
  /** A record of the older format waits for the next one: what has something below it is a directory. */
  #held: { readonly fs: number; readonly entry: Entry } | null = null

  /** Reads one more; what is known to be final by that goes `into`. */
  read(fields: Fields, into: RawRecord[]): void {
    const first = fields.name(separator).toString('latin1')
    const mode = isKind(first) ? null : /^[0-7]{1,7}$/.test(first) ? Number.parseInt(first, 8) : null
    if (mode === null && !isKind(first)) fields.fault(`${JSON.stringify(first)} is no kind of entry`)
    fields.number(separator)
    fields.wide(separator)
    const ino = unsigned(fields.high, fields.low)
    const nlink = fields.number(separator)
    const size = fields.number(separator)
    const mtimeNs = fields.time(separator) ? signed(fields.high, fields.low) : null
    const { fs, path } = this.#place(fields.name(), fields)
    const type = isKind(first) ? first : typeOfMode(mode ?? 0)
    const bits = mode === null ? null : mode & 0o7777
    const entry: Entry = { ...nobody, type, path, ino, nlink, size, mtimeNs, mode: bits, extents: null }
    const held = this.#held
    this.#held = null
    if (held !== null) {
      const above = held.fs === fs && isBelow(path, held.entry.path)
      into.push(above ? { fs: held.fs, entry: { ...held.entry, type: 'd' } } : held)
    }
    if (type === '?') this.#held = { fs, entry: { ...entry, path: Buffer.from(path) } }
    else into.push({ fs, entry })
  }

  /** What still waited when the file ended. */
  end(): readonly RawRecord[] {
    return this.#held === null ? [] : [this.#held]
  }

  #place(path: Buffer, fields: Fields): { readonly fs: number; readonly path: Buffer } {
    if (this.#root === null || !isBelow(path, this.#root)) this.#enter(path, fields)
    const skip = this.#root?.length ?? 0
    return { fs: this.#fs, path: path.subarray(path.length > skip ? skip + 1 : skip) }
  }

  /** Another filesystem begins: find(1) prints the place where it starts first. */
  #enter(path: Buffer, fields: Fields): void {
    const text = path.toString('latin1')
    const match = mountPoint.exec(text)
    const root = match?.[0] ?? text.replace(/\/+$/, '')
    const fs = Number(match?.[1] ?? /\/p([0-9]{1,4})$/.exec(root)?.[1] ?? 0)
    if (match === null && this.#root !== null && !/\/p[0-9]{1,4}$/.test(root)) {
      fields.fault(`${JSON.stringify(text)} is outside of ${JSON.stringify(this.#root.toString('latin1'))}`)
    }
    if (
      (this.#known.get(root) ?? fs) !== fs ||
      [...this.#known].some(([one, n]) => n === fs && one !== root)
    ) {
      fields.fault(`two roots would both be filesystem ${fs}`)
    }
    this.#known.set(root, fs)
    this.#root = Buffer.from(root, 'latin1')
    this.#fs = fs
  }
}

/** Whether a path is a directory's own or lies below it. The empty path is the root, above all. */
function isBelow(path: Buffer, above: Buffer): boolean {
  if (above.length === 0) return true
  if (path.length < above.length || path.compare(above, 0, above.length, 0, above.length) !== 0) return false
  return path.length === above.length || path[above.length] === slash
}
