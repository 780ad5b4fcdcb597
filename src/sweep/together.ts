// Contents of several media read together: each once, in the order of the store, however many of them have it.
import type { Hands } from '../apply/hands.ts'
import { positionOf, positions } from '../ledger.ts'
import { numberOrNull, rowsOf } from '../model/copy-rows.ts'
import { InterruptedError, survivable, type ExitCode } from '../model/errors.ts'
import type { Medium } from '../model/medium.ts'
import type { Hasher, ReadTogether, Reader } from '../model/world.ts'
import type { SweepHands } from './hands.ts'
import { Reading, batchBlobs, batchBytes } from './reading.ts'

/** So often what was read is written down. */
const commitSeconds = 30
/** So many bad contents are told one by one, and so many are kept until they are written down. */
const badTold = 1000
const badKept = 1000
/** So many suspects of a medium are remembered; one that has more reads its contents by itself. */
const suspectsKept = 10_000

export interface Together {
  readonly hands: Hands
  /** What the reading found by itself: contents that are bad, whoever has them, or could not be looked at. */
  exit(): ExitCode
}

/**
 * The same hands, for verifying these media at depth hash. When the first of their copies is to be proven, all contents that
 * they name are read, in one go; every copy then knows what was read of its own. `isAll`: they are all that is declared, so
 * contents of nobody are read as well, and the ledger has credit for the whole store.
 */
export function readTogether(media: readonly Medium[], hands: SweepHands, isAll: boolean): Together {
  const told = new Set<Reader>()
  const reading = new TogetherReading(hands, isAll, (done) => {
    for (const world of told) world.progress(done, null, 'bytes')
  })
  let running: Promise<void> | null = null
  let exit: ExitCode = 0
  return {
    hands: {
      ...hands,
      writer(medium, stage, signal) {
        const world = hands.writer(medium, stage, signal)
        const together = async (id: number): Promise<ReadTogether | null> => {
          told.add(world)
          try {
            await (running ??= reading.read(media))
            return reading.of(id)
          } catch (error) {
            if (hands.stopping.aborted || signal.aborted) throw error
            // Whom it concerns, each copy finds out by itself.
            const { message, exitCode } = survivable(error)
            world.note(`the contents of all media could not be read in one go: ${message}`)
            exit = exitCode
            return null
          } finally {
            told.delete(world)
          }
        }
        return { ...world, together }
      },
    },
    exit: () => (reading.bad > 0 ? 3 : exit),
  }
}

/** A content with the media that name it. `size`: null, it is not in the table of blobs. */
interface Owned {
  readonly blob: string
  readonly size: number | null
  readonly owners: readonly number[]
}

/** What was read of a medium's contents so far; `suspects` null: too many. */
interface Own {
  readonly hasher: Hasher
  suspects: string[] | null
}

class TogetherReading {
  readonly #hands: SweepHands
  readonly #isAll: boolean
  readonly #world: Reader
  readonly #reading: Reading
  readonly #own = new Map<number, Own>()
  readonly #ended = new Map<number, ReadTogether>()
  constructor(hands: SweepHands, isAll: boolean, told: (bytes: number) => void) {
    this.#hands = hands
    this.#isAll = isAll
    this.#world = hands.store(new AbortController().signal, told)
    // What a medium has of it is found by its own proof, and told to its record there.
    this.#reading = new Reading([], hands, this.#world, { credits: isAll, most: badTold })
  }

  get bad(): number {
    return this.#reading.bad
  }

  of(id: number): ReadTogether | null {
    return this.#ended.get(id) ?? null
  }

  async read(media: readonly Medium[]): Promise<void> {
    await this.#reading.needStore()
    const ids = await this.#hands.query<{ id: number }>(
      'select medium_id as id from medium where medium_hash = any ($1) order by 1',
      [media.map(({ hash }) => hash)],
    )
    for (const { id } of ids) this.#own.set(id, { hasher: this.#world.hasher(), suspects: [] })
    const due = new Map<string, Owned>()
    let reach = this.#reading.begin(0)
    for await (const found of this.#world.rehash(this.#batches([...this.#own.keys()], due))) {
      for (const one of found) {
        const owned = due.get(one.id)
        due.delete(one.id)
        if (owned === undefined) throw new Error(`${one.id} was read, and nobody asked for it`)
        const bad = await this.#reading.judge(one, owned.size, reach)
        // One that is not there, or has another size, was not read: it may be there, with whatever in it, when its owner looks.
        const isAltered = bad?.is === 'altered' && (owned.size === null || one.bytes === owned.size)
        const isSuspect = isAltered || bad?.is === 'unreadable'
        if (bad === null || isSuspect) this.#remember(owned, isSuspect)
      }
      const isOver = this.#hands.stopping.aborted
      const isDue = this.#hands.seconds() - reach.beganSec >= commitSeconds || reach.bad.length >= badKept
      if (!isOver && !isDue) continue
      await this.#reading.commit(reach)
      reach = this.#reading.begin(reach.to + 1)
      if (isOver)
        throw new InterruptedError('stopped while contents were read; what was read is written down')
    }
    await this.#reading.commit({ ...reach, to: positions - 1 })
    for (const [id, { hasher, suspects }] of this.#own)
      if (suspects !== null) this.#ended.set(id, { sum: hasher.digest().blake3, suspects })
  }

  #remember({ blob, owners }: Owned, isSuspect: boolean): void {
    const bytesOfName = Buffer.from(blob, 'hex')
    for (const owner of owners) {
      const own = this.#own.get(owner)
      own?.hasher.update(bytesOfName)
      if (!isSuspect || own === undefined) continue
      own.suspects?.push(blob)
      if ((own.suspects?.length ?? 0) > suspectsKept) own.suspects = null
    }
  }

  async *#batches(ids: readonly number[], due: Map<string, Owned>): AsyncGenerator<readonly string[]> {
    let batch: string[] = []
    let bytes = 0
    for await (const owned of this.#owned(ids)) {
      const last = batch.at(-1)
      const isFull = batch.length >= batchBlobs || bytes + (owned.size ?? 0) > batchBytes
      // Blobs of one position stay together: a range covers all of a position or nothing of it.
      if (last !== undefined && isFull && positionOf(last) !== positionOf(owned.blob)) {
        yield batch
        batch = []
        bytes = 0
      }
      due.set(owned.blob, owned)
      batch.push(owned.blob)
      bytes += owned.size ?? 0
    }
    if (batch.length > 0) yield batch
  }

  /** Every content of these media, and with all media those of nobody too, in the order of their names. */
  async *#owned(ids: readonly number[]): AsyncGenerator<Owned> {
    const text = this.#world.copyOut(ownedSql(ids, this.#isAll))
    for await (const rows of rowsOf(text, /^([0-9a-f]{64})\t(\d+|\\N)\t([\d,]*)$/)) {
      for (const [, blob = '', size, owners = ''] of rows)
        yield {
          blob,
          size: numberOrNull(size),
          owners: owners === '' ? [] : owners.split(',').map(Number),
        }
    }
  }
}

const ownedSql = (ids: readonly number[], isAll: boolean): string =>
  `copy (select encode(blob_id, 'hex'), b.size, coalesce(n.owners, '')
           from blob b ${isAll ? 'full' : 'right'} join (
             select blob_id, string_agg(medium_id::text, ',') as owners
               from (select distinct blob_id, medium_id from outcome
                      where blob_id is not null and medium_id = any ('{${ids.join(',')}}'::int4[])) d
              group by blob_id) n using (blob_id)
          order by blob_id) to stdout`
