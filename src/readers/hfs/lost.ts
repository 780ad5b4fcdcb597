// Files and folders of HFS and HFS+ that the way down did not meet: every leaf of the catalog is looked at, and threads tell where each belongs.
import type { Entry, EntryError } from '../../model/entry.ts'
import type { RunError } from '../../model/errors.ts'
import { hiddenNames } from '../faults.ts'
import { HfsNames } from './names.ts'
import type { HfsVolume, Said } from './volume.ts'
import type { Folder } from './catalog.ts'
import { rootFolder, type HfsWalk } from './walk.ts'
import type { Found } from './tree.ts'
import { joinPath } from '../reader.ts'
import { mend } from '../utf16.ts'

const deepest = 1024
/** What lies here was found without a folder; the name is made up. */
const madeUp = Buffer.from('$Orphans')

interface Step {
  readonly id: number
  readonly name: Buffer
}

export class HfsLost {
  /** Names that were found. */
  found = 0
  /** Records of the leaves that can be read. */
  records = 0
  readonly #volume: HfsVolume
  readonly #walk: HfsWalk
  #isComplete = true
  readonly #told = new Set<number>()
  readonly #threads = new Map<number, number>()

  constructor(volume: HfsVolume, walk: HfsWalk) {
    this.#volume = volume
    this.#walk = walk
  }

