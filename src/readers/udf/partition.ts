// Partitions of UDF: where in the volume a block of one of them lies, whatever stands between.
import { RunError } from '../../model/errors.ts'
import type { Range } from '../../model/world.ts'
import { orNothing } from '../faults.ts'
import type { Pages } from '../pages.ts'

/** Blocks that follow one another, counted from the beginning of the volume. */
export interface Run {
  readonly block: number
  readonly blocks: number
}

/** One of the partition maps of a logical volume. */
export interface UdfPartition {
  /** Where so many blocks from `block` on lie. Throws RunError for what is not in it. */
  runs(block: number, blocks: number): readonly Run[]
  /** The same in a second copy of it, if it has one. */
  readonly mirror?: UdfPartition
}

/** The plain kind: blocks one after the other. */
export const plainPartition = (start: number, length: number): UdfPartition => ({
  runs(block, blocks) {
    if (block + blocks > length) throw new RunError(`block ${block + blocks - 1} of a partition of ${length}`)
    return [{ block: start + block, blocks }]
  },
})

/** Packets that went bad were replaced by others. `spare`: first block of a packet in the partition, to its place in the volume. */
export const sparablePartition = (
  below: UdfPartition,
  packet: number,
  spare: ReadonlyMap<number, number>,
): UdfPartition => ({
  runs(block, blocks) {
    const found: Run[] = []
    for (let at = block; at < block + blocks;) {
      const first = at - (at % packet)
      const count = Math.min(block + blocks, first + packet) - at
      const place = spare.get(first)
      if (place === undefined) found.push(...below.runs(at, count))
      else found.push({ block: place + at - first, blocks: count })
      at += count
    }
    return found
  },
})

/** Of media that are written once: numbers stand for blocks by a table that was written anew each time. */
export const virtualPartition = (below: UdfPartition, table: Buffer): UdfPartition => ({
  runs: (block, blocks) =>
    Array.from({ length: blocks }, (_none, index) => {
      const at = (block + index) * 4
      const real = at + 4 <= table.length ? table.readUInt32LE(at) : 0xffffffff
      if (real === 0xffffffff)
        throw new RunError(`block ${block + index} is not in the table of virtual blocks`)
      return below.runs(real, 1)
    }).flat(),
})

/** Names and file entries stand in a file of their own; its blocks are those of that file. */
export const metadataPartition = (
  file: readonly Range[],
  blockBytes: number,
  origin: number,
  mirror?: UdfPartition,
): UdfPartition => ({
  runs(block, blocks) {
    const found: Run[] = []
    let [skip, left] = [block, blocks]
    for (const { start, end } of file) {
      const here = Math.ceil((start === -1 ? end : end - start) / blockBytes)
      if (skip >= here) {
        skip -= here
        continue
      }
      const count = Math.min(left, here - skip)
      if (start === -1) throw new RunError(`block ${block} is in a hole of the metadata`)
      found.push({ block: (start - origin) / blockBytes + skip, blocks: count })
      skip = 0
      left -= count
      if (left === 0) return found
    }
    throw new RunError(`block ${block + blocks - 1} is past the end of the metadata`)
  },
  ...(mirror === undefined ? {} : { mirror }),
})

/** The sparing table that can be read first: bad packets and what stands for them. */
export async function readSparing(
  map: Buffer,
  pages: Pages,
  blockBytes: number,
): Promise<ReadonlyMap<number, number>> {
  const bytes = map.readUInt32LE(44)
  for (let copy = 0; copy < map.readUInt8(42) && copy < 4; copy += 1) {
    const place = map.readUInt32LE(48 + copy * 4) * blockBytes
    const table = await pages.bytes(place, Math.min(bytes, 1 << 20)).catch(orNothing)
    if (table?.toString('latin1', 17, 37) !== '*UDF Sparing Table\0\0') continue
    const count = table.readUInt16LE(48)
    const found = new Map<number, number>()
    for (let at = 56; found.size < count && at + 8 <= table.length; at += 8) {
      const original = table.readUInt32LE(at)
      // The highest numbers mark spare packets that are free or bad themselves.
      if (original < 0xfffffff0) found.set(original, table.readUInt32LE(at + 4))
      else break
    }
    return found
  }
  throw new RunError('no sparing table can be read')
}
