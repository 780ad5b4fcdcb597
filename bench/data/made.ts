// Data is made once and kept: a folder with a note of how it was made; another note, and it is made again.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Raise it when a maker changes what it makes. */
const version = 1

/** The folder of a data set below `root`, made by `make` if it is not there as it would be made now. */
export async function made(
  root: string,
  name: string,
  parameters: Readonly<Record<string, unknown>>,
  make: (folder: string) => Promise<void> | void,
  tell: (text: string) => void,
): Promise<string> {
  const folder = join(root, name)
  const note = join(root, `${name}.json`)
  const wanted = JSON.stringify({ version, ...parameters })
  if (existsSync(folder) && existsSync(note) && readFileSync(note, 'utf8') === wanted) return folder
  tell(`making the data set ${name} ${wanted}`)
  const part = `${folder}.part`
  for (const old of [folder, part, note]) rmSync(old, { recursive: true, force: true })
  mkdirSync(part, { recursive: true })
  await make(part)
  renameSync(part, folder)
  writeFileSync(note, wanted)
  return folder
}
