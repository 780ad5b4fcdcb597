// ntt import: takes over an installation of the older pipeline where it lies. Reads its database, writes files of media.d beside.
import { join, relative } from 'node:path'
import type { Config } from '../config.ts'
import { nameProblem } from '../desired.ts'
import { lookAtBlobs, lookOrTell, olderMedia, type OlderMedium } from '../import.ts'
import { ObserveError, UsageError, type ExitCode } from '../model/errors.ts'
import type { Declaration } from '../model/medium.ts'
import { lostFiles, sortOlder, type Imported } from '../model/older.ts'
import { writeYaml } from '../model/yaml.ts'
import { openDatabase, type Database } from '../ports/postgres.ts'
import { importLine, importText } from '../views/import.ts'
import { readMediaFolder } from './folder.ts'
import type { Flags } from './flags.ts'
import { nameOf } from './naming.ts'
import { writeNew } from './new-file.ts'
import { openVerb } from './verb.ts'

const rootsOfOlder = ['image', 'raw', 'by-hash', 'archive'] as const

export async function importVerb([url]: readonly string[], flags: Flags): Promise<ExitCode> {
  if (url === undefined) throw new UsageError('which database is to be taken over?')
  await using verb = await openVerb(flags, { writes: true, anywhere: true })
  const { config, session, declarations } = verb
  if (rootsOfOlder.every((name) => config.from[`roots.${name}`] === 'default'))
    throw new UsageError('where the files of the older pipeline lie is not said', {
      hint: 'ntt import URL --root image=FOLDER --root raw=FOLDER --root by-hash=FOLDER --root archive=FOLDER',
    })
  const { database } = session
  if (database === null) throw new ObserveError('there is no database of ours to write into')
  const older = await openDatabase({ where: url, run: session.run })
  try {
    const world = session.eyes.reader('import')
    const ask: Database['query'] = (sql, params) => older.query(sql, params, session.signal)
    const hashes = await olderMedia(ask, world)
    const names = await takenNames(config)
    const imported: Imported[] = []
    for (const hash of hashes) {
      session.signal.throwIfAborted()
      const found = await lookOrTell(hash, ask, world)
      const one =
        'unknown' in found ? found : await takeOver(found, { config, declarations, names, database })
      imported.push(one)
      if (flags.json !== true && flags.quiet !== true) verb.write(importLine(one, verb.manner))
    }
    const blobs = await lookAtBlobs(ask, world)
    const settings = await writeSettings(config)
    if (flags.json === true) verb.write(`${JSON.stringify({ media: imported, blobs, settings })}\n`)
    else verb.write(importText(imported, { database: older.name, blobs, settings }, verb.manner))
    return imported.some((one) => 'unknown' in one) ? 5 : 0
  } finally {
    await older.close()
  }
}

interface Into {
  readonly config: Config
  readonly declarations: readonly Declaration[]
  readonly names: Set<string>
  readonly database: Database
}

/** Its file, unless it has one; its row; and what was seen, for those who compare. */
async function takeOver(found: OlderMedium, into: Into): Promise<Imported> {
  const { hash } = found
  const sorting = sortOlder(found)
  const told = { hash, sorting, tally: found.tally, lost: lostFiles(found.tally), paths: found.paths }
  const { image, archive, raw, examples } = found
  const seen = { ...told, raw, image, archive, examples }
  const problem = hashProblem(hash)
  if (problem !== null)
    return { ...seen, medium: null, file: null, isNew: false, note: `${problem}: no file was written` }
  const declared = into.declarations.find((one) => one.hash === hash)
  const name = declared?.name ?? chooseName(found, into.names)
  const file = declared?.file ?? relative(into.config.project, join(into.config.media, `${name}.yaml`))
  if (declared === undefined)
    await writeNew(join(into.config.media, `${name}.yaml`), yamlOf(found, into.config))
  await record(found, name, into.database)
  const note = noteOn(found)
  return { ...seen, medium: name, file, isNew: declared === undefined, note }
}

/** BLAKE3 of no bytes: a drive that gave none once became a medium of this name. */
const hashOfNothing = 'af1349b9f5f9a1a6a0404dea36dcc949'

