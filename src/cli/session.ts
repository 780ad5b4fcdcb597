// Opens what a verb needs (declarations, database, roots) and closes all of it again; the flow's eyes and hands are put on here.
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Config } from '../config.ts'
import { identify } from '../identify.ts'
import { readKnown, type CachedIdentity, type Known } from '../identify/known.ts'
import { kinds } from '../kinds/index.ts'
import type { Declaration } from '../model/medium.ts'
import { readRange } from '../model/range.ts'
import type { CatalogueRow } from '../model/world.ts'
import type { Eyes } from '../observe.ts'
import { readCatalogue } from '../ports/catalogue.ts'
import { openFiles } from '../ports/files.ts'
import { migrate, readMigrations, readableSchema } from '../ports/migrate.ts'
import { openDatabase, type Database } from '../ports/postgres.ts'
import { openServer, serverExists, type Server } from '../ports/server/index.ts'
import { locate } from '../ports/roots.ts'
import { openStore } from '../ports/store/index.ts'
import { makeReader, type Ports, type Speaker } from '../ports/world.ts'
import { unpackFrames } from '../ports/zstd.ts'
import { readProofs } from '../record.ts'
import { stages } from '../stages/index.ts'
import { lostDatabase } from './lost-database.ts'
import { packageRoot } from './root.ts'

/** What is open as long as a verb runs. */
export interface Session extends AsyncDisposable {
  readonly config: Config
  readonly run: string
  readonly host: string
  /** Fires when everything is to end now. */
  readonly signal: AbortSignal
  /** null: there is no database yet, and this verb may not make one. */
  readonly database: Database | null
  /** Identities that were worked out in this look; a run keeps them. */
  readonly learned: readonly CachedIdentity[]
  readonly ports: Ports
  /** One look remembers what it has asked of the catalogue. */
  readonly eyes: Eyes
  /** For another look, at another time. */
  freshEyes(): Eyes
}

/** One that may write has a database: where there was none, it was made. */
export interface WritingSession extends Session {
  readonly database: Database
}

export interface SessionOptions {
  readonly config: Config
  readonly declarations: readonly Declaration[]
  /** A verb that only looks neither makes a database nor brings its schema up. */
  readonly writes: boolean
  /** No database is taken for the first one, whatever the event log remembers. */
  readonly anew?: boolean
  readonly signal: AbortSignal
}

/** `20261123-204955-3f2a1c`: sorts by time, and two at the same second differ. */
const runName = (now: Date): string =>
  `${now.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-')}-${randomBytes(3).toString('hex')}`

export async function openSession(
  options: SessionOptions & { readonly writes: true },
): Promise<WritingSession>
export async function openSession(options: SessionOptions): Promise<Session>
export async function openSession(options: SessionOptions): Promise<Session> {
  const { config, signal } = options
  const run = runName(new Date())
  const entered = await enterDatabase(options, run)
  const { database } = entered
  const { roots } = config
  const store = openStore({ root: roots['by-hash'], run, path: (place) => locate(place, roots).path })
  const ports: Ports = {
    path: config.path,
    files: ({ signal: stop }) => openFiles({ roots, run, signal: stop }),
    bytes: (speaker) => {
      const files = openFiles({ roots, run, signal: speaker.signal })
      return {
        ...store.speak(speaker),
        unpack: (place, frames) =>
          unpackFrames(frames, (start, end) => readRange(files, place, { start, end })),
      }
    },
    database,
    catalogue: asked(database),
  }
  const learned: CachedIdentity[] = []
  const known = onceKnown(database, options.declarations, learned)
  const quiet: Speaker = { signal, progress: () => {}, line: () => {} }
  const freshEyes = (): Eyes => {
    const reader = makeReader({ ...ports, catalogue: atOnce(database) }, quiet)
    return {
      stages,
      declared: options.declarations,
      reader: () => reader,
      identify: async (declaration, world) => identify(declaration, world, await known()),
      proofs: async (hashes) =>
        database === null ? new Map() : readProofs((sql, params) => database.query(sql, params), hashes),
      stagesOf: (kind) => kinds[kind].stages,
    }
  }
  return {
    config,
    run,
    host: hostname(),
    signal,
    database,
    learned,
    ports,
    eyes: freshEyes(),
    freshEyes,
    async [Symbol.asyncDispose]() {
      await store.close()
      await entered.leave()
    },
  }
}

interface Entered {
  readonly database: Database | null
  leave(): Promise<void>
}

async function enterDatabase(
  { config, writes, anew, signal }: SessionOptions,
  run: string,
): Promise<Entered> {
  const embedded = config.database === null
  if (embedded && !serverExists(config.roots.postgres)) {
    const lost = anew === true ? null : await lostDatabase(config)
    if (lost !== null) throw lost
    if (!writes) return { database: null, leave: async () => {} }
  }
  const server: Server | null = embedded
    ? await openServer({ directory: config.roots.postgres, packageRoot, signal })
    : null
  try {
    const database = await openDatabase({ where: server ?? config.database ?? '', run })
    const leave = async (): Promise<void> => {
      await database.close()
      await server?.leave()
    }
    try {
      const migrations = await readMigrations(join(packageRoot, 'schemas/sql'))
      if (writes) await migrate(database, migrations)
      else if (
        (await readableSchema((sql, params) => database.query(sql, params), migrations, database.name)) ===
        'none'
      ) {
        await leave()
        return { database: null, leave: async () => {} }
      }
      return { database, leave }
    } catch (error) {
      await database.close()
      throw error
    }
  } catch (error) {
    await server?.leave()
    throw error
  }
}

/** The catalogue of all media from one question, however many media are asked about: the look of a plan is one look. */
function atOnce(database: Database | null): Ports['catalogue'] {
  let all: Promise<ReadonlyMap<string, CatalogueRow>> | null = null
  return async (hash) => {
    if (database === null) return null
    all ??= readCatalogue((sql, params) => database.query(sql, params), null)
    return (await all).get(hash) ?? null
  }
}

/** The catalogue of one medium as it is now. */
const asked =
  (database: Database | null): Ports['catalogue'] =>
  async (hash) =>
    database === null
      ? null
      : ((await readCatalogue((sql, params) => database.query(sql, params), hash)).get(hash) ?? null)

/** What is known of media before one is looked at, from two questions for all of them. */
function onceKnown(
  database: Database | null,
  declared: readonly Declaration[],
  learned: CachedIdentity[],
): () => Promise<Known> {
  let read: Promise<Pick<Known, 'cache' | 'media'>> | null = null
  return async () => {
    read ??=
      database === null
        ? Promise.resolve({ cache: new Map(), media: [] })
        : readKnown((sql, params) => database.query(sql, params))
    return {
      ...(await read),
      declared,
      isDrive: (kind) => kinds[kind].isDrive,
      learned: (identity) => void learned.push(identity),
    }
  }
}
