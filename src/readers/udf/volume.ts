// A volume of UDF: its descriptors, its file entries, and where the content of each lies in the image.
import { RunError } from '../../model/errors.ts'
import type { Range } from '../../model/world.ts'
import { faultOf, orNothing } from '../faults.ts'
import type { Pages } from '../pages.ts'
import {
  blockAt,
  findDescriptors,
  pointed,
  readIntegrity,
  type Descriptors,
  type Integrity,
} from './descriptors.ts'
import {
  isTagged,
  parseNode,
  pointerAt,
  tags,
  type UdfAddress,
  type UdfNode,
  type UdfPointer,
} from './layout.ts'
import { Ranges } from './ranges.ts'
import {
  metadataPartition,
  plainPartition,
  readSparing,
  sparablePartition,
  virtualPartition,
  type UdfPartition,
} from './partition.ts'

/** Further than this from the end nobody writes the table of virtual blocks. */
const mostBlocksBehind = 512
const mostTableBytes = 1 << 26

export class UdfVolume {
  readonly blockBytes: number
  /** Where the volume begins in the image; `pages` count from there. */
  readonly start: number
  readonly #bytes: number
  readonly #pages: Pages
  #partitions: readonly UdfPartition[] = []
  #root: UdfPointer = { partition: 0, block: 0, bytes: 0 }
  #integrity: Integrity | null = null

  private constructor(blockBytes: number, start: number, bytes: number, pages: Pages) {
    this.blockBytes = blockBytes
    this.start = start
    this.#bytes = bytes
    this.#pages = pages
  }

  /** Throws RunError where there is no UDF that can be read. */
  static async open(start: number, bytes: number, pages: Pages, session = 0): Promise<UdfVolume> {
    const found = await findDescriptors(pages, bytes, session)
    const volume = new UdfVolume(found.blockBytes, start, bytes, pages)
    await volume.#mount(found)
    return volume
  }

  get root(): UdfPointer {
    return this.#root
  }

  get integrity(): Integrity | null {
    return this.#integrity
  }

  /** Number of a file entry: the block in the volume where it lies. */
  numberOf({ partition, block }: UdfAddress): bigint {
    return BigInt(this.#partition(partition).runs(block, 1)[0]?.block ?? 0)
  }

  /** A file entry. Throws RunError where it cannot be read in any of its copies. */
  async node(address: UdfAddress): Promise<UdfNode> {
    const node = parseNode(await this.#structure(address, [tags.file, tags.extendedFile]))
    if (node.strategy !== 4096) return node
    // Each writing added an entry behind the last one: the newest counts.
    const next = await this.#structure({ ...address, block: address.block + 1 }, [tags.indirect]).catch(
      orNothing,
    )
    const further = next === null ? null : pointerAt(next, 36)
    if (further === null || further.bytes === 0 || further.block <= address.block) return node
    return (await this.node(further).catch(orNothing)) ?? node
  }

  /** Where the content of a file lies in the image, cut to its size; short of that where its descriptors are. */
  async extents(address: UdfAddress, node: UdfNode): Promise<readonly Range[]> {
    if (node.size === 0) return []
    if (node.form === 'inside') {
      const [run] = this.#partition(address.partition).runs(address.block, 1)
      const start = this.start + (run?.block ?? 0) * this.blockBytes + node.allocationAt
      return [{ start, end: start + Math.min(node.size, node.allocation.length) }]
    }
    const ranges = new Ranges(node.size)
    const width = node.form === 'short' ? 8 : node.form === 'long' ? 16 : 20
    const seen = new Set<string>()
    let table: Buffer | null = node.allocation
    while (table !== null && ranges.left > 0) {
      const here: Buffer = table
      table = null
      for (let at = 0; at + width <= here.length && ranges.left > 0; at += width) {
        const stated = here.readUInt32LE(at)
        const bytes = stated & 0x3fffffff
        if (bytes === 0) break
        const place = addressAt(here, at, node.form, address.partition)
        if (stated >>> 30 === 3) {
          const known = `${place.partition} ${place.block}`
          if (seen.has(known)) throw new RunError('its allocation descriptors run in a circle')
          seen.add(known)
          const block = await this.#structure(place, [tags.allocation])
          table = Buffer.from(block.subarray(24, 24 + block.readUInt32LE(20)))
          break
        }
        if (stated >>> 30 !== 0) ranges.hole(bytes)
        else this.#place(place, bytes, ranges)
      }
    }
    return ranges.found
  }

  #place({ partition, block }: UdfAddress, bytes: number, ranges: Ranges): void {
    let left = Math.min(bytes, ranges.left)
    for (const run of this.#partition(partition).runs(block, Math.ceil(left / this.blockBytes))) {
      const here = Math.min(left, run.blocks * this.blockBytes)
      ranges.add(this.start + run.block * this.blockBytes, here)
      left -= here
    }
  }

