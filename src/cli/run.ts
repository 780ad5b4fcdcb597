// A run: its name, its log, its locks and its hands. Begins with run.started, ends with run.finished, and nothing is said outside.
import type { Hands } from '../apply/hands.ts'
import { anchorLog, endLog, sealRun } from '../evidence.ts'
import { remember } from '../identify/known.ts'
import { LockedError, RunError, type ExitCode } from '../model/errors.ts'
import type { Emit, Event } from '../model/event.ts'
import type { Medium, StageName } from '../model/medium.ts'
import { withoutPasswords } from '../model/passwords.ts'
import type { Unit } from '../model/world.ts'
import { openLog, type Log } from '../ports/log.ts'
import { holdMedium, type Hold } from '../ports/locks.ts'
import type { Database } from '../ports/postgres.ts'
import { makeReader, makeWriter, type Speaker } from '../ports/world.ts'
import { appendProof } from '../record.ts'
import { logLine } from '../views/jsonl.ts'
import { openStream } from './stream.ts'
import type { Session, WritingSession } from './session.ts'
import { version } from './root.ts'

export interface RunOptions {
  readonly verb: string
  readonly arguments: readonly string[]
  /** Told of every event after it has been written to the log. */
  readonly reader: (event: Event) => void
  /** Fires when nothing new may be started. */
  readonly stopping: AbortSignal
  /** Resolves when the person has not paused. */
  readonly unpaused: () => Promise<void>
  /** Wait for media that another ntt holds. */
  readonly wait: boolean
}

export interface Run {
  readonly hands: Hands
  readonly emit: Emit
  /** Says how it ended, and anchors the log's head in the database. */
  finish(exit: ExitCode, ends: { readonly converged: number; readonly failed: number }): Promise<ExitCode>
}

/** Progress is told at most this often; the longer a step takes, the less often, so that a log of days stays small. */
const [leastMs, mostMs] = [200, 10_000]

export async function startRun(session: WritingSession, options: RunOptions): Promise<Run> {
  const { database, host, run, config } = session
  const log = openLog(config.log)
  const began = performance.now()
  const seconds = (): number => (performance.now() - began) / 1000
  const emit = openStream({
    run,
    host,
    pid: process.pid,
    now: () => new Date(),
    taken: () => log.lines,
    readers: [
      (event) => log.append(logLine(event), event.type === 'step.done' || event.type === 'run.finished'),
      options.reader,
    ],
  })
  await database.transaction((tx) => remember(tx, session.learned))
  await database.transaction((tx) =>
    tx.execute(
      'insert into run (run, verb, host, pid, version, started_at) values ($1, $2, $3, $4, $5, now())',
      [run, options.verb, host, process.pid, version],
    ),
  )
  emit({ type: 'run.started', verb: options.verb, version, arguments: withoutPasswords(options.arguments) })
  return {
    hands: makeHands(session, database, emit, log, seconds, options),
    emit,
    async finish(exit, { converged, failed }) {
      const told = (evidence: string | null): void =>
        emit({ type: 'run.finished', exitCode: exit, durationSec: seconds(), converged, failed, evidence })
      try {
        log.sync()
        const seal = await database
          .transaction((tx) => sealRun(tx, run, exit, log))
          .catch((error: unknown) => {
            told(null)
            throw error
          })
        told(seal)
        await database.transaction((tx) => endLog(tx, run, log))
      } finally {
        log.close()
      }
      return exit
    },
  }
}

