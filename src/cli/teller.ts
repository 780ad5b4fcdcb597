// Who tells a run: events as JSON lines, plain lines, or the screen.
import type { Event } from '../model/event.ts'
import { lineText } from '../views/jsonl.ts'
import { openPlain } from '../views/plain.ts'
import type { Flags } from './main.ts'
import type { Verb } from './verb.ts'

export interface Teller {
  readonly read: (event: Event) => void
  readonly unpaused: () => Promise<void>
  close(): Promise<void>
}

export async function openTeller(verb: Verb, flags: Flags): Promise<Teller> {
  const unpaused = async (): Promise<void> => {}
  if (flags.json === true) {
    return { read: (event) => verb.write(`${lineText(event)}\n`), unpaused, close: async () => {} }
  }
  const plain = openPlain({
    manner: verb.manner,
    write: verb.write,
    verbose: flags.verbose === true,
    quiet: flags.quiet === true,
  })
  const timer = setInterval(() => plain.tick(Date.now()), 5000)
  return {
    read: (event) => plain.read(event),
    unpaused,
    close: async () => clearInterval(timer),
  }
}
