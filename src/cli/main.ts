// The door: what was typed goes to its verb, errors become sentences; the only place that ends the process.
import { CommanderError } from 'commander'
import { NttError } from '../model/errors.ts'
import type { Flags } from './flags.ts'
import { lookers } from './manual.ts'
import { program } from './program.ts'

/** Whoever read our words has left (`ntt log | head`). Who makes something goes on, and the event log keeps what it says. */
function mute(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
  if (lookers.includes(program.args[0] ?? '')) process.exit(130)
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
    const { color, ascii } = program.opts<Flags>()
    const paint = color !== false && process.stderr.isTTY && process.env['NO_COLOR'] === undefined
    process.stderr.write(
      `${failureText(error, { color: paint, ascii: ascii === true, width: process.stderr.columns ?? 100 })}\n`,
    )
    process.exitCode = error instanceof NttError ? error.exitCode : 1
  }
}

await main()