function makeHands(
  session: Session,
  database: Database,
  emit: Emit,
  log: Log,
  seconds: () => number,
  options: RunOptions,
): Hands {
  const { ports, eyes, run, host, signal } = session
  const holds = new Map<string, Hold>()
  const speaker = (medium: Medium, stage: StageName, stop: AbortSignal): Speaker => ({
    signal: AbortSignal.any([signal, stop]),
    line: (text) => emit({ type: 'step.line', ...at(medium, stage), text: text.slice(0, 2000) }),
    note: (text) =>
      emit({ type: 'step.line', ...at(medium, stage), text: text.slice(0, 2000), notable: true }),
    progress: throttled((done, total, unit) =>
      emit({
        type: 'step.progress',
        ...at(medium, stage),
        done,
        total,
        unit,
      }),
    ),
  })
  const holdOf = (medium: Medium): Hold => {
    const hold = holds.get(medium.hash)
    if (hold === undefined) throw new LockedError(`${medium.name} is not held by this run`)
    return hold
  }
  const reader = makeReader(ports, { signal, progress: () => {}, line: () => {} })
  return {
    ...eyes,
    run,
    host,
    emit,
    seconds,
    now: () => new Date(),
    stopping: options.stopping,
    unpaused: options.unpaused,
    reader: () => reader,
    writer: (medium, stage, stop) =>
      makeWriter(ports, speaker(medium, stage, stop), {
        enrol: () => enrol(database, medium),
        fence: (tx) => holdOf(medium).fence(tx),
      }),
    async hold(medium) {
      const hold = await holdMedium(database, {
        hash: medium.hash,
        name: medium.name,
        run,
        host,
        pid: process.pid,
        // Who only waits has nothing to bring to its end.
        signal: options.wait ? AbortSignal.any([signal, options.stopping]) : signal,
        ...(options.wait ? { wait: (holder: string) => waiting(emit, medium, holder) } : {}),
      })
      const release = async (): Promise<void> => {
        holds.delete(medium.hash)
        await hold.release()
      }
      holds.set(medium.hash, hold)
      try {
        await enrol(database, medium)
      } catch (error) {
        // A connection that is left open would be waited for at the end, for ever.
        await release()
        throw error
      }
      return { signal: hold.signal, release }
    },
    async record(medium, proof, claim) {
      const hold = holdOf(medium)
      // What the database is about to remember of the log must survive a power cut as well.
      log.sync()
      const { lines, head } = log
      await database.transaction(async (tx) => {
        await appendProof(tx, { medium: medium.hash, proof, claim, fence: (inside) => hold.fence(inside) })
        await anchorLog(tx, run, { lines, head })
      })
    },
  }
}

const waiting = (emit: Emit, medium: Medium, holder: string): void =>
  emit({
    type: 'medium.waiting',
    medium: medium.name,
    hash: medium.hash,
    text: `${medium.name} is ${holder}`,
  })

/** The row of a medium, made or brought up to what is declared; what a person once wrote is never emptied. */
async function enrol(database: Database, medium: Medium): Promise<number> {
  const imagePath = medium.source.type === 'image' ? medium.source.path : null
  return database.transaction(async (tx) => {
    const [row] = await tx.query<{ medium_id: number }>(
      `insert into medium as m (medium_hash, hash_version, name, kind, medium_human, message, image_path, source)
       values ($1, $2, $3, $4, $5, $5, $6, $7)
       on conflict (medium_hash) do update
         set name = excluded.name, kind = excluded.kind,
             medium_human = coalesce(m.medium_human, excluded.medium_human),
             message = coalesce(m.message, excluded.message),
             image_path = coalesce(excluded.image_path, m.image_path),
             source = excluded.source
       returning medium_id`,
      [
        medium.hash,
        medium.version,
        medium.name,
        medium.kind,
        medium.label,
        imagePath,
        `${medium.source.type}:${medium.source.path}`,
      ],
    )
    if (row === undefined) throw new RunError(`no row was made for ${medium.name}`)
    return row.medium_id
  })
}

const at = ({ name, hash }: Medium, stage: StageName) => ({ medium: name, hash, stage }) as const

/** At most one report in a while for each unit, and always the last one of a count that is complete. */
function throttled(tell: Speaker['progress']): Speaker['progress'] {
  const began = performance.now()
  const told = new Map<Unit, number>()
  return (done: number, total: number | null, unit: Unit) => {
    const now = performance.now()
    const everyMs = Math.min(mostMs, Math.max(leastMs, (now - began) / 100))
    if (now - (told.get(unit) ?? Number.NEGATIVE_INFINITY) < everyMs && done !== total) return
    told.set(unit, now)
    tell(done, total, unit)
  }
}
