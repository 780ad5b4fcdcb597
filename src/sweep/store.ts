// The store read back range by range, in the order of the hashes; what is not what its name says is told to its media.
import { blobsFrom, positionOf, type KnownBlob, type SweptRange } from '../ledger.ts'
import { each } from '../model/each.ts'
import type { Observed } from '../model/stage.ts'
import type { Reader } from '../model/world.ts'
import type { SweepHands } from './hands.ts'
import type { Purse } from './purse.ts'
import { Reading, batchBlobs, batchBytes, type Reach, type ReadBlob } from './reading.ts'

const page = 1000
/** So often what was read is written down. */
const commitSeconds = 5
const commitBlobs = 5000

export class StoreSweep {
  readonly #hands: SweepHands
  readonly #purse: Purse
  readonly #world: Reader
  readonly #reading: Reading
  readonly #large: KnownBlob[] = []
  constructor(media: readonly Observed[], hands: SweepHands, purse: Purse) {
    this.#hands = hands
    this.#purse = purse
    this.#world = hands.store(purse.over)
    this.#reading = new Reading(media, hands, this.#world, { credits: true })
  }

  get blobs(): number {
    return this.#reading.blobs
  }

  get bad(): number {
    return this.#reading.bad
  }

  /** Bytes that were to be read and are not there. */
  get unread(): number {
    return this.#reading.unread
  }

  /** Reads a range as far as the budget goes; true if to its end, but for what is too large for any budget. */
  async read(range: SweptRange): Promise<boolean> {
    const sizes = new Map<string, KnownBlob>()
    const end = { isWhole: false }
    let reach = this.#reading.begin(range.from)
    try {
      for await (const found of this.#world.rehash(this.#due(range, sizes, end))) {
        const [first] = found
        if (first === undefined) continue
        const skipped = this.#large.filter(({ blob }) => {
          const position = positionOf(blob)
          return position >= reach.to && position < positionOf(first.id)
        })
        for (const { blob } of skipped) {
          const position = positionOf(blob)
          await this.#reading.commit({ ...reach, to: position - 1 })
          reach = this.#reading.begin(position + 1)
        }
        await this.#judge(found, sizes, reach)
        const isDue = reach.blobs >= commitBlobs || this.#hands.seconds() - reach.beganSec >= commitSeconds
        if (!isDue) continue
        await this.#reading.commit(reach)
        reach = this.#reading.begin(reach.to + 1)
      }
    } catch (error) {
      if (!this.#purse.over.aborted) throw error
      // What was being read when the time was over is read again another day.
      end.isWhole = false
    }
    if (!end.isWhole) {
      await this.#reading.commit(reach)
      return false
    }
    const after = this.#large.filter(
      ({ blob }) => positionOf(blob) >= reach.to && positionOf(blob) <= range.to,
    )
    for (const { blob } of after) {
      await this.#reading.commit({ ...reach, to: positionOf(blob) - 1 })
      reach = this.#reading.begin(positionOf(blob) + 1)
    }
    await this.#reading.commit({ ...reach, to: range.to })
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
    const reach = this.#reading.begin(one.from)
    try {
      for await (const found of this.#world.rehash(each([blobs.map(({ blob }) => blob)])))
        await this.#judge(found, sizes, reach)
    } catch (error) {
      if (!this.#purse.over.aborted) throw error
      return false
    }
    await this.#reading.commit({ ...reach, to: one.to })
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
      if (known.length > 0) await this.#reading.needStore()
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

  async #judge(found: readonly ReadBlob[], sizes: Map<string, KnownBlob>, reach: Reach): Promise<void> {
    for (const one of found) {
      const size = sizes.get(one.id)?.size ?? 0
      sizes.delete(one.id)
      await this.#reading.judge(one, size, reach)
    }
  }
}
