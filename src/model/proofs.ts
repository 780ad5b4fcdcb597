// Which proof of a product counts, and whether it stands. Pure.
import type { StageName } from './medium.ts'
import type { Decision, Proof } from './stage.ts'

/** The proof that counts of a product as it was seen; undefined: there is none of it. `proofs`: of its stage. */
export function latestOf(of: string, proofs: readonly Proof[]): Proof | undefined {
  const own = proofs.filter((proof) => proof.of === of)
  const found = telling(own)
  return found?.ok === true && isSuperseded(own, proofs) ? undefined : found
}

/** An image that was put back where another one was proven since: its own proof is an old one. */
function isSuperseded(own: readonly Proof[], all: readonly Proof[]): boolean {
  const [known, last] = [own, all].map((some) =>
    some.findLast(({ stage, ok, content }) => stage === 'image' && ok && content !== null),
  )
  return known !== undefined && last !== undefined && known.content !== last.content
}

/**
 * Whether the proofs of a stage stand although its product is not as declared: more was read since, or it is the medium's
 * file that asks for more, or for something else, of exactly what was proven.
 */
export const isStillSo = (
  { decision, of }: { readonly decision: Decision; readonly of: string },
  proofs: readonly Proof[],
): boolean => decision.outgrown === true || (decision.byPolicy === true && latestOf(of, proofs)?.ok === true)

/** Whether contents of a copy were found to be bad, whatever it looked like then, and were not mended since. `proofs`: all of its copies. */
export const hasBadContents = (proofs: readonly Proof[]): boolean => {
  const last = telling(proofs)
  return last?.ok === false && last.checks.some(({ name, ok }) => !ok && name.startsWith('contents '))
}

/** Another medium is where the image of one was proven. `proofs`: of that one. */
export const isDisplaced = (displaced: string | undefined, proofs: readonly Proof[]): displaced is string =>
  displaced !== undefined && proofs.some(({ stage, ok }) => stage === 'image' && ok)

/** Made of what the image holds, by reading it. What is loaded is made of the enumeration, which is compared. */
const ofTheImage: readonly StageName[] = ['enumerate', 'copy', 'archive']

/**
 * The image that a product stands on, where that took the place of another: its digest. A proof of the image keeps it from then on, and
 * so does each of what is made of it. Empty: the first image, or what was made of that.
 */
function standingOn(stage: StageName, proofs: readonly Proof[]): string {
  const last = proofs.findLast((proof) => proof.stage === stage && (proof.ok || stage !== 'image'))
  const image = last?.facts[imageFact]
  return typeof image === 'string' ? image : ''
}

const imageFact = 'image'

export const otherImageText = 'made of another image than the one that is there'

/**
 * Whether the image has taken the place of the one that a product was made of, and holds other bytes. `proofs`: all of the medium.
 * `madeOf`: what the product itself tells of that; where it does not, its proofs do. A record that knows of one image only, because it is
 * younger than the product, says nothing of others.
 */
export function isOfAnotherImage(stage: StageName, proofs: readonly Proof[], madeOf?: string): boolean {
  const image = standingOn('image', proofs)
  if (image === '' || !ofTheImage.includes(stage)) return false
  if (madeOf !== undefined) return madeOf !== image
  return proofs.some((proof) => proof.stage === stage && proof.ok) && standingOn(stage, proofs) !== image
}

/**
 * What a proof is to keep of that. `anew`: the product was made in this run, and not out of what was there before; `content`: what the
 * look found; `madeOf`: what the product itself tells. `before`: all proofs of the medium so far.
 */
export function imageMember(
  stage: StageName,
  { anew, content, madeOf }: { readonly anew: boolean; readonly content?: string; readonly madeOf?: string },
  before: readonly Proof[],
): { readonly [imageFact]?: string } {
  const known = before.findLast((proof) => proof.stage === 'image' && proof.ok && proof.content !== null)
  const image =
    stage === 'image' && anew && content !== undefined && known !== undefined && known.content !== content
      ? content
      : (madeOf ?? standingOn(anew && ofTheImage.includes(stage) ? 'image' : stage, before))
  return image === '' ? {} : { [imageFact]: image }
}

/**
 * The proofs of a stage with which its product must agree: where the image took the place of another one and the product tells that it is
 * of this one, those of it. `proofs`: all of the medium. Whatever else a product tells of itself spares it nothing.
 */
export function ofSameImage(stage: StageName, proofs: readonly Proof[], madeOf?: string): readonly Proof[] {
  const image = standingOn('image', proofs)
  const own = proofs.filter((proof) => proof.stage === stage)
  return image === '' || madeOf !== image ? own : own.filter(({ facts }) => facts[imageFact] === image)
}

/** How much of the medium was read, as the proof of its image says; null where nobody knows. */
export function provenHealth(proof: Proof | undefined): string | null {
  const health = proof?.facts['health']
  return typeof health === 'string' ? health : null
}

/** By the order of the record, not by clocks, which are set back and differ between hosts: the last proof counts; but what failed is not mended by one that looked less deep. */
function telling(proofs: readonly Proof[]): Proof | undefined {
  const failed = proofs.findLastIndex(({ ok }) => !ok)
  const depth = proofs[failed]?.depth
  const isMended = proofs.slice(failed + 1).some((later) => later.depth === 'hash' || depth === 'counts')
  return isMended ? proofs.at(-1) : (proofs[failed] ?? proofs.at(-1))
}

type Known = Pick<Proof, 'at' | 'depth'>

/** What proofs say together: as deep as the least deep of them, and as old as the oldest. null: there are none. */
export function together(proofs: readonly Known[]): Known | null {
  const [first, ...others] = proofs
  return first === undefined
    ? null
    : others.reduce(
        (all, one) => ({
          at: one.at < all.at ? one.at : all.at,
          depth: one.depth === 'hash' ? all.depth : one.depth,
        }),
        { at: first.at, depth: first.depth },
      )
}
