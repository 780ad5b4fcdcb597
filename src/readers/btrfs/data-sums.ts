// The checksums of contents, by which the better one of two copies is chosen.
import { orNothing } from '../faults.ts'
import { kinds, trees, type TreeTop } from './layout.ts'
import { holds } from './sums.ts'
import type { BtrfsVolume } from './volume.ts'

const owner = 2n ** 64n - 10n

export class DataSums {
  readonly #volume: BtrfsVolume
  #top: Promise<TreeTop | null> | null = null

  constructor(volume: BtrfsVolume) {
    this.#volume = volume
  }

  /** What tells whether the bytes of a logical range, in whole sectors, are those that were written; of what has no sum it is not known. */
  async of(at: number, length: number): Promise<(bytes: Buffer) => boolean> {
    const { sum, sectorBytes, nodeBytes } = this.#volume.head
    this.#top ??= this.#volume.root(trees.sums).catch(orNothing)
    const top = await this.#top
    const known = new Map<number, Buffer>()
    if (top !== null) {
      // An item holds the sums of what lies one behind the other, up to a block full.
      const reach = Math.ceil(nodeBytes / sum.bytes) * sectorBytes
      const from = { id: owner, kind: kinds.sums, offset: BigInt(Math.max(0, at - reach)) }
      const to = { id: owner, kind: kinds.sums, offset: BigInt(at + length - 1) }
      for await (const found of this.#volume.items(top, from, to)) {
        if ('fault' in found) continue
        const begin = Number(found.key.offset)
        for (let index = 0; (index + 1) * sum.bytes <= found.value.length; index += 1) {
          const place = begin + index * sectorBytes - at
          if (place >= 0 && place < length)
            known.set(place, found.value.subarray(index * sum.bytes, (index + 1) * sum.bytes))
        }
      }
    }
    return (bytes) =>
      known.entries().every(([place, own]) => holds(sum, bytes.subarray(place, place + sectorBytes), own))
  }
}
