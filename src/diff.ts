// Observations and proofs into steps with reasons. Pure: what reality shows decides, the record can only cast doubt.
import { instant } from './model/instant.ts'
import type { StageName } from './model/medium.ts'
import {
  hasBadContents,
  isDisplaced,
  isOfAnotherImage,
  isStillSo,
  latestOf,
  otherImageText,
} from './model/proofs.ts'
import type { Action, Observation, Observed, Reason, Step } from './model/stage.ts'

export interface DiffOptions {
  /** The stages of this medium that are wanted, in the order of work. */
  readonly wanted: readonly StageName[]
  /** The current run: its own proofs satisfy the archive's gate. */
  readonly run: string
  /** Stages that a person asked to be made again. */
  readonly redo?: ReadonlySet<StageName>
}

/** Stages whose proof, in the same run, opens the way to a new archive. */
const gate: readonly StageName[] = ['load', 'copy']

/** The steps of one medium, in the order of work. */
export function diff(observed: Observed, options: DiffOptions): readonly Step[] {
  if (observed.medium.hash === null) return unidentified(observed, options)
  const steps: Step[] = []
  /** A stage before is refused, unknown or waits: nothing after it may be built on it. */
  let held: StageName | null = null
  let running = false
  const asked = options.wanted.filter((stage) => options.redo?.has(stage) === true)
  for (const name of options.wanted) {
    const observation = observed.observations.find(({ stage }) => stage === name)
    const before = { held, running, follows: followed(name, asked) }
    const step = judge(name, observation, observed, options, before)
    steps.push(step)
    if (held === null && (step.action === 'refuse' || step.action === 'unknown')) held = name
    if (step.action === 'run') running = true
  }
  return gated(restored(steps, observed), observed, options)
}

interface Before {
  readonly held: StageName | null
  /** Some stage before is run. */
  readonly running: boolean
  /** A stage that is made again on request, and this one will be with it. */
  readonly follows: StageName | null
}

/** Outcomes are decided by the rows: other rows, other outcomes. What is made of the image is made again where it holds other bytes. */
const follows: Readonly<Partial<Record<StageName, readonly StageName[]>>> = {
  enumerate: ['image'],
  copy: ['image', 'load'],
  archive: ['image'],
}

const followed = (stage: StageName, asked: readonly StageName[]): StageName | null =>
  asked.includes(stage) ? null : (follows[stage]?.find((one) => asked.includes(one)) ?? null)

function judge(
  stage: StageName,
  observation: Observation | undefined,
  observed: Observed,
  options: DiffOptions,
  before: Before,
): Step {
  const proofs = observed.proofs.filter((proof) => proof.stage === stage)
  const claimed = observed.claims.some((claim) => claim.stage === stage)
  const base = { medium: observed.medium.name, stage }
  if (observation === undefined || 'unknown' in observation) {
    const because: Reason = observation?.unknown ?? { code: 'unobserved', text: 'nobody looked' }
    return { ...base, action: 'unknown', because, contradicts: null, of: null, proof: null }
  }
  const { decision, of } = observation
  const latest = latestOf(of, proofs)
  const proof = latest?.ok === true ? { at: latest.at, depth: latest.depth } : null
  const once = proofs.some(({ ok }) => ok)
  const step = (action: Action, because: Reason, contradicts: Step['contradicts'] = null): Step => ({
    ...base,
    action: before.held !== null && (action === 'run' || action === 'prove') ? 'wait' : action,
    because:
      before.held !== null && (action === 'run' || action === 'prove')
        ? { code: 'waits', text: `waits for ${before.held}` }
        : because,
    contradicts,
    of,
    proof,
    ...(decision.work === undefined ? {} : { work: decision.work }),
  })
  // A false claim or an outdated proof is told even where the step has to wait.
  const contradicted: Step['contradicts'] = isStillSo(observation, proofs)
    ? null
    : once
      ? 'proof'
      : claimed
        ? 'claim'
        : null
  const asked = options.redo?.has(stage) === true
  const mayRun = decision.action !== 'refuse' || decision.mayRedo === true
  if (mayRun && isOfAnotherImage(stage, observed.proofs, decision.madeOf)) {
    // Before anything else there is to do: that would go on with what is of the other one.
    const text = `${decision.because.text}; ${otherImageText}`
    return step('run', { code: 'other-image', text }, decision.action === 'run' ? contradicted : null)
  }
  if (before.follows !== null && decision.action !== 'run' && (mayRun || before.follows === 'load')) {
    const where = before.follows === 'image' ? ', where that comes to hold other bytes' : ''
    return step('run', {
      code: 'follows',
      text: `${decision.because.text}; follows ${before.follows}${where}`,
    })
  }
  if (before.running && decision.follows === true && decision.action !== 'run') {
    const text = `${decision.because.text}; read again where more of the medium is read`
    return step('run', { code: 'follows', text })
  }
  if (decision.action === 'refuse' && !(asked && mayRun)) {
    return step('refuse', withChanges(decision.because, observed), contradicted)
  }
  if (decision.action === 'run' && stage === 'copy' && hasBadContents(proofs)) {
    // What is bad in the store is mended first, whatever else there is to do: that would leave another proof behind, which knows nothing of it.
    const text = `${decision.because.text}; contents failed their verification before that`
    return step('run', { code: 'failed-proof', text }, 'proof')
  }
  if (decision.action === 'run')
    return step('run', gone(decision.because, proofs, contradicted), contradicted)
  if (asked) {
    return step('run', { code: 'asked', text: `${decision.because.text}; to be made again, as asked` })
  }
  if (latest === undefined) {
    const because: Reason = once
      ? {
          code: 'changed',
          text: `${decision.because.text}; ${decision.hasSources === true ? 'it, or what it was made of, ' : ''}changed since it was proven`,
        }
      : { code: 'unproven', text: `${decision.because.text}; never verified` }
    return step('prove', because)
  }
  if (latest.ok) return step('keep', decision.because)
  // What failed its proof is made again beside it; the source itself cannot be.
  const failed = latest.checks.find(({ ok }) => !ok)
  const text =
    failed === undefined
      ? 'failed its verification'
      : `failed its verification: ${failed.name}, found ${failed.actual}`
  if (decision.restorable === true && isArchived(observed))
    return step('run', { code: 'restore', text: `${text}; restored from the archive` }, 'proof')
  if (stage !== 'image') return step('run', { code: 'failed-proof', text }, 'proof')
  // It is the person's own, or the only one: nobody else may move it.
  const redo = `\`ntt apply --redo ${observed.medium.name}/image\``
  const wayOut =
    observed.medium.hash !== null && observed.medium.source.type === 'device'
      ? [`${redo} reads the medium again`]
      : decision.restorable === true
        ? ['the archive that it was taken from is gone: put that back, or an image of your own']
        : [
            ...(isArchived(observed) ? ['move it away, and the archive serves in its place'] : []),
            `if you put it there (read further, or made again), ${redo} takes it as it is, and makes again what was made of it (where it has other entries, with \`--redo ${observed.medium.name}/load\`)`,
          ]
  return step('refuse', { code: 'failed-proof', text: [text, ...wayOut].join('; ') }, 'proof')
}

