// What a plan of all that is declared does not show: media that were met and are declared no more, archives that nothing declares.
import { count, counted } from '../model/counted.ts'
import { strangers } from '../model/declared.ts'
import { targetOf, stageNames, targets } from '../model/medium.ts'
import { latestOf } from '../model/proofs.ts'
import type { Observed } from '../model/stage.ts'
import { wrap } from '../views/format.ts'
import { command, type Manner } from '../views/paint.ts'
import type { Session } from './session.ts'
import type { Verb } from './verb.ts'

const namesShown = 5

/** A sentence with the way out, or nothing. `observed`: every declared medium. */
export async function tellStrangers(
  { database, eyes }: Session,
  observed: readonly Observed[],
  manner: Manner,
): Promise<readonly string[]> {
  const met =
    database === null
      ? []
      : await database.query<{ hash: string; name: string | null }>(
          'select medium_hash as hash, name from medium order by name, medium_hash',
        )
  const beyond = observed.flatMap((one) => tellBeyond(one, manner))
  const { undeclared } = strangers(
    observed.map(({ medium }) => ({ name: medium.name, hash: medium.hash })),
    met,
  )
  if (undeclared.length > 0) {
    const names = undeclared.slice(0, namesShown).map(({ name, hash }) => name ?? hash.slice(0, 8))
    const rest = undeclared.length - names.length
    const are = undeclared.length === 1 ? 'is' : 'are'
    return [
      ...beyond,
      `${counted(undeclared.length, 'medium', 'media')} of the database ${are} declared by no file of media.d, and nothing is done with ${undeclared.length === 1 ? 'it' : 'them'}: ${names.join(', ')}${rest > 0 ? `, and ${count(rest)} more (${command('audit -v', manner)})` : ''}.`,
      `If a file was lost, put it back, or write it again: ${command('add SOURCE --name NAME', manner)}`,
    ]
  }
  if (observed.length + met.length > 0) return beyond
  const archives = ((await eyes.reader('plan').names('archive:')) ?? []).filter((name) =>
    /^[0-9a-f]{32}\.tar\.zst$/.test(name),
  )
  if (archives.length === 0) return []
  const are = archives.length === 1 ? '1 archive is' : `${count(archives.length)} archives are`
  return [
    `${are} there, of media that neither media.d nor the database knows. To make their files and the catalogue again, run:`,
    `    ${command('rebuild', manner)}`,
  ]
}

/** A product of more than is declared, which failed its last proof: no step of the plan mends it. */
function tellBeyond({ medium, observations, proofs }: Observed, manner: Manner): readonly string[] {
  if (medium.hash === null) return []
  const top = stageNames.indexOf(targets[medium.target])
  return observations
    .filter(({ stage }) => stageNames.indexOf(stage) > top)
    .flatMap((one) => {
      const own = proofs.filter(({ stage }) => stage === one.stage)
      if (!('of' in one) || latestOf(one.of, own)?.ok !== false) return []
      return [
        `${medium.name} ${one.stage} failed its last verification, and ${medium.name} is declared as ${medium.target}: nothing is done with it. \`target: ${targetOf[one.stage]}\` lets ${command(`apply ${medium.name}`, manner)} mend it; ${command(`verify --depth hash ${medium.name}`, manner)} reads it again.`,
      ]
    })
}

/** The same, where no plan is shown. */
export async function writeStrangers(
  { session, manner, write }: Pick<Verb, 'session' | 'manner' | 'write'>,
  observed: readonly Observed[],
): Promise<void> {
  for (const text of await tellStrangers(session, observed, manner))
    write(`${wrap(text, manner.width).join('\n')}\n`)
}
