// The store read back range by range, in the order of the hashes; what is not what its name says is told to its media.
import { blobsFrom, credit, positionOf, type KnownBlob, type SweptRange } from '../ledger.ts'
import { knownStoreId, needKnownStore } from '../model/store.ts'
import type { Observed } from '../model/stage.ts'
import type { Reader } from '../model/world.ts'
import type { SweepHands } from './hands.ts'
import { tellBad, type Bad } from './bad.ts'
import type { Purse } from './purse.ts'

const page = 1000
/** What is handed to a thread at a time: the most that is read in vain when the time is over. */
const batchBlobs = 64
const batchBytes = 64 * 1024 * 1024
/** So often what was read is written down. */
const commitSeconds = 5
const commitBlobs = 5000

/** Blobs that were read one after another, not yet written down. */
interface Reach {
  from: number
  to: number
  blobs: number
  bytes: number
  readonly bad: Bad[]
  beganSec: number
}

type Rehashed = readonly { readonly id: string; readonly bytes: number; readonly blake3: string | null }[]

export class StoreSweep {
  readonly #media: readonly Observed[]
  readonly #hands: SweepHands
  readonly #purse: Purse
  readonly #world: Reader
  readonly #at: string
  readonly #large: KnownBlob[] = []
  #isChecked = false
  blobs = 0
  bad = 0
  constructor(media: readonly Observed[], hands: SweepHands, purse: Purse) {
    this.#media = media
    this.#hands = hands
    this.#purse = purse
    this.#world = hands.store(purse.over)
    this.#at = hands.now().toISOString()
  }

