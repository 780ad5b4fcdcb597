// What all verbs share: configuration, declarations, a session, signals, and the way to the terminal.
import { readConfig, type Config } from '../config.ts'
import type { Declaration } from '../model/medium.ts'
import type { Manner } from '../views/paint.ts'
import { readDeclarations } from './look.ts'
import type { Flags } from './flags.ts'
import type { Out } from './out.ts'
import { openSession, type Session, type WritingSession } from './session.ts'
import { catchSignals, type Signals } from './signals.ts'

export interface Verb extends AsyncDisposable {
  readonly config: Config
  readonly declarations: readonly Declaration[]
  readonly session: Session
  readonly signals: Signals
  readonly manner: Manner
  readonly write: (text: string) => void
}

export interface WritingVerb extends Verb {
  readonly session: WritingSession
}

/** The configuration that these flags ask for. `anywhere`: the folder itself is the project where no media.d is found. */
export const configOf = ({ C: directory, json, plain, ...flags }: Flags, anywhere = false): Config =>
  readConfig(
    { ...flags, plain: plain === true || json === true, ...(directory === undefined ? {} : { directory }) },
    undefined,
    anywhere,
  )

/** How text is written to stdout. */
export const mannerOf = ({ display }: Config): Manner => ({
  leading: display.leading,
  color: display.color,
  ascii: display.ascii,
  width: display.plain ? Number.POSITIVE_INFINITY : (process.stdout.columns ?? 100),
})

export const outOf = (config: Config): Out => ({
  manner: mannerOf(config),
  write: (text) => void process.stdout.write(text),
})

export interface VerbOptions {
  readonly writes: boolean
  /** The folder itself is the project where no media.d is found, and documents that are wrong are for others to judge. */
  readonly anywhere?: boolean
  /** Only these media are asked for, where there are any. */
  readonly named?: readonly string[]
  /** A database that is lost is to be made anew. */
  readonly anew?: boolean
  /** What was typed against what is declared; a slip is told before a database is made or waited for. */
  readonly check?: (declarations: readonly Declaration[]) => void
}

export async function openVerb(
  flags: Flags,
  options: VerbOptions & { readonly writes: true },
): Promise<WritingVerb>
export async function openVerb(flags: Flags, options: VerbOptions): Promise<Verb>
export async function openVerb(
  flags: Flags,
  { writes, anywhere = false, named = [], anew = false, check }: VerbOptions,
): Promise<Verb> {
  const config = configOf(flags, anywhere)
  const declarations = config.hasMedia
    ? await readDeclarations(config, anywhere ? 'none' : named.length > 0 ? named : 'all')
    : []
  check?.(declarations)
  const signals = catchSignals()
  try {
    const session = await openSession({ config, declarations, writes, anew, signal: signals.now })
    return {
      config,
      declarations,
      session,
      signals,
      manner: mannerOf(config),
      write: (text) => process.stdout.write(text),
      async [Symbol.asyncDispose]() {
        await session[Symbol.asyncDispose]()
        signals.release()
      },
    }
  } catch (error) {
    signals.release()
    throw error
  }
}
