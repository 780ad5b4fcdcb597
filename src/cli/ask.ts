// The one question: on stderr, so that a document on stdout stays one; only `yes` is taken for yes.
import { createInterface } from 'node:readline/promises'
import { InterruptedError, UsageError } from '../model/errors.ts'
import { command, type Manner } from '../views/paint.ts'

/** Throws UsageError where nobody could be asked. `verb`: what carries it out unasked, with --yes. */
export function refuseUnasked(verb: string, manner: Manner): void {
  if (process.stdin.isTTY) return
  throw new UsageError('nobody is there to ask', {
    hint: `${command(`${verb} --yes`, manner)} carries it out unasked`,
  })
}

/** Whether a person says yes. Throws InterruptedError where they go away instead. */
export async function isWanted(verb: string, manner: Manner): Promise<boolean> {
  refuseUnasked(verb, manner)
  const ask = createInterface({ input: process.stdin, output: process.stderr })
  const left = new Promise<null>((resolve) => ask.once('close', () => resolve(null)))
  process.stderr.write('\n')
  try {
    // The question is the prompt of the line: written before it, it would be wiped away by it.
    const answer = await Promise.race([ask.question('Do this? Only yes is taken for yes: '), left])
    if (answer === null) throw new InterruptedError('nothing was done')
    if (answer.trim() === 'yes') return true
  } finally {
    ask.close()
  }
  process.stderr.write('Nothing was done: only yes is taken for yes.\n')
  return false
}