  /** Reads a range as far as the budget goes; true if to its end, but for what is too large for any budget. */
  async read(range: SweptRange): Promise<boolean> {
    const sizes = new Map<string, KnownBlob>()
    const end = { isWhole: false }
    let reach = this.#newReach(range.from)
    try {
      for await (const found of this.#world.rehash(this.#due(range, sizes, end))) {
        const [first] = found
        const last = found.at(-1)
        if (first === undefined || last === undefined) continue
        const skipped = this.#large.filter(({ blob }) => {
          const position = positionOf(blob)
          return position >= reach.to && position < positionOf(first.id)
        })
        for (const { blob } of skipped) {
          const position = positionOf(blob)
          await this.#commit({ ...reach, to: position - 1 })
          reach = this.#newReach(position + 1)
        }
        await this.#judge(found, sizes, reach)
        reach.to = positionOf(last.id)
        const isDue = reach.blobs >= commitBlobs || this.#hands.seconds() - reach.beganSec >= commitSeconds
        if (!isDue) continue
        await this.#commit(reach)
        reach = this.#newReach(reach.to + 1)
      }
    } catch (error) {
      if (!this.#purse.over.aborted) throw error
      // What was being read when the time was over is read again another day.
      end.isWhole = false
    }
    if (!end.isWhole) {
      await this.#commit(reach)
      return false
    }
    const after = this.#large.filter(
      ({ blob }) => positionOf(blob) >= reach.to && positionOf(blob) <= range.to,
    )
    for (const { blob } of after) {
      await this.#commit({ ...reach, to: positionOf(blob) - 1 })
      reach = this.#newReach(positionOf(blob) + 1)
    }
    await this.#commit({ ...reach, to: range.to })
    return true
  }

  /** Tries what seemed too large with what is left of the budget; names what still is. */
  async readLarge(): Promise<readonly string[]> {
    const left: string[] = []
    for (const { blob, size } of this.#large.splice(0)) {
      const position = positionOf(blob)
      const isTried = this.#purse.mayTry && !this.#hands.stopping.aborted
      const one = { from: position, to: position, at: null, run: null, blobs: 0, bytes: 0 }
      if (isTried && (await this.#readWhole(one))) continue
      left.push(`a content of ${size.toLocaleString('en-US')} bytes (${blob.slice(0, 16)}…)`)
    }
    return left
  }

  async #readWhole(one: SweptRange): Promise<boolean> {
    const sizes = new Map<string, KnownBlob>()
    const blobs = await blobsFrom((sql, params) => this.#hands.query(sql, params), one, null, page)
    for (const known of blobs) sizes.set(known.blob, known)
    const reach = this.#newReach(one.from)
    try {
      for await (const found of this.#world.rehash(once(blobs.map(({ blob }) => blob))))
        await this.#judge(found, sizes, reach)
    } catch (error) {
      if (!this.#purse.over.aborted) throw error
      return false
    }
    await this.#commit({ ...reach, to: one.to })
    return true
  }

  /** The blobs of a range in batches, as long as they fit into the budget. */
  async *#due(
    range: SweptRange,
    sizes: Map<string, KnownBlob>,
    end: { isWhole: boolean },
  ): AsyncGenerator<readonly string[]> {
    let after: string | null = null
    let batch: KnownBlob[] = []
    let bytes = 0
    const take = (): readonly string[] => {
      const ids = batch.map(({ blob }) => blob)
      batch = []
      bytes = 0
      return ids
    }
    for (;;) {
      const known: readonly KnownBlob[] = await blobsFrom(
        (sql, params) => this.#hands.query(sql, params),
        range,
        after,
        page,
      )
      if (known.length > 0) await this.#needStore()
      for (const one of known) {
        const last = batch.at(-1)
        const isFull = batch.length >= batchBlobs || bytes + one.size > batchBytes
        // Blobs of one position stay together: a range covers all of a position or nothing of it.
        if (last !== undefined && isFull && positionOf(last.blob) !== positionOf(one.blob)) yield take()
        if (!this.#purse.couldFit(one.size)) {
          if (batch.length > 0) yield take()
          this.#large.push(one)
          continue
        }
        if (this.#hands.stopping.aborted || !this.#purse.fits(one.size)) {
          if (batch.length > 0) yield take()
          return
        }
        sizes.set(one.blob, one)
        batch.push(one)
        bytes += one.size
        this.#purse.spent += one.size
      }
      after = known.at(-1)?.blob ?? after
      if (known.length < page) break
    }
    if (batch.length > 0) yield take()
    end.isWhole = true
  }

  async #judge(found: Rehashed, sizes: Map<string, KnownBlob>, reach: Reach): Promise<void> {
    for (const { id, bytes, blake3 } of found) {
      const size = sizes.get(id)?.size ?? 0
      sizes.delete(id)
      reach.blobs += 1
      reach.bytes += size
      if (blake3 === id && bytes === size) continue
      reach.bad.push(await this.#diagnose(id, { bytes, blake3 }, size))
    }
  }

  async #diagnose(
    blob: string,
    { bytes, blake3 }: { readonly bytes: number; readonly blake3: string | null },
    size: number,
  ): Promise<Bad> {
    if (blake3 === blob)
      return { blob, is: 'resized', text: `has ${bytes} bytes, and ${size} in the database` }
    if (blake3 !== null) return { blob, is: 'altered', text: `is not what its name says, but ${blake3}` }
    const isThere = (await this.#world.blobs([blob])).has(blob)
    return isThere
      ? { blob, is: 'unreadable', text: 'cannot be read' }
      : { blob, is: 'missing', text: 'is not in the store' }
  }

  #newReach(from: number): Reach {
    return { from, to: from - 1, blobs: 0, bytes: 0, bad: [], beganSec: this.#hands.seconds() }
  }

  /** Says what is bad, then writes down what was read: who dies between the two says it twice. */
  async #commit({ from, to, blobs, bytes, bad, beganSec }: Reach): Promise<void> {
    if (to < from) return
    if (bad.length > 0) {
      await this.#needStore(true)
      await tellBad(bad, this.#media, this.#hands)
    }
    const { run } = this.#hands
    await this.#hands.transaction((tx) =>
      credit(
        tx,
        { from, to, at: this.#at, run, blobs, bytes },
        bad.map(({ blob }) => positionOf(blob)),
      ),
    )
    this.blobs += blobs
    this.bad += bad.length
    if (blobs === 0) return
    const durationSec = this.#hands.seconds() - beganSec
    const digits = (position: number): string => position.toString(16).padStart(12, '0')
    this.#hands.emit({
      type: 'store.read',
      from: digits(from),
      to: digits(to),
      blobs,
      bytes,
      bad: bad.length,
      durationSec,
    })
  }

  /** Another filesystem in the place of the store, or none, says nothing about the blobs. */
  async #needStore(again = false): Promise<void> {
    if (this.#isChecked && !again) return
    await needKnownStore(await knownStoreId((sql) => this.#hands.query(sql)), this.#world)
    this.#isChecked = true
  }
}

async function* once<T>(value: T): AsyncGenerator<T> {
  yield value
}
