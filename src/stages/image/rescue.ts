// A device into an image: the ladder of passes, from gentle to stubborn, as far as the medium's policy asks.
import { each } from '../../model/each.ts'
import { kinds } from '../../kinds/index.ts'
import { RefusedError, RunError, StoreError } from '../../model/errors.ts'
import type { Pass } from '../../model/kind.ts'
import { MapfileError, parseMapfile, type Mapfile } from '../../model/mapfile.ts'
import { samples } from '../../model/identity.ts'
import { otherThan } from '../../model/match.ts'
import type { Medium } from '../../model/medium.ts'
import { imagePlace, mapBeside, passesPlace, unfinishedPlace } from '../../model/places.ts'
import { lookAtSource, type SourceLook } from '../../model/source.ts'
import { subtract } from '../../model/ranges.ts'
import type { Place, Reader, Writer } from '../../model/world.ts'
import { forgive, mapText, readMedium, untried, writeTrouble } from './ddrescue.ts'
import { difference } from './compare.ts'
import { canReadDirectly, pulse, type Drive, type Pulse } from './device.ts'
import { nextPass, parsePasses, passesText, share, withCutShort, type EndedPass } from './passes.ts'

/** How often the device is asked whether it is still the same: seconds, while all goes well, and while reads fail. */
const calmly = 15
const worried = 3

interface Work extends Drive {
  readonly medium: Medium
  /** The ends of the medium, as they were when it was recognised. */
  readonly look: SourceLook
  /** What is trusted of the image; ddrescue works on `live`, which may be cut by a crash or spoilt by a device that went. */
  readonly map: Place
  readonly live: Place
  readonly bytes: number
}

/** Reads the medium until its ladder ends on this drive. `anew`: its passes are gone through again from the first. */
export async function rescue(medium: Medium, world: Writer, anew: boolean): Promise<void> {
  const work = await begin(medium, world)
  const kind = kinds[medium.kind]
  const { source } = work
  const began = parsePasses(await world.text(passesPlace(medium))).filter(
    ({ drive }) => !(anew && drive === source),
  )
  const before = await resume(work, world)
  let passes = withCutShort(kind, source, began, before)
  if (passes !== began) await writeText(passesPlace(medium), passesText(passes), world)
  let map = before
  for (;;) {
    const pass = nextPass(kind, source, passes, map, medium.policy.rescued)
    if (pass === null) break
    world.line(`${pass.name}: ${pass.does}`)
    const ended = await runPass(pass, work, map, world)
    map = ended.map
    const { rescued, total } = map
    passes = [...passes, { pass: pass.name, drive: source, rescued, total, end: ended.end }]
    await writeText(passesPlace(medium), passesText(passes), world)
  }
  const differs = await difference(medium, work.look, work, map, world)
  if (differs !== null) throw await contradicted(differs, work, before, began, world)
  await finish(work, world)
  judge(
    medium,
    map,
    passes.filter(({ drive }) => drive === source),
  )
}

