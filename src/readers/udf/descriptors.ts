// Descriptors of a volume of UDF: where they are found, which of them count, and what the volume says of itself.
import { RunError } from '../../model/errors.ts'
import { orNothing } from '../faults.ts'
import type { Pages } from '../pages.ts'
import { isTagged, tags } from './layout.ts'

/** The most common first. */
const blockSizes = [2048, 512, 1024, 4096, 8192, 16_384, 32_768]
const mostDescriptors = 256

export interface Descriptors {
  readonly blockBytes: number
  /** Of the logical volume. */
  readonly volume: Buffer
  /** Of the partitions, by their number. */
  readonly partitions: ReadonlyMap<number, Buffer>
}

/** What a volume says of itself. */
export interface Integrity {
  readonly files: number
  readonly directories: number
  /** It was left as it should be. */
  readonly isClosed: boolean
}

/** `extent_ad`: blocks of the volume. */
interface Extent {
  readonly block: number
  readonly bytes: number
}

export const pointed = (bytes: Buffer, at: number): Extent => ({
  bytes: bytes.readUInt32LE(at),
  block: bytes.readUInt32LE(at + 4),
})

/** A block of the volume; null where the image ends before. */
export const blockAt = (block: number, pages: Pages, blockBytes: number): Promise<Buffer | null> =>
  pages.bytes(block * blockBytes, blockBytes).catch(orNothing)

/**
 * The descriptors that an anchor leads to, in the first or the second copy; that of a session stands behind its beginning. Throws
 * RunError where there are none.
 */
export async function findDescriptors(pages: Pages, bytes: number, session: number): Promise<Descriptors> {
  for (const blockBytes of blockSizes) {
    const last = Math.floor(bytes / blockBytes) - 1
    for (const block of [session + 256, last, last - 256, session + 512]) {
      const anchor = block < 0 ? null : await blockAt(block, pages, blockBytes)
      if (anchor === null || !isTagged(anchor, tags.anchor)) continue
      for (const extent of [pointed(anchor, 16), pointed(anchor, 24)]) {
        const found = await readSequence(extent, pages, blockBytes)
        if (found !== null) return found
      }
    }
  }
  throw new RunError('there is no anchor of UDF that leads to descriptors')
}

/** Of several descriptors of a kind the newest counts. null: not enough of them can be read. */
async function readSequence(first: Extent, pages: Pages, blockBytes: number): Promise<Descriptors | null> {
  const newest = new Map<string, Buffer>()
  let { block: next, bytes: length } = first
  let end = next + Math.floor(length / blockBytes)
  for (let count = 0; next < end && count < mostDescriptors; count += 1) {
    const bytes = await blockAt(next, pages, blockBytes)
    next += 1
    if (bytes === null || isTagged(bytes, tags.terminator)) break
    if (isTagged(bytes, tags.pointer)) {
      ;({ block: next, bytes: length } = pointed(bytes, 20))
      end = next + Math.floor(length / blockBytes)
      continue
    }
    const id = [tags.logicalVolume, tags.partition].find((one) => isTagged(bytes, one))
    if (id === undefined) continue
    const key = id === tags.partition ? `${id} ${bytes.readUInt16LE(22)}` : String(id)
    const known = newest.get(key)
    if (known === undefined || known.readUInt32LE(16) <= bytes.readUInt32LE(16))
      newest.set(key, Buffer.from(bytes))
  }
  const volume = newest.get(String(tags.logicalVolume))
  if (volume?.readUInt32LE(212) !== blockBytes) return null
  const partitions = [...newest.values()]
    .filter((bytes) => bytes.readUInt16LE(0) === tags.partition)
    .map((bytes): [number, Buffer] => [bytes.readUInt16LE(22), bytes])
  return partitions.length === 0 ? null : { blockBytes, volume, partitions: new Map(partitions) }
}

/** The last descriptor of integrity; null: there is none. */
export async function readIntegrity(
  { block: first, bytes }: Extent,
  pages: Pages,
  blockBytes: number,
): Promise<Integrity | null> {
  let found: Integrity | null = null
  let next = first
  for (let left = Math.min(mostDescriptors, Math.floor(bytes / blockBytes)); left > 0; left -= 1) {
    const block = await blockAt(next, pages, blockBytes)
    if (block === null || !isTagged(block, tags.integrity)) break
    const at = 80 + block.readUInt32LE(72) * 8
    if (at + 40 > block.length || block.readUInt32LE(76) < 40) break
    found = {
      files: block.readUInt32LE(at + 32),
      directories: block.readUInt32LE(at + 36),
      isClosed: block.readUInt32LE(28) === 1,
    }
    const further = pointed(block, 32)
    next = further.bytes === 0 ? next + 1 : further.block
  }
  return found
}
