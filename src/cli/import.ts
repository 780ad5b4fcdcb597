// ntt import: takes over an installation of the older pipeline where it lies. Reads its database, writes files of media.d beside.
import { join } from 'node:path'
import type { Config } from '../config.ts'
import {
  lookAtBlobs,
  lookOrTell,
  olderMedia,
  sourceOfOlder,
  type OlderMedium,
  type OlderSource,
} from '../import.ts'
import { UsageError, survivable, type ExitCode } from '../model/errors.ts'
import { lostFiles, sortOlder, type Imported } from '../model/older.ts'
import type { Reader } from '../model/world.ts'
import { writeYaml } from '../model/yaml.ts'
import { isDatabaseUrl, openDatabase, type Database } from '../ports/postgres.ts'
import { importLine, importText } from '../views/import.ts'
import type { Flags } from './flags.ts'
import { planFiles, type Planned } from './import-files.ts'
import { writeNew } from './new-file.ts'
import { openVerb } from './verb.ts'

const rootsOfOlder = ['image', 'raw', 'by-hash', 'archive'] as const

export async function importVerb([url]: readonly string[], flags: Flags): Promise<ExitCode> {
  if (url === undefined) throw new UsageError('which database is to be taken over?')
  if (!isDatabaseUrl(url))
    throw new UsageError(`${url} is not the URL of a database`, {
      hint: 'As in: ntt import postgres://user@host:5432/copyjob --root image=FOLDER …',
    })
  await using verb = await openVerb(flags, { writes: true, anywhere: true })
  const { config, session, declarations } = verb
  if (rootsOfOlder.every((name) => config.from[`roots.${name}`] === 'default'))
    throw new UsageError('where the files of the older pipeline lie is not said', {
      hint: 'As in: ntt import URL --root image=FOLDER --root raw=FOLDER --root by-hash=FOLDER --root archive=FOLDER',
    })
  const { database } = session
  const older = await openDatabase({ where: url, run: session.run })
  try {
    const world = session.eyes.reader('import')
    const ask: Database['query'] = (sql, params) => older.query(sql, params, session.signal)
    const hashes = await olderMedia(ask, world)
    const sources = await sourcesOf(hashes, ask, world)
    const media = await database.query<{ name: string | null; hash: string }>(
      'select name, medium_hash as hash from medium',
    )
    const planned = await planFiles(sources, { config, declarations, media })
    const imported: Imported[] = []
    for (const hash of hashes) {
      session.signal.throwIfAborted()
      const found = await lookOrTell(hash, ask, world)
      const one = 'unknown' in found ? found : await takeOver(found, planned.get(hash), config, database)
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

/** Those that can be looked at, and may be media of ours: of the others it is told when their turn comes. */
async function sourcesOf(
  hashes: readonly string[],
  ask: Database['query'],
  world: Reader,
): Promise<readonly OlderSource[]> {
  const sources: OlderSource[] = []
  for (const hash of hashes.filter((one) => hashProblem(one) === null)) {
    try {
      sources.push(await sourceOfOlder(hash, ask, world))
    } catch (error) {
      survivable(error)
    }
  }
  return sources
}

/** Its file, unless it has one; its row; and what was seen, for those who compare. */
async function takeOver(
  found: OlderMedium,
  planned: Planned | undefined,
  config: Config,
  database: Database,
): Promise<Imported> {
  const { hash } = found
  const sorting = sortOlder(found)
  const told = { hash, sorting, tally: found.tally, lost: lostFiles(found.tally), paths: found.paths }
  const { image, archive, raw, examples } = found
  const seen = { ...told, raw, image, archive, examples }
  const problem = hashProblem(hash)
  if (problem !== null)
    return { ...seen, medium: null, file: null, isNew: false, note: `${problem}: no file was written` }
  if (planned === undefined)
    return { hash, unknown: 'it could not be looked at before, when the files were planned' }
  const { name, file, text } = planned
  if (text !== null) await writeNew(join(config.project, file), text)
  await record(found, name, database)
  const note = noteOn(found)
  return { ...seen, medium: name, file, isNew: text !== null, note }
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

/** Where the files lie, written down for the verbs to come; null where it is written down already. */
async function writeSettings(config: Config): Promise<string | null> {
  if (config.document !== null) return null
  const set = rootsOfOlder.filter((name) => config.from[`roots.${name}`] !== 'default')
  const roots = Object.fromEntries(set.map((name) => [name, config.roots[name]]))
  await writeNew(join(config.project, 'ntt.yaml'), writeYaml({ roots }))
  return 'ntt.yaml'
}
