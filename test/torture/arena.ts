// Where the torture happens: small real media that stay as they are, and throw-away projects over them.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { project, repository, sampleImages, scratch, type Project } from '../support/project.ts'
import { migrate, readMigrations } from '../../src/ports/migrate.ts'
import { readTruth, withDatabase, type Truth } from './truth.ts'

/** The media of the arena, by what their declarations say. */
export const mediumNames = ['floppy', 'disk', 'box7', 'drive'] as const
export type MediumName = (typeof mediumNames)[number]

const sources: Readonly<Record<MediumName, readonly [kind: string, sample: string]>> = {
  floppy: ['image', 'floppy.img'],
  disk: ['image', 'disk.img'],
  box7: ['directory', 'box7'],
  // Read by ddrescue, as a drive is: an image of its own is made.
  drive: ['device', 'ceh-report.iso'],
}

export interface Arena {
  /** What an undisturbed run leaves of each medium. */
  readonly truth: ReadonlyMap<string, Truth>
  /** How long the undisturbed run of all media took, in milliseconds. */
  readonly tookMs: number
  /** A new project that declares these media, all with the target archived. `isMade`: its embedded database was made before. */
  fresh(names: readonly MediumName[], isMade: boolean): Project
}

/** Makes the media, and the truth about them, once. */
export async function openArena(): Promise<Arena> {
  const media = scratch('ntt-media-')
  for (const [, sample] of Object.values(sources))
    cpSync(join(sampleImages, sample), join(media, sample), { recursive: true, preserveTimestamps: true })
  const declare = (names: readonly MediumName[]): Project => {
    const made = project()
    for (const name of names) {
      const [kind, sample] = sources[name]
      made.medium(name, `label: ${name}\nsource: {${kind}: ${join(media, sample)}}\ntarget: archived\n`)
    }
    return made
  }
  const initial = declare([])
  await withDatabase(initial, async (database) =>
    migrate(database, await readMigrations(join(repository, 'schemas/sql'))),
  )
  const undisturbed = declare(mediumNames)
  const began = performance.now()
  const { code, out, err } = await undisturbed.ntt('apply', '--yes')
  if (code !== 0) throw new Error(`the undisturbed run ended with ${code}:\n${out}\n${err}`)
  const tookMs = performance.now() - began
  return {
    truth: await readTruth(undisturbed),
    tookMs,
    fresh(names, isMade) {
      const made = declare(names)
      mkdirSync(made.path('.ntt'))
      // The server may run as another user, to whom its files belong.
      if (isMade) execFileSync('cp', ['-a', initial.path('.ntt/postgres'), made.path('.ntt/postgres')])
      return made
    },
  }
}
