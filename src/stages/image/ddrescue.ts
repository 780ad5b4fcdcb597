// ddrescue and dd as data: what they are asked, and what their maps and words mean.
import type { Command } from '../../model/command.ts'
import type { Pass } from '../../model/kind.ts'
import { parseMapfile, type Block, type Mapfile } from '../../model/mapfile.ts'

const day = 24 * 3_600_000

export interface Reading {
  readonly source: string
  readonly image: string
  readonly map: string
  readonly bytes: number
  readonly sectorBytes: number
  readonly isDirect: boolean
}

/**
 * One pass. ddrescue opens its input read-only, flushes the image before each map that it writes, and writes one a second.
 * Not quiet: only so does it say on stderr why it gave up; what it paints on stdout is dropped.
 */
export const readMedium = (pass: Pass, reading: Reading): Command => ({
  file: 'ddrescue',
  args: [
    ...(reading.isDirect ? ['--idirect'] : []),
    `--sector-size=${reading.sectorBytes}`,
    '--mapfile-interval=1',
    `--timeout=${pass.patienceSec}s`,
    `--extend-outfile=${reading.bytes}`,
    ...pass.options,
    '--',
    reading.source,
    reading.image,
    reading.map,
  ],
  // The longest that a timer of Node can count is 24.8 days; a pass that is ended is gone on with by the next run.
  timeoutMs: 24 * day,
  accept: [1],
  isPainter: true,
})

/** One sector, past the page cache where that is possible: what the device itself gives now. */
export const readSector = (source: string, sector: number, bytes: number, isDirect: boolean): Command => ({
  file: 'dd',
  args: [
    `if=${source}`,
    `bs=${bytes}`,
    `skip=${sector}`,
    'count=1',
    'status=none',
    ...(isDirect ? ['iflag=direct'] : []),
  ],
  timeoutMs: 120_000,
  accept: [1],
})

/** What ddrescue says when the image, and not the medium, is the trouble. */
export const writeTrouble =
  /Write error|No space left|Read-only file system|Disk quota|Can't open output|extend output/

/** A map as ddrescue reads it. */
export function mapText({ position, phase, blocks }: Pick<Mapfile, 'position' | 'phase' | 'blocks'>): string {
  const hex = (value: number): string => `0x${value.toString(16).toUpperCase().padStart(8, '0')}`
  const lines = blocks.map(({ start, end, status }) => `${hex(start)}  ${hex(end - start)}  ${status}`)
  return `${['# Mapfile. Put together by ntt', `${hex(position)} ${phase} 1`, ...lines].join('\n')}\n`
}

/**
 * What was read stays read; what failed since `before` was a device that is not there, and is as it was then. Both maps speak
 * of the same bytes.
 */
export function forgive(before: Mapfile, after: Mapfile): Mapfile {
  const blocks: Block[] = []
  const add = (block: Block): void => {
    const last = blocks.at(-1)
    if (last?.status === block.status) blocks[blocks.length - 1] = { ...last, end: block.end }
    else blocks.push(block)
  }
  const known = before.blocks
  let at = 0
  for (const { start, end, status } of after.blocks) {
    if (status === '+') {
      add({ start, end, status })
      continue
    }
    while ((known[at]?.end ?? Infinity) <= start) at += 1
    for (let place = start, index = at; place < end; index += 1) {
      const old = known[index] ?? { start: place, end, status: '?' as const }
      const until = Math.min(old.end, end)
      add({ start: place, end: until, status: old.status === '+' ? '?' : old.status })
      place = until
    }
  }
  return parseMapfile(mapText({ phase: '?', position: after.start, blocks }))
}

/** The map of a medium of which nothing has been read. */
export const untried = (bytes: number): Mapfile =>
  parseMapfile(
    mapText({ position: 0, phase: '?', blocks: bytes === 0 ? [] : [{ start: 0, end: bytes, status: '?' }] }),
  )

/** Sectors that were read, to be read again as a test of the device: the one read last first, then one from each end. */
export function canaries({ blocks, position }: Mapfile, sectorBytes: number): readonly number[] {
  const whole = blocks.flatMap(({ start, end, status }) => {
    const first = Math.ceil(start / sectorBytes)
    const last = Math.floor(end / sectorBytes) - 1
    return status === '+' && last >= first ? [{ first, last }] : []
  })
  const here = Math.floor(position / sectorBytes)
  const near = whole.toSorted((a, b) => distance(a, here) - distance(b, here))[0]
  if (near === undefined) return []
  const recent = Math.min(Math.max(here - 1, near.first), near.last)
  return [...new Set([recent, whole[0]?.first ?? recent, whole.at(-1)?.last ?? recent])]
}

/** So many sectors that were read, spread evenly over all that was: to be compared with the device, once. */
export function spread({ blocks }: Mapfile, sectorBytes: number, count: number): readonly number[] {
  const whole = blocks.flatMap(({ start, end, status }) => {
    const first = Math.ceil(start / sectorBytes)
    const sectors = Math.floor(end / sectorBytes) - first
    return status === '+' && sectors > 0 ? [{ first, sectors }] : []
  })
  const all = whole.reduce((sum, { sectors }) => sum + sectors, 0)
  const wanted = Array.from({ length: Math.min(count, all) }, (_none, index) =>
    Math.floor(((index + 0.5) * all) / Math.min(count, all)),
  )
  const found: number[] = []
  let before = 0
  for (const { first, sectors } of whole) {
    for (const at of wanted) if (at >= before && at < before + sectors) found.push(first + at - before)
    before += sectors
  }
  return found
}

const distance = ({ first, last }: { first: number; last: number }, to: number): number =>
  to < first ? first - to : to > last ? to - last : 0
