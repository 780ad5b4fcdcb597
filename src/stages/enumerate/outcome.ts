// How a volume ended, judged by the medium's policy.
import { counted } from '../../model/counted.ts'
import { volumeName, type VolumeReport } from '../../model/entry.ts'
import type { Policy } from '../../model/medium.ts'
import type { Check } from '../../model/stage.ts'

type Ended = Pick<VolumeReport, 'fs' | 'type' | 'outcome' | 'reason'>

/** The reason of a volume that was left out because the medium's file said so, for as long as it does. */
export const skipped = 'skipped, as its file says'

/** Whether nothing is left to do about a volume: it was read, is empty, or is waived, by its nature or by a person. */
export function isSettled(
  { fs, outcome, reason }: Ended,
  { partitions }: Pick<Policy, 'partitions'>,
): boolean {
  switch (outcome) {
    case 'read':
    case 'empty':
      return true
    case 'waived':
      return reason !== skipped || partitions[fs] === 'skip'
    case 'partial':
    case 'unreadable':
      return partitions[fs] !== undefined
    default:
      return outcome satisfies never
  }
}

export const outcomeText = ({ fs, type, outcome, reason }: Ended): string =>
  `${volumeName(fs)} (${type ?? 'no filesystem that is known'}) ${outcome}${reason === '' ? '' : `: ${reason}`}`

/** What a person can do about volumes of which something may be missing. */
export const wayOut = (open: readonly Ended[]): string =>
  open.every(({ outcome }) => outcome === 'waived')
    ? '; its file no longer says so: `--redo` of enumerate and load reads it'
    : `; read the medium further (another drive: --device), or accept what was read: \`policy: {partitions: {${open
        .map(({ fs, outcome }) => `${fs}: ${outcome === 'partial' ? 'accept' : 'skip'}`)
        .join(', ')}}}\``

/** Every volume has an outcome that leaves nothing open. */
export function outcomes(volumes: readonly Ended[], policy: Pick<Policy, 'partitions'>): Check {
  const open = volumes.filter((volume) => !isSettled(volume, policy))
  return {
    name: 'volumes',
    ok: open.length === 0 && volumes.length > 0,
    expected: 'each volume read, empty or waived',
    actual:
      open.length > 0 ? open.map(outcomeText).join('; ') : `${counted(volumes.length, 'volume')}, each is`,
  }
}
