// The readers, and which are asked for what, in the order of preference.
import type { Volume } from '../model/entry.ts'
import { apfs } from './apfs/index.ts'
import { bsdtar } from './tar/bsdtar.ts'
import { btrfs } from './btrfs/index.ts'
import { cdScheme, onRawCd } from './cd/index.ts'
import { directory } from './directory.ts'
import { exfat } from './exfat/index.ts'
import { ext } from './ext/index.ts'
import { fat } from './fat/index.ts'
import { fiwalk } from './fiwalk/index.ts'
import { hfs } from './hfs/classic.ts'
import { hfsplus } from './hfs/plus.ts'
import { iso9660 } from './iso9660/index.ts'
import { kernel } from './kernel.ts'
import { ntfs } from './ntfs/index.ts'
import type { FsReader } from './reader.ts'
import { sqfs2tar } from './tar/sqfs2tar.ts'
import { udf } from './udf/index.ts'
import { xfs } from './xfs/index.ts'

/** Where several read a type, the first is asked first. */
const readers: readonly FsReader[] = [
  directory,
  udf,
  iso9660,
  bsdtar,
  fat,
  exfat,
  ext,
  ntfs,
  hfsplus,
  hfs,
  apfs,
  xfs,
  btrfs,
  kernel,
  sqfs2tar,
  fiwalk,
]

/** The same for raw images of CDs, whose sectors are in frames. */
const onCds: readonly FsReader[] = [udf, iso9660, hfsplus, hfs].map(onRawCd)

/** Who can read this volume, the preferred one first; empty where nobody can. */
export const readersFor = (volume: Volume): readonly FsReader[] =>
  (volume.scheme === cdScheme ? onCds : readers).filter((reader) => reader.reads(volume))

/** The reader of a volume report (`fiwalk 4.11.1`) or of its bare name; null for one that is not known here. */
export const readerNamed = (name: string): FsReader | null =>
  [...readers, ...onCds].find((reader) => reader.name === name.split(' ')[0]) ?? null