  /** Folders first: what lies below them is then found by the catalog. */
  async *all(): AsyncGenerator<Entry | EntryError> {
    const names = new HfsNames()
    if (this.#walk.isBroken) await this.#findThreads()
    for await (const { found } of this.#volume.catalog.leaves()) {
      for (const one of this.#say(found)) {
        if ('fault' in one) {
          yield hiddenNames(Buffer.alloc(0), one.fault)
          this.#walk.isBroken = true
          continue
        }
        this.records += 1
        names.take(one)
        const id = one.record.type === 'thread' ? one.parent : one.record.id
        if (id < rootFolder || this.#walk.met.has(BigInt(id))) continue
        this.#isComplete = false
        const isFolder = one.record.type === 'thread' ? one.record.isFolder : one.record.type === 'folder'
        if (isFolder) yield* this.#folder(id, one)
      }
    }
    if (!names.agree && !this.#walk.isBroken) yield* this.#disagreements()
    if (this.#isComplete) return
    // Records before threads: these know no more than the name.
    for (const type of ['file', 'thread'] as const)
      for await (const { found } of this.#volume.catalog.leaves())
        for (const one of this.#say(found))
          if (!('fault' in one) && one.record.type === type) yield* this.#file(one)
  }

  /** Whose record and thread have not the same name. */
  async *#disagreements(): AsyncGenerator<EntryError> {
    for await (const { found } of this.#volume.catalog.leaves())
      for (const one of this.#say(found)) {
        if ('fault' in one || one.record.type === 'thread') continue
        const { parent, step } = stepOf(one.record.id, one)
        const thread = await this.#thread(step.id)
        if (thread === null || (thread.parent === parent && thread.step.name.equals(step.name))) continue
        const way = parent < rootFolder ? null : await this.#wayTo(parent)
        if (way === null) continue
        const folder = way.steps.reduce((above, { name }) => joinPath(above, name), way.root)
        const other = `${JSON.stringify(thread.step.name.toString())} in folder ${thread.parent}`
        yield { error: 'bad-name', path: joinPath(folder, step.name), message: `its thread says ${other}` }
      }
  }

  #say(found: readonly Found[]): readonly (Said | { readonly fault: RunError })[] {
    return found.map((one) => this.#volume.said(one))
  }

  async *#folder(id: number, one: Said): AsyncGenerator<Entry | EntryError> {
    const own = stepOf(id, one)
    while (!this.#walk.met.has(BigInt(id))) {
      const way = await this.#wayTo(own.parent)
      if (way === null) return
      const steps = [...way.steps, own.step]
      const first = steps.findIndex((step) => !this.#walk.met.has(BigInt(step.id)))
      const step = steps[first] ?? own.step
      const path = steps.slice(0, first + 1).reduce((above, { name }) => joinPath(above, name), way.root)
      const parent = steps[first - 1]?.id ?? way.parent
      const record =
        step.id === id && one.record.type === 'folder' ? one.record : await this.#record(parent, step.id)
      this.found += 1
      yield* this.#placeless(way)
      yield* this.#walk.folder(path, step.id, record)
    }
  }

  async *#file(one: Said): AsyncGenerator<Entry | EntryError> {
    const { record } = one
    const id = record.type === 'thread' ? one.parent : record.id
    if (id < rootFolder || this.#walk.met.has(BigInt(id))) return
    const { parent, step } = stepOf(id, one)
    const isPrivate = this.#walk.privates.includes(parent)
    // A file that was deleted while it was open is no file any more.
    if (isPrivate && !step.name.toString('latin1').startsWith('iNode')) return
    const way = isPrivate ? null : await this.#wayTo(parent)
    const folder = way?.steps.reduce((above, { name }) => joinPath(above, name), way.root) ?? madeUp
    const path = joinPath(folder, step.name)
    this.found += 1
    if (way === null)
      yield { error: 'bad-name', path, message: 'no name of this file is left: it is that of its own record' }
    else yield* this.#placeless(way)
    this.#walk.met.add(BigInt(id))
    if (record.type === 'thread') yield* this.#walk.unreadable(path, id, null, 'its record cannot be read')
    else yield* this.#walk.member(folder, one)
  }

  /** Tells once of each folder that nobody knows where it belongs. */
  *#placeless({ root, parent, isMadeUp }: Way): Generator<EntryError> {
    if (!isMadeUp || this.#told.has(parent)) return
    this.#told.add(parent)
    const error = this.#walk.isBroken ? 'unreadable-directory' : 'bad-name'
    yield { error, path: root, message: `nothing that can be read tells the name of folder ${parent}` }
  }

  /** The folders above, down from the root; null where they are the filesystem's own. */
  async #wayTo(folder: number): Promise<Way | null> {
    const steps: Step[] = []
    for (let id = folder; id !== rootFolder;) {
      if (this.#walk.privates.includes(id)) return null
      const above = steps.length > deepest ? null : await this.#thread(id)
      if (above === null) {
        const root = joinPath(madeUp, Buffer.from(String(id)))
        return { root, parent: id, steps: steps.toReversed(), isMadeUp: true }
      }
      steps.push(above.step)
      id = above.parent
    }
    return { root: Buffer.alloc(0), parent: rootFolder, steps: steps.toReversed(), isMadeUp: false }
  }

  async #thread(id: number): Promise<{ readonly parent: number; readonly step: Step } | null> {
    for await (const one of this.#volume.members(id))
      if (!('fault' in one)) return one.record.type === 'thread' ? stepOf(id, one) : null
    const node = this.#threads.get(id)
    for (const found of node === undefined ? [] : await this.#volume.catalog.leaf(node)) {
      const one = this.#volume.said(found)
      if (!('fault' in one) && found.number === id && one.record.type === 'thread') return stepOf(id, one)
    }
    return null
  }

  /** Where an index cannot be read, nothing leads to the leaves below it: so those with threads of folders are noted. */
  async #findThreads(): Promise<void> {
    for await (const { node, found } of this.#volume.catalog.leaves())
      for (const one of this.#say(found))
        if (!('fault' in one) && one.record.type === 'thread' && one.record.isFolder) {
          this.#threads.set(one.parent, node)
          if (one.record.parent === rootFolder) this.#walk.keepPrivate(one.record.name, one.parent)
        }
  }

  async #record(parent: number, id: number): Promise<Folder | null> {
    for await (const one of this.#volume.members(parent))
      if (!('fault' in one) && one.record.type === 'folder' && one.record.id === id) return one.record
    return null
  }
}

interface Way {
  readonly root: Buffer
  /** The folder that `root` stands for. */
  readonly parent: number
  readonly steps: readonly Step[]
  readonly isMadeUp: boolean
}

/** Where a record says that its file is: a thread in its content, others in their key. */
const stepOf = (
  id: number,
  { parent, name, record }: Said,
): { readonly parent: number; readonly step: Step } =>
  record.type === 'thread'
    ? { parent: record.parent, step: { id, name: mend(record.name) ?? record.name } }
    : { parent, step: { id, name: mend(name) ?? name } }
