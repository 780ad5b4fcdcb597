// How a volume ended, judged by the medium's policy.
import { counted } from '../../model/counted.ts'
import { skipped, volumeName, type VolumeReport } from '../../model/entry.ts'
import { excludingMount, patternFor } from '../../model/exclusions.ts'
import type { Declaration } from '../../model/medium.ts'
import type { Check } from '../../model/stage.ts'

type Ended = Pick<VolumeReport, 'fs' | 'type' | 'outcome' | 'reason' | 'mounts'>
type Declared = Pick<Declaration, 'name' | 'policy' | 'exclude'>

/** Whether nothing is left to do about a volume: it was read, is empty, or is waived, by its nature or by a person. */
export function isSettled(
  { fs, outcome, reason, mounts }: Ended,
  { policy: { partitions }, exclude }: Omit<Declared, 'name'>,
): boolean {
  switch (outcome) {
    case 'read':
    case 'empty':
      return true
    case 'waived':
      return reason !== skipped || partitions[fs] === 'skip'
    case 'partial':
      return (
        partitions[fs] !== undefined || (mounts !== undefined && notLeftOut(mounts, exclude).length === 0)
      )
    case 'unreadable':
      return partitions[fs] !== undefined
    default:
      return outcome satisfies never
  }
}

const notLeftOut = (mounts: readonly string[], exclude: Declared['exclude']): readonly string[] => {
  const pattern = excludingMount(exclude)
  return mounts.filter((path) => pattern(path) === null)
}

export const outcomeText = ({ fs, type, outcome, reason }: Ended): string =>
  `${volumeName(fs)} (${type ?? 'no filesystem that is known'}) ${outcome}${reason === '' ? '' : `: ${reason}`}`

/** What a person can do about volumes of which something may be missing. */
export function wayOut(open: readonly Ended[], { name, exclude }: Declared): string {
  if (open.every(({ outcome }) => outcome === 'waived'))
    return '; its file no longer says so: `--redo` of enumerate and load reads it'
  const mounts = notLeftOut(
    open.flatMap((one) => one.mounts ?? []),
    exclude,
  )
  const patterns = mounts.slice(0, patternsTold).map((path) => JSON.stringify(patternFor(path)))
  const more =
    mounts.length > 0
      ? `unmount it and \`ntt apply --redo ${name}/enumerate\`, or leave it out (\`exclude: [${patterns.join(', ')}]\`, and a file of its own in media.d if it is to be kept)`
      : 'read the medium further (another drive: --device), or copy its image again, which is another medium if it was cut off, under a name of its own'
  const waivers = open.map(({ fs, outcome }) => `${fs}: ${outcome === 'partial' ? 'accept' : 'skip'}`)
  return `; ${more}, or accept what was read: \`policy: {partitions: {${waivers.join(', ')}}}\``
}

const patternsTold = 5

/** Every volume has an outcome that leaves nothing open. */
export function outcomes(volumes: readonly Ended[], declared: Omit<Declared, 'name'>): Check {
  const open = volumes.filter((volume) => !isSettled(volume, declared))
  return {
    name: 'volumes',
    ok: open.length === 0 && volumes.length > 0,
    expected: 'each volume read, empty or waived',
    actual:
      open.length > 0 ? open.map(outcomeText).join('; ') : `${counted(volumes.length, 'volume')}, each is`,
  }
}
