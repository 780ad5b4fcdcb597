// ntt why: the facts behind every verdict of one medium, or about one content.
import { UsageError, type ExitCode } from '../model/errors.ts'
import { planExit } from '../plan.ts'
import { whyText } from '../views/why.ts'
import { content, isHash } from './content.ts'
import { look, meant, select } from './look.ts'
import type { Flags } from './flags.ts'
import { openVerb } from './verb.ts'

export async function whyVerb([name = '', stage]: readonly string[], flags: Flags): Promise<ExitCode> {
  await using verb = await openVerb(flags, { writes: false, named: [name] })
  if (stage === undefined && isHash(name) && verb.declarations.every((one) => one.name !== name))
    return await content(verb.session, name, flags.json === true, verb)
  const { plan, observed } = await look(verb.session, select(verb.declarations, [name]))
  const [whole] = plan.lanes
  const seen = observed.get(name)
  if (whole === undefined || seen === undefined) throw new UsageError(`no medium is called ${name}`)
  const lane =
    stage === undefined ? whole : { ...whole, steps: whole.steps.filter((step) => step.stage === stage) }
  if (lane.steps.length === 0) {
    const names = whole.steps.map((step) => step.stage)
    throw new UsageError(`${name} has no stage ${stage}`, {
      hint: meant(stage ?? '', names, `It has ${names.join(', ')}.`),
    })
  }
  if (flags.json === true)
    verb.write(
      `${JSON.stringify({ lane, observations: seen.observations, proofs: seen.proofs, claims: seen.claims })}\n`,
    )
  else verb.write(whyText({ lane, observed: seen }, Date.now(), verb.manner))
  return planExit({ lanes: [lane] })
}
