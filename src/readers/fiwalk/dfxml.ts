// The report of fiwalk as it comes: volumes and file objects out of lines of DFXML, in bounded memory.
import { RunError } from '../../model/errors.ts'
import { unescapeHex } from '../volumes/probe.ts'

/** A stretch of a file; `image: null` where the filesystem stores nothing (a hole), or not as plain bytes. */
export interface DfxmlRun {
  readonly file: number
  readonly image: number | null
  readonly bytes: number
  /** `resident`, `compressed` …; empty for plain runs and holes. */
  readonly type: string
}

export interface DfxmlFile {
  /** From the filesystem's root, as bytes; `.`, `a/.` and `a/..` are there as well. */
  readonly name: Buffer
  /** One letter: r, d, l, b, c, p, h (socket); v and V for what only the tool sees. */
  readonly nameType: string
  readonly size: number
  readonly ino: bigint
  readonly nlink: number
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** As printed: `2026-11-23T21:06:59Z`, without `Z` where the filesystem knows no zone; empty for none. */
  readonly mtime: string
  readonly runs: readonly DfxmlRun[]
}

/** What one batch of lines brought: files, each with the byte in the image where its volume begins. */
export interface DfxmlFound {
  readonly volume: number
  /** fat12, fat16, fat32, exfat, ntfs, ext2, ext3, ext4, hfs, iso9660 … */
  readonly type: string
  /** null: the volume itself, before its files. */
  readonly file: DfxmlFile | null
}

const longestLine = 1 << 20

/** Reads a report to its end; throws RunError where it is malformed or stops before its end. */
export async function* parseDfxml(chunks: AsyncIterable<Buffer>): AsyncGenerator<readonly DfxmlFound[]> {
  const parser = new Parser()
  let rest = ''
  for await (const chunk of chunks) {
    // Latin-1: one character is one byte, whatever the names hold.
    const lines = (rest + chunk.toString('latin1')).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > longestLine) throw new RunError('fiwalk wrote a line without end')
    for (const line of lines) parser.line(line)
    const found = parser.take()
    if (found.length > 0) yield found
  }
  if (!parser.ended) throw new RunError('the report of fiwalk stops before its end')
}

class Parser {
  ended = false
  #found: DfxmlFound[] = []
  #volume = -1
  #type = ''
  #fields: Map<string, string> | null = null
  #runs: DfxmlRun[] = []

  take(): readonly DfxmlFound[] {
    const found = this.#found
    this.#found = []
    return found
  }

  line(line: string): void {
    const open = line.indexOf('<')
    if (open === -1) return
    const close = line.indexOf('>', open)
    const inner = line.slice(open + 1, close)
    const space = inner.indexOf(' ')
    const tag = space === -1 ? inner : inner.slice(0, space)
    switch (tag) {
      case 'volume':
        this.#volume = Number(attribute(inner, 'offset'))
        this.#type = ''
        return
      case 'ftype_str':
        this.#type = textOf(line, close)
        this.#found.push({ volume: this.#volume, type: this.#type, file: null })
        return
      case 'fileobject':
        this.#fields = new Map()
        this.#runs = []
        return
      case '/fileobject':
        this.#file()
        return
      case 'byte_run':
        this.#runs.push(runOf(inner))
        return
      case '/dfxml':
        this.ended = true
        return
      default: {
        // The parent's inode comes first, and is overwritten by the file's own.
        const end = line.lastIndexOf('</')
        if (this.#fields !== null && end > close) this.#fields.set(tag, line.slice(close + 1, end))
      }
    }
  }

  #file(): void {
    const fields = this.#fields
    this.#fields = null
    if (fields === null) throw new RunError('the report of fiwalk closes a file that it never opened')
    // Without `alloc` the name was deleted, or is the tool's guess.
    if (fields.get('alloc') !== '1') return
    const number = (key: string): number => {
      const value = Number(fields.get(key) ?? Number.NaN)
      if (!Number.isSafeInteger(value))
        throw new RunError(`fiwalk gave no ${key} for ${fields.get('filename') ?? 'a file'}`)
      return value
    }
    const file: DfxmlFile = {
      name: textBytes(fields.get('filename') ?? ''),
      nameType: fields.get('name_type') ?? '',
      size: number('filesize'),
      ino: BigInt(fields.get('inode') ?? '0'),
      nlink: number('nlink'),
      mode: number('mode') & 0o7777,
      uid: number('uid'),
      gid: number('gid'),
      mtime: fields.get('mtime') ?? '',
      runs: this.#runs,
    }
    this.#found.push({ volume: this.#volume, type: this.#type, file })
  }
}

const textOf = (line: string, close: number): string => line.slice(close + 1, line.indexOf('<', close))

/** The value of `name='…'` or `name="…"`, or null. */
function attribute(tag: string, name: string): string | null {
  const at = tag.indexOf(` ${name}=`)
  if (at === -1) return null
  const from = at + name.length + 2
  const quote = tag.charAt(from)
  return tag.slice(from + 1, tag.indexOf(quote, from + 1))
}

function runOf(tag: string): DfxmlRun {
  const image = attribute(tag, 'img_offset')
  const type = attribute(tag, 'type') ?? ''
  const bytes = Number(attribute(tag, 'len') ?? attribute(tag, 'uncompressed_len'))
  const file = Number(attribute(tag, 'file_offset'))
  if (!Number.isSafeInteger(bytes) || !Number.isSafeInteger(file))
    throw new RunError(`fiwalk gave a byte run without numbers: ${tag}`)
  return { file, image: image === null ? null : Number(image), bytes, type }
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** A name: XML entities first, then `\xHH`; in both, whatever is no escape stands for itself. */
export const textBytes = (text: string): Buffer =>
  unescapeHex(text.replace(/&(amp|lt|gt|quot|apos);/g, (_all, name: string) => entities[name] ?? ''))
