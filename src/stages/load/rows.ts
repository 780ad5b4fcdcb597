// Records of an enumeration into rows of the catalogue. The same records give the same rows, byte for byte.
import { canonicalJson } from '../../model/canonical.ts'
import type { Entry, EntryType } from '../../model/entry.ts'
import { InodeSet } from '../../model/inodes.ts'
import { halvesOf } from '../../model/halves.ts'
import type { Line } from '../../model/raw/index.ts'
import { Directories } from './directories.ts'
import { anyOrder, type Mark } from './marks.ts'
import { Tuples, type Told } from './tuples.ts'

const slash = 0x2f
const none = Buffer.alloc(0)

/** The tables of a load, with their columns in the order of the rows; medium_id is the same in all and is not sent. */
export const columns = {
  directory: ['fs', 'dir', 'path'],
  inode: ['ino', 'size', 'mtime_ns', 'fs', 'nlink', 'uid', 'gid', 'mode', 'type', 'target'],
  entry: ['ino', 'fs', 'dir', 'name'],
  anomaly: ['fs', 'kind', 'ino', 'path', 'detail'],
} as const
export type Table = keyof typeof columns
export const tables: readonly Table[] = ['directory', 'inode', 'entry', 'anomaly']

/** What the rows must be. */
export type Expected = Readonly<Record<Table, Told>>

/**
 * Makes rows of records: an inode for each first meeting of a number, an entry for each name, a directory for each that holds
 * an entry. What could not be read is an anomaly, and so is another record for the same inode, unless both say that it has
 * several names: the first one wins, and the other one's facts are kept there.
 */
export class Rows {
  readonly made: Readonly<Record<Table, Tuples>>
  readonly #directories = new Directories()
  /** Inodes that said they had more names than one, by filesystem and kind. */
  readonly #linked = new Map<number, InodeSet>()

  /** `mark`: what is to be kept of the rows of a table. Anomalies lie among those of others, in no order of ours. */
  constructor(mark: () => Mark) {
    const { directory, inode, entry, anomaly } = columns
    this.made = {
      directory: new Tuples(directory.length, mark()),
      inode: new Tuples(inode.length, mark()),
      entry: new Tuples(entry.length, mark()),
      anomaly: new Tuples(anomaly.length, anyOrder()),
    }
  }

  /** What was kept of them, when they have ended. */
  told(): Expected {
    const { directory, inode, entry, anomaly } = this.made
    return { directory: directory.told, inode: inode.told, entry: entry.told, anomaly: anomaly.told }
  }

  add(line: Line): void {
    const { fs, error, block, pathStart, pathEnd } = line
    if (error !== null) {
      this.#anomaly(fs, error.error, null, error.path, error.message)
      return
    }
    if (line.isFirst) this.#inode(line)
    if (!this.#isWelcome(line)) {
      const entry = line.entry()
      this.#anomaly(fs, 'repeated-inode', entry.ino, entry.path, factsOf(entry))
    }
    let name = pathEnd
    while (name > pathStart && block[name - 1] !== slash) name -= 1
    const above = Math.max(pathStart, name - 1)
    const { dir, fresh } = this.#directories.number(fs, block, pathStart, above)
    if (fresh)
      this.made.directory
        .open(above - pathStart)
        .int4(fs)
        .int4(dir)
        .bytes(block, pathStart, above)
        .close()
    this.made.entry
      .open(pathEnd - name)
      .int8(line.inoHigh, line.inoLow)
      .int4(fs)
      .int4(dir)
      .bytes(block, name, pathEnd)
      .close()
  }

  /** It is the first record of its inode, or another name of what said that it had several, and is of the same kind. */
  #isWelcome({ fs, isFirst, nlink, type, inoHigh, inoLow }: Line): boolean {
    // Directories have no other names.
    if (nlink < 2 || type === 'd') return isFirst
    const kind = fs * 256 + type.charCodeAt(0)
    let linked = this.#linked.get(kind)
    if (linked === undefined) this.#linked.set(kind, (linked = new InodeSet()))
    if (!isFirst) return linked.hasHalves(inoHigh, inoLow)
    return linked.addHalves(inoHigh, inoLow)
  }

  #inode(line: Line): void {
    const { mode, uid, gid, type } = line
    const isNode = type === 'b' || type === 'c'
    const node = isNode ? Buffer.from(`${line.rdevHigh}:${line.rdevLow}`) : none
    const hasTarget = line.targetStart >= 0
    const room = hasTarget ? line.targetEnd - line.targetStart : node.length
    const row = this.made.inode.open(room).int8(line.inoHigh, line.inoLow).count(line.size)
    if (line.hasTime) row.int8(line.timeHigh, line.timeLow)
    else row.nothing()
    row.int4(line.fs).int4(Math.min(line.nlink, 0xffffffff))
    if (uid === null) row.nothing()
    else row.int4(uid)
    if (gid === null) row.nothing()
    else row.int4(gid)
    if (mode === null) row.nothing()
    else row.int2(mode)
    row.bytes(letters[type])
    if (hasTarget) row.bytes(line.block, line.targetStart, line.targetEnd)
    else row.bytes(node)
    row.close()
  }

  #anomaly(fs: number, kind: string, ino: bigint | null, path: Buffer, detail: string): void {
    const [word, text] = [Buffer.from(kind), Buffer.from(detail)]
    const row = this.made.anomaly
      .open(word.length + path.length + text.length)
      .int4(fs)
      .bytes(word)
    if (ino === null) row.nothing()
    else {
      const { high, low } = halvesOf(ino)
      row.int8(high, low)
    }
    row.bytes(path).bytes(text).close()
  }
}

const letters: Readonly<Record<EntryType, Buffer>> = {
  f: Buffer.from('f'),
  d: Buffer.from('d'),
  l: Buffer.from('l'),
  b: Buffer.from('b'),
  c: Buffer.from('c'),
  p: Buffer.from('p'),
  s: Buffer.from('s'),
  '?': Buffer.from('?'),
}

/** Where a link points; `major:minor` of a device node; else nothing. */
function targetOf({ target, rdev, type }: Entry): Buffer {
  if (target !== null) return target
  return type === 'b' || type === 'c' ? Buffer.from(`${rdev >> 32n}:${rdev & 0xffffffffn}`) : none
}

/** What a record says of its inode, for people. */
const factsOf = (entry: Entry): string =>
  canonicalJson({
    type: entry.type,
    size: entry.size,
    mtime_ns: entry.mtimeNs?.toString() ?? null,
    nlink: entry.nlink,
    uid: entry.uid,
    gid: entry.gid,
    mode: entry.mode,
    target: targetOf(entry).toString('latin1'),
  })
