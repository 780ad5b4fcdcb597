// Records of an enumeration into rows of the catalogue. The same records give the same rows, byte for byte.
import { canonicalJson } from '../../model/canonical.ts'
import type { Entry, EntryType } from '../../model/entry.ts'
import { InodeSet } from '../../model/inodes.ts'
import type { RawRecord } from '../../model/raw/index.ts'
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
  readonly #met = new Map<number, Met>()

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

  add(record: RawRecord): void {
    if ('error' in record) {
      const { error, path, message } = record.error
      this.#anomaly(record.fs, error, null, path, message)
      return
    }
    const { fs, entry } = record
    const { ino, path } = entry
    let met = this.#met.get(fs)
    if (met === undefined) this.#met.set(fs, (met = new Met()))
    const meeting = met.meet(entry)
    if (meeting === 'new') this.#inode(fs, entry)
    else if (meeting === 'repeated') this.#anomaly(fs, 'repeated-inode', ino, path, factsOf(entry))
    const last = path.lastIndexOf(slash)
    const above = Math.max(0, last)
    const { dir, fresh } = this.#directories.number(fs, path, above)
    if (fresh) this.made.directory.open(above).int4(fs).int4(dir).bytes(path, 0, above).close()
    const name = last + 1
    this.made.entry
      .open(path.length - name)
      .int8(ino)
      .int4(fs)
      .int4(dir)
      .bytes(path, name)
      .close()
  }

  #inode(fs: number, entry: Entry): void {
    const { ino, size, mtimeNs, nlink, uid, gid, mode, type } = entry
    const target = targetOf(entry)
    const row = this.made.inode.open(target.length).int8(ino).count(size)
    if (mtimeNs === null) row.nothing()
    else row.int8(mtimeNs)
    row.int4(fs).int4(Math.min(nlink, 0xffffffff))
    if (uid === null) row.nothing()
    else row.int4(uid)
    if (gid === null) row.nothing()
    else row.int4(gid)
    if (mode === null) row.nothing()
    else row.int2(mode)
    row.bytes(letters[type]).bytes(target).close()
  }

  #anomaly(fs: number, kind: string, ino: bigint | null, path: Buffer, detail: string): void {
    const [word, text] = [Buffer.from(kind), Buffer.from(detail)]
    const row = this.made.anomaly
      .open(word.length + path.length + text.length)
      .int4(fs)
      .bytes(word)
    if (ino === null) row.nothing()
    else row.int8(ino)
    row.bytes(path).bytes(text).close()
  }
}

/** The inodes of one filesystem that were met. */
class Met {
  readonly #all = new InodeSet()
  /** Those that said they had more names than one, by their kind. Directories have no other names. */
  readonly #linked = new Map<EntryType, InodeSet>()

  /** `linked`: this is another name of something that said it had several, and of the same kind. */
  meet({ ino, nlink, type }: Entry): 'new' | 'linked' | 'repeated' {
    const fresh = this.#all.add(ino)
    if (nlink < 2 || type === 'd') return fresh ? 'new' : 'repeated'
    let linked = this.#linked.get(type)
    if (linked === undefined) this.#linked.set(type, (linked = new InodeSet()))
    if (!fresh) return linked.has(ino) ? 'linked' : 'repeated'
    linked.add(ino)
    return 'new'
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
