// Who tells a run: events as JSON lines, plain lines, or the screen.
import type { Event } from '../model/event.ts'
import { lineText } from '../views/jsonl.ts'
import { openPlain } from '../views/plain.ts'
import { summaryText } from '../views/summary.ts'
import type { Flags } from './flags.ts'
import type { Verb } from './verb.ts'

export interface Teller {
  readonly read: (event: Event) => void
  /** Resolves when the person has not paused. */
  readonly unpaused: () => Promise<void>
  /** Gives the terminal back. Throws what broke the screen, if something did. */
  close(): Promise<void>
}

export async function openTeller(verb: Verb, flags: Flags): Promise<Teller> {
  if (flags.json === true) {
    return {
      read: (event) => verb.write(`${lineText(event)}\n`),
      unpaused: async () => {},
      close: async () => {},
    }
  }
  return verb.config.display.plain ? tellPlainly(verb, flags) : tellOnScreen(verb)
}

function tellPlainly({ manner, write }: Verb, { verbose = false, quiet = false }: Flags): Teller {
  const plain = openPlain({ manner, write, verbose, quiet })
  const timer = setInterval(() => plain.tick(Date.now()), 5000)
  return {
    read: (event) => plain.read(event),
    unpaused: async () => {},
    close: async () => clearInterval(timer),
  }
}

async function tellOnScreen({ config, manner, write, signals }: Verb): Promise<Teller> {
  const { openScreen } = await import('../views/tui/start.tsx')
  const gate = new Gate()
  const screen = openScreen({
    manner: config.display,
    commands: { pause: (paused) => gate.set(paused), stop: () => signals.stop() },
    stdin: process.stdin,
    stdout: process.stdout,
    now: Date.now,
  })
  // A stop must not wait for a pause to end.
  signals.onStop(() => gate.set(false))
  let broken: unknown
  // Nobody sees the run any more: what runs is ended well, and the person is told why.
  const watched = screen.finished.catch((error: unknown) => {
    broken = error
    signals.stop()
  })
  return {
    read: (event) => screen.read(event),
    unpaused: () => gate.passed(),
    async close() {
      await screen.close().catch((error: unknown) => {
        broken ??= error
      })
      await watched
      if (broken !== undefined) throw broken
      write(summaryText(screen.view(), manner))
    },
  }
}

/** Shut while the person has paused. */
class Gate {
  #open: Promise<void> = Promise.resolve()
  #release: () => void = () => {}
  set(shut: boolean): void {
    this.#release()
    if (!shut) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#open = promise
    this.#release = resolve
  }
  passed(): Promise<void> {
    return this.#open
  }
}
