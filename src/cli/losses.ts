// ntt losses: what of a medium could not be read, by path; writes nothing.
import { once } from 'node:events'
import { losses } from '../losses.ts'
import { mismatch } from '../model/check.ts'
import { mostSerious, survivable, type ExitCode } from '../model/errors.ts'
import { instant } from '../model/instant.ts'
import { lossExit, type Loss } from '../model/loss.ts'
import type { Declaration, Medium, StageName } from '../model/medium.ts'
import { archivePlace, findImage } from '../model/places.ts'
import { tailOf } from '../model/tail.ts'
import { parseOrigin } from '../stages/copy/origin.ts'
import { originOf } from '../stages/load/enumeration.ts'
import { isOfAnotherImage, latestOf, otherImageText } from '../model/proofs.ts'
import type { Check, Proof } from '../model/stage.ts'
import type { Reader } from '../model/world.ts'
import { identified } from '../observe.ts'
import { LossTally, lossLine } from '../views/losses.ts'
import { render, type Line } from '../views/paint.ts'
import { select } from './look.ts'
import { isHushed, type Flags } from './flags.ts'
import { openVerb, type Verb } from './verb.ts'

export async function lossesVerb(
  named: readonly string[],
  flags: Flags & { readonly only?: readonly string[] },
): Promise<ExitCode> {
  const asked = [...named, ...(flags.only ?? [])]
  await using verb = await openVerb(flags, { writes: false, named: asked })
  const tell = flags.json === true ? asJson(verb) : asText(verb)
  const codes: ExitCode[] = []
  for (const declaration of select(verb.declarations, asked)) {
    const tally = new LossTally()
    const own: ExitCode[] = []
    for await (const loss of lossesOf(declaration, verb)) {
      tally.add(loss)
      own.push(lossExit(loss))
      if (own.length > 1000) own.splice(0, own.length, mostSerious(own))
      if (isHushed(flags, lossExit(loss))) continue
      tell.loss(loss)
      // A pager that nobody scrolls holds us up; it does not fill our memory.
      if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain')
    }
    if (!isHushed(flags, mostSerious(own))) tell.end(tally.line(declaration.name))
    codes.push(mostSerious(own))
  }
  return mostSerious(codes)
}

/** What could not be found out of one medium does not keep the others from being told. */
async function* lossesOf(declaration: Declaration, { session }: Verb): AsyncGenerator<Loss> {
  const { name } = declaration
  try {
    const medium = await identified(declaration, session.eyes)
    if (medium.hash === null) yield { medium: name, kind: 'unknown', text: medium.because.text }
    else {
      const world = session.eyes.reader(name)
      yield* losses(medium, world)
      const proofs = (await session.eyes.proofs([medium.hash])).get(medium.hash) ?? []
      yield* badProduct(name, 'image', ({ name: check }) => check === 'map', proofs)
      yield* badProduct(name, 'enumerate', () => true, proofs)
      yield* badProduct(name, 'copy', isBad, proofs)
      const tail = await tailOf(medium, world)
      const copied = parseOrigin((await world.catalogue(medium.hash))?.outcome?.origin ?? '')
      const made = { enumerate: tail?.image, copy: copied?.image }
      for (const stage of ['enumerate', 'copy'] as const)
        if (isOfAnotherImage(stage, proofs, made[stage])) {
          const text = `${stage}: ${otherImageText}; ntt apply makes it again, where the target asks for it`
          yield { medium: name, kind: 'unknown', text }
        }
      // Another enumeration may have been made since it was copied, or a copying broken off.
      const isWhole = tail !== null && copied?.tally != null && copied.rows === originOf(tail).content
      const open = await unkept(medium, isWhole, proofs, world)
      if (open !== null) yield { medium: name, kind: 'unknown', text: open }
    }
  } catch (error) {
    yield { medium: name, kind: 'unknown', text: survivable(error).message }
  }
}

/**
 * Why nobody can say that its contents are whole, though none of them is known to be lost; null: they are copied, or can be.
 * `isWhole`: every file of the enumeration that is there has its outcome.
 */
async function unkept(
  medium: Medium,
  isWhole: boolean,
  proofs: readonly Proof[],
  world: Reader,
): Promise<string | null> {
  const last = (stage: StageName): Proof | undefined => proofs.findLast((proof) => proof.stage === stage)
  if (last('enumerate') === undefined) return null
  if (last('copy')?.ok === true && isWhole) return null
  if (medium.source.type === 'directory')
    return 'its files are not copied: whether they can be read is not known'
  if ((await findImage(medium, world)) !== null)
    return last('image')?.ok === false
      ? 'its image failed its last verification, and its files are not copied'
      : null
  return (await world.stat(archivePlace(medium))) === null
    ? 'its image is not here, and its files are not copied'
    : null
}

/** What an outcome tells of by itself, and what only the medium's file asks for, leave nothing open. */
const ofPolicy: readonly string[] = ['unreadable files', 'exclusions', 'left out by no pattern']
const isBad = ({ name }: Check): boolean => !ofPolicy.includes(name)

/** What the losses are told by was found to be bad: until it is mended nobody can say that nothing is lost. */
function* badProduct(
  medium: string,
  stage: StageName,
  counts: (check: Check) => boolean,
  proofs: readonly Proof[],
): Generator<Loss> {
  const own = proofs.filter((proof) => proof.stage === stage)
  const last = latestOf(own.at(-1)?.of ?? '', own)
  if (last === undefined || last.ok) return
  for (const check of last.checks.filter((one) => !one.ok && counts(one)))
    yield {
      medium,
      kind: 'unknown',
      text: `${stage}: ${mismatch(check)} (${instant(last.at)} UTC); ntt plan shows what would mend it`,
    }
}

interface Telling {
  loss(loss: Loss): void
  end(line: Line): void
}

/** One object a line: there may be millions of them. */
const asJson = ({ write }: Verb): Telling => ({
  loss: (loss) => write(`${JSON.stringify(loss)}\n`),
  end: () => undefined,
})

const asText = ({ write, manner }: Verb): Telling => ({
  loss: (loss) => write(render([lossLine(loss)], manner)),
  end: (line) => write(render([line], manner)),
})
