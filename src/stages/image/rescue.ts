// A device into an image: the ladder of passes, from gentle to stubborn, as far as the medium's policy asks.
import { kinds } from '../../kinds/index.ts'
import { RefusedError, RunError } from '../../model/errors.ts'
import type { Mapfile } from '../../model/mapfile.ts'
import { samples } from '../../model/identity.ts'
import { otherThan } from '../../model/match.ts'
import type { Medium } from '../../model/medium.ts'
import type { Replaces } from '../../model/stage.ts'
import {
  againPassesPlace,
  againPlace,
  imagePlace,
  mapBeside,
  passesPlace,
  unfinishedPlace,
} from '../../model/places.ts'
import { lookAtSource, type SourceLook } from '../../model/source.ts'
import { subtract } from '../../model/ranges.ts'
import type { Place, Reader, Writer } from '../../model/world.ts'
import { mapText, untried } from './ddrescue.ts'
import { difference } from './compare.ts'
import { canReadDirectly, pulse, type Drive } from './device.ts'
import { nextPass, parsePasses, passesText, share, withCutShort, type EndedPass } from './passes.ts'
import { runPass } from './watched-pass.ts'
import { readMap, writeText, type Work } from './work.ts'

interface HowToRescue {
  /** Its passes are gone through again from the first. */
  readonly anew: boolean
  /** Why another image is made, in whose favour the one that is there is set aside when it has all that is asked for; null: that one is gone on with. */
  readonly instead: Replaces
}

/** Reads the medium until its ladder ends on this drive. */
export async function rescue(medium: Medium, world: Writer, { anew, instead }: HowToRescue): Promise<void> {
  const work = await begin(medium, instead !== null, world)
  const kind = kinds[medium.kind]
  const { source } = work
  const notes = instead === null ? passesPlace(medium) : againPassesPlace(medium)
  const began = parsePasses(await world.text(notes)).filter(({ drive }) => !(anew && drive === source))
  const before = await resume(work, world)
  let passes = withCutShort(kind, source, began, before)
  if (passes !== began) await writeText(notes, passesText(passes), world)
  let map = before
  for (;;) {
    const pass = nextPass(kind, source, passes, map, medium.policy.rescued)
    if (pass === null) break
    world.line(`${pass.name}: ${pass.does}`)
    const ended = await runPass(pass, work, map, world)
    map = ended.map
    const { rescued, total } = map
    passes = [...passes, { pass: pass.name, drive: source, rescued, total, end: ended.end }]
    await writeText(notes, passesText(passes), world)
  }
  const differs = await difference(medium, work.look, work, map, world)
  if (differs !== null) throw await contradicted(differs, work, before, { notes, passes: began }, world)
  const own = passes.filter(({ drive }) => drive === source)
  // What is there is as good as it is: only what is better takes its place.
  if (instead !== null) judge(medium, map, own, world.path(work.image))
  await finish(work, instead, world)
  judge(medium, map, own, null)
}

/** The gate: which medium it is, before a byte is written. `beside`: whatever is there already stays as it is. */
async function begin(medium: Medium, beside: boolean, world: Writer): Promise<Work> {
  const source = medium.source.path
  const look = await lookAtSource(source, world)
  if (look === null) {
    throw new RunError(`${source} is not there, or nothing is in it`, {
      hint: 'Connect it (or put the disc in) and run the same command again.',
    })
  }
  const other = await otherThan(medium, look, world)
  if (other !== null) throw new RefusedError(`what is in ${source} is another medium: ${other}`)
  if (look.bytes === 0) throw new RunError(`${source} has 0 bytes`)
  const sectorBytes = Math.max(kinds[medium.kind].sectorBytes, look.blockBytes)
  const final = imagePlace(medium)
  const isFinal = !beside && (await world.stat(final)) !== null
  const image = isFinal ? final : beside ? againPlace(medium) : unfinishedPlace(medium)
  // A crash between the two last renames leaves a map under its final name, and the image not yet.
  const isNamed = isFinal || (!beside && (await isOnlyMapNamed(medium, world)))
  // Makes the root, as any product of ours would.
  world.part(final)
  return {
    medium,
    look,
    source,
    image,
    map: mapBeside(isNamed ? final : image),
    live: `image:${medium.hash}${beside ? '.again' : ''}.live.map`,
    bytes: look.bytes,
    sectorBytes,
    isDirect: await canReadDirectly(source, sectorBytes, world),
    recognised: sectorsOf(look, sectorBytes),
  }
}

