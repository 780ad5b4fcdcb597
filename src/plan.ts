// Steps into lanes: order, what is wanted, and what the whole comes to. Pure.
import {
  targetOf,
  stageNames,
  targets,
  type Declaration,
  type StageName,
  type Target,
} from './model/medium.ts'
import { mostSerious, type ExitCode } from './model/errors.ts'
import { provenHealth } from './model/proofs.ts'
import type { Lane, Observed, Plan, Step } from './model/stage.ts'

/** The stages that a target asks for, of those that make sense for the medium. */
export function wantedStages(
  declaration: Pick<Declaration, 'target'>,
  stages: readonly StageName[],
  lower?: StageName,
): readonly StageName[] {
  const declared = stageNames.indexOf(targets[declaration.target])
  const top = lower === undefined ? declared : Math.min(declared, stageNames.indexOf(lower))
  return stageNames.filter((stage, at) => at <= top && stages.includes(stage))
}

/** One medium's steps with what is known of it. */
export function lane(observed: Observed, steps: readonly Step[], exclusive: string | null): Lane {
  const { medium } = observed
  const known = medium.hash === null ? null : medium
  // What is only proven again before an archive is made has been proven: it holds.
  const firstGap = steps.findIndex(({ action, because }) => action !== 'keep' && because.code !== 'gate')
  const holds = firstGap === -1 ? steps.at(-1) : steps[firstGap - 1]
  return {
    medium: medium.name,
    label: medium.label,
    kind: medium.kind,
    hash: medium.hash,
    hashVersion: known === null ? null : known.version,
    bytes: known === null ? null : (known.bytes ?? enumeratedBytes(observed.proofs)),
    health:
      known === null
        ? null
        : provenHealth(observed.proofs.findLast(({ stage, ok }) => stage === 'image' && ok)),
    target: lowered(medium.target, steps.at(-1)?.stage),
    steps,
    claims: observed.claims,
    holds: holds?.stage ?? null,
    exclusive,
  }
}

/** What the files of a directory come to, as they were last enumerated; null: they never were. */
const enumeratedBytes = (proofs: Observed['proofs']): number | null =>
  proofs.findLast(({ stage, ok }) => stage === 'enumerate' && ok)?.figures['bytes'] ?? null

/** The target that the steps lead to: a person may have asked for a lower one than is declared. */
const lowered = (declared: Target, last: StageName | undefined): Target =>
  last === undefined || last === targets[declared] ? declared : targetOf[last]

/** Lanes in the order of their names; the instant is the one of the observation. */
export const plan = (lanes: readonly Lane[], at: string): Plan => ({
  version: 1,
  at,
  lanes: lanes.toSorted((a, b) => (a.medium < b.medium ? -1 : 1)),
})

export const isMet = ({ steps }: Lane): boolean => steps.every(({ action }) => action === 'keep')

/** What remains to be done by machine: steps that apply would carry out. */
export const todo = ({ steps }: Lane): readonly Step[] =>
  steps.filter(({ action }) => action === 'run' || action === 'prove')

/** The exit code of a plan that is shown and not carried out. */
export function planExit(shown: Pick<Plan, 'lanes'>): ExitCode {
  const codes = shown.lanes.flatMap(({ steps }) =>
    steps.map((step): ExitCode => {
      if (step.contradicts !== null) return 3
      switch (step.action) {
        case 'keep':
          return 0
        case 'unknown':
          return 5
        case 'run':
        case 'prove':
        case 'refuse':
        case 'wait':
          return 2
        default:
          return step.action satisfies never
      }
    }),
  )
  return mostSerious(codes)
}

/** How a saved plan differs from what is there now: one sentence for each fact that moved. */
export function moved(saved: Plan, now: Plan): readonly string[] {
  return saved.lanes.flatMap((was) => {
    const is = now.lanes.find(({ medium }) => medium === was.medium)
    if (is === undefined) return [`${was.medium}: is no longer declared`]
    if (is.hash !== was.hash)
      return [`${was.medium}: was medium ${was.hash ?? 'unknown'}, is ${is.hash ?? 'unknown'}`]
    if (is.target !== was.target) return [`${was.medium}: target was ${was.target}, is ${is.target}`]
    return was.steps.flatMap((step) => {
      const other = is.steps.find(({ stage }) => stage === step.stage)
      if (other === undefined) return [`${was.medium} ${step.stage}: is no longer wanted`]
      // The fingerprint of what was seen decides; what follows from it for other steps is not a fact of its own.
      if (other.of === step.of) return []
      return [`${was.medium} ${step.stage}: was "${step.because.text}", is "${other.because.text}"`]
    })
  })
}
