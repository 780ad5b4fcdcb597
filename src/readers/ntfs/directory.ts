// The names of a directory of NTFS, read from its index piece by piece.
import type { Entry } from '../../model/entry.ts'
import { RunError } from '../../model/errors.ts'
import type { Range } from '../../model/world.ts'
import { faultOf } from '../faults.ts'
import { piecesOf } from '../ranges.ts'
import { parseIndexBlock, parseIndexRoot, type Names } from './index-tree.ts'
import { attributes } from './layout.ts'
import { streamOf, type NtfsFile, type NtfsVolume, type Stream } from './volume.ts'

const index = '$I30'

/** All names of a directory, in pieces, and what is wrong with each. */
export async function* indexOf(file: NtfsFile, volume: NtfsVolume): AsyncGenerator<Names> {
  const none = (fault: string): Names => ({ names: [], fault: new RunError(fault) })
  const root = streamOf(file, attributes.indexRoot, index)
  if (root?.value === null || root === undefined) {
    yield none('it has no index')
    return
  }
  let blockBytes: number
  let isLarge: boolean
  try {
    const parsed = parseIndexRoot(root.value)
    ;({ blockBytes, isLarge } = parsed)
    yield parsed
  } catch (error) {
    yield { names: [], fault: faultOf(error) }
    return
  }
  const blocks = streamOf(file, attributes.indexBlocks, index)
  if (blocks === undefined) {
    if (isLarge) yield none('the blocks of its index are not there')
    return
  }
  if (blocks.fault !== null) yield none(blocks.fault)
  const { clusterBytes } = volume.layout
  const step = blockBytes < clusterBytes ? blockBytes / 512 : blockBytes / clusterBytes
  let used: Buffer
  try {
    used = await bytesOf(streamOf(file, attributes.bitmap, index), volume)
  } catch (error) {
    yield { names: [], fault: faultOf(error) }
    return
  }
  let block = 0
  for (const piece of piecesOf(blocks.extents ?? [], blockBytes)) {
    const isUsed = ((used[block >>> 3] ?? 0) & (1 << (block & 7))) !== 0
    if (isUsed) {
      const { names, fault } = await blockOf(piece, block * step, volume)
      yield { names, fault }
    }
    block += 1
  }
  const last = used.findLastIndex((byte) => byte !== 0)
  if (last * 8 > block) yield none('the last blocks of its index are not there')
}

async function blockOf(piece: readonly Range[], number: number, { pages }: NtfsVolume): Promise<Names> {
  try {
    if (piece.some(({ start }) => start === -1)) throw new RunError('it was never written')
    return parseIndexBlock(await pages.all(piece), number)
  } catch (error) {
    return { names: [], fault: faultOf(error) }
  }
}

/** The content of a small stream. */
export async function bytesOf(stream: Stream | undefined, { pages }: NtfsVolume): Promise<Buffer> {
  if (stream === undefined) throw new RunError('which blocks of its index are in use is not told')
  if (stream.value !== null) return stream.value
  const { size, extents } = stream
  if (
    stream.fault !== null ||
    extents === null ||
    extents.some(({ start }) => start === -1) ||
    size > 2 ** 26
  )
    throw new RunError('which blocks of its index are in use cannot be read')
  return Buffer.from(await pages.all(extents))
}

/** Where its names lie. */
export const extentsOfIndex = (file: NtfsFile): Entry['extents'] => [
  ...(streamOf(file, attributes.indexRoot, index)?.extents ?? []),
  ...(streamOf(file, attributes.indexBlocks, index)?.extents ?? []),
]
