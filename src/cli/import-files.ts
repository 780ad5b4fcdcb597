// The files of media.d that an import is to write: planned all together, and checked beside those that are there, before one is written.
import { join, relative } from 'node:path'
import type { Config } from '../config.ts'
import { nameProblem, readDesired, type MediumFile } from '../desired.ts'
import type { OlderSource } from '../import.ts'
import { declaredHash } from '../model/declared.ts'
import { DesiredError } from '../model/errors.ts'
import type { Declaration } from '../model/medium.ts'
import { writeYaml } from '../model/yaml.ts'
import { readMediaFolder } from './folder.ts'
import { nameOf } from './naming.ts'

/** Which file declares a medium. `text`: what is to be written there; null where it has its file. */
export interface Planned {
  readonly name: string
  readonly file: string
  readonly text: string | null
}

interface Known {
  readonly config: Config
  readonly declarations: readonly Declaration[]
  /** What our database has met. */
  readonly media: readonly { readonly name: string | null; readonly hash: string }[]
}

/** A file for each of these, by its hash. Throws DesiredError where two would be about one thing: then none may be written. */
export async function planFiles(
  sources: readonly OlderSource[],
  { config, declarations, media }: Known,
): Promise<ReadonlyMap<string, Planned>> {
  const { files, ignored } = config.hasMedia
    ? await readMediaFolder(config.media, config.project)
    : { files: [], ignored: [] }
  const met = new Map(media.map(({ name, hash }) => [hash, name]))
  const owners = new Map(media.flatMap(({ name, hash }) => (name === null ? [] : [[name, hash] as const])))
  // Right or wrong: no file is written over another, and no name of a medium is given to a second one.
  const taken = new Set([...[...files, ...ignored].map(({ file }) => bareName(file)), ...owners.keys()])
  const declared = new Map(
    declarations.map((one) => [declaredHash(one) ?? owners.get(one.name) ?? null, one] as const),
  )
  const planned = new Map<string, Planned>()
  for (const source of sources) {
    const own = declared.get(source.hash)
    const name = own?.name ?? chooseName(source, met.get(source.hash) ?? null, taken)
    const file = own?.file ?? relative(config.project, join(config.media, `${name}.yaml`))
    planned.set(source.hash, { name, file, text: own === undefined ? yamlOf(source, config) : null })
  }
  check(files, [...planned.values()], config.project)
  return planned
}

const bareName = (file: string): string => file.slice(file.lastIndexOf('/') + 1).replace(/\.ya?ml$/i, '')

function check(there: readonly MediumFile[], planned: readonly Planned[], project: string): void {
  const files = planned.flatMap(({ file, text }) => (text === null ? [] : [{ file, text }]))
  try {
    readDesired([...there, ...files], project)
  } catch (error) {
    if (!(error instanceof DesiredError)) throw error
    throw new DesiredError(
      `of the files that would be written, some clash: ${error.message}`,
      error.problems,
      {
        hint: 'Nothing was written: some of these files only would be. Write the one of a medium that clashes yourself, with its `medium_hash` and the source that is its own, and run the same command again: what is declared is taken over as it is.',
      },
    )
  }
}

/** `met`: how our database calls it. */
function chooseName({ hash, human }: OlderSource, met: string | null, taken: Set<string>): string {
  const named = nameOf(human ?? '')
  const candidates = [named, `${named}-${hash.slice(0, 8)}`, hash]
  const isFree = (one: string): boolean => nameProblem(one) === null && !taken.has(one)
  const name = met ?? candidates.find((one) => isFree(one) && !/^[0-9a-f]{32}$/.test(one)) ?? hash
  taken.add(name)
  return name
}

function yamlOf(
  { hash, human, message, imagePath, image, tree }: OlderSource,
  { roots }: Pick<Config, 'roots'>,
): string {
  const own = join(roots.image, `${hash}.img`)
  const label = message ?? human
  const source =
    tree !== null && image === null
      ? { directory: tree }
      : { image: image === null && imagePath?.startsWith('/') === true ? imagePath : own }
  const document = { ...(label !== null && { label }), source, target: 'archived', medium_hash: hash }
  return writeYaml(document)
}
