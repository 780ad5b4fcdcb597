// ntt find: files of all loaded media by name or path, with their contents; writes nothing.
import { once } from 'node:events'
import { counted } from '../model/counted.ts'
import type { ExitCode } from '../model/errors.ts'
import { typedPattern } from '../model/typed-path.ts'
import { readable } from '../views/format.ts'
import { foundLine } from '../views/found.ts'
import { render } from '../views/paint.ts'
import type { Flags } from './flags.ts'
import { entriesLike, knownAs, knownMedia } from './rows.ts'
import { openVerb } from './verb.ts'

const namesShown = 5

/** 0: all that was asked for was searched, whether anything was found or not. 5: of some media there are no rows. */
export async function findVerb([typed = '', ...named]: readonly string[], flags: Flags): Promise<ExitCode> {
  const pattern = typedPattern(typed)
  await using verb = await openVerb(flags, { writes: false, named })
  const { session, declarations, manner, write } = verb
  const { database, media, isLoaded } = await knownMedia(verb)
  const wanted = named.length > 0 ? named : [...new Set([...media, ...declarations].map(({ name }) => name))]
  const unsearched: string[] = []
  let found = 0
  for (const name of wanted) {
    const medium = knownAs(name, media, declarations)
    if (medium === null || !(await isLoaded(medium))) {
      unsearched.push(name)
      continue
    }
    for await (const entry of entriesLike(medium, pattern, database, session.signal)) {
      found += 1
      write(flags.json === true ? `${JSON.stringify(entry)}\n` : render([foundLine(entry)], manner))
      if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain')
    }
  }
  if (found === 0 && flags.json !== true) process.stderr.write('Nothing that was searched matches.\n')
  if (unsearched.length === 0) return 0
  const names = unsearched.slice(0, namesShown).map(readable).join(', ')
  const more = unsearched.length > namesShown ? ', …' : ''
  process.stderr.write(
    `Not searched, because not loaded: ${counted(unsearched.length, 'medium', 'media')} (${names}${more}).\n`,
  )
  return 5
}
