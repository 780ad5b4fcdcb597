// A throw-away project and the real `ntt` over it; what it did is read from its own event log.
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { openServer, type Server } from '../src/ports/server/index.ts'
import { run, type Ran } from './measure.ts'

export const repository = join(import.meta.dirname, '..')
export const ntt = join(repository, 'bin/ntt')

/** A line of the event log. */
export type LogLine = Readonly<Record<string, unknown>>

/** What a run of `ntt` cost, and what its log tells of it. */
export interface Told extends Ran {
  readonly events: readonly LogLine[]
}

export interface Project {
  readonly folder: string
  medium(name: string, yaml: string): void
  /** Runs `ntt`; only 0 and the codes of `accept` are a success. */
  ntt(args: readonly string[], accept?: readonly number[]): Promise<Told>
  /** Folder of its state; products lie below it. */
  readonly state: string
  readonly server: Server | null
  close(): Promise<void>
}

/**
 * A project whose private PostgreSQL runs before and after each `ntt`, as it does where somebody works: its start is measured in a
 * section of its own. `database: false` leaves it to `ntt`.
 */
export async function makeProject(folder: string, { database = true } = {}): Promise<Project> {
  const state = join(folder, '.ntt')
  mkdirSync(join(folder, 'media.d'), { recursive: true })
  mkdirSync(state, { recursive: true })
  const server = database ? await startServer(folder) : null
  const log = join(state, 'log/events.jsonl')
  const env = { CI: 'true', NO_COLOR: '1', ...cleared() }
  return {
    folder,
    state,
    server,
    medium: (name, yaml) => writeFileSync(join(folder, 'media.d', `${name}.yaml`), yaml),
    async ntt(args, accept = []) {
      const start = existsSync(log) ? statSync(log).size : 0
      const ran = await run({ file: ntt, args, cwd: folder, env, stdout: '-', accept })
      return { ...ran, events: linesFrom(log, start) }
    },
    close: async () => server?.leave(),
  }
}

/**
 * A project that has its schema and a first content: made once in a run, and copied. `work`: the run's working folder.
 */
export async function begunProject(work: string, folder: string): Promise<Project> {
  const begun = join(work, 'begun')
  if (!existsSync(begun)) {
    const project = await makeProject(begun)
    const one = join(work, 'one-file')
    mkdirSync(one)
    writeFileSync(join(one, 'file'), 'one')
    const directory = JSON.stringify(one)
    project.medium('begin', `kind: directory\nsource:\n  directory: ${directory}\ntarget: copied\n`)
    await project.ntt(['apply', '--yes', 'begin'])
    await project.close()
  }
  await run({ file: 'cp', args: ['-a', begun, folder] })
  return makeProject(folder)
}

export const startServer = (folder: string): Promise<Server> =>
  openServer({
    directory: join(folder, '.ntt/postgres'),
    packageRoot: repository,
    signal: new AbortController().signal,
  })

/** Variables of ours that a person has set would lead out of the throw-away project. */
const cleared = (): Readonly<Record<string, undefined>> =>
  Object.fromEntries(
    Object.keys(process.env).flatMap((name) => (name.startsWith('NTT_') ? [[name, undefined]] : [])),
  )

function linesFrom(log: string, start: number): readonly LogLine[] {
  if (!existsSync(log)) return []
  const file = openSync(log, 'r')
  try {
    const text = readFileSync(file).subarray(start).toString()
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as LogLine)
  } finally {
    closeSync(file)
  }
}

/** Processor time of the database server so far: of its processes, and of those that have ended. `folder`: the project's. */
export function serverSeconds(folder: string): number {
  const [pid = ''] = readFileSync(join(folder, '.ntt/postgres/data/postmaster.pid'), 'latin1').split('\n')
  let ticks = 0
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    if (!existsSync(`/proc/${name}/stat`)) continue
    const text = readFileSync(`/proc/${name}/stat`, 'latin1')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    if (name === pid) ticks += Number(fields[13]) + Number(fields[14])
    if (name === pid || fields[1] === pid) ticks += Number(fields[11]) + Number(fields[12])
  }
  return ticks / 100
}

/** How long a stage took by the log, in seconds: all of it, its work, and the witness that looked afterwards. */
export interface StageTime {
  readonly all: number
  readonly work: number
  readonly proof: number
  /** The line of its success, with its figures. */
  readonly line: LogLine
}

/** The stage of a medium in the log of a run; `word` is the log's word for it. Throws where it did not succeed. */
export function stageTime(events: readonly LogLine[], word: string, medium: string): StageTime {
  const own = events.filter((line) => line['medium'] === medium)
  const find = (name: string): LogLine | undefined => own.find(({ event }) => event === `${word}_${name}`)
  const [start, verifying, success] = [find('start'), find('verifying'), find('success')]
  if (start === undefined || success === undefined)
    throw new Error(`the log of ${medium} has no ${word}_success: ${JSON.stringify(own.at(-1))}`)
  const all = Number(success['duration_sec'])
  const proof = verifying === undefined ? 0 : at(success) - at(verifying)
  return { all, work: all - proof, proof, line: success }
}

const at = (line: LogLine): number => Date.parse(String(line['ts'])) / 1000
