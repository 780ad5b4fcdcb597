// A source, looked at before anything is read of it: its size, its ends, its label, and what its drive says of itself.
import { isRecord } from './canonical.ts'
import type { Command } from './command.ts'
import { ObserveError, errnoOf } from './errors.ts'
import { mediumHash, samples, type Blake3, type SampledVersion, type Traits } from './identity.ts'
import type { Expectation, KindName } from './medium.ts'
import { readRange } from './range.ts'
import type { Place, Range, Reader } from './world.ts'

/** What can be known of a source without reading it through. */
export interface SourceLook {
  readonly bytes: number
  /** What hardware says of itself; null: it says nothing, or it is a file. */
  readonly model: string | null
  readonly serial: string | null
  /** A drive for discs, by its own word. */
  readonly isRom: boolean
  /** The unit that it can be read in, in bytes. */
  readonly blockBytes: number
  readonly head: Buffer
  readonly tail: Buffer
  /** Ranges of the source, within head and tail, that could not be read; zeros stand in their place. */
  readonly unread: readonly Range[]
  /** So much failed there that the rest was not tried: no identity can be made of it. */
  readonly isBlind: boolean
}

const sectorBytes = 2048
/** So many failures at either end, and the rest of it is not tried: a drive may take half a minute for each. */
const mostFailures = 8
const quickMs = 20_000

/** Looks at a file or device. null: it is not there, or there is nothing in the drive. */
export async function lookAtSource(path: Place, world: Reader): Promise<SourceLook | null> {
  const stat = await world.stat(path)
  if (stat === null) return null
  if (stat.kind === 'directory') throw new ObserveError(`${path} is a directory`)
  const hardware = stat.kind === 'device' ? await askHardware(path, world) : nothing
  try {
    // The size of a drive is that of the disc only once somebody has opened it.
    await tryRange(path, { start: 0, end: Math.min(stat.bytes, 1) }, world)
  } catch (error) {
    if (isAway(error)) return null
    throw error
  }
  const bytes = (await world.stat(path))?.bytes ?? 0
  // As drives of cards and floppies have it that do not tell that nothing is in them.
  if (bytes === 0 && stat.kind === 'device') return null
  const { head, tail } = samples(bytes)
  const first = await sample(path, head, world)
  const last = await sample(path, tail, world)
  const unread = [...first.unread, ...last.unread]
  const isBlind = first.isBlind || last.isBlind
  return { bytes, ...hardware, head: first.bytes, tail: last.bytes, unread, isBlind }
}

const errnoUnder = (error: unknown): string | undefined =>
  error instanceof Error ? (errnoOf(error.cause) ?? errnoOf(error)) : undefined

/** The drive is empty or unplugged: we looked, and there is nothing. */
const isAway = (error: unknown): boolean => ['ENOMEDIUM', 'ENXIO', 'ENODEV'].includes(errnoUnder(error) ?? '')

const isUnreadable = (error: unknown): boolean =>
  ['EIO', 'ENODATA', 'EREMOTEIO', 'EBADMSG'].includes(errnoUnder(error) ?? '')

/** The bytes of a range, with zeros for the sectors that cannot be read. */
async function sample(
  path: Place,
  range: Range,
  world: Reader,
): Promise<{ bytes: Buffer; unread: readonly Range[]; isBlind: boolean }> {
  const whole = await tryRange(path, range, world)
  if (whole !== null) return { bytes: whole, unread: [], isBlind: false }
  const bytes = Buffer.alloc(range.end - range.start)
  const unread: Range[] = []
  for (let start = range.start; start < range.end; start += sectorBytes) {
    const end = Math.min(start + sectorBytes, range.end)
    const read = await tryRange(path, { start, end }, world)
    read?.copy(bytes, start - range.start)
    if (read !== null) continue
    if (unread.length >= mostFailures) {
      return { bytes, unread: [...unread, { start, end: range.end }], isBlind: true }
    }
    unread.push({ start, end })
  }
  return { bytes, unread, isBlind: false }
}

/** null: the medium does not give these bytes. */
async function tryRange(path: Place, range: Range, world: Reader): Promise<Buffer | null> {
  try {
    return await readRange(world, path, range)
  } catch (error) {
    if (isUnreadable(error)) return null
    throw error
  }
}

type Hardware = Pick<SourceLook, 'model' | 'serial' | 'isRom' | 'blockBytes'>

const nothing: Hardware = { model: null, serial: null, isRom: false, blockBytes: 512 }

