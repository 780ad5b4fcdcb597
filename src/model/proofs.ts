// Which proof of a product counts, and whether it stands. Pure.
import type { Decision, Proof } from './stage.ts'

/** The proof that counts of a product as it was seen; undefined: there is none of it. */
export const latestOf = (of: string, proofs: readonly Proof[]): Proof | undefined =>
  telling(proofs.filter((proof) => proof.of === of))

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
