// ntt add, from flags: a look at the source with the same eyes that a plan has.
import { UsageError, type ExitCode } from '../model/errors.ts'
import { kindNames, type Target } from '../model/medium.ts'
import { add } from './add.ts'
import type { Flags } from './flags.ts'
import { openVerb } from './verb.ts'

interface AddFlags extends Flags {
  readonly name?: string
  readonly label?: string
  readonly kind?: string
  readonly target?: Target
}

export async function addVerb([source]: readonly string[], flags: AddFlags): Promise<ExitCode> {
  if (source === undefined) throw new UsageError('what is to be added?')
  await using verb = await openVerb(flags, { writes: false, anywhere: true })
  const { name, label, target, json } = flags
  const kind = kindNames.find((one) => one === flags.kind)
  const { eyes } = verb.session
  // Awaited: what is open is closed when this function is left.
  return await add(
    verb.config,
    {
      source,
      folder: process.cwd(),
      ...(name === undefined ? {} : { name }),
      ...(label === undefined ? {} : { label }),
      ...(kind === undefined ? {} : { kind }),
      ...(target === undefined ? {} : { target }),
      ...(json === undefined ? {} : { json }),
    },
    { world: eyes.reader('add'), identify: (declaration, world) => eyes.identify(declaration, world) },
    verb,
  )
}
