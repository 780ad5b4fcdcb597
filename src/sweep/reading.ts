// What was read of the store since the last note: each blob judged by its name and size, told where it is bad, written down.
import { credit, discredit, positionOf, type Span } from '../ledger.ts'
import { inPlaceOf, needRoot } from '../model/store.ts'
import type { Observed } from '../model/stage.ts'
import type { Reader } from '../model/world.ts'
import type { SweepHands } from './hands.ts'
import { tellBad, type Bad } from './bad.ts'

/** What is handed to a thread at a time: the most that is read in vain when the time is over. */
export const batchBlobs = 64
export const batchBytes = 64 * 1024 * 1024

/** Blobs that were read one after another, not yet written down. */
export interface Reach {
  from: number
  to: number
  blobs: number
  bytes: number
  readonly bad: Bad[]
  /** Where the bad ones are: those with no good one between them are one span. */
  readonly spans: Span[]
  isAtBad: boolean
  beganSec: number
}

export interface ReadBlob {
  readonly id: string
  readonly bytes: number
  /** null: it is not there or cannot be read. */
  readonly blake3: string | null
}

export class Reading {
  readonly #media: readonly Observed[]
  readonly #hands: SweepHands
  readonly #world: Reader
  readonly #credits: boolean
  readonly #most: number
  readonly #at: string
  #isChecked = false
  /** Blobs that were read and written down, and how many of them were bad. */
  blobs = 0
  bad = 0
  /** Bytes that were to be read and are not there. */
  unread = 0
  /**
   * `media`: those to whose record a bad content is told; `credits`: no blob between two that are read is left out; `most`: so many bad
   * ones are told one by one, where others will count them.
   */
  constructor(
    media: readonly Observed[],
    hands: SweepHands,
    world: Reader,
    { credits, most = Number.POSITIVE_INFINITY }: { readonly credits: boolean; readonly most?: number },
  ) {
    this.#media = media
    this.#hands = hands
    this.#world = world
    this.#credits = credits
    this.#most = most
    this.#at = hands.now().toISOString()
  }

  begin(from: number): Reach {
    return {
      from,
      to: from - 1,
      blobs: 0,
      bytes: 0,
      bad: [],
      spans: [],
      isAtBad: false,
      beganSec: this.#hands.seconds(),
    }
  }

  /** What is wrong with it, if anything. `size`: as the table of blobs has it; null: it is not in there. */
  async judge({ id, bytes, blake3 }: ReadBlob, size: number | null, reach: Reach): Promise<Bad | null> {
    reach.blobs += 1
    reach.bytes += bytes
    this.unread += Math.max(0, (size ?? bytes) - bytes)
    reach.to = Math.max(reach.to, positionOf(id))
    const isGood = blake3 === id && (size === null || bytes === size)
    const [position, before] = [positionOf(id), reach.spans.at(-1)]
    if (!isGood && reach.isAtBad && before !== undefined)
      reach.spans.splice(-1, 1, { from: before.from, to: position })
    else if (!isGood && before?.to !== position) reach.spans.push({ from: position, to: position })
    reach.isAtBad = !isGood
    if (isGood) return null
    const bad = await this.#diagnose({ id, bytes, blake3 }, size)
    reach.bad.push(bad)
    return bad
  }

  /** Says what is bad, then writes down what was read: who dies between the two says it twice. */
  async commit({ from, to, blobs, bytes, bad, spans, beganSec }: Reach): Promise<void> {
    if (to < from && bad.length === 0) return
    if (bad.length > 0) {
      await this.needStore(true)
      const told = bad.slice(0, Math.max(0, this.#most - this.bad))
      if (told.length > 0) await tellBad(told, this.#media, this.#hands)
    }
    const { run } = this.#hands
    await this.#hands.transaction((tx) =>
      this.#credits && to >= from
        ? credit(tx, { from, to, at: this.#at, run, blobs, bytes }, spans)
        : discredit(tx, spans),
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
  async needStore(again = false): Promise<void> {
    if (this.#isChecked && !again) return
    await needRoot('by-hash', (sql, params) => this.#hands.query(sql, params), this.#world)
    this.#isChecked = true
  }

  async #diagnose({ id: blob, bytes, blake3 }: ReadBlob, size: number | null): Promise<Bad> {
    if (blake3 === blob)
      return { blob, is: 'resized', text: `has ${bytes} bytes, and ${size} in the database` }
    if (blake3 !== null) return { blob, is: 'altered', text: `is not what its name says, but ${blake3}` }
    const isThere = (await this.#world.blobs([blob])).has(blob)
    if (isThere) return { blob, is: 'unreadable', text: 'cannot be read' }
    const instead = await inPlaceOf(blob, this.#world)
    return { blob, is: 'missing', text: `is not in the store${instead === '' ? '' : `: ${instead}`}` }
  }
}
