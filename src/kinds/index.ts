// The kinds of media.
import type { Kind } from '../model/kind.ts'
import type { KindName } from '../model/medium.ts'
import { directory } from './directory.ts'
import { disk } from './disk.ts'
import { floppy } from './floppy.ts'
import { optical } from './optical.ts'

export const kinds: Readonly<Record<KindName, Kind>> = { disk, optical, floppy, directory }
