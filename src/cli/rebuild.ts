// ntt rebuild: the catalogue again, when the database is gone. What the archives say of themselves is read first; then it is an
// ordinary apply over an empty database, in which every product is proven anew.
import { readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../config.ts'
import { nameProblem } from '../desired.ts'
import { mismatch } from '../model/check.ts'
import { ObserveError, UsageError, errnoOf, mostSerious, type ExitCode } from '../model/errors.ts'
import type { Manifest } from '../model/manifest.ts'
import { archivePlace } from '../model/places.ts'
import { readRange } from '../model/range.ts'
import { PackError, readSeekTable } from '../model/seekable.ts'
import type { Reader, Transaction } from '../model/world.ts'
import { writeYaml } from '../model/yaml.ts'
import { observe } from '../observe.ts'
import type { Database } from '../ports/postgres.ts'
import { look } from '../stages/archive/look.ts'
import { rebuildText, type Rebuilding } from '../views/rebuild.ts'
import { applyVerb } from './apply.ts'
import type { Flags } from './flags.ts'
import { isWanted, refuseUnasked } from './ask.ts'
import { writeNew } from './new-file.ts'
import { configOf, mannerOf, openVerb } from './verb.ts'

type Identified = Manifest['medium']

interface RebuildFlags extends Flags {
  readonly yes?: boolean
}

export async function rebuildVerb(_named: readonly string[], flags: RebuildFlags): Promise<ExitCode> {
  const manner = mannerOf(configOf(flags))
  if (flags.yes !== true) refuseUnasked('rebuild', manner)
  const before = await lookAround(flags)
  if (flags.yes !== true && !(await isWanted('rebuild', manner))) return 2
  await prepare(before, flags)
  const exit = await applyVerb([], flags)
  // What an archive that cannot be read would have brought back nobody knows.
  return before.strange.length === 0 ? exit : mostSerious([exit, 2])
}

/** What the rebuild would begin with. Nothing of it is written yet. */
interface Before {
  /** Archives that say something else than their name, or nothing. */
  readonly strange: readonly string[]
  readonly enrol: readonly { readonly medium: Identified; readonly name: string }[]
  readonly write: readonly { readonly medium: Identified; readonly name: string }[]
  readonly setAside: readonly { readonly from: string; readonly to: string }[]
}

/** Files of media.d that are lost, and identities that only archives know. Stages prove all of it later; nothing is believed here. */
async function lookAround(flags: RebuildFlags): Promise<Before> {
  await using verb = await openVerb(flags, { writes: false, anew: true })
  const { config, session, declarations } = verb
  const { database, eyes } = session
  if (database !== null) await refuseFull(database)
  const world = eyes.reader('rebuild')
  const { found, strange } = await readManifests(world)
  const observed = await observe(declarations, eyes)
  const known = new Set(observed.flatMap(({ medium }) => (medium.hash === null ? [] : [medium.hash])))
  const lost = new Set(observed.flatMap(({ medium }) => (medium.hash === null ? [medium.name] : [])))
  const taken = new Set(declarations.map(({ name }) => name))
  const enrol: { medium: Identified; name: string }[] = []
  const write: typeof enrol = []
  const named: string[] = []
  for (const medium of found) {
    const isKnown = known.has(medium.hash)
    // Its file is there and what it names is away: the archive tells which medium that was.
    const isAway = !isKnown && lost.delete(medium.name)
    const name = isKnown
      ? (observed.find((one) => one.medium.hash === medium.hash)?.medium.name ?? medium.name)
      : isAway
        ? medium.name
        : freeName(medium, taken)
    enrol.push({ medium, name })
    if (isAway) named.push(name)
    if (!isKnown && !isAway) write.push({ medium, name })
  }
  const setAside = await oldLogs(config, session.run)
  const told: Rebuilding = {
    archives: found.length,
    strange,
    written: write.map(({ name }) => name),
    named,
    strangers: await strangers(world, new Set([...known, ...found.map(({ hash }) => hash)])),
    log: setAside.map(({ to }) => to),
  }
  const text = rebuildText(told, verb.manner)
  if (flags.json !== true && (flags.yes !== true || flags.quiet !== true)) verb.write(text)
  else if (flags.yes !== true || strange.length > 0) process.stderr.write(text)
  return { strange, enrol, write, setAside }
}

async function prepare({ enrol, write, setAside }: Before, flags: RebuildFlags): Promise<void> {
  await using verb = await openVerb(flags, { writes: true, anew: true })
  const { config, session } = verb
  const { database } = session
  // Somebody may have filled it while a person was asked.
  await refuseFull(database)
  for (const { medium, name } of write)
    await writeNew(join(config.media, `${name}.yaml`), yamlOf(medium, name))
  for (const { from, to } of setAside) await rename(from, to)
  // Last, and at once: a database that knows media is not gone, and whoever is killed before may begin again.
  await database.transaction(async (tx) => {
    for (const { medium, name } of enrol) await enter(tx, medium, name)
  })
}

async function refuseFull(database: Database): Promise<void> {
  const [row] = await database.query<{ media: number }>('select count(*)::int4 as media from medium')
  if ((row?.media ?? 0) === 0) return
  throw new UsageError(`the database ${database.name} knows ${row?.media} media: it is not gone`, {
    hint: 'ntt apply makes what is missing in it. To begin anew all the same, give ntt an empty one (--db).',
  })
}

/** What every archive of ours says of its medium; `strange`: those that say something else than their name, or nothing. */
async function readManifests(
  world: Reader,
): Promise<{ readonly found: readonly Identified[]; readonly strange: readonly string[] }> {
  const found: Identified[] = []
  const strange: string[] = []
  for (const name of (await world.names('archive:')) ?? []) {
    const [, hash] = /^([0-9a-f]{32})\.tar\.zst$/.exec(name) ?? []
    if (hash === undefined) continue
    const place = archivePlace({ hash })
    try {
      const stat = await world.stat(place)
      const read = (start: number, end: number): Promise<Buffer> => readRange(world, place, { start, end })
      const frames = stat === null ? null : await readSeekTable(read, stat.bytes)
      if (frames === null) {
        strange.push(`${name}: it has no manifest (of the older pipeline: ntt import)`)
        continue
      }
      const { manifest, checks } = await look({ hash }, place, world, frames)
      const wrong = checks.find(({ ok }) => !ok)
      if (wrong === undefined) found.push(manifest.medium)
      else strange.push(`${name}: ${mismatch(wrong)}`)
    } catch (error) {
      if (!(error instanceof PackError)) throw error
      strange.push(`${name}: ${error.message}`)
    }
  }
  return { found, strange }
}

/** Enumerations whose medium neither a file nor an archive tells. */
async function strangers(world: Reader, known: ReadonlySet<string>): Promise<readonly string[]> {
  const names = (await world.names('raw:')) ?? []
  return names.filter((name) => name.endsWith('.raw') && !known.has(name.slice(0, -'.raw'.length)))
}

function freeName({ name, hash }: Identified, taken: Set<string>): string {
  const candidates = [name, `${name}-${hash.slice(0, 8)}`, hash]
  const free = candidates.find((one) => !taken.has(one) && nameProblem(one) === null) ?? hash
  taken.add(free)
  return free
}

/** The source is not known any more; the archive stands in for it until a person says where it is. */
function yamlOf({ hash, kind, label }: Identified, name: string): string {
  const source = kind === 'directory' ? { directory: name } : { image: `${name}.img` }
  return writeYaml({
    ...(label === null ? {} : { label }),
    kind,
    source,
    target: 'archived',
    medium_hash: hash,
  })
}

const enter = (tx: Transaction, { hash, version, kind, label }: Identified, name: string): Promise<number> =>
  tx.execute(
    `insert into medium (medium_hash, hash_version, name, kind, medium_human, message) values ($1, $2, $3, $4, $5, $5)
     on conflict do nothing`,
    [hash, version, name, kind, label],
  )

/** The log of runs that the new database does not know is kept under names of its own. */
async function oldLogs({ roots }: Pick<Config, 'roots'>, run: string): Promise<Before['setAside']> {
  const names = await readdir(roots.log).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return []
    throw new ObserveError(`cannot look into ${roots.log} (${errnoOf(error) ?? 'unknown'})`, { cause: error })
  })
  return names
    .filter((name) => /^events.*\.jsonl/.test(name))
    .map((name) => ({ from: join(roots.log, name), to: join(roots.log, `before-${run}-${name}`) }))
}
