// A volume of HFS, HFS+ or HFSX: its catalog, and where the forks of its files lie in the image.
import { RunError } from '../../model/errors.ts'
import type { Range } from '../../model/world.ts'
import { HfsTree, type Found, type KeyForm } from './tree.ts'
import type { Extent, File, Folder, Fork, HfsForm, HfsHeader, Thread } from './catalog.ts'
import { faultOf, orNothing } from '../faults.ts'
import type { Pages } from '../pages.ts'
import { push } from '../ranges.ts'

/** What one record of the catalog says. */
export interface Said {
  readonly parent: number
  /** As bytes of a path, before anything is mended. */
  readonly name: Buffer
  readonly record: Folder | File | Thread
}

/** Where a fork lies. */
export interface Lie {
  readonly ranges: readonly Range[]
  readonly extents: readonly Extent[]
  readonly fault: string | null
}

export const dataFork = 0
export const resourceFork = 0xff
const numbers = { extents: 3, catalog: 4, attributes: 8 } as const

export class HfsVolume {
  readonly header: HfsHeader
  readonly pages: Pages
  readonly catalog: HfsTree
  /** null: it has none, or none that can be read. */
  readonly attributes: HfsTree | null
  /** Of the forks that are the filesystem's own. */
  readonly own: readonly Extent[]
  readonly #form: HfsForm
  readonly #forks: Forks

  private constructor(
    forks: Forks,
    form: HfsForm,
    catalog: HfsTree,
    attributes: HfsTree | null,
    own: readonly Extent[],
  ) {
    this.header = forks.header
    this.pages = forks.pages
    this.catalog = catalog
    this.attributes = attributes
    this.own = own
    this.#form = form
    this.#forks = forks
  }

  /** `start`: of the volume in the image. Throws RunError where there is no catalog. */
  static async open(header: HfsHeader, form: HfsForm, start: number, pages: Pages): Promise<HfsVolume> {
    const own: Extent[] = []
    const tree = async (forks: Forks, fork: Fork, number: number, key: KeyForm): Promise<HfsTree | null> => {
      if (fork.size === 0) return null
      const { ranges, extents } = await forks.lie(fork, number, dataFork)
      own.push(...extents)
      return HfsTree.open(ranges, key, pages)
    }
    const alone = new Forks(header, form, start, pages, null)
    const extents = await tree(alone, header.extents, numbers.extents, form.extentsKey)
    const forks = new Forks(header, form, start, pages, extents)
    const catalog = await tree(forks, header.catalog, numbers.catalog, form.catalogKey)
    if (catalog === null) throw new RunError('the catalog has no length')
    const attributes = await tree(forks, header.attributes, numbers.attributes, form.extentsKey).catch(
      orNothing,
    )
    for (const [fork, number] of header.others) own.push(...(await forks.lie(fork, number, dataFork)).extents)
    return new HfsVolume(forks, form, catalog, attributes, own)
  }

  /** In the image, cut to the size of the fork. */
  lie(fork: Fork, number: number, which: number): Promise<Lie> {
    return this.#forks.lie(fork, number, which)
  }

  /** What the catalog says of the members of a folder, its thread among them. */
  async *members(folder: number): AsyncGenerator<Said | { readonly fault: RunError }> {
    for await (const found of this.catalog.of(folder)) yield this.said(found)
  }

  /** The member of a folder with a name in ASCII; null: it is not there, or cannot be read. */
  async member(folder: number, name: string): Promise<Said | null> {
    const wanted = name.toLowerCase()
    const order = (key: Buffer): number => {
      const own = this.#form.nameOf(key).toString('latin1').toLowerCase()
      return own === wanted ? 0 : own < wanted ? -1 : 1
    }
    for await (const found of this.catalog.of(folder, order)) {
      const one = this.said(found)
      if (!('fault' in one)) return one
    }
    return null
  }

  /** A record of the catalog, or what is wrong with it. */
  said(found: Found): Said | { readonly fault: RunError } {
    if ('fault' in found) return found
    try {
      const { key, number, value } = found
      return { parent: number, name: this.#form.nameOf(key), record: this.#form.recordOf(value) }
    } catch (error) {
      return { fault: faultOf(error) }
    }
  }
}

/** Where forks lie: the first pieces of each are in its record, the others in a tree. */
class Forks {
  readonly header: HfsHeader
  readonly pages: Pages
  readonly #form: HfsForm
  readonly #start: number
  readonly #extents: HfsTree | null

  constructor(header: HfsHeader, form: HfsForm, start: number, pages: Pages, extents: HfsTree | null) {
    this.header = header
    this.pages = pages
    this.#form = form
    this.#start = start + header.firstAt
    this.#extents = extents
  }

  async lie(fork: Fork, number: number, which: number): Promise<Lie> {
    const { blockBytes, blocks } = this.header
    const extents: Extent[] = [...fork.extents]
    let have = extents.reduce((sum, extent) => sum + extent.blocks, 0)
    let fault: string | null = null
    if (have < fork.blocks && this.#extents !== null)
      for await (const found of this.#extents.of(number)) {
        if ('fault' in found) {
          fault ??= found.fault.message
          continue
        }
        const { fork: own, from, extents: more } = this.#form.piecesOf(found.key, found.value)
        if (own !== which || from !== have) continue
        extents.push(...more)
        have += more.reduce((sum, extent) => sum + extent.blocks, 0)
      }
    const ranges: { start: number; end: number }[] = []
    let left = fork.size
    for (const { first, blocks: count } of extents) {
      if (first + count > blocks) {
        fault ??= 'a piece of it lies outside of the volume'
        break
      }
      const length = Math.min(left, count * blockBytes)
      const start = this.#start + first * blockBytes
      if (length > 0) push(ranges, { start, end: start + length })
      left -= length
    }
    if (left > 0) fault ??= `its pieces break off after ${fork.size - left} of ${fork.size} bytes`
    return { ranges, extents, fault }
  }
}
