// The bars of the speed issue as data: what is held against what, and how much is allowed.
import type { Ratio } from './figures.ts'

export const sectionNames = ['load', 'copy', 'enumerate', 'archive', 'plan', 'media'] as const
export type SectionName = (typeof sectionNames)[number]

export interface Bar {
  readonly section: SectionName
  readonly says: string
  readonly must: 'at most' | 'at least'
  readonly limit: number
  /** What the numbers are; `x` is a ratio. */
  readonly unit: 'x' | 'B' | 's' | 'MB' | 'queries' | 'MiB' | 'ms'
}

const most = (section: SectionName, says: string, limit: number, unit: Bar['unit'] = 'x'): Bar => ({
  section,
  says,
  must: 'at most',
  limit,
  unit,
})
const least = (section: SectionName, says: string, limit: number, unit: Bar['unit'] = 'x'): Bar => ({
  ...most(section, says, limit, unit),
  must: 'at least',
})

export const bars = {
  'load/older/small': least('load', 'first size of paths: time of the older algorithm / ntt', 8),
  'load/older/middle': least('load', 'second size: time of the older algorithm / ntt', 8),
  'load/older/large': least('load', 'third size: time of the older algorithm / ntt', 8),
  'load/bare/small': least('load', 'first size: time of a bare server-side binary COPY / ntt', 0.22),
  'load/bare/middle': least('load', 'second size: time of a bare server-side binary COPY / ntt', 0.22),
  'load/bare/large': least('load', 'third size: time of a bare server-side binary COPY / ntt', 0.22),
  'load/bytes': most('load', 'bytes a path on disk: rows, keys and indexes, at the largest size', 250, 'B'),
  'load/memory': most('load', 'peak memory of ntt at any size', 250, 'MB'),
  'load/reader': most('load', 'longest wait of a reader while two media load', 0.5, 's'),
  'load/beside': most('load', 'two media at once / one after the other', 1.05),

  'copy/small/cp': most('copy', 'small files / cp -a + sync', 1.6),
  'copy/small/restic-off': most('copy', 'small files / restic, compression off', 0.8),
  'copy/small/restic': most('copy', 'small files / restic', 0.5),
  'copy/small/borg': most('copy', 'small files / borg', 0.5),
  'copy/small/fsync-each': most('copy', 'small files / one fsync per file', 0.3),
  'copy/big/cp': most('copy', 'one big file / cp + fsync', 1.3),
  'copy/big/restic': most('copy', 'one big file / restic', 0.5),
  'copy/big/borg': most('copy', 'one big file / borg', 0.5),
  'copy/cd/cp': most('copy', 'CD image through its reader / cp -a + sync of its tree', 1.6),
  'copy/cd/restic': most('copy', 'CD image / restic', 0.3),
  'copy/cd/borg': most('copy', 'CD image / borg', 0.5),
  'copy/cd/archive': most('copy', 'CD image with its archive / cp, then b3sum, then zstd -3 -T0', 1.2),
  'copy/small/again': most('copy', 'small files: a second medium with the same content / the first', 0.5),
  'copy/cd/again': most('copy', 'CD image: a second medium with the same content / the first', 0.5),
  'copy/memory': most('copy', 'peak memory of ntt, any of the inputs', 320, 'MiB'),

  'enumerate/directory': most('enumerate', 'a directory of many entries / find -printf', 1.5),
  'enumerate/iso': most('enumerate', 'an ISO through its reader / the bare tool', 1.5),
  'enumerate/fat': most('enumerate', 'a FAT image through its reader / the bare tool', 1.5),

  'archive/time': most('archive', 'tar.zst / tar | zstd -3 -T0, time', 1.15),
  'archive/size': most('archive', 'tar.zst / tar | zstd -3 -T0, size', 1.01),
  'archive/proof': most('archive', 'proof at depth hash / zstd -dc | b3sum', 1.2),
  'archive/seek': most('archive', '1 MiB from the middle / decompressing up to it', 0.25),

  'plan/version': most('plan', 'ntt --version, CPU', 80, 'ms'),
  'plan/twelve': most('plan', 'ntt plan on 12 media, CPU', 300, 'ms'),
  'plan/thousand': most('plan', 'ntt plan on many met media, wall', 2, 's'),
  'plan/queries': most('plan', 'queries for each further medium', 0.5, 'queries'),
  'plan/nothing': most('plan', 'ntt apply with nothing to do / ntt plan', 1.1),
  'plan/server': most('plan', 'start of the embedded database, initialised', 1, 's'),
  'plan/server-first': most('plan', 'start of the embedded database, the first time', 4, 's'),

  'media/cores': least('media', '8 media at once: cores in use, of those there are', 0.75),
  'media/memory': most('media', '8 media at once: peak memory / that of one', 8),
  'media/slow': most('media', 'seven media beside a slow one / the seven alone', 1.15),
} as const satisfies Record<string, Bar>

export type BarName = keyof typeof bars

/** What was measured of a bar. A number alone was no ratio of rounds. */
export type Measured = Ratio | number
export type Measurements = Partial<Record<BarName, Measured>>

export const value = (measured: Measured): number =>
  typeof measured === 'number' ? measured : measured.median

/** Whether a bar is met; null where it was not measured. */
export function passes(bar: Bar, measured: Measured | undefined): boolean | null {
  if (measured === undefined) return null
  const found = value(measured)
  if (Number.isNaN(found)) return null
  return bar.must === 'at most' ? found <= bar.limit : found >= bar.limit
}
