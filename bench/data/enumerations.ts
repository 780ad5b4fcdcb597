// Enumerations of media that never were: millions of paths in the format that the load stage reads, and in the older one.
import { closeSync, openSync, writeSync } from 'node:fs'
import { encodeRaw, type RawRecord } from '../../src/model/raw/index.ts'
import type { Entry, VolumeReport } from '../../src/model/entry.ts'
import { fileName, folderName } from './names.ts'
import { seeded, type Random } from './random.ts'

/** A file that will be met again under another name. */
interface Linked {
  readonly entry: Entry
  left: number
}

/**
 * `paths` records, depth first as an enumeration has them: 9 % directories, paths of 90 bytes on average, 5 % of the files with two
 * to four names, inode numbers in clumps. The shape is that of real ones, as measured.
 */
function* records(paths: number, seed: string): Generator<readonly RawRecord[]> {
  const random = seeded(seed)
  const stack: { path: string; left: number }[] = [{ path: '', left: 12 }]
  const linked: Linked[] = []
  let ino = 2n
  const base = { mode: 0o644, uid: 1000, gid: 1000, rdev: 0n, target: null, extents: null } as const
  let batch: RawRecord[] = [
    { fs: 0, entry: { ...base, type: 'd', path: Buffer.alloc(0), ino, nlink: 2, size: 4096, mtimeNs: 0n } },
  ]
  for (let made = 1; made < paths; made += 1) {
    let at = stack.at(-1)
    while (at !== undefined && at.left <= 0 && stack.length > 1) {
      stack.pop()
      at = stack.at(-1)
    }
    if (at === undefined) throw new Error('the tree has no root')
    if (at.left <= 0) at.left = 12
    at.left -= 1
    ino += made % 4000 === 0 ? BigInt(random.between(1000, 90_000)) : BigInt(random.between(1, 2))
    const mtimeNs = BigInt(random.between(600_000_000, 1_300_000_000)) * 1_000_000_000n
    if (stack.length < 7 && (stack.length < 3 || random.next() < 0.087)) {
      const path = `${at.path}${folderName(random, made)}`
      batch.push({
        fs: 0,
        entry: { ...base, type: 'd', path: latin(path), ino, nlink: 2, size: 4096, mtimeNs },
      })
      stack.push({ path: `${path}/`, left: random.between(4, 19) })
    } else {
      batch.push({
        fs: 0,
        entry: file(latin(`${at.path}${fileName(random, made)}`), ino, mtimeNs, linked, random),
      })
    }
    if (batch.length === 512) {
      yield batch
      batch = []
    }
  }
  yield batch
}

function file(path: Buffer, ino: bigint, mtimeNs: bigint, linked: Linked[], random: Random): Entry {
  const [older] = linked
  if (older !== undefined && random.next() < 0.08) {
    older.left -= 1
    if (older.left === 0) linked.shift()
    return { ...older.entry, path }
  }
  const nlink = random.next() < 0.05 ? random.between(2, 4) : 1
  const size = random.spread(100, 400_000)
  const entry: Entry = {
    type: 'f',
    path,
    ino,
    nlink,
    size,
    mtimeNs,
    mode: 0o644,
    uid: 1000,
    gid: 1000,
    rdev: 0n,
    target: null,
    extents: null,
  }
  if (nlink > 1) linked.push({ entry, left: nlink - 1 })
  return entry
}

const latin = (text: string): Buffer => Buffer.from(text, 'latin1')

export interface RawMedium {
  readonly hash: string
  readonly paths: number
  readonly volume: VolumeReport
}

/** Writes a whole enumeration of ours. */
export async function writeRaw(path: string, { hash, paths, volume }: RawMedium): Promise<void> {
  async function* source(): AsyncGenerator<readonly RawRecord[]> {
    yield* records(paths, hash)
  }
  const about = { hash, source: 'made for the benchmark', writer: 'ntt bench' }
  const out = openSync(path, 'w')
  try {
    for await (const bytes of encodeRaw(source(), () => [volume], about)) writeSync(out, bytes)
  } finally {
    closeSync(out)
  }
}

/** The same records as the older pipeline wrote them: seven fields with 0x1C between them, absolute paths, NUL at the end. */
export function writeOlderRaw(path: string, { hash, paths }: RawMedium): void {
  const out = openSync(path, 'w')
  const mount = latin(`/mnt/ntt/${hash}`)
  try {
    for (const batch of records(paths, hash)) {
      const lines = batch.flatMap((record) => {
        if (!('entry' in record)) return []
        const { type, ino, nlink, size, mtimeNs, path: name } = record.entry
        const fields = [type, 1793, ino, nlink, size, (mtimeNs ?? 0n) / 1_000_000_000n, '']
        const slash = name.length === 0 ? '' : '/'
        return [latin(fields.join('\x1c')), mount, latin(slash), name, Buffer.alloc(1)]
      })
      writeSync(out, Buffer.concat(lines))
    }
  } finally {
    closeSync(out)
  }
}
