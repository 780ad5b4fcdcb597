// Everything that can be set, as one frozen Config with where each value comes from.
import { readFileSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { chooseDisplay } from './config/display.ts'
import type { Display, DisplayFlags, Surroundings } from './config/display.ts'
import { findProject, isProject, noProject } from './config/project.ts'
import { ntt as validate } from './generated/validators.js'
import { readDocument, refusal, valueProblem } from './model/document.ts'
import type { Document } from './model/document.ts'
import { ObserveError, UsageError, errnoOf } from './model/errors.ts'
import type { Problem } from './model/errors.ts'
import { nearest } from './model/nearest.ts'
import { rootNames } from './model/world.ts'

/** The roots of products, and two that only the installation itself uses. */
export const configRoots = [...rootNames, 'log', 'postgres'] as const
export type ConfigRoot = (typeof configRoots)[number]

/** What was typed. */
export interface Flags extends DisplayFlags {
  /** `-C DIR`: begin there to look for media.d. */
  readonly directory?: string
  /** `--config FILE`: instead of the ntt.yaml beside media.d. */
  readonly config?: string
  readonly db?: string
  readonly jobs?: string
  /** `--root NAME=FOLDER`, as often as wanted. */
  readonly root?: readonly string[]
}

export interface Config {
  /** The folder that media.d is in, or would be. */
  readonly project: string
  /** The folder of declarations. */
  readonly media: string
  readonly hasMedia: boolean
  /** ntt.yaml, or what `--config` named; null where there is none. */
  readonly document: string | null
  /** URL of a PostgreSQL; null: the private one below `roots.postgres`. */
  readonly database: string | null
  /** Absolute paths. */
  readonly roots: Readonly<Record<ConfigRoot, string>>
  /** The event log. */
  readonly log: string
  /** Media that are worked on side by side. */
  readonly jobs: number
  readonly display: Display
  /** Where programs are looked for. */
  readonly path: string
  /** Dotted name of a value to where it comes from: `default`, `ntt.yaml:4`, `NTT_JOBS`, `--jobs`. */
  readonly from: Readonly<Record<string, string>>
  /** What was set and is not read, each as a sentence. */
  readonly notes: readonly string[]
}

/** A document that satisfies schemas/ntt.schema.json. */
interface Settings {
  readonly database?: string
  readonly roots?: { readonly [name in ConfigRoot]?: string }
  readonly jobs?: number
}

/** Variable to the value that it sets. The archives' one is named as the older pipeline named it. */
export const variables: Readonly<Record<string, string>> = {
  NTT_DB_URL: 'database',
  NTT_IMAGE_ROOT: 'roots.image',
  NTT_RAW_ROOT: 'roots.raw',
  NTT_BY_HASH_ROOT: 'roots.by-hash',
  NTT_IMAGES_ROOT: 'roots.archive',
  NTT_STATE_ROOT: 'roots.state',
  NTT_LOG_ROOT: 'roots.log',
  NTT_POSTGRES_ROOT: 'roots.postgres',
  NTT_JOBS: 'jobs',
}

const here = (): Surroundings => ({
  environment: process.env,
  folder: process.cwd(),
  cores: availableParallelism(),
  isTerminal: process.stdin.isTTY && process.stdout.isTTY,
})

/** A value that somebody set: `base` is the folder that a relative path begins at. */
interface Setting {
  readonly value: string | number
  readonly from: string
  readonly base: string
}

/**
 * Reads flags, environment and ntt.yaml. Throws DesiredError with everything that is wrong in them, UsageError where there
 * is no media.d (unless `anywhere`: then the folder itself is the project), ObserveError where it could not look.
 */
export function readConfig(flags: Flags = {}, around: Surroundings = here(), anywhere = false): Config {
  const start = resolve(around.folder, flags.directory ?? '.')
  // A folder that is named is the one that is meant: another project above it must not answer in its place.
  const found = flags.directory === undefined || isProject(start) ? findProject(start) : null
  if (found === null && !anywhere) throw noProject(start, flags.directory)
  const project = found ?? start
  const problems: Problem[] = []
  const document = readSettings(flags.config, around.folder, project)
  problems.push(...(document?.problems ?? []))
  // Validated against the schema by readSettings; an empty file is an empty map.
  const written = (document?.value ?? {}) as Settings
  const settings = new Map<string, Setting>()
  const take = (name: string, setting: Setting, says: Omit<Problem, 'message' | 'frame'>): void => {
    const message = valueProblem(validate, name.split('.'), setting.value)
    if (message === null) settings.set(name, setting)
    else problems.push({ ...says, message, frame: '' })
  }

  if (document !== null) {
    const base = dirname(document.path)
    const shown = relative(around.folder, document.path)
    const add = (name: string, value: string | number): void => {
      const line = document.problem(name.split('.'), '', 'key').line
      settings.set(name, { value, from: `${shown}:${line}`, base })
    }
    if (written.database !== undefined) add('database', written.database)
    if (written.jobs !== undefined) add('jobs', written.jobs)
    for (const [name, folder] of Object.entries(written.roots ?? {})) add(`roots.${name}`, folder)
  }
  for (const [variable, name] of Object.entries(variables)) {
    const text = around.environment[variable]
    // Set to nothing is not set, as every shell user expects.
    if (text === undefined || text === '') continue
    take(
      name,
      { value: asTyped(name, text), from: variable, base: around.folder },
      { file: 'environment', line: 0, column: 0, field: variable },
    )
  }
  for (const [flag, name, text] of typedFlags(flags, problems)) {
    take(
      name,
      { value: asTyped(name, text), from: flag, base: around.folder },
      { file: 'command line', line: 0, column: 0, field: flag },
    )
  }
  if (problems.length > 0) throw refusal(problems)

  const from: Record<string, string> = {}
  const of = (name: string, byDefault: string, why = 'default'): string => {
    const setting = settings.get(name)
    from[name] = setting?.from ?? why
    return setting === undefined ? byDefault : String(setting.value)
  }
  const root = (name: ConfigRoot, byDefault: string): string =>
    resolve(settings.get(`roots.${name}`)?.base ?? project, of(`roots.${name}`, byDefault))
  const state = root('state', join(project, '.ntt'))
  const below = (name: ConfigRoot, folder: string = name): string => root(name, join(state, folder))
  const roots = {
    image: below('image', 'img'),
    raw: below('raw'),
    'by-hash': below('by-hash'),
    archive: below('archive'),
    state,
    log: below('log'),
    postgres: below('postgres'),
  }
  const database = of('database', '', 'default (a private PostgreSQL)')
  return deepFreeze({
    project,
    media: join(project, 'media.d'),
    hasMedia: found !== null,
    document: document?.path ?? null,
    database: database === '' ? null : database,
    roots,
    log: join(roots.log, 'events.jsonl'),
    jobs: Number(of('jobs', String(Math.min(8, Math.max(2, around.cores))))),
    display: chooseDisplay(flags, around, from),
    path: searchPath(around.environment['PATH']),
    from,
    notes: notesOn(around.environment, project),
  })
}

function readSettings(
  flag: string | undefined,
  folder: string,
  project: string,
): (Document & { readonly path: string }) | null {
  const path = flag === undefined ? join(project, 'ntt.yaml') : resolve(folder, flag)
  let bytes: Buffer
  try {
    // What a person names may be a pipe; one that lies in the place of the file would be waited for.
    if (flag === undefined && statSync(path).isFIFO()) throw new ObserveError(`${path} is a pipe`)
    bytes = readFileSync(path)
  } catch (cause) {
    if (cause instanceof ObserveError) throw cause
    if (errnoOf(cause) !== 'ENOENT') throw new ObserveError(`cannot read ${path}`, { cause })
    if (flag !== undefined) throw new UsageError(`there is no ${path}`, { cause })
    return null
  }
  const document = readDocument(relative(folder, path), bytes, validate)
  // A URL may hold a password: what is wrong is told, and the line is not shown.
  const problems = document.problems.map((one) => (one.field === 'database' ? { ...one, frame: '' } : one))
  return { ...document, problems, path }
}

const asTyped = (name: string, text: string): string | number =>
  name === 'jobs' && /^\d+$/.test(text) ? Number(text) : text

function typedFlags(flags: Flags, problems: Problem[]): readonly (readonly [string, string, string])[] {
  const typed: (readonly [string, string, string])[] = []
  if (flags.db !== undefined) typed.push(['--db', 'database', flags.db])
  if (flags.jobs !== undefined) typed.push(['--jobs', 'jobs', flags.jobs])
  for (const text of flags.root ?? []) {
    const [, name = '', folder] = /^([^=]*)=(.*)$/s.exec(text) ?? [text, text]
    const known = configRoots.find((one) => one === name)
    if (known !== undefined && folder !== undefined) typed.push([`--root ${name}`, `roots.${name}`, folder])
    else {
      const near = nearest(name, configRoots)
      const message = `must be NAME=FOLDER, with one of ${configRoots.join(', ')}${near !== null && near !== name ? ` — did you mean "${near}"?` : ''}`
      problems.push({ file: 'command line', line: 0, column: 0, field: '--root', message, frame: '' })
    }
  }
  return typed
}

/** Tools of the system are found by ordinary users too. */
function searchPath(path: string | undefined): string {
  const folders = (path ?? '/usr/local/bin:/usr/bin:/bin').split(':').filter((folder) => folder !== '')
  return [...new Set([...folders, '/usr/local/sbin', '/usr/sbin', '/sbin'])].join(':')
}

/** Variables and files that look as if they were meant for us, and are not read. */
function notesOn(environment: Surroundings['environment'], project: string): readonly string[] {
  const strangers = Object.keys(environment).filter((name) => name.startsWith('NTT_') && !(name in variables))
  const notes = strangers.toSorted().map((name) => {
    const near = nearest(name, Object.keys(variables))
    return `${name} is set and is not read${near === null ? '' : `: did you mean ${near}?`}`
  })
  if (statSync(join(project, 'ntt.yml'), { throwIfNoEntry: false }) !== undefined)
    notes.push('ntt.yml is not read: call it ntt.yaml')
  return notes
}

function deepFreeze<Value extends object>(value: Value): Value {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) deepFreeze(inner)
  return Object.freeze(value)
}
