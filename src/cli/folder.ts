// media.d as it lies on the disk: the files that declare media, and what is passed over, with the reason.
import { readFile, readdir, stat } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import type { MediumFile } from '../desired.ts'
import { UsageError } from '../model/errors.ts'
import { isAbsent, unseen } from '../ports/errno.ts'

export interface MediaFolder {
  /** In the order of their names. File names are relative to the project. */
  readonly files: readonly MediumFile[]
  readonly ignored: readonly { readonly file: string; readonly reason: string }[]
}

/** Reads every declaration of a folder. Throws ObserveError for one that cannot be read: not read is not "not there". */
export async function readMediaFolder(media: string, project: string): Promise<MediaFolder> {
  const names = await readdir(media).catch((error: unknown) => {
    throw unseen(`read ${media}`, error)
  })
  const files: MediumFile[] = []
  const ignored: { file: string; reason: string }[] = []
  for (const name of names.toSorted()) {
    const path = join(media, name)
    const file = relative(project, path)
    const reason = nameReason(name)
    if (reason !== null) ignored.push({ file, reason })
    // Somebody may have meant a medium by it: to pass over it would leave that medium undone, and say that all is.
    else if (!/\.ya?ml$/.test(name))
      files.push({ file, text: '', unfit: 'the ending must be .yaml in lower case' })
    else if (await isFile(path)) files.push({ file, text: await readText(path) })
    else files.push({ file, text: '', unfit: 'it is named like the declaration of a medium, and is no file' })
  }
  return { files, ignored }
}

/** Reads the files that were named; a folder among them stands for what it holds. */
export async function readNamed(
  paths: readonly string[],
  folder: string,
  project: string,
): Promise<MediaFolder> {
  const read = await Promise.all(
    paths.map(async (name): Promise<MediaFolder> => {
      const path = resolve(folder, name)
      if (!(await exists(path))) throw new UsageError(`there is no ${path}`)
      if (await isFile(path))
        return { files: [{ file: relative(project, path), text: await readText(path) }], ignored: [] }
      return readMediaFolder(path, project)
    }),
  )
  return { files: read.flatMap(({ files }) => files), ignored: read.flatMap((one) => one.ignored) }
}

/** Why a file is no declaration by its name; null where it is one. */
function nameReason(name: string): string | null {
  if (name.startsWith('.')) return 'hidden'
  return /\.ya?ml$/i.test(name) ? null : 'not a .yaml file'
}

/** Whether it is a regular file, links followed: nothing else is ever opened, a pipe would hang. */
const isFile = async (path: string): Promise<boolean> =>
  (
    await stat(path).catch((error: unknown) => {
      throw unseen(`look at ${path}`, error)
    })
  ).isFile()

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    (error: unknown) => !isAbsent(error),
  )

const readText = (path: string): Promise<Buffer> =>
  readFile(path).catch((error: unknown) => {
    throw unseen(`read ${path}`, error)
  })
