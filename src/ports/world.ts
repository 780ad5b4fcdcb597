// The ports, put together into what a stage may do: a Reader that cannot write, and a Writer.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from '../model/command.ts'
import { ObserveError } from '../model/errors.ts'
import type { CatalogueRow, Output, Reader, Transaction, Unit, Writer } from '../model/world.ts'
import { runProgram, streamProgram, unanswered, whereIs, type ExecOptions } from './exec.ts'
import { openRoom } from './room.ts'

/** For whom, and how it is told. */
export interface Speaker {
  readonly signal: AbortSignal
  readonly progress: (done: number, total: number | null, unit: Unit) => void
  readonly line: (text: string) => void
  /** Where left out, a note is a line like others. */
  readonly note?: (text: string) => void
}

const looks = ['path', 'stat', 'read', 'text', 'names', 'walk', 'fileBytes', 'forget'] as const
const makes = ['create', 'publish', 'part', 'discard', 'setAside'] as const
const reads = ['digest', 'digestOnce', 'hasher', 'unpack', 'blobs', 'writable', 'rehash'] as const
const stores = ['ingest', 'storeId', 'pack'] as const
type Files = Pick<Writer, (typeof looks)[number] | (typeof makes)[number]>
type Bytes = Pick<Writer, (typeof reads)[number] | (typeof stores)[number]>

/** These members of a port and no others: a Reader must not carry a way to write, not even at run time. */
const only = <Port extends object, Name extends keyof Port>(
  port: Port,
  names: readonly Name[],
): Pick<Port, Name> => Object.fromEntries(names.map((name) => [name, port[name]])) as Pick<Port, Name>

/** What the ports bring, each bound to whoever speaks through it. */
export interface Ports {
  readonly path: string
  files(speaker: Speaker): Files
  bytes(speaker: Speaker): Bytes
  /** null: there is no database yet. */
  readonly database: {
    query<Row>(sql: string, params?: readonly unknown[], signal?: AbortSignal): Promise<readonly Row[]>
    copyOut(sql: string, signal: AbortSignal): AsyncIterable<Buffer>
    transaction<T>(work: (tx: Transaction) => Promise<T>, signal?: AbortSignal): Promise<T>
  } | null
  catalogue(hash: string): Promise<CatalogueRow | null>
}

/** Everything that can look. */
export function makeReader(ports: Ports, speaker: Speaker): Reader {
  const exec: ExecOptions = { signal: speaker.signal, line: speaker.line, path: ports.path }
  const { database } = ports
  return {
    signal: speaker.signal,
    ...only(ports.files(speaker), looks),
    ...only(ports.bytes(speaker), reads),
    has: async (program) => (await whereIs(program, ports.path)) !== null,
    probe: (command) => runProgram(command, exec).catch(unanswered),
    stream: (command) => answers(command, exec),
    room: () => openRoom(exec),
    query: (sql, params) =>
      database === null ? Promise.reject(noDatabase()) : database.query(sql, params, speaker.signal),
    copyOut: (sql) => {
      if (database === null) throw noDatabase()
      return database.copyOut(sql, speaker.signal)
    },
    catalogue: (hash) => ports.catalogue(hash),
    progress: speaker.progress,
    line: speaker.line,
    note: speaker.note ?? speaker.line,
  }
}

/** What ties a Writer to its medium. */
export interface Ties {
  /** The number of the medium's row, made if need be. */
  readonly enrol: () => Promise<number>
  /** Throws inside a transaction if the medium is no longer ours. */
  readonly fence: (tx: Transaction) => Promise<void>
}

/** Everything that can change the world. Each transaction asks first whether the medium is still ours. */
export function makeWriter(ports: Ports, speaker: Speaker, { enrol, fence }: Ties): Writer {
  const exec: ExecOptions = { signal: speaker.signal, line: speaker.line, path: ports.path }
  const { database } = ports
  return {
    ...makeReader(ports, speaker),
    ...only(ports.files(speaker), makes),
    ...only(ports.bytes(speaker), stores),
    exec: (command, meanwhile) => runWatched(command, exec, meanwhile),
    transaction: (work) => {
      if (database === null) return Promise.reject(noDatabase())
      const fenced = async (tx: Transaction) => {
        await fence(tx)
        return work(tx)
      }
      return database.transaction(fenced, speaker.signal)
    },
    enrol,
  }
}

const noDatabase = (): ObserveError =>
  new ObserveError('there is no database yet', { hint: 'ntt apply makes it.' })

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
  const ended = new AbortController()
  const running = runProgram(command, { ...exec, signal: AbortSignal.any([exec.signal, stop.signal]) })
  const asking = askWhile(ended.signal, meanwhile).catch((error: unknown) => {
    stop.abort()
    throw error
  })
  const [ran, asked] = await Promise.allSettled([running.finally(() => ended.abort()), asking])
  if (asked.status === 'rejected') throw asked.reason
  if (ran.status === 'rejected') throw ran.reason
  return ran.value
}

/** Asks once a second until the signal says that there is nothing more to ask about. */
async function askWhile(ended: AbortSignal, ask: () => Promise<void>): Promise<void> {
  while (!ended.aborted) {
    await sleep(1000, undefined, { signal: ended }).catch((error: unknown) => {
      if (!ended.aborted) throw error
    })
    if (!ended.aborted) await ask()
  }
}
