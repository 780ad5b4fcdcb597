// Verification by a budget: what was proven longest ago comes first, products of media and ranges of the store alike.
import { LockedError, mostSerious, type ExitCode } from './model/errors.ts'
import { credible, type Budget } from './model/budget.ts'
import type { Medium, StageName } from './model/medium.ts'
import type { Depth, Observed, Proof } from './model/stage.ts'
import type { SweepEnd } from './model/sweep-end.ts'
import type { Hands } from './apply/hands.ts'
import { readLedger, type SweptRange } from './ledger.ts'
import type { SweepHands } from './sweep/hands.ts'
import { Purse } from './sweep/purse.ts'
import { StoreSweep } from './sweep/store.ts'
import { provenSoFar, tellUnproven, verifyStage } from './verify.ts'

export interface SweepOptions {
  readonly budget: Budget
  /** What was proven later than so long ago is left alone. */
  readonly maxAgeMs: number
}

/** A product of a medium that is due. */
export interface Product {
  readonly medium: Medium
  readonly stage: StageName
  readonly depth: Depth
  /** When it was last looked at so deeply, ISO 8601; null: never. */
  readonly last: string | null
  readonly bytes: number
}

/** The contents of a copy are read with the store, once for all media: here its outcomes are counted. */
const depthOf = (stage: StageName): Depth => (stage === 'copy' ? 'counts' : 'hash')

/** Every product that is there, with when it was last proven of exactly what it is now. */
export function products(media: readonly Observed[]): readonly Product[] {
  return media.flatMap(({ medium, observations, proofs }) => {
    if (medium.hash === null) return []
    return observations.flatMap((observation): readonly Product[] => {
      if ('unknown' in observation || observation.decision.action !== 'keep') return []
      const { stage, of } = observation
      const depth = depthOf(stage)
      const own = proofs.filter((proof) => proof.stage === stage)
      const looked = own.filter((proof) => proof.of === of && (depth === 'counts' || proof.depth === depth))
      const last =
        looked
          .map(({ at }) => at)
          .toSorted()
          .at(-1) ?? null
      const good = own.findLast(({ ok }) => ok)
      return [{ medium, stage, depth, last, bytes: bytesOf(stage, good) }]
    })
  })
}

/** About what a row or a record takes, in bytes. */
const rowBytes = 100

/** About how many bytes its proof reads, by what the last one told. */
function bytesOf(stage: StageName, proof: Proof | undefined): number {
  const { bytes = 0, content_bytes: content = 0, records = 0, files = 0 } = proof?.figures ?? {}
  switch (stage) {
    case 'image':
      return bytes
    case 'archive':
      return bytes + content
    case 'enumerate':
    case 'load':
      return records * rowBytes
    case 'copy':
      return files * rowBytes
    default:
      return stage satisfies never
  }
}

const byAge = (one: { readonly last: string | null }, other: { readonly last: string | null }): number => {
  const [a, b] = [one.last ?? '', other.last ?? '']
  return a < b ? -1 : a > b ? 1 : 0
}

type Unit = { readonly last: string | null } & (
  | { readonly product: Product }
  | { readonly range: SweptRange }
)

/** Proves what is due, the oldest first, until the budget is used up. */
export async function sweep(
  media: readonly Observed[],
  hands: SweepHands,
  { budget, maxAgeMs }: SweepOptions,
): Promise<SweepEnd> {
  const now = hands.now()
  const due = new Date(now.getTime() - maxAgeMs).toISOString()
  const ranges = await readLedger((sql, params) => hands.query(sql, params))
  const units: Unit[] = [
    ...products(media).map((product) => ({ last: credible(product.last, now), product })),
    ...ranges.map((range) => ({ last: credible(range.at, now), range })),
  ]
  const purse = new Purse(budget, () => hands.seconds())
  const store = new StoreSweep(media, hands, purse)
  const work = new Work(hands, purse, store)
  // What is gone or cannot be looked at is due to nobody: it would be passed over, and all be said to be well.
  work.codes.push(...media.flatMap((observed) => tellUnproven(observed, hands)))
  try {
    for (const unit of units.filter(({ last }) => last === null || last < due).toSorted(byAge))
      await work.take(unit)
    return await work.end()
  } finally {
    purse.close()
  }
}

class Work {
  readonly #hands: SweepHands
  readonly #purse: Purse
  readonly #store: StoreSweep
  readonly codes: ExitCode[] = []
  readonly #large: Product[] = []
  readonly #putOff: string[] = []
  #products = 0
  #isUnfinished = false
  constructor(hands: SweepHands, purse: Purse, store: StoreSweep) {
    this.#hands = hands
    this.#purse = purse
    this.#store = store
  }

  async take(unit: Unit): Promise<void> {
    if (this.#hands.stopping.aborted || this.#purse.isEmpty) this.#isUnfinished = true
    else if ('range' in unit) {
      if (!(await this.#store.read(unit.range))) this.#isUnfinished = true
    } else if (!this.#purse.couldFit(unit.product.bytes)) this.#large.push(unit.product)
    else if (this.#purse.fits(unit.product.bytes)) await this.#prove(unit.product)
    // What follows may still fit; this one is before all of it in the next budget.
    else this.#isUnfinished = true
  }

  /** What seems to need more than a whole budget is tried with what is left, so that it holds up nothing else. */
  async end(): Promise<SweepEnd> {
    for (const product of this.#large) {
      if (this.#isUnfinished || this.#hands.stopping.aborted || !this.#purse.mayTry) this.#tellLarge(product)
      else await this.#prove(product)
    }
    const large = await this.#store.readLarge()
    const codes = [...this.codes, ...(this.#store.bad > 0 ? [3 as const] : [])]
    return {
      exit: this.#hands.stopping.aborted ? 130 : mostSerious(codes),
      products: this.#products,
      blobs: this.#store.blobs - this.#store.bad,
      bad: this.#store.bad,
      bytes: this.#purse.spent - this.#store.unread,
      putOff: [...this.#putOff, ...large],
      isUnfinished: this.#isUnfinished || this.#putOff.length + large.length > 0,
    }
  }

  #tellLarge({ medium, stage, bytes }: Product): void {
    const text = `${medium.name} ${stage}, about ${bytes.toLocaleString('en-US')} bytes`
    this.#putOff.push(text)
    const at = { medium: medium.name, hash: medium.hash, stage } as const
    const because = { code: 'over-budget', text: `needs more than the budget: ${text}` } as const
    this.#hands.emit({ type: 'step.held', ...at, action: 'wait', because })
  }

  async #prove(product: Product): Promise<void> {
    const { medium, stage, depth } = product
    let held: Awaited<ReturnType<Hands['hold']>>
    try {
      held = await this.#hands.hold(medium)
    } catch (error) {
      if (!(error instanceof LockedError)) throw error
      this.codes.push(11)
      return
    }
    try {
      const { over } = this.#purse
      const signal = AbortSignal.any([held.signal, over])
      const proofs = await provenSoFar(medium, this.#hands)
      const code = await verifyStage(stage, { medium, proofs }, this.#hands, { depth, signal, over })
      if (code === null) {
        this.#tellLarge(product)
        return
      }
      this.#purse.spent += product.bytes
      if (code === 0) this.#products += 1
      this.codes.push(code)
    } finally {
      await held.release()
    }
  }
}
