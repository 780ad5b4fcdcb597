// The bytes of files of btrfs that do not lie in the image as they are, or of which there are two copies.
import { inflateSync, zstdDecompressSync } from 'node:zlib'
import type { Entry } from '../../model/entry.ts'
import { RunError, messageOf } from '../../model/errors.ts'
import { unobtainable } from '../faults.ts'
import { DataSums } from './data-sums.ts'
import { kinds, parseInode, type Extent, type Packing, type TreeTop } from './layout.ts'
import { unpackSegments } from './lzo.ts'
import { numbersOf } from './numbers.ts'
import { piecesOf } from './pieces.ts'
import type { BtrfsVolume } from './volume.ts'

const stepBytes = 2 ** 20
/** The format packs 128 KiB at most. */
const mostUnpacked = 2 ** 20

export class BtrfsContents {
  readonly #volume: BtrfsVolume
  readonly #sums: DataSums
  #last: { readonly subvolume: bigint; readonly top: TreeTop } | null = null

  constructor(volume: BtrfsVolume) {
    this.#volume = volume
    this.#sums = new DataSums(volume)
  }

  /** Throws ObserveError where the content cannot be had. */
  async *of({ ino, size }: Entry): AsyncGenerator<Buffer> {
    try {
      const { subvolume, inode } = numbersOf(ino)
      const top = await this.#top(subvolume)
      for await (const { value } of this.#inode(top, inode)) {
        const now = parseInode(value).size
        if (now !== size) throw new RunError(`it has ${now} bytes now`)
      }
      for await (const { extent, length } of piecesOf(this.#volume, top, inode, size))
        yield* this.#bytes(extent, length)
    } catch (error) {
      throw unobtainable(error)
    }
  }

  async *#inode(top: TreeTop, inode: bigint): AsyncGenerator<{ readonly value: Buffer }> {
    for await (const found of this.#volume.of(top, inode, kinds.inode)) {
      if ('fault' in found) throw found.fault
      yield found
    }
  }

  async #top(subvolume: bigint): Promise<TreeTop> {
    if (this.#last?.subvolume !== subvolume)
      this.#last = { subvolume, top: await this.#volume.root(subvolume) }
    return this.#last.top
  }

  async *#bytes(extent: Extent, length: number): AsyncGenerator<Buffer> {
    const { sectorBytes } = this.#volume.head
    if (extent.type === 'hole') {
      for (let done = 0; done < length; done += stepBytes)
        yield Buffer.alloc(Math.min(stepBytes, length - done))
    } else if (extent.type === 'inline') {
      yield unpacked(extent.packing, extent.stored, extent.unpacked, sectorBytes).subarray(0, length)
    } else if (extent.packing === 'none') {
      const begin = extent.at + extent.from
      for (let done = 0; done < length; done += stepBytes) {
        const taken = Math.min(stepBytes, length - done)
        const bytes = await this.#stored(begin + done, Math.ceil(taken / sectorBytes) * sectorBytes)
        yield Buffer.from(bytes.subarray(0, taken))
      }
    } else {
      const bytes = await this.#stored(extent.at, extent.storedBytes)
      const whole = unpacked(extent.packing, bytes, extent.unpacked, sectorBytes)
      yield whole.subarray(extent.from, extent.from + length)
    }
  }

  async #stored(at: number, length: number): Promise<Buffer> {
    if (length > 2 * stepBytes) throw new RunError('a piece of it makes no sense')
    return this.#volume.stored(at, length, await this.#sums.of(at, length))
  }
}

/** So many bytes out of packed ones, behind which anything may stand. */
function unpacked(packing: Packing, packed: Buffer, length: number, sectorBytes: number): Buffer {
  if (packing === 'none') return packed
  if (length > mostUnpacked) throw new RunError('a piece of it makes no sense')
  if (packing === 'lzo') return unpackSegments(packed, length, sectorBytes)
  let bytes: Buffer
  try {
    const most = { maxOutputLength: mostUnpacked }
    bytes = packing === 'zlib' ? inflateSync(packed, most) : zstdDecompressSync(frameOf(packed), most)
  } catch (error) {
    throw new RunError(`its compressed bytes make no sense: ${messageOf(error)}`)
  }
  // The end of a file is packed as it is, and counted in whole sectors: zeros stand behind it.
  const short = length - bytes.length
  if (short >= sectorBytes) throw new RunError('its compressed bytes end too early')
  return short > 0 ? Buffer.concat([bytes, Buffer.alloc(short)]) : bytes
}

/** The frame that a piece begins with: RFC 8878, 3.1.1. Node takes no zeros behind one. Throws RangeError where it breaks off. */
function frameOf(packed: Buffer): Buffer {
  const flags = packed.readUInt8(4)
  const isOne = (flags & 0x20) !== 0
  const sizeBytes = [isOne ? 1 : 0, 2, 4, 8][flags >>> 6] ?? 0
  const dictionaryBytes = [0, 1, 2, 4][flags & 3] ?? 0
  let at = 5 + (isOne ? 0 : 1) + dictionaryBytes + sizeBytes
  for (let isLast = false; !isLast;) {
    const head = packed.readUIntLE(at, 3)
    isLast = (head & 1) !== 0
    at += 3 + ((head & 6) === 2 ? 1 : head >>> 3)
  }
  return packed.subarray(0, at + ((flags & 4) === 0 ? 0 : 4))
}
