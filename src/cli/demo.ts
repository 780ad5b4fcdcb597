// ntt demo: a throw-away project of real images with planted faults, which `ntt plan` then finds. No hardware, no root.
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import type { Config } from '../config.ts'
import { ObserveError, UsageError, type ExitCode } from '../model/errors.ts'
import { mapBeside } from '../model/places.ts'
import { isAbsent, unseen, unwritten } from '../ports/errno.ts'
import { makeDirectories } from '../ports/folders.ts'
import { counted } from '../model/counted.ts'
import { readable } from '../views/format.ts'
import { render, span, type Line } from '../views/paint.ts'
import { demoMedia, imageOf, mapOf, type DemoMedium } from './demo-media.ts'
import { readDeclarations } from './look.ts'
import type { Flags } from './flags.ts'
import { writeDocument } from './out.ts'
import { packageRoot } from './root.ts'
import { openSession } from './session.ts'
import { catchSignals } from './signals.ts'
import { configOf, outOf } from './verb.ts'

/** Where the lie is told to have happened: a date that nobody takes for today's. */
const claimedAt = '2025-10-10T15:41:05Z'

export async function demoVerb([folder = 'ntt-demo']: readonly string[], flags: Flags): Promise<ExitCode> {
  const around = configOf(flags, true)
  refuseElsewhere(around)
  const directory = resolve(flags.C ?? '.', folder)
  await refuseUsed(directory)
  await makeMedia(directory).catch((error: unknown) => {
    throw unwritten('the demonstration', directory, error)
  })
  await makeClaim(configOf({ ...flags, C: directory }))
  const out = outOf(around)
  if (flags.json === true) writeDocument(out, documentOf(directory))
  else out.write(render(sayMade(relative(process.cwd(), directory) || '.'), out.manner))
  return 0
}

/** What is made to be thrown away stays in its folder: no database and no root of anybody else's. */
function refuseElsewhere({ from }: Config): void {
  const set = Object.entries(from)
    .filter(([name, by]) => /^(database$|roots\.)/.test(name) && /^(NTT_|--)/.test(by))
    .map(([, by]) => by)
  if (set.length === 0) return
  throw new UsageError(
    `the demonstration has a database and roots of its own, and ${set.join(', ')} is set`,
    {
      hint: 'Leave the flags out, or, for the variables, run:\n    unset ' + set.join(' '),
    },
  )
}

async function refuseUsed(directory: string): Promise<void> {
  const names = await readdir(directory).catch((error: unknown) => {
    if (isAbsent(error)) return []
    throw unseen(`look into ${directory}`, error)
  })
  if (names.length > 0)
    throw new UsageError(`${directory} is not empty, and is left as it is`, {
      hint: 'Name a folder that is not there yet: ntt demo DIR.',
    })
}

async function makeMedia(directory: string): Promise<void> {
  for (const name of ['media.d', 'images']) makeDirectories(join(directory, name))
  for (const medium of demoMedia) {
    const image = imageOf(medium, await sample(medium.from))
    const map = mapOf(medium, image.length)
    const place = join(directory, 'images', medium.image)
    await writeFile(place, image)
    if (map !== null) await writeFile(mapBeside(place), map)
    await writeFile(join(directory, 'media.d', `${medium.name}.yaml`), medium.yaml)
  }
}

const sample = (name: string): Promise<Buffer> =>
  readFile(join(packageRoot, 'test/images', name)).catch((error: unknown) => {
    throw new ObserveError(`cannot read the sample image ${name}`, {
      cause: error,
      hint: 'The demonstration needs the images of test/images, which a clone of ntt has.',
    })
  })

/** The row that the older pipeline left behind so often: a time of copying, and no file that was copied. */
async function makeClaim(config: Config): Promise<void> {
  const signals = catchSignals()
  try {
    const declarations = await readDeclarations(config)
    await using session = await openSession({ config, declarations, writes: true, signal: signals.now })
    const { database, eyes } = session
    for (const declaration of declarations) {
      if (demoMedia.find(({ name }) => name === declaration.name)?.isClaimed !== true) continue
      const identity = await eyes.identify(declaration, eyes.reader(declaration.name))
      if ('because' in identity) throw new ObserveError(`the identity of ${declaration.name} is not known`)
      const { hash, version, kind } = identity
      const row = [
        hash,
        version,
        declaration.name,
        kind,
        declaration.label,
        declaration.source.path,
        claimedAt,
      ]
      await database.transaction((tx) => tx.execute(claimSql, row))
    }
  } finally {
    signals.release()
  }
}

const claimSql = `
  insert into medium (medium_hash, hash_version, name, kind, medium_human, image_path, added_at, enum_done, copy_done)
  values ($1, $2, $3, $4, $5, $6, $7, $7, $7)`

/** As schemas/demo.schema.json says. */
const documentOf = (folder: string) => ({
  folder,
  media: demoMedia.map(({ name, says, ...medium }) => ({
    medium: name,
    file: `media.d/${name}.yaml`,
    planted: isPlanted(medium),
    says,
  })),
})

const isPlanted = ({ bad, alter }: Pick<DemoMedium, 'bad' | 'alter'>): boolean =>
  bad !== undefined || alter !== undefined

const sayMade = (directory: string): readonly Line[] => [
  [
    `Made ${readable(directory)}: ${counted(demoMedia.length, 'medium', 'media')}, and a database of its own.`,
  ],
  [],
  ...demoMedia.map(({ name, says, ...medium }): Line => {
    return ['  ', isPlanted(medium) ? span('bad', '!') : span('good', '='), `  ${name}   ${says}`]
  }),
  [],
  ['To see what ntt finds of this, by looking alone, run:'],
  [`    ntt -C ${readable(directory)} plan`],
]
