// icat of sleuthkit: the content of one inode, where that is not stored as plain bytes.
import type { Command } from '../model/command.ts'
import { ObserveError } from '../model/errors.ts'
import type { Reader } from '../model/world.ts'
import { unobtainable } from './faults.ts'
import { listing } from './reader.ts'

/** `start`: of the volume in the image; `more`: what icat must be told of it beside. 24 ms each. */
export const icat = (image: string, start: number, ino: bigint, more: readonly string[] = []): Command =>
  listing('icat', [...more, '-o', String(start / 512), image, String(ino)])

/** A file that Mac OS has compressed. Throws ObserveError where icat cannot unpack it: the file may be sound. */
export async function* unpacked(
  command: () => Command | Promise<Command>,
  world: Pick<Reader, 'has' | 'stream'>,
): AsyncGenerator<Buffer> {
  if (!(await world.has('icat')))
    throw new ObserveError('it is compressed, and icat, which unpacks it, is not installed')
  try {
    yield* world.stream(await command())
  } catch (error) {
    throw unobtainable(error, 'icat: ')
  }
}
