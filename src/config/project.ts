// The project: the nearest folder upward with a media.d in it.
import { statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ObserveError, UsageError, errnoOf } from '../model/errors.ts'

/** The nearest folder upward that has a media.d. */
export function findProject(start: string): string | null {
  for (let folder = start; ; folder = dirname(folder)) {
    if (isFolder(join(folder, 'media.d'))) return folder
    if (folder === dirname(folder)) return null
  }
}

function isFolder(path: string): boolean {
  try {
    if (statSync(path).isDirectory()) return true
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(cause) ?? '')) return false
    throw new ObserveError(`cannot look for ${path}`, { cause })
  }
  throw new UsageError(`${path} is not a folder`, {
    hint: 'media.d is a folder with one YAML file for each medium.',
  })
}

/** What to do where there is no project. */
export const noProject = (start: string): UsageError =>
  new UsageError(`no media.d in ${start} or any folder above it`, {
    hint: [
      'To declare a first medium here (a device, an image file or a folder), run:',
      '    ntt add SOURCE',
      'To see ntt at work on sample media, run:',
      '    ntt demo',
    ].join('\n'),
  })
