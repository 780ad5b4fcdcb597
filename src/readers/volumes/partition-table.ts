// A second reading of the partition table, by ourselves: what partx leaves out would never be missed by anybody else.
import { ObserveError } from '../../model/errors.ts'
import type { Partition } from './probe.ts'
import { PastEndError, type Pages } from '../pages.ts'

type Place = Pick<Partition, 'start' | 'bytes'>

/**
 * The partitions that partx told of. Throws ObserveError where a table of their scheme (dos, gpt, mac) holds one that it did
 * not tell of; other schemes, and tables of which nothing is left but a backup, have no second reading. Where it told of
 * none there may still be a map of Macintosh: beside an empty table of DOS it does not see that.
 */
export async function secondReading(told: readonly Partition[], pages: Pages): Promise<readonly Partition[]> {
  const twice = told.find(({ number }, index) => told.findIndex((one) => one.number === number) !== index)
  if (twice !== undefined)
    throw new ObserveError(`partx tells of partition ${twice.number} twice`, wrongPartx)
  const [first] = told
  if (first === undefined) return readMac(pages)
  const read = readers[first.scheme]
  if (read === undefined) return told
  for (const { start, bytes } of await read(pages)) {
    if (told.some((one) => one.start === start && one.bytes === bytes)) continue
    throw new ObserveError(
      `partx does not tell of the partition of ${bytes} bytes at byte ${start}`,
      wrongPartx,
    )
  }
  return told
}

const wrongPartx = { hint: 'Is it the partx of util-linux that comes first on PATH?' }

const readers: Readonly<Record<string, (pages: Pages) => Promise<readonly Place[]>>> = {
  dos: readDos,
  gpt: readGpt,
  mac: readMac,
}

const unit = 512
const containers = [0x05, 0x0f, 0x85]

interface Slot extends Place {
  readonly type: number
}

function slots(sector: Buffer, base: number, outer: number): readonly Slot[] {
  if (sector.readUInt16LE(510) !== 0xaa55) return []
  return [0, 1, 2, 3].flatMap((slot) => {
    const at = 446 + slot * 16
    const [type, first, count] = [
      sector.readUInt8(at + 4),
      sector.readUInt32LE(at + 8),
      sector.readUInt32LE(at + 12),
    ]
    const start = (containers.includes(type) ? outer : base) + first * unit
    return type === 0 || count === 0 ? [] : [{ type, start, bytes: count * unit }]
  })
}

async function readDos(pages: Pages): Promise<readonly Place[]> {
  const primary = slots(await pages.bytes(0, unit), 0, 0)
  const found: Slot[] = [...primary]
  for (const outer of primary.filter(({ type }) => containers.includes(type))) {
    // A chain of tables, each with one partition and the place of the next table.
    let next: number | null = outer.start
    for (let links = 0; next !== null && links < 256; links += 1) {
      const here: number = next
      const sector: Buffer | null = await pages.bytes(here, unit).catch(beyond)
      const pair: readonly Slot[] = sector === null ? [] : slots(sector, here, outer.start).slice(0, 2)
      found.push(...pair.filter(({ type }) => !containers.includes(type)))
      next = pair.find(({ type }) => containers.includes(type))?.start ?? null
    }
  }
  return found
}

/** The table goes on where the image has ended. */
function beyond(error: unknown): null {
  if (error instanceof PastEndError) return null
  throw error
}

async function readGpt(pages: Pages): Promise<readonly Place[]> {
  for (const sectorBytes of [512, 4096]) {
    const head = await pages.bytes(sectorBytes, 92)
    if (head.toString('latin1', 0, 8) !== 'EFI PART') continue
    const at = Number(head.readBigUInt64LE(72)) * sectorBytes
    const [count, bytes] = [head.readUInt32LE(80), head.readUInt32LE(84)]
    if (count > 4096 || bytes < 128 || bytes > 4096) return []
    const entries = await pages.bytes(at, count * bytes)
    return Array.from({ length: count }, (_none, index) =>
      entries.subarray(index * bytes, (index + 1) * bytes),
    )
      .filter((entry) => entry.subarray(0, 16).some((byte) => byte !== 0))
      .map((entry) => {
        const start = Number(entry.readBigUInt64LE(32)) * sectorBytes
        const end = (Number(entry.readBigUInt64LE(40)) + 1) * sectorBytes
        return { start, bytes: end - start }
      })
  }
  return []
}

async function readMac(pages: Pages): Promise<readonly Partition[]> {
  const head = await pages.bytes(0, unit).catch(beyond)
  if (head === null || head.toString('latin1', 0, 2) !== 'ER') return []
  const blockBytes = head.readUInt16BE(2)
  const found: Partition[] = []
  for (let index = 1, count = 1; index <= count && index <= 256; index += 1) {
    const entry = await pages.bytes(index * blockBytes, 80).catch(beyond)
    if (entry === null || entry.toString('latin1', 0, 2) !== 'PM') break
    count = entry.readUInt32BE(4)
    const [start, blocks] = [entry.readUInt32BE(8), entry.readUInt32BE(12)]
    const type = entry.toString('latin1', 48, 80).replace(/\0.*$/s, '')
    found.push({
      number: index,
      start: start * blockBytes,
      bytes: blocks * blockBytes,
      type,
      scheme: 'mac',
    })
  }
  return found
}
