// The copying: files in the order of the enumeration into the store, outcomes into the database batch by batch.
import { each } from '../../model/each.ts'
import { counted } from '../../model/counted.ts'
import { damageOf, damageText, unreadIn } from '../../model/damage.ts'
import type { Entry } from '../../model/entry.ts'
import { ObserveError, RunError } from '../../model/errors.ts'
import type { Medium } from '../../model/medium.ts'
import { rawPlace } from '../../model/places.ts'
import { decodeRaw, type RawTail } from '../../model/raw/index.ts'
import type { Origin as Origins, Piece, Range, Stored, Writer } from '../../model/world.ts'
import { Due, type Wanted } from './due.ts'
import { exclusionsPrint } from '../../model/exclusions.ts'
import { inMediumOrder } from './order.ts'
import type { Origin } from './origin.ts'
import {
  keyText,
  readOutcomes,
  readTally,
  signed,
  writeOrigin,
  writeOutcomes,
  type Before,
  type Outcome,
} from './outcomes.ts'
import { packedContents } from './packed.ts'
import { needSource, readableOf, volumeReader, type Source } from './source.ts'
import { rejectStrangers } from './strangers.ts'
import { Worklist, byVolume, type Named } from './worklist.ts'

const writtenAtOnce = 4000

/** One copying of a medium: its counts, its list, and what is not written yet. */
export class Copying {
  readonly #medium: Medium
  readonly #id: number
  readonly #tail: RawTail
  readonly #source: Source
  readonly #world: Writer
  readonly #list: Worklist
  readonly #due: Due
  /** Damaged files of which nothing is kept, not written yet. */
  #lost: (Outcome & Named)[] = []
  /** With an outcome; and flushed, the outcome not yet written. */
  readonly #done = { files: 0, bytes: 0 }
  readonly #moved = { files: 0, bytes: 0 }
  constructor(medium: Medium, id: number, tail: RawTail, source: Source, world: Writer) {
    this.#medium = medium
    this.#id = id
    this.#tail = tail
    this.#source = source
    this.#world = world
    this.#list = new Worklist(medium.exclude)
    this.#due = new Due(medium, id, this.#list, world)
  }

  async copy(wanted: Wanted, fresh: boolean): Promise<void> {
    const again = await this.#copyThese(this.#due.names(wanted, fresh, (done) => this.#count(done)))
    if (again.length === 0) return
    const still = await this.#copyThese(each(again))
    if (still.length > 0)
      throw new RunError(
        `${counted(still.length, 'content was', 'contents were')} written, and ${still.length === 1 ? 'is' : 'are'} not what the name says`,
      )
  }