/** The gate: which medium it is, before a byte is written. */
async function begin(medium: Medium, world: Writer): Promise<Work> {
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
  const isFinal = (await world.stat(final)) !== null
  const image = isFinal ? final : unfinishedPlace(medium)
  // A crash between the two last renames leaves a map under its final name, and the image not yet.
  const isNamed = isFinal || (await isOnlyMapNamed(medium, world))
  // Makes the root, as any product of ours would.
  world.part(final)
  return {
    medium,
    look,
    source,
    image,
    map: isNamed ? mapBeside(final) : mapBeside(unfinishedPlace(medium)),
    live: `image:${medium.hash}.live.map`,
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

/** null: there is none, or it was cut by a crash. */
async function readMap(place: Place, world: Reader): Promise<Mapfile | null> {
  const text = await world.text(place)
  if (text === null) return null
  try {
    return parseMapfile(text)
  } catch (error) {
    if (error instanceof MapfileError) return null
    throw error
  }
}

async function runPass(
  pass: Pass,
  work: Work,
  before: Mapfile,
  world: Writer,
): Promise<{ map: Mapfile; end: EndedPass['end'] }> {
  let trusted = before
  let quiet = 0
  let failed = before.bad + before.pending
  const settle = async (map: Mapfile): Promise<void> => {
    await writeText(work.map, mapText(map), world)
    trusted = map
    failed = map.bad + map.pending
  }
  const watch = async (): Promise<void> => {
    const map = await readMap(work.live, world)
    if (map === null) return
    world.progress(map.rescued, work.bytes, 'bytes')
    quiet += 1
    if (quiet < (map.bad + map.pending > failed ? worried : calmly)) return
    const now = await pulse(work, trusted, world)
    if (now !== 'there') throw new Gone(now)
    quiet = 0
    await settle(map)
  }
  const reading = {
    ...work,
    source: world.path(work.source),
    image: world.path(work.image),
    map: world.path(work.live),
  }
  try {
    const { status, stderr } = await world.exec(readMedium(pass, reading), watch)
    if (writeTrouble.test(stderr)) throw new StoreError(`the image cannot be written: ${lastLine(stderr)}`)
    const map = await readMap(work.live, world)
    if (map === null) throw new RunError(`ddrescue left no map${said(stderr)}`, { status, stderr })
    const now = await pulse(work, trusted, world)
    if (now !== 'there' || map.rescued === 0) throw new Gone(now === 'other' ? now : 'away')
    await settle(map)
    // Without a word, ddrescue ends with 1 where its patience ended.
    if (status !== 0 && stderr.trim() !== '')
      throw new RunError(`ddrescue ended with ${status}${said(stderr)}`, { status, stderr })
    return { map, end: status === 0 ? 'done' : 'gave-up' }
  } catch (error) {
    // Only now has ddrescue written its last map.
    if (error instanceof Gone) throw await gone(error.now, work, trusted, world)
    throw error
  }
}

/** The device is not what it was when the pass began. */
class Gone extends Error {
  readonly now: Exclude<Pulse, 'there'>
  constructor(now: Exclude<Pulse, 'there'>) {
    super(now)
    this.now = now
  }
}

/** Keeps what is known to be of this medium, and says what happened. */
async function gone(
  now: Gone['now'],
  { source, map, live, bytes }: Work,
  trusted: Mapfile,
  world: Writer,
): Promise<Error> {
  const last = await readMap(live, world)
  const kept = now === 'other' || last === null ? trusted : forgive(trusted, last)
  await writeText(live, mapText(kept), world)
  await writeText(map, mapText(kept), world)
  if (now === 'other') {
    return new RefusedError(
      `what is in ${source} was changed while it was read; what was read since is not kept`,
    )
  }
  const hint = 'Connect it again and run the same command: it goes on where it stopped.'
  if (kept.rescued === 0) return new RunError(`nothing can be read from ${source}`, { hint })
  const read = share(kept.rescued, bytes)
  return new RunError(
    `${source} went away: sectors that could be read before cannot be read now. ${read.toFixed(2)} % is read and kept`,
    { hint },
  )
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? ''
const said = (stderr: string): string => (stderr.trim() === '' ? '' : `: ${lastLine(stderr)}`)

/** The image has the size of the medium; map and image get their names, in this order. */
async function finish({ medium, image, map, live, bytes }: Work, world: Writer): Promise<void> {
  const stat = await world.stat(image)
  if (stat === null || stat.bytes !== bytes) {
    throw new RunError(`the image has ${stat?.bytes ?? 'no'} bytes, the medium ${bytes}`)
  }
  await world.publish(live, map, { replace: true })
  const final = imagePlace(medium)
  if (map !== mapBeside(final)) await world.publish(map, mapBeside(final))
  if (image !== final) await world.publish(image, final)
}

/** Whoever wrote it, nothing that was written since `before` is believed; the map of it stays, set aside. */
async function contradicted(
  differs: string,
  { medium, source, image, live, map, bytes }: Work,
  before: Mapfile,
  passes: readonly EndedPass[],
  world: Writer,
): Promise<Error> {
  await world.setAside(live, 'contradicted')
  for (const place of [live, map]) await writeText(place, mapText(before), world)
  await writeText(passesPlace(medium), passesText(passes), world)
  const size = (await world.stat(image))?.bytes ?? 0
  // Nothing would ever cut it to its length.
  if (size > bytes && image !== imagePlace(medium)) await world.setAside(image, 'contradicted')
  return new RunError(`the image is not what ${source} gives: ${differs}; what was read now is not kept`, {
    hint: 'ntt doctor shows which ddrescue was asked. A drive that gives other bytes each time cannot be believed.',
  })
}

/** Everything readable was read; whether that is enough is the policy's to say. */
function judge({ name, policy }: Medium, map: Mapfile, passes: readonly EndedPass[]): void {
  const read = share(map.rescued, map.total)
  if (read >= policy.rescued) return
  const last = passes.at(-1)?.pass ?? 'none'
  throw new RunError(
    `${map.total - map.rescued} bytes could not be read (${read.toFixed(4)} % was, the policy asks for ${policy.rescued} %); the last pass was ${last}`,
    {
      hint: `Another drive may read more: ntt apply --device DEVICE ${name}. Or accept the loss: \`policy: {rescued: …}\` in its file.`,
    },
  )
}

async function writeText(place: Place, text: string, world: Writer): Promise<void> {
  await world.create(place, each([Buffer.from(text)]))
}
