// One pass of ddrescue, with the device watched meanwhile: what was read is trusted as far as it was the same medium before and after.
import { RefusedError, RunError, StoreError } from '../../model/errors.ts'
import type { Pass } from '../../model/kind.ts'
import type { Mapfile } from '../../model/mapfile.ts'
import type { Writer } from '../../model/world.ts'
import { forgive, mapText, readMedium, writeTrouble } from './ddrescue.ts'
import { pulse, type Pulse } from './device.ts'
import { share, type EndedPass } from './passes.ts'
import { readMap, writeText, type Work } from './work.ts'

/** How often the device is asked whether it is still the same: seconds, while all goes well, and while reads fail. */
const calmly = 15
const worried = 3

/**
 * Runs a pass to its end; `before` is the trusted map. Throws RefusedError where the device became another medium, RunError where it
 * went away: both maps have then what is trusted. Also RunError where ddrescue failed, StoreError where the image cannot be written.
 */
export async function runPass(
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
