// The chain of the event log: by what a line is bound to the one before it, and every place where the lines do not hold together.
import { counted } from './counted.ts'
import { createHash } from 'node:crypto'
import type { Flaw } from './evidence.ts'

/** SHA-256 of one line without its newline, 64 hex digits. */
export const lineHash = (line: string | Buffer): string => createHash('sha256').update(line).digest('hex')

/** What the first line of a log is chained to. */
export const firstPrev = '0'.repeat(64)

/** What the database remembers of a run's log. */
export interface Anchor {
  readonly host: string
  /** Lines, and the hash of the last of them; at least so many must be there. */
  readonly events: number
  readonly head: string | null
  /** That last line is the run's last one. */
  readonly ended: boolean
  /** It began before runs were sealed, and was chained to nothing before it. */
  readonly isOlder: boolean
}

/** A run as its lines were met. */
interface Met {
  seq: number
  head: string
  where: string
  finished: boolean
}

/** A line that is only begun. */
interface Torn {
  readonly where: string
  /** Runs that had begun before it and not ended: a power cut ends them. */
  readonly alive: ReadonlySet<string>
}

/** A run may begin behind any of the lines that were written while it opened the log. */
const recentKept = 4096

/** Goes through the lines of a log, oldest first, and says where one was altered, dropped, moved or put in. */
export class LogChain {
  readonly #runs: ReadonlyMap<string, Anchor>
  readonly #host: string
  readonly #met = new Map<string, Met>()
  readonly #strangers = new Map<string, { where: string; lines: number }>()
  readonly #recent: string[] = []
  #hasEnded = false
  lines = 0
  readonly flaws: Flaw[] = []
  /** Lines that a power cut or a full disk has torn, by their place. */
  readonly torn: string[] = []
  /** Those that do not say whose they are, so that only a power cut explains them. */
  readonly #nameless: Torn[] = []
  /** `runs`: all that the database knows; of those of `host` the lines must be here. */
  constructor(runs: ReadonlyMap<string, Anchor>, host: string) {
    this.#runs = runs
    this.#host = host
  }

  /** The next file of the log begins. */
  file(): void {
    this.#hasEnded = false
  }

  /** The next line, without its newline; `whole`: it had one. */
  line(where: string, bytes: Buffer, whole = true): void {
    const link = whole ? parseLink(bytes) : null
    if (link === null) {
      if (!whole || isTorn(bytes)) this.#tear(where, bytes)
      else this.#flaw(where, 'it is no line of ntt: altered, or put in')
      return
    }
    this.lines += 1
    const hash = lineHash(bytes)
    this.#follow(where, link, hash)
    this.#recent.push(hash)
    if (this.#recent.length > 2 * recentKept) this.#recent.splice(0, recentKept)
    if (link.event === 'run_finished') this.#hasEnded = true
  }

  /** After the last line: what is missing at the ends of runs, and whole runs. */
  end(): void {
    for (const [run, { where, lines }] of this.#strangers)
      this.#flaw(where, `${counted(lines, 'line')} of run ${run}, which the database does not know`)
    for (const [run, { host, events, ended }] of this.#runs) {
      if (host !== this.#host) continue
      const met = this.#met.get(run)
      const there = met?.seq ?? 0
      if (there === 0 && events > 0) this.#flaw(`run ${run}`, `all its ${events} lines are missing`)
      else if (there < events)
        this.#flaw(
          met?.where ?? `run ${run}`,
          `run ${run} ends here, and ${events - there} of its ${counted(events, 'line')} ${events - there === 1 ? 'is' : 'are'} missing`,
        )
      else if (ended && there > events)
        this.#flaw(
          met?.where ?? `run ${run}`,
          `${counted(there - events, 'line')} put in behind the end of run ${run}`,
        )
    }
  }

  /** Half a line is honest where it is the next one of its run, or where all that were at work ended with it. */
  #tear(where: string, bytes: Buffer): void {
    const half = parseHalf(bytes)
    if (half === null) {
      const alive = [...this.#met].flatMap(([run, { finished }]) => (finished ? [] : [run]))
      this.#nameless.push({ where, alive: new Set(alive) })
      this.torn.push(where)
      return
    }
    const met = this.#met.get(half.run)
    if (met?.finished !== true && half.seq === (met?.seq ?? 0) + 1) this.torn.push(where)
    else
      this.#flaw(where, `half of line ${half.seq} of run ${half.run}, which is not its next one here: put in`)
  }

  /** A run that goes on was not ended by a power cut. */
  #outlives(run: string): void {
    for (const { where, alive } of this.#nameless.splice(0)) {
      if (!alive.has(run)) {
        this.#nameless.push({ where, alive })
        continue
      }
      this.torn.splice(this.torn.indexOf(where), 1)
      this.#flaw(where, `half a line, and run ${run} went on behind it: altered, or put in`)
    }
  }

