// Opens the screen on the alternate buffer, feeds it, and gives the terminal back in every way of ending.
import { render } from 'ink'
import type { Event } from '../../model/event.ts'
import type { RunView } from '../../model/run-view.ts'
import { Screen, type ScreenManner } from './Screen.tsx'
import { ScreenStore, type Commands, type Purpose } from './store.ts'

export interface ScreenOptions {
  readonly purpose?: Purpose
  readonly manner: ScreenManner
  readonly commands: Commands
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  /** Milliseconds since 1970; for a replay the time of the log. */
  readonly now: () => number
}

export interface OpenScreen {
  read(event: Event): void
  /** Another view altogether, for who does not follow events. */
  show(view: RunView): void
  /** The folded view of all that was read. */
  view(): RunView
  /** Gives the terminal back; resolves when it is as it was. */
  close(): Promise<void>
  /** Resolves when the screen is closed; rejects when it broke, with the terminal given back already. */
  readonly finished: Promise<void>
}

/** Milliseconds between two looks of the screen at its store: eight frames a second. */
const tickMs = 125

/** stdin and stdout must be terminals. */
export function openScreen({
  purpose = 'run',
  manner,
  commands,
  stdin,
  stdout,
  now,
}: ScreenOptions): OpenScreen {
  const size = () => ({ columns: stdout.columns, rows: stdout.rows })
  const store = new ScreenStore({ purpose, commands, size: size(), now })
  const app = render(<Screen store={store} manner={manner} />, {
    stdin,
    stdout,
    alternateScreen: true,
    exitOnCtrlC: false,
    incrementalRendering: true,
    maxFps: 20,
    patchConsole: false,
  })
  /** The screen is only a reader: what breaks it must not break who speaks to it. */
  const guarded = (work: () => void): void => {
    try {
      work()
    } catch (error) {
      app.unmount(error instanceof Error ? error : new Error(String(error)))
    }
  }
  const timer = setInterval(() => guarded(() => store.tick()), tickMs)
  const resized = (): void => guarded(() => store.resize(size()))
  stdout.on('resize', resized)
  const finished = app.waitUntilExit().then(
    () => undefined,
    (error: unknown) => {
      throw error instanceof Error ? error : new Error(String(error))
    },
  )
  const stop = (): void => {
    clearInterval(timer)
    stdout.off('resize', resized)
  }
  const ended = finished.finally(stop)
  return {
    read: (event) => guarded(() => store.read(event)),
    show: (view) => guarded(() => store.show(view)),
    view: store.view,
    async close() {
      stop()
      app.unmount()
      await ended
    },
    finished: ended,
  }
}
