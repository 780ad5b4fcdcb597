// A real pseudo-terminal with a terminal behind it: what a person would see, and every byte that made it so.
import { spawn, type IPty } from '@lydell/node-pty'
import xterm, { type IBuffer } from '@xterm/headless'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Terminal extends AsyncDisposable {
  readonly pid: number
  /** The rows of the screen as text, without trailing blanks. */
  screen(): readonly string[]
  /** Everything on the main buffer, what has scrolled away included. */
  mainScreen(): readonly string[]
  /** The cells of what is shown, for who draws them. */
  shown(): IBuffer
  onAlternate(): boolean
  cursorHidden(): boolean
  /** Every byte that was written, as text. */
  bytes(): string
  type(keys: string): void
  resize(columns: number, rows: number): void
  signal(name: NodeJS.Signals): void
  /** Resolves when the screen holds it; throws with the screen after `ms`. */
  until(what: string | RegExp | ((screen: string) => boolean), ms?: number): Promise<void>
  /** Exit code, or the number of the signal that ended it. */
  readonly ended: Promise<{ readonly exitCode: number; readonly signal?: number | undefined }>
}

export interface TerminalOptions {
  readonly columns?: number
  readonly rows?: number
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Told of every chunk as it is written. */
  readonly heard?: (chunk: string) => void
}

export function openTerminal(file: string, args: readonly string[], options: TerminalOptions = {}): Terminal {
  const { columns = 100, rows = 30, cwd = process.cwd(), env = {}, heard } = options
  // The tests may run where CI is set; the terminal of a person has no such thing.
  const { CI: _ci, NO_COLOR: _noColor, FORCE_COLOR: _force, ...rest } = process.env
  const pty: IPty = spawn(file, [...args], {
    // It is what TERM will be.
    name: env['TERM'] ?? 'xterm-256color',
    cols: columns,
    rows,
    cwd,
    env: { ...rest, ...env },
  })
  const terminal = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 5000 })
  let bytes = ''
  pty.onData((data) => {
    bytes += data
    terminal.write(data)
    heard?.(data)
  })
  let exited = false
  const ended = new Promise<{ exitCode: number; signal?: number | undefined }>((resolve) =>
    pty.onExit((end) => {
      exited = true
      resolve(end)
    }),
  )
  const rowsOf = (buffer: typeof terminal.buffer.active, from: number): readonly string[] =>
    Array.from(
      { length: buffer.length - from },
      (_, row) => buffer.getLine(from + row)?.translateToString(true) ?? '',
    )
  const screen = (): readonly string[] => rowsOf(terminal.buffer.active, terminal.buffer.active.baseY)
  const flushed = (): Promise<void> => new Promise((resolve) => terminal.write('', resolve))
  return {
    pid: pty.pid,
    screen,
    mainScreen: () => rowsOf(terminal.buffer.normal, 0),
    shown: () => terminal.buffer.active,
    onAlternate: () => terminal.buffer.active.type === 'alternate',
    cursorHidden: () => bytes.lastIndexOf('\x1b[?25l') > bytes.lastIndexOf('\x1b[?25h'),
    bytes: () => bytes,
    type: (keys) => pty.write(keys),
    resize(wide, high) {
      pty.resize(wide, high)
      terminal.resize(wide, high)
    },
    signal: (name) => process.kill(pty.pid, name),
    async until(what, ms = 15_000) {
      const holds = (text: string): boolean =>
        typeof what === 'string'
          ? text.includes(what)
          : typeof what === 'function'
            ? what(text)
            : what.test(text)
      const end = Date.now() + ms
      for (;;) {
        await flushed()
        const text = screen().join('\n')
        if (holds(text)) return
        if (exited || Date.now() > end) throw new Error(`never seen: ${String(what)}\n${text}`)
        await sleep(25)
      }
    },
    ended: ended.then(async (end) => {
      await flushed()
      return end
    }),
    async [Symbol.asyncDispose]() {
      if (!exited) process.kill(pty.pid, 'SIGKILL')
      await ended
      terminal.dispose()
    },
  }
}
