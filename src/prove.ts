// The witness: look in depth, compare with the last good proof, and write down what was found. Used by apply and verify.
import { mismatch } from './model/check.ts'
import { ObserveError, RunError, VerifyError } from './model/errors.ts'
import type { Emit } from './model/event.ts'
import type { Medium } from './model/medium.ts'
import { imageMember, ofSameImage, provenHealth } from './model/proofs.ts'
import { productPlace } from './model/places.ts'
import type { Check, Depth, Observation, Proof, Stage, Verification } from './model/stage.ts'
import type { Reader } from './model/world.ts'
import { observeStage } from './observe.ts'

/** What a proof needs of the outside. */
export interface Witness {
  readonly run: string
  readonly host: string
  now(): Date
  /** Stores a proof; a proof that cannot be stored fails the step. With `claim`, in the same transaction, the column. */
  record(medium: Medium, proof: Proof, claim: Stage['claim']): Promise<void>
  readonly emit: Emit
}

/**
 * Proves one product and records the proof. `made`: it was made in this run, so its content may differ from before;
 * what was restored may not. `further`: it is an image that was read further, from one that had been proven. `before`: the medium's proofs so far, of all stages.
 * Throws VerifyError when a check fails (the failed proof is recorded), ObserveError when it could not be looked at, RunError
 * when what was made is less than the policy asks for (nothing is recorded).
 */
export async function prove(
  stage: Stage,
  medium: Medium,
  world: Reader,
  witness: Witness,
  how: {
    readonly depth: Depth
    readonly made: boolean
    readonly further?: boolean
    readonly before: readonly Proof[]
  },
): Promise<Proof> {
  const at = { medium: medium.name, hash: medium.hash, stage: stage.name } as const
  witness.emit({ type: 'step.verifying', ...at, depth: how.depth })
  const first = await seen(stage, medium, world)
  // Nothing is false here: it was made as well as it could be, and a person has to say whether that is enough.
  if (how.made && first.decision.byPolicy === true) throw new RunError(first.decision.because.text)
  if (how.depth === 'hash' && !how.made) {
    // What was made some time ago is read from where it is kept, and not from memory, which may still have it right.
    const product = await productPlace(stage.name, medium, world)
    if (product !== null) await world.forget(product)
  }
  const verification: Verification =
    first.decision.action === 'keep'
      ? await stage.verify(medium, world, how.depth)
      : {
          checks: [{ name: 'product', ok: false, expected: 'there', actual: first.decision.because.text }],
          figures: {},
        }
  const again = await seen(stage, medium, world)
  const own = how.before.filter((proof) => proof.stage === stage.name)
  const checks: Check[] = [
    ...verification.checks,
    ...(how.made
      ? []
      : sameContent(
          'content',
          verification.content,
          ofSameImage(stage.name, how.before, again.decision.madeOf),
        )),
    ...(first.decision.elsewhere === true ? [] : stillMapped(verification, own)),
    ...held(verification, how.before),
  ]
  if (again.of !== first.of) {
    checks.push({
      name: 'stillness',
      ok: false,
      expected: 'unchanged while it was verified',
      actual: again.decision.because.text,
    })
  }
  // A verification without a single check has looked at nothing.
  if (checks.length === 0) throw new ObserveError(`nothing was checked of ${medium.name} ${stage.name}`)
  for (const check of checks) witness.emit({ type: 'step.checked', ...at, check })
  if (verification.lost !== undefined && verification.lost.files > 0) {
    witness.emit({ type: 'step.lost', ...at, lost: verification.lost })
  }
  const proof: Proof = {
    stage: stage.name,
    of: again.of,
    depth: how.depth,
    ok: checks.every(({ ok }) => ok),
    checks,
    figures: verification.figures,
    facts: {
      ...verification.facts,
      ...imageMember(
        stage.name,
        {
          anew: how.made && how.further !== true,
          ...(verification.content === undefined ? {} : { content: verification.content }),
          ...(again.decision.madeOf === undefined ? {} : { madeOf: again.decision.madeOf }),
        },
        how.before,
      ),
    },
    content: verification.content ?? null,
    run: witness.run,
    host: witness.host,
    at: witness.now().toISOString(),
  }
  await witness.record(medium, proof, stage.claim)
  if (!proof.ok) {
    const failed = checks.filter(({ ok }) => !ok)
    for (const check of failed) witness.emit({ type: 'step.contradicted', ...at, check })
    const told = failed.map(mismatch).join('; ')
    throw new VerifyError(`verification failed: ${told}`, { hint: `ntt why ${medium.name} ${stage.name}` })
  }
  return proof
}

/** What an event tells of the medium's health, where a proof knows it. */
export function healthMember(proof: Proof): { readonly health?: string } {
  const health = provenHealth(proof)
  return health === null ? {} : { health }
}

type Seen = Extract<Observation, { seen: unknown }>

async function seen(stage: Stage, medium: Medium, world: Reader): Promise<Seen> {
  const observation = await observeStage(stage, medium, world)
  if ('unknown' in observation) throw new ObserveError(observation.unknown.text)
  return observation
}

/** What was met of an earlier product is what its own proof found: storage may have altered it since, and kept size and time. */
const held = ({ holds }: Verification, proofs: readonly Proof[]): readonly Check[] =>
  holds === undefined
    ? []
    : sameContent(
        `${holds.stage} as it was proven`,
        holds.content,
        proofs.filter(({ stage }) => stage === holds.stage),
      )

/** What was known to be unread stays so: without its map it would pass for content. */
function stillMapped({ facts }: Verification, own: readonly Proof[]): readonly Check[] {
  const known = provenHealth(own.findLast((proof) => proof.ok && provenHealth(proof) !== null))
  if (known === null || known === 'ok' || facts?.['health'] !== undefined) return []
  return [{ name: 'map', ok: false, expected: `the map by which it was ${known}, beside it`, actual: 'none' }]
}

function sameContent(name: string, content: string | undefined, proofs: readonly Proof[]): readonly Check[] {
  const known = proofs.findLast((proof) => proof.ok && proof.content !== null)
  if (content === undefined || known === undefined || known.content === null) return []
  return [{ name, ok: known.content === content, expected: known.content, actual: content }]
}