/** The first and the last whole sector that could be read when the medium was recognised. */
function sectorsOf({ head, tail, bytes, unread }: SourceLook, sectorBytes: number): Drive['recognised'] {
  const ranges = samples(bytes)
  const whole = (all: Buffer, from: number): Drive['recognised'] =>
    subtract({ start: from, end: from + all.length }, unread).flatMap(({ start, end }) => {
      const sector = Math.ceil(start / sectorBytes)
      const at = sector * sectorBytes
      return at + sectorBytes > end
        ? []
        : [{ sector, bytes: all.subarray(at - from, at - from + sectorBytes) }]
    })
  return [...whole(head, ranges.head.start).slice(0, 1), ...whole(tail, ranges.tail.start).slice(-1)]
}

async function isOnlyMapNamed(medium: Medium, world: Reader): Promise<boolean> {
  const [named, unnamed] = [mapBeside(imagePlace(medium)), mapBeside(unfinishedPlace(medium))]
  return (await world.stat(named)) !== null && (await world.stat(unnamed)) === null
}

/** What an earlier session read. A live map that is whole is newer than the trusted one. */
async function resume(work: Work, world: Writer): Promise<Mapfile> {
  const { source, image, map, live, bytes } = work
  const maps =
    (await world.stat(image)) === null ? [] : [await readMap(live, world), await readMap(map, world)]
  const best = maps.find((one) => one !== null && one.rescued >= (maps[1]?.rescued ?? 0)) ?? untried(bytes)
  if (best.end !== bytes) {
    throw new RefusedError(
      `${source} has ${bytes} bytes; what was read of the medium before speaks of ${best.end}`,
    )
  }
  if ((await pulse(work, best, world)) === 'other') {
    throw new RefusedError(`what is in ${source} reads otherwise than it did before`)
  }
  await writeText(map, mapText(best), world)
  await writeText(live, mapText(best), world)
  return best
}

/** The image has the size of the medium; map and image get their names, in this order. */
async function finish(
  { medium, image, map, live, bytes }: Work,
  instead: Replaces,
  world: Writer,
): Promise<void> {
  const stat = await world.stat(image)
  if (stat === null || stat.bytes !== bytes) {
    throw new RunError(`the image has ${stat?.bytes ?? 'no'} bytes, the medium ${bytes}`)
  }
  await world.publish(live, map, { replace: true })
  const final = imagePlace(medium)
  if (instead !== null)
    for (const place of [final, mapBeside(final), passesPlace(medium)])
      if ((await world.stat(place)) !== null) await world.setAside(place, instead)
  if (map !== mapBeside(final)) await world.publish(map, mapBeside(final))
  if (image !== final) await world.publish(image, final)
  const notes = againPassesPlace(medium)
  if (instead !== null && (await world.stat(notes)) !== null) await world.publish(notes, passesPlace(medium))
}

/** Whoever wrote it, nothing that was written since `before` is believed; the map of it stays, set aside. */
async function contradicted(
  differs: string,
  { medium, source, image, live, map, bytes }: Work,
  before: Mapfile,
  { notes, passes }: { readonly notes: Place; readonly passes: readonly EndedPass[] },
  world: Writer,
): Promise<Error> {
  await world.setAside(live, 'contradicted')
  for (const place of [live, map]) await writeText(place, mapText(before), world)
  await writeText(notes, passesText(passes), world)
  const size = (await world.stat(image))?.bytes ?? 0
  // Nothing would ever cut it to its length.
  if (size > bytes && image !== imagePlace(medium)) await world.setAside(image, 'contradicted')
  return new RunError(`the image is not what ${source} gives: ${differs}; what was read now is not kept`, {
    hint: 'ntt doctor shows which ddrescue was asked. A drive that gives other bytes each time cannot be believed.',
  })
}

/** Everything readable was read; whether that is enough is the policy's to say. `beside`: where it lies, if another image is there that stays. */
function judge(
  { name, policy }: Medium,
  map: Mapfile,
  passes: readonly EndedPass[],
  beside: string | null,
): void {
  const read = share(map.rescued, map.total)
  if (read >= policy.rescued) return
  const last = passes.at(-1)?.pass ?? 'none'
  const stays =
    beside === null
      ? ''
      : ` The image that was there stays; what was read lies in ${beside}, and is gone on with.`
  throw new RunError(
    `${map.total - map.rescued} bytes could not be read (${read.toFixed(4)} % was, the policy asks for ${policy.rescued} %); the last pass was ${last}`,
    {
      hint: `Another drive may read more: ntt apply ${beside === null ? '' : `--redo ${name}/image `}--device DEVICE ${name}.${stays} Or accept the loss: \`policy: {rescued: …}\` in its file.`,
    },
  )
}
