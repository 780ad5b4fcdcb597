// The copying: files in the order of the enumeration into the store, outcomes into the database batch by batch.
import { counted } from '../../model/counted.ts'
import { damageOf, damageText, unreadIn } from '../../model/damage.ts'
import type { Entry } from '../../model/entry.ts'
import { ObserveError, RunError } from '../../model/errors.ts'
import type { Medium } from '../../model/medium.ts'
import { rawPlace } from '../../model/places.ts'
import { readRange } from '../../model/range.ts'
import { decodeRaw, readTail, type RawTail } from '../../model/raw/index.ts'
import { unreadPrint } from '../../model/unread.ts'
import type { Origin as Origins, Piece, Range, Reader, Stored, Writer } from '../../model/world.ts'
import { exclusionsPrint } from './exclusions.ts'
import { inMediumOrder } from './order.ts'
import type { Origin } from './origin.ts'
import {
  keyText,
  knownSizes,
  readOutcomes,
  readTally,
  signed,
  startAnew,
  takeBack,
  writeOrigin,
  writeOutcomes,
  type Before,
  type Outcome,
} from './outcomes.ts'
import { repair } from './repair.ts'
import { packedContents } from './packed.ts'
import { findSource, needSource, readableOf, readersPrint, volumeReader, type Source } from './source.ts'
import { rejectStrangers } from './strangers.ts'
import { Worklist, byVolume, type Named } from './worklist.ts'

export interface HowToCopy {
  /** Digest of the enumeration that the rows are made from. */
  readonly rows: string
  /** What the outcomes that are there were decided by; null: none are there. */
  readonly before: Origin | null
  /** What is there failed its proof, or a person asked for it anew. */
  readonly replace: boolean
}

/** What is known of a file before it is read. */
interface Hint {
  readonly known: boolean
  readonly attempts: number
}

const askedAtOnce = 1000
const writtenAtOnce = 4000
/** From this size on it is worth asking whether a content of this size is known. */
const large = 1024 * 1024

export async function copyFiles(
  medium: Medium,
  { rows, before: there, replace }: HowToCopy,
  world: Writer,
): Promise<void> {
  const tail = await needTail(medium, world)
  const id = await world.enrol()
  if (there?.rows === rows && replace) {
    // What is only damaged in the store may be mended without the medium's own source.
    const hasSource = (await findSource(medium, world)) !== null
    await repair(medium, id, hasSource, world)
    if (!hasSource) return
  }
  const source = await needSource(medium, world)
  const origin: Origin = {
    rows,
    exclude: exclusionsPrint(medium.exclude),
    damage: unreadPrint(source.unread),
    readers: readersPrint(tail.volumes),
    tally: null,
  }
  const before = there !== null && mayStay(there, origin) ? there : null
  if (before === null) await startAnew(medium, id, origin, world)
  else {
    await world.transaction(async (tx) => {
      if (before.damage !== origin.damage) await takeBack(id, before.rows !== rows, tx)
      await writeOrigin(id, origin, tx)
    })
    if (replace && before.rows !== rows) await repair(medium, id, true, world)
  }
  const copying = new Copying(medium, id, tail, source, world)
  const wanted = before === null ? () => true : wantedAgain(source.unread, tail, replace)
  await copying.copy(wanted, before === null)
  await copying.leaveOut(before)
  await copying.end(origin)
}

/**
 * Whether outcomes of before can stand: the rows are the same, or the same readers found more of the same volumes because more of
 * the image was read. Then a file that has its number, its size and all its bytes is the file that it was.
 */
const mayStay = (before: Origin, now: Origin): boolean =>
  before.rows === now.rows ||
  (before.readers !== '' && before.readers === now.readers && before.damage !== now.damage)

async function needTail(medium: Medium, world: Reader): Promise<RawTail> {
  const place = rawPlace(medium)
  const stat = await world.stat(place)
  if (stat === null) throw new RunError('there is no enumeration to copy by')
  const tail = await readTail((start, end) => readRange(world, place, { start, end }), stat.bytes)
  if (tail === null) throw new RunError(`${world.path(place)} is no enumeration`)
  return tail
}

type Wanted = (outcome: Before, name: Named) => boolean

/** Whether a file that has an outcome is due again. */
function wantedAgain(unread: readonly Range[], { volumes }: RawTail, replace: boolean): Wanted {
  const hits = new Map(volumes.map((volume) => [volume.fs, unreadIn(volume, unread)]))
  return ({ state, again }, { fs, entry }) => {
    switch (state) {
      case 'b':
        return damageOf(entry, hits.get(fs) ?? []) !== null
      // It would not be on the list if it were still left out.
      case 'x':
        return true
      case 'd':
        return replace
      case 'e':
        return replace || again
      default:
        return state satisfies never
    }
  }
}

class Copying {
  readonly #medium: Medium
  readonly #id: number
  readonly #tail: RawTail
  readonly #source: Source
  readonly #world: Writer
  readonly #list: Worklist
  readonly #hints = new WeakMap<Entry, Hint>()
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
  }

  async copy(wanted: Wanted, fresh: boolean): Promise<void> {
    const again = await this.#copyThese(this.#names(wanted, fresh))
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

  /** Files whose names are all excluded: only now is it known that none of them has another name. */
  async leaveOut(before: Origin | null): Promise<void> {
    if (this.#list.excluded === 0) return
    let left: Outcome[] = []
    const write = async (): Promise<void> => {
      const there =
        before === null ? new Map<string, Before>() : await readOutcomes(this.#id, left, this.#world)
      const same = before?.exclude === exclusionsPrint(this.#medium.exclude)
      const due = left.filter((one) => !same || there.get(keyText(one))?.state !== 'x')
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

  /** The files that are due, in the order of the enumeration. */
  async *#names(wanted: Wanted, fresh: boolean): AsyncGenerator<Named> {
    let waiting: Named[] = []
    for await (const records of decodeRaw(this.#world.read(rawPlace(this.#medium)))) {
      waiting.push(...this.#list.due(records))
      if (waiting.length < askedAtOnce) continue
      yield* await this.#ask(waiting, wanted, fresh)
      waiting = []
    }
    yield* await this.#ask(waiting, wanted, fresh)
  }

  /** Leaves those out that are done, and notes what is known of the others. */
  async #ask(names: readonly Named[], wanted: Wanted, fresh: boolean): Promise<readonly Named[]> {
    const keys = names.map(({ fs, entry }) => ({ fs, ino: signed(entry.ino) }))
    const there = fresh ? new Map<string, Before>() : await readOutcomes(this.#id, keys, this.#world)
    const sizes = await knownSizes(
      names.map(({ entry }) => entry.size).filter((size) => size > large),
      this.#world,
    )
    const due: Named[] = []
    const done: Entry[] = []
    for (const [at, name] of names.entries()) {
      const key = keys[at]
      const outcome = key === undefined ? undefined : there.get(keyText(key))
      if (outcome !== undefined && !wanted(outcome, name)) {
        done.push(name.entry)
        continue
      }
      this.#hints.set(name.entry, { known: sizes.has(name.entry.size), attempts: outcome?.attempts ?? 0 })
      due.push(name)
    }
    this.#count(done)
    return due
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
        const known = this.#hints.get(piece.key)?.known ?? false
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
      const attempts = (this.#hints.get(entry)?.attempts ?? 0) + 1
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

async function* each<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values
}