  /** Gives back the files whose content lay in the store under a name that is not its own. */
  async #copyThese(names: AsyncIterable<Named>): Promise<readonly Named[]> {
    const again: Named[] = []
    const moved = (files: number, bytes: number): void => {
      this.#moved.files += files
      this.#moved.bytes += bytes
      this.#tell()
    }
    for await (const batch of this.#world.ingest(this.#pieces(names), moved)) {
      await this.#guard(batch)
      const rejected = await rejectStrangers(batch, this.#world)
      const isRejected = (one: Stored<Named>): boolean => 'blob' in one && rejected.has(one.blob)
      const kept = rejected.size === 0 ? batch : batch.filter((one) => !isRejected(one))
      if (rejected.size > 0) again.push(...batch.filter(isRejected).map(({ key }) => key))
      const outcomes = kept.map((stored) => this.#outcomeOf(stored))
      await this.#world.transaction((tx) => writeOutcomes(this.#id, outcomes, tx))
      // In one go: what has its outcome now was told as flushed before, and a bar does not go back.
      this.#moved.files -= batch.length
      for (const { key } of batch) this.#moved.bytes -= key.entry.size
      this.#count(kept.map(({ key }) => key.entry))
      if (this.#lost.length >= writtenAtOnce) await this.#writeLost()
    }
    await this.#writeLost()
    return again
  }

  async #writeLost(): Promise<void> {
    const lost = this.#lost
    this.#lost = []
    if (lost.length > 0) await this.#world.transaction((tx) => writeOutcomes(this.#id, lost, tx))
    this.#count(lost.map(({ entry }) => entry))
  }

  /**
   * Files whose names are all excluded: only now is it known that none of them has another name. What was copied before it was excluded
   * stays as it is.
   */
  async leaveOut(before: Origin | null): Promise<void> {
    if (this.#list.excluded === 0) return
    let left: Outcome[] = []
    let kept = 0
    const write = async (): Promise<void> => {
      const there =
        before === null ? new Map<string, Before>() : await readOutcomes(this.#id, left, this.#world)
      const same = before?.exclude === exclusionsPrint(this.#medium.exclude)
      const due = left.filter((one) => {
        const state = there.get(keyText(one))?.state
        if (state === 'b') kept += 1
        return state !== 'b' && (!same || state !== 'x')
      })
      left = []
      if (due.length > 0) await this.#world.transaction((tx) => writeOutcomes(this.#id, due, tx))
    }
    for await (const records of decodeRaw(this.#world.read(rawPlace(this.#medium)))) {
      const found = this.#list.leftOut(records)
      left.push(
        ...found.map(
          ({ fs, entry, pattern }) => ({ fs, ino: signed(entry.ino), state: 'x', detail: pattern }) as const,
        ),
      )
      this.#count(found.map(({ entry }) => entry))
      if (left.length >= writtenAtOnce) await write()
    }
    await write()
    if (kept > 0)
      this.#world.line(
        `${counted(kept, 'file')} that ${kept === 1 ? 'is' : 'are'} excluded now ${kept === 1 ? 'was' : 'were'} copied before: nothing of that is taken back`,
      )
  }

  /** Says that it is done, if every file has its outcome. */
  async end(origin: Origin): Promise<void> {
    const { files } = this.#list
    await this.#world.transaction(async (tx) => {
      const tally = await readTally(this.#id, (sql, params) => tx.query(sql, params))
      if (tally.files !== files)
        throw new RunError(
          `${tally.files} of ${files} files have an outcome: the readers did not give all of them`,
        )
      await writeOrigin(this.#id, { ...origin, tally }, tx)
    })
  }

  /** Their contents, as the reader of each volume gives them. */
  async *#pieces(names: AsyncIterable<Named>): AsyncGenerator<Piece<Named>> {
    if (this.#source.isPacked === true) {
      yield* packedContents(this.#source.place, names, this.#world)
      return
    }
    for await (const { fs, entries } of byVolume(names)) {
      const { volume, reader } = volumeReader(fs, this.#tail.volumes)
      const pieces = reader.contents(this.#source.place, volume, entries, this.#world)
      const unread = unreadIn(volume, this.#source.unread)
      for await (const piece of inMediumOrder(pieces)) {
        const known = this.#due.hint(piece.key).known
        const named = { fs, entry: piece.key }
        const origin = this.#readable(piece, named, unread)
        if (origin === null) continue
        // What a live file holds by now under its old facts is not what was enumerated.
        const { mtimeNs } = piece.key
        yield {
          ...piece,
          origin: origin.type === 'file' ? { ...origin, mtimeNs } : origin,
          key: named,
          known,
        }
      }
    }
  }

  /** Where the readable bytes of a piece are to be read; null: there are none, and its outcome is settled. */
  #readable({ origin, size }: Piece<Entry>, { fs, entry }: Named, unread: readonly Range[]): Origins | null {
    if (unread.length === 0 || entry.extents === null) return origin
    const damage = damageOf(entry, unread)
    if (damage === null) return origin
    // What a reader unpacks from bytes of which some are not there is nothing that the file ever was.
    const ranges = origin.type === 'ranges' ? readableOf(origin.ranges, size, unread) : null
    if (origin.type === 'ranges' && ranges !== null) return { ...origin, ranges }
    this.#lost.push({
      fs,
      entry,
      ino: signed(entry.ino),
      state: 'd',
      bytes: size,
      detail: damageText(damage),
    })
    return null
  }

  #outcomeOf(stored: Stored<Named>): Outcome {
    const { fs, entry } = stored.key
    const key = { fs, ino: signed(entry.ino) }
    if ('failure' in stored) {
      const attempts = this.#due.hint(entry).attempts + 1
      const { class: kind, message } = stored.failure
      this.#world.line(`${JSON.stringify(entry.path.toString('latin1'))}: ${kind}: ${message}`)
      return { ...key, state: 'e', class: kind, attempts, message }
    }
    const { blob, bytes } = stored
    const { volume } = volumeReader(fs, this.#tail.volumes)
    const damage = damageOf(entry, unreadIn(volume, this.#source.unread))
    return damage === null
      ? { ...key, state: 'b', blob, bytes }
      : { ...key, state: 'd', blob, bytes, detail: damageText(damage) }
  }

  /** Files that are not there may mean that their directory is not there. */
  async #guard(batch: readonly Stored<Named>[]): Promise<void> {
    if (this.#medium.source.type !== 'directory' || this.#source.isPacked === true) return
    const isMissing = (one: Stored<Named>): boolean => 'failure' in one && one.failure.class === 'missing'
    if (!batch.some(isMissing)) return
    await needSource(this.#medium, this.#world)
    if (batch.length > 1 && batch.every(isMissing))
      throw new ObserveError(`none of ${batch.length} files is where it was enumerated`, {
        hint: `Is what was enumerated still at ${this.#source.place}? Nothing was recorded of them.`,
      })
  }

  #count(done: readonly Entry[]): void {
    this.#done.files += done.length
    for (const { size } of done) this.#done.bytes += size
    this.#tell()
  }

  #tell(): void {
    const { counts } = this.#tail
    for (const name of ['files', 'bytes'] as const) {
      const total = counts.length === 0 ? null : counts.reduce((sum, count) => sum + count[name], 0)
      this.#world.progress(this.#done[name] + this.#moved[name], total, name)
    }
  }
}