/** What was proven, and is not there, was not always so: a folder may only be in another place. */
function gone(because: Reason, proofs: Observed['proofs'], contradicted: Step['contradicts']): Reason {
  const last = proofs.findLast(({ ok }) => ok)
  if (because.code !== 'absent' || contradicted !== 'proof' || last === undefined) return because
  return { code: 'missing', text: `gone since it was proven, ${instant(last.at)} UTC` }
}

/** To decide about rows of another enumeration, a person has to know how the one that is there differs. */
function withChanges(because: Reason, { observations, proofs }: Observed): Reason {
  if (because.code !== 'other-rows') return because
  const raw = observations.find(({ stage }) => stage === 'enumerate')
  if (raw === undefined || !('of' in raw)) return because
  const own = proofs.filter(({ stage, of }) => stage === 'enumerate' && of === raw.of)
  const changes = own.findLast(({ facts }) => facts['changes'] !== undefined)?.facts['changes']
  return typeof changes === 'string'
    ? { ...because, text: `${changes} since the enumeration before; ${because.text}` }
    : because
}

/** An archive of the image is there, and one was proven. What is taken from it is compared with what was proven before. */
function isArchived({ observations, proofs }: Observed): boolean {
  const archive = observations.find(({ stage }) => stage === 'archive')
  if (archive === undefined || !('decision' in archive) || archive.decision.action !== 'keep') return false
  return proofs.some(({ stage, ok }) => stage === 'archive' && ok) && !isOfAnotherImage('archive', proofs)
}

/** A product that is met elsewhere is restored where a later stage has work to do on it. */
function restored(steps: readonly Step[], observed: Observed): readonly Step[] {
  return steps.map((step, index) => {
    const observation = observed.observations.find(({ stage }) => stage === step.stage)
    if (observation === undefined || !('decision' in observation) || observation.decision.elsewhere !== true)
      return step
    const needed = steps
      .slice(index + 1)
      .find(
        ({ stage, action, because }) =>
          action === 'run' && because.code !== 'restore' && stage !== 'archive' && stage !== 'load',
      )
    if (needed === undefined || (step.action !== 'keep' && step.action !== 'prove')) return step
    const text = `${step.because.text}; restored from there, ${needed.stage} needs it`
    return { ...step, action: 'run', because: { code: 'restore', text } }
  })
}

/** An archive is made only over what was proven in the same run. */
function gated(steps: readonly Step[], observed: Observed, options: DiffOptions): readonly Step[] {
  if (!steps.some(({ stage, action }) => stage === 'archive' && action === 'run')) return steps
  return steps.map((step) => {
    if (!gate.includes(step.stage) || step.action !== 'keep') return step
    const now = observed.proofs.some(
      ({ stage, of, run, ok }) => stage === step.stage && of === step.of && run === options.run && ok,
    )
    if (now) return step
    return {
      ...step,
      action: 'prove',
      because: { code: 'gate', text: `${step.because.text}; proven again before the archive is made` },
    }
  })
}

function unidentified(observed: Observed, { wanted }: DiffOptions): readonly Step[] {
  const { medium } = observed
  if (medium.hash !== null) return []
  return wanted.map((stage, index) => ({
    medium: medium.name,
    stage,
    action: index === 0 ? medium.action : 'wait',
    because: index === 0 ? medium.because : { code: 'waits', text: `waits for ${wanted[0] ?? 'image'}` },
    contradicts: index === 0 && isDisplaced(medium.displaced, observed.proofs) ? 'proof' : null,
    of: null,
    proof: null,
  }))
}
