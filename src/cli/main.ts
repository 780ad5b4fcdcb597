// The door: what was typed goes to its verb, errors become sentences; the only place that ends the process.
import { writeSync } from 'node:fs'
import { CommanderError } from 'commander'
import { chooseDisplay } from '../config/display.ts'
import { NttError } from '../model/errors.ts'
import type { Flags } from './flags.ts'
import { lookers } from './manual.ts'
import { program } from './program.ts'

let isTold = false

/**
 * Whoever read our words has left (`ntt log | head`), or they cannot be written (`> report` on a full disk). Who makes something goes on,
 * and the event log keeps what it says.
 */
function mute(error: NodeJS.ErrnoException): void {
  const looks = lookers.includes(program.args[0] ?? '')
  if (error.code === 'EPIPE') {
    if (looks) process.exit(130)
    return
  }
  if (!isTold) {
    isTold = true
    const end = looks ? '' : '; the work goes on, and the event log keeps what is said'
    try {
      writeSync(2, `error: the output cannot be written: ${error.code ?? error.message}${end}\n`)
    } catch {
      // There is nowhere left to say it; the exit code does.
    }
  }
  if (looks) process.exit(1)
}

/** Ends the process; nobody else does. */
async function main(): Promise<void> {
  // What is made can be read by others and written by us, whoever started us with whatever mask.
  process.umask(0o022)
  process.stdout.on('error', mute)
  process.stderr.on('error', mute)
  const typed = process.argv.slice(2)
  const about = typed[0] === 'help' ? typed[1] : undefined
  // Help about a verb that is none is answered as that verb itself would be.
  const isNone =
    about !== undefined && about !== 'help' && program.commands.every((one) => one.name() !== about)
  try {
    await program.parseAsync(isNone ? [about] : typed, { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 1
      return
    }
    const { failureText } = await import('../views/failure.ts')
    const { C: directory, ...flags } = program.opts<Flags>()
    const words = { ...flags, ...(directory === undefined ? {} : { directory }) }
    // The settings may be what is wrong: what was typed and where we are is all there is to go by.
    const place = { environment: process.env, isTerminal: process.stderr.isTTY }
    const width = process.stderr.columns ?? 100
    const told = failureText(error, { ...chooseDisplay(words, place, {}), width })
    process.stderr.write(
      `${error instanceof NttError ? told : (await import('./sources.ts')).inSources(told)}\n`,
    )
    process.exitCode = error instanceof NttError ? error.exitCode : 1
  }
}

await main()