/** What the kernel knows of the hardware. Where lsblk cannot tell, nothing is known; nothing depends on it being told. */
async function askHardware(path: Place, world: Reader): Promise<Hardware> {
  const { status, stdout } = await world.probe(lsblk(world.path(path)))
  return status === 0 ? parseLsblk(stdout.toString('utf8')) : nothing
}

const lsblk = (path: string): Command => ({
  file: 'lsblk',
  args: ['--json', '--bytes', '--nodeps', '--output', 'PATH,TYPE,MODEL,SERIAL,LOG-SEC', '--', path],
  timeoutMs: quickMs,
  accept: [1, 32, 64],
})

function parseLsblk(text: string): Hardware {
  const json: unknown = JSON.parse(text)
  const devices = isRecord(json) ? json['blockdevices'] : undefined
  const first: unknown = Array.isArray(devices) ? devices[0] : undefined
  if (!isRecord(first)) return nothing
  const word = (key: string): string | null => {
    const value = first[key]
    return typeof value === 'string' && value.trim() !== '' ? value.trim() : null
  }
  const block = Number(first['log-sec'])
  return {
    model: word('model'),
    serial: word('serial'),
    isRom: first['type'] === 'rom',
    blockBytes: Number.isInteger(block) && block >= 512 ? block : nothing.blockBytes,
  }
}

/** The label of the filesystem that begins the source; null where it has none. */
export async function volumeLabel(path: Place, world: Reader): Promise<string | null> {
  const { stdout } = await world.probe({
    file: 'blkid',
    args: ['--probe', '--output', 'value', '--match-tag', 'LABEL', '--', world.path(path)],
    timeoutMs: quickMs,
    accept: [2, 8],
  })
  const label = stdout.toString('utf8').replace(/\n$/, '')
  return label === '' ? null : label
}

/** BLAKE3 of a few chunks, by the world's hasher. */
export const blake3By =
  (world: Pick<Reader, 'hasher'>): Blake3 =>
  (chunks) => {
    const hasher = world.hasher()
    for (const chunk of chunks) hasher.update(chunk)
    return Buffer.from(hasher.digest().blake3, 'hex')
  }

/** The medium_hash as today's algorithm gives it. Only where the drive is the medium do its model and serial count. */
export const hashOf = (look: SourceLook, isDrive: boolean, blake3: Blake3): string =>
  mediumHash('v2', isDrive ? traitsOf(look) : { bytes: look.bytes }, look.head, look.tail, blake3)

/** The algorithm by which a source has a hash, whichever of them it is; null: by none. */
export function versionOf(look: SourceLook, hash: string, blake3: Blake3): SampledVersion | null {
  const tries: readonly (readonly [SampledVersion, Traits])[] = [
    ['v2', traitsOf(look)],
    ['v2', { bytes: look.bytes }],
    ['v1', { bytes: look.bytes }],
    ['v0', { bytes: look.bytes }],
  ]
  const { head, tail } = look
  return (
    tries.find(([version, traits]) => mediumHash(version, traits, head, tail, blake3) === hash)?.[0] ?? null
  )
}

const traitsOf = ({ bytes, model, serial }: SourceLook): Traits => ({
  bytes,
  ...(model === null ? {} : { model }),
  ...(serial === null ? {} : { serial }),
})

/** What is not as it was declared to be: `the volume is HOLIDAY_98, declared CEH_005`; null: all is. */
export function unexpected(
  expect: Expectation,
  look: Pick<SourceLook, 'bytes' | 'model' | 'serial'>,
  label: string | null,
): string | null {
  const told = (what: string, is: string | number | null, declared: string | number | undefined) =>
    declared === undefined || declared === is
      ? []
      : [is === null ? `${what} is none, declared ${declared}` : `${what} is ${is}, declared ${declared}`]
  const found = [
    ...told('the volume label', label, expect.volume),
    ...told('the size in bytes', look.bytes, expect.bytes),
    ...told('the model', look.model, expect.model),
    ...told('the serial number', look.serial, expect.serial),
  ]
  return found.length === 0 ? null : found.join('; ')
}

/** The kind that a device name suggests, where the device itself cannot be asked. */
export const kindByName = (path: string): KindName =>
  /\/(sr|scd|cdrom|cdrw|dvd)[^/]*$/.test(path) ? 'optical' : /\/fd[0-9][^/]*$/.test(path) ? 'floppy' : 'disk'
