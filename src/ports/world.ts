// The ports, put together into what a stage may do: a Reader that cannot write, and a Writer.
import type { Command } from '../model/command.ts'
import { ObserveError, RunError } from '../model/errors.ts'
import type { CatalogueRow, Output, Reader, Unit, Writer } from '../model/world.ts'
import { runProgram, streamProgram, unanswered, type ExecOptions } from './exec.ts'

/** For whom, and how it is told. */
export interface Speaker {
  readonly signal: AbortSignal
  readonly progress: (done: number, total: number | null, unit: Unit) => void
  readonly line: (text: string) => void
}

type Looks = 'path' | 'stat' | 'read' | 'text' | 'names' | 'walk'
type Makes = 'create' | 'publish' | 'part' | 'setAside'
type Bytes = 'digest' | 'hasher' | 'unpack' | 'blobs' | 'rehash'

/** What the ports bring, each bound to whoever speaks through it. */
export interface Ports {
  readonly path: string
  files(speaker: Speaker): Pick<Writer, Looks | Makes>
  bytes(speaker: Speaker): Pick<Writer, Bytes | 'ingest' | 'pack'>
  /** null: there is no database yet. */
  readonly database: {
    query: Reader['query']
    copyOut(sql: string, signal: AbortSignal): AsyncIterable<Buffer>
    transaction: Writer['transaction']
  } | null
  catalogue(hash: string): Promise<CatalogueRow | null>
}

/** Everything that can look. */
export function makeReader(ports: Ports, speaker: Speaker): Reader {
  const { path, stat, read, text, names, walk } = ports.files(speaker)
  const { digest, hasher, unpack, blobs, rehash } = ports.bytes(speaker)
  const exec: ExecOptions = { signal: speaker.signal, line: speaker.line, path: ports.path }
  const { database } = ports
  return {
    signal: speaker.signal,
    ...{ path, stat, read, text, names, walk, digest, hasher, unpack, blobs, rehash },
    probe: (command) => runProgram(command, exec).catch(unanswered),
    stream: (command) => answers(command, exec),
    query: (sql, params) => (database === null ? Promise.reject(noDatabase()) : database.query(sql, params)),
    copyOut: (sql) => {
      if (database === null) throw noDatabase()
      return database.copyOut(sql, speaker.signal)
    },
    catalogue: ports.catalogue,
    progress: speaker.progress,
    line: speaker.line,
  }
}

/** Everything that can change the world; `enrol` gives the number of the medium's row. */
export function makeWriter(ports: Ports, speaker: Speaker, enrol: () => Promise<number>): Writer {
  const { create, publish, part, setAside } = ports.files(speaker)
  const { ingest, pack } = ports.bytes(speaker)
  const exec: ExecOptions = { signal: speaker.signal, line: speaker.line, path: ports.path }
  const { database } = ports
  return {
    ...makeReader(ports, speaker),
    ...{ create, publish, part, setAside, ingest, pack },
    exec: (command, meanwhile) => runWatched(command, exec, meanwhile),
    transaction: (work) => (database === null ? Promise.reject(noDatabase()) : database.transaction(work)),
    enrol,
  }
}

const noDatabase = (): ObserveError =>
  new ObserveError('there is no database yet', { hint: 'ntt apply makes it' })

async function* answers(command: Command, exec: ExecOptions): AsyncGenerator<Buffer> {
  try {
    yield* streamProgram(command, exec)
  } catch (error) {
    unanswered(error)
  }
}

/** Runs a program and asks `meanwhile` once a second; what that throws ends the program. */
async function runWatched(
  command: Command,
  exec: ExecOptions,
  meanwhile?: () => Promise<void>,
): Promise<Output> {
  if (meanwhile === undefined) return runProgram(command, exec)
  const stop = new AbortController()
  const signal = AbortSignal.any([exec.signal, stop.signal])
  let failed: unknown
  const running = runProgram(command, { ...exec, signal })
  let asking: Promise<void> | null = null
  const timer = setInterval(() => {
    asking ??= meanwhile().then(
      () => {
        asking = null
      },
      (error: unknown) => {
        failed = error ?? new RunError('stopped')
        stop.abort()
      },
    )
  }, 1000)
  try {
    return await running
  } catch (error) {
    throw failed ?? error
  } finally {
    clearInterval(timer)
    await asking
  }
}
