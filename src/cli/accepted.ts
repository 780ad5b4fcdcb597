// What a medium is short of although it is as declared: its file accepts that, and nobody shall take it for whole.
import { counted } from '../model/counted.ts'
import { skipped, volumeName } from '../model/entry.ts'
import type { Observed, Proof } from '../model/stage.ts'
import { command, type Manner } from '../views/paint.ts'

/** A volume as the proof of an enumeration keeps it. */
interface Kept {
  readonly fs: number
  readonly outcome: string
  readonly reason: string
}

const shown = 5

const isShort = ({ outcome, reason }: Kept): boolean =>
  outcome === 'partial' || outcome === 'unreadable' || (outcome === 'waived' && reason === skipped)

/** A sentence for each such medium, by its last proofs. */
export function tellAccepted(media: readonly Observed[], manner: Manner): readonly string[] {
  const told = media.flatMap((observed) => {
    const { name } = observed.medium
    const short = shortOf(observed)
    return short.length === 0
      ? []
      : [`${name} is not whole: ${short.join('; ')}. ${command(`losses ${name}`, manner)} tells what.`]
  })
  const rest = told.length - shown
  return rest <= 0
    ? told
    : [
        ...told.slice(0, shown),
        `And ${counted(rest, 'more is', 'more are')} not: ${command('losses', manner)}`,
      ]
}

/** What is missing of a medium, a few words each; empty where nothing is, or nothing was proven. */
export function shortOf(observed: Observed | undefined): readonly string[] {
  const proofs = observed?.proofs ?? []
  const last = (stage: string): Proof | null => {
    const found = proofs.findLast((proof) => proof.stage === stage)
    return found?.ok === true ? found : null
  }
  const volumes = (last('enumerate')?.facts['volumes'] ?? []) as readonly Kept[]
  const {
    bad_bytes: bad = 0,
    pending_bytes: pending = 0,
    untried_bytes: untried = 0,
  } = last('image')?.figures ?? {}
  const unread = bad + pending + untried
  const figures = last('copy')?.figures ?? {}
  const faults = last('enumerate')?.figures['faults'] ?? 0
  const lost = (figures['failed'] ?? 0) + (figures['damaged'] ?? 0)
  return [
    ...(unread > 0 ? [`${counted(unread, 'byte')} of it not read`] : []),
    ...volumes.filter(isShort).map(({ fs, outcome, reason }) => `${volumeName(fs)} ${outcome}, ${reason}`),
    ...(faults > 0 && lost === 0 ? [`${counted(faults, 'fault')} in what its filesystem tells`] : []),
    ...(lost > 0 ? [`${counted(lost, 'file')} not read, or not in whole`] : []),
  ]
}