  #partition(index: number): UdfPartition {
    const partition = this.#partitions[index]
    if (partition === undefined) throw new RunError(`there is no partition ${index}`)
    return partition
  }

  /** A block with one of these structures in it, from the first copy where it is whole. */
  async #structure({ partition, block }: UdfAddress, wanted: readonly number[]): Promise<Buffer> {
    const main = this.#partition(partition)
    let fault: RunError | null = null
    for (const copy of main.mirror === undefined ? [main] : [main, main.mirror]) {
      const [run] = copy.runs(block, 1)
      try {
        const bytes = await this.#pages.bytes((run?.block ?? 0) * this.blockBytes, this.blockBytes)
        if (wanted.some((id) => isTagged(bytes, id))) return bytes
      } catch (error) {
        fault ??= faultOf(error)
      }
    }
    throw fault ?? new RunError(`block ${block} holds no file entry, or a damaged one`)
  }

  #block(block: number): Promise<Buffer | null> {
    return blockAt(block, this.#pages, this.blockBytes)
  }

  async #mount({ volume, partitions }: Descriptors): Promise<void> {
    const [length, count] = [volume.readUInt32LE(264), volume.readUInt32LE(268)]
    const found: UdfPartition[] = []
    let at = 440
    for (let index = 0; index < count && at + 6 <= Math.min(volume.length, 440 + length); index += 1) {
      const bytes = volume.readUInt8(at + 1)
      const map = volume.subarray(at, at + bytes)
      if (bytes < 6) break
      at += bytes
      found.push(await this.#map(map, partitions, found))
      this.#partitions = found
    }
    const set = pointerAt(volume, 248)
    this.#root = pointerAt(await this.#structure(set, [tags.fileSet]), 400)
    this.#integrity = await readIntegrity(pointed(volume, 432), this.#pages, this.blockBytes)
  }

  async #map(
    map: Buffer,
    partitions: ReadonlyMap<number, Buffer>,
    before: readonly UdfPartition[],
  ): Promise<UdfPartition> {
    const isPlain = map.readUInt8(0) === 1
    const number = map.readUInt16LE(isPlain ? 4 : 38)
    const partition = partitions.get(number)
    if (partition === undefined) throw new RunError(`there is no descriptor of partition ${number}`)
    const below = plainPartition(partition.readUInt32LE(188), partition.readUInt32LE(192))
    if (isPlain) return below
    const kind = map.toString('latin1', 5, 28).replace(/\0.*$/s, '')
    if (kind === '*UDF Sparable Partition') {
      const spare = await readSparing(map, this.#pages, this.blockBytes)
      return sparablePartition(below, Math.max(1, map.readUInt16LE(40)), spare)
    }
    // What these stand on is a map that came before: the plain one, or the one with spare packets.
    const base = before[0] ?? below
    this.#partitions = [base]
    if (kind === '*UDF Virtual Partition') return virtualPartition(base, await this.#virtualTable())
    if (kind !== '*UDF Metadata Partition')
      throw new RunError(`a partition of a kind that is not known: ${kind}`)
    const files = [map.readUInt32LE(40), map.readUInt32LE(44)].map((block) => this.#metadata(block))
    const [main, mirror] = await Promise.all(files)
    const copies = [main, mirror].flatMap((ranges) =>
      ranges === null || ranges === undefined ? [] : [metadataPartition(ranges, this.blockBytes, this.start)],
    )
    const [first, second] = copies
    if (first === undefined) throw new RunError('neither the metadata nor their mirror can be read')
    return second === undefined ? first : { ...first, mirror: second }
  }

  async #metadata(block: number): Promise<readonly Range[] | null> {
    const address = { partition: 0, block }
    const node = await this.node(address).catch(orNothing)
    return node === null ? null : this.extents(address, node)
  }

  /** The table of virtual blocks is the last that was written: its file entry is the last block. */
  async #virtualTable(): Promise<Buffer> {
    const last = Math.floor(this.#bytes / this.blockBytes) - 1
    for (let behind = 0; behind < mostBlocksBehind && behind <= last; behind += 1) {
      const bytes = await this.#block(last - behind)
      if (bytes === null || !(isTagged(bytes, tags.file) || isTagged(bytes, tags.extendedFile))) continue
      const node = parseNode(bytes)
      const isOld = node.fileType === 0
      if (!isOld && node.fileType !== 248) continue
      const table = await this.#content(last - behind, node)
      if (!isOld) return table.subarray(table.readUInt16LE(0))
      // The older kind has its mark at the end.
      const mark = table.length - 36
      if (mark >= 0 && table.toString('latin1', mark + 1, mark + 23) === '*UDF Virtual Alloc Tbl')
        return table.subarray(0, mark)
    }
    throw new RunError(
      'the table of virtual blocks is not at the end: the disc was not finished, or the image was cut',
    )
  }

  async #content(block: number, node: UdfNode): Promise<Buffer> {
    if (node.size > mostTableBytes) throw new RunError(`a table of virtual blocks of ${node.size} bytes`)
    if (node.form === 'inside') return node.allocation.subarray(0, node.size)
    return Buffer.from(await this.#pages.all(await this.extents({ partition: 0, block }, node)))
  }
}

function addressAt(bytes: Buffer, at: number, form: UdfNode['form'], own: number): UdfAddress {
  if (form === 'short') return { partition: own, block: bytes.readUInt32LE(at + 4) }
  if (form === 'long') return pointerAt(bytes, at)
  return { partition: bytes.readUInt16LE(at + 16), block: bytes.readUInt32LE(at + 12) }
}