function hashProblem(hash: string): string | null {
  if (hash === hashOfNothing) return 'its hash is that of nothing at all, which could be any medium'
  return /^[0-9a-f]{32}$/.test(hash) ? null : 'its hash is not of 32 hex digits'
}

function noteOn({ hash, image, archive, tree, isBelowFloppies }: OlderMedium): string | null {
  if (isBelowFloppies)
    return `its archive lies below floppies/: link it to where ntt looks (ln floppies/${hash}.tar.zst . in the archive root)`
  if (image !== null || archive !== null || tree !== null) return null
  return 'neither image nor archive is there: to read it again, the medium itself is needed'
}

function chooseName({ hash, human }: OlderMedium, taken: Set<string>): string {
  const named = nameOf(human ?? '')
  const candidates = [named, `${named}-${hash.slice(0, 8)}`, hash]
  const name =
    candidates.find((one) => nameProblem(one) === null && !taken.has(one) && !/^[0-9a-f]{32}$/.test(one)) ??
    hash
  taken.add(name)
  return name
}

function yamlOf({ hash, human, message, imagePath, image, tree }: OlderMedium, { roots }: Config): string {
  const own = join(roots.image, `${hash}.img`)
  const label = message ?? human
  const source =
    tree !== null && image === null
      ? { directory: tree }
      : { image: image === null && imagePath?.startsWith('/') === true ? imagePath : own }
  const document = { ...(label !== null && { label }), source, target: 'archived', medium_hash: hash }
  return writeYaml(document)
}

async function record(found: OlderMedium, name: string, database: Database): Promise<void> {
  const { hash, human, message, imagePath, addedAt, claims, tally, paths, raw, examples } = found
  const records = raw === null || raw === 'damaged' ? null : raw.records
  await database.transaction(async (tx) => {
    await tx.execute(
      `insert into medium as m (medium_hash, hash_version, name, medium_human, message, image_path, added_at)
       values ($1, 'declared', $2, $3, $4, $5, coalesce($6::timestamptz, now()))
       on conflict (medium_hash) do update
         set medium_human = coalesce(m.medium_human, excluded.medium_human), message = coalesce(m.message, excluded.message),
             image_path = coalesce(m.image_path, excluded.image_path), added_at = least(m.added_at, excluded.added_at)`,
      [hash, name, human, message, imagePath, addedAt],
    )
    await tx.execute(
      `insert into older (medium_hash, sorting, enum_done, copy_done, health, files, lost, paths, records, examples)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, (select coalesce(array_agg(decode(e, 'hex')), '{}') from unnest($10::text[]) as e))
       on conflict (medium_hash) do update
         set seen_at = now(), sorting = excluded.sorting, enum_done = excluded.enum_done, copy_done = excluded.copy_done,
             health = excluded.health, files = excluded.files, lost = excluded.lost, paths = excluded.paths,
             records = excluded.records, examples = excluded.examples`,
      [
        hash,
        sortOlder(found),
        claims.enumDone,
        claims.copyDone,
        claims.health,
        tally.files,
        lostFiles(tally),
        paths,
        records,
        examples.map((path) => Buffer.from(path, 'latin1').toString('hex')),
      ],
    )
  })
}

/** Names of media.d, right or wrong: no file is written over another. */
async function takenNames({ media, project, hasMedia }: Config): Promise<Set<string>> {
  if (!hasMedia) return new Set()
  const { files, ignored } = await readMediaFolder(media, project)
  return new Set(
    [...files, ...ignored].map(({ file }) => file.slice(file.lastIndexOf('/') + 1).replace(/\.ya?ml$/i, '')),
  )
}

/** Where the files lie, written down for the verbs to come; null where it is written down already. */
async function writeSettings(config: Config): Promise<string | null> {
  if (config.document !== null) return null
  const set = rootsOfOlder.filter((name) => config.from[`roots.${name}`] !== 'default')
  const roots = Object.fromEntries(set.map((name) => [name, config.roots[name]]))
  await writeNew(join(config.project, 'ntt.yaml'), writeYaml({ roots }))
  return 'ntt.yaml'
}
