// The project: the nearest folder upward with a media.d in it.
import { statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ObserveError, UsageError, errnoOf } from '../model/errors.ts'

/** This very folder is a project. */
export const isProject = (folder: string): boolean => isFolder(join(folder, 'media.d'))

/** The nearest folder upward that has a media.d. */
export function findProject(start: string): string | null {
  for (let folder = start; ; folder = dirname(folder)) {
    if (isProject(folder)) return folder
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

/** What to do where there is no project. `named`: what was typed after -C, so that no folder above it was asked. */
export const noProject = (start: string, named: string | undefined): UsageError =>
  new UsageError(`no media.d in ${start}${named === undefined ? ' or any folder above it' : ''}`, {
    hint: [
      ...(named === undefined
        ? []
        : ['The folder after -C is the one that holds media.d; those above it are not asked.']),
      'To declare a first medium here (a device, an image file or a folder), run:',
      `    ntt ${named === undefined ? '' : `-C ${named} `}add SOURCE`,
      'To see ntt at work on sample media, run:',
      '    ntt demo',
    ].join('\n'),
  })