  #follow(where: string, { run, seq, prev, event }: Link, hash: string): void {
    const anchor = this.#runs.get(run)
    if (anchor === undefined) {
      const known = this.#strangers.get(run) ?? { where, lines: 0 }
      this.#strangers.set(run, { ...known, lines: known.lines + 1 })
      return
    }
    this.#outlives(run)
    const met = this.#met.get(run)
    if (met === undefined) {
      if (seq > 1)
        this.#flaw(where, `${counted(seq - 1, 'line is', 'lines are')} missing before it of run ${run}`)
      else if (!anchor.isOlder && !this.#mayBegin(prev))
        this.#flaw(where, `run ${run} began behind a line that is not before it: moved, or the log was cut`)
    } else if (prev !== met.head) {
      if (seq <= met.seq) {
        this.#flaw(where, `line ${seq} of run ${run} once more, or out of its order`)
        return
      }
      if (seq > met.seq + 1)
        this.#flaw(
          where,
          `${counted(seq - met.seq - 1, 'line is', 'lines are')} missing before it of run ${run}`,
        )
      else this.#flaw(met.where, `altered: the next line of run ${run}, ${where}, remembers another one`)
    } else if (seq !== met.seq + 1) this.#flaw(where, `it says it is line ${seq} of run ${run}: altered`)
    if (met?.finished === true) this.#flaw(where, `it follows the last line of run ${run}: put in`)
    const at = met === undefined ? seq : Math.max(seq, met.seq + 1)
    if (at === anchor.events && anchor.head !== hash)
      this.#flaw(where, `line ${seq} of run ${run} is not the one that the database remembers: altered`)
    this.#met.set(run, { seq: at, head: hash, where, finished: event === 'run_finished' })
  }

  /** A new log, or one that was turned over: only runs that opened it before any had ended began it. */
  #mayBegin(prev: string): boolean {
    if (prev === firstPrev) return !this.#hasEnded
    return this.#recent.includes(prev)
  }

  #flaw(where: string, text: string): void {
    this.flaws.push({ where, text })
  }
}

interface Link {
  readonly run: string
  readonly seq: number
  readonly prev: string
  readonly event: unknown
}

function parseLink(bytes: Buffer): Link | null {
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null) return null
  const { run, seq, prev, event } = value as Readonly<Record<string, unknown>>
  return typeof run === 'string' && typeof seq === 'number' && typeof prev === 'string'
    ? { run, seq, prev, event }
    : null
}

/** Whose line it is, and which, where so much of it is there. */
function parseHalf(bytes: Buffer): Pick<Link, 'run' | 'seq'> | null {
  const [, run, seq] =
    /^\{"ts":"[^"]*","run":"([^"]*)","host":"(?:[^"\\]|\\.)*","pid":\d+,"seq":(\d+),/.exec(
      bytes.toString('utf8', 0, 1024),
    ) ?? []
  return run === undefined ? null : { run, seq: Number(seq) }
}

/** The beginning of a line, or nothing of it, and zeros where the disk had not got the rest. */
function isTorn(bytes: Buffer): boolean {
  const end = bytes.findLastIndex((byte) => byte !== 0) + 1
  const text = bytes.toString('utf8', 0, end)
  const opening = '{"ts":"'
  return !text.endsWith('}') && (text.startsWith(opening) || opening.startsWith(text))
}
