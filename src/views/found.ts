// One entry that was searched for: what it is, how large, where its content is, and its path last, for it may hold anything.
import { count } from '../model/counted.ts'
import { pad, pathName, readable } from './format.ts'
import { span, type Line } from './paint.ts'

/** A line of `ntt find --json`. */
export interface Found {
  readonly medium: string
  readonly medium_hash: string
  /** Number of the filesystem: 0 for the whole medium, else the partition. */
  readonly fs: number
  /** One char for each byte. */
  readonly path: string
  /** As find(1) prints it: f, d, l, … */
  readonly type: string
  readonly size: number
  readonly state: 'stored' | 'excluded' | 'damaged' | 'failed' | 'not copied' | null
  readonly blob: string | null
}

const states = {
  stored: 'good',
  damaged: 'doubt',
  failed: 'bad',
  excluded: 'dim',
  'not copied': 'dim',
} as const
const [sizeWidth, stateWidth] = [15, 10]

export function foundLine({ medium, fs, path, type, size, state, blob }: Found): Line {
  const word = state === 'stored' && blob !== null ? blob.slice(0, 8) : (state ?? '')
  const told = pad(word, stateWidth)
  return [
    `${type}  ${(type === 'f' ? count(size) : '').padStart(sizeWidth)}  `,
    state === null ? told : span(states[state], told),
    '  ',
    span('bold', `${readable(medium)}${fs === 0 ? '' : `/${fs}`}`),
    `  ${pathName(path)}`,
  ]
}
