// ddrescue's mapfile: which bytes of a medium were read, which were not, and how healthy that makes it.
import { NttError } from './errors.ts'
import type { Range } from './world.ts'

/** `?` not tried, `*` not trimmed, `/` not scraped, `-` bad, `+` rescued. */
const blockStatuses = ['?', '*', '/', '-', '+'] as const
export type BlockStatus = (typeof blockStatuses)[number]

export interface Block extends Range {
  readonly status: BlockStatus
}

/** All in bytes; rescued + bad + pending + untried = total. */
export interface Mapfile {
  /** Where the reading stood. */
  readonly position: number
  /** What was going on: `?` copying, `*` trimming, `/` scraping, `-` retrying, `F` filling, `G` approximating, `+` finished. */
  readonly phase: string
  /** Number of the pass, where the file tells it. */
  readonly pass: number | null
  /** Without gaps, in order. */
  readonly blocks: readonly Block[]
  readonly start: number
  readonly end: number
  readonly total: number
  readonly rescued: number
  /** Tried sector by sector, and not readable. */
  readonly bad: number
  /** Failed in larger pieces, not yet tried sector by sector. */
  readonly pending: number
  readonly untried: number
}

export type Health = 'ok' | 'incomplete' | 'corrupt' | 'failed'

/** It is called a mapfile, and it is not one. */
export class MapfileError extends NttError {
  readonly tag = 'mapfile'
  readonly exitCode = 3
}

const isStatus = (text: string): text is BlockStatus => blockStatuses.some((status) => status === text)

/** Parses a mapfile strictly: a line of where it stands, then blocks `position size status` that follow on one another. */
export function parseMapfile(text: string): Mapfile {
  const lines = text
    .split('\n')
    .map((line, at) => ({ line: line.trim(), number: at + 1 }))
    .filter(({ line }) => line !== '' && !line.startsWith('#'))
  const [first, ...rest] = lines
  if (first === undefined) throw new MapfileError('the mapfile holds nothing')
  if (!text.endsWith('\n')) throw new MapfileError('the mapfile ends in the middle of a line')
  const [, position = '', phase = '', pass] =
    /^(\S+)\s+([?*/\-FG+])(?:\s+([0-9]+))?$/.exec(first.line) ??
    fault(first.number, 'expected where it stands')
  const blocks: Block[] = []
  for (const { line, number } of rest) {
    const [pos = '', size = '', status = '', more] = line.split(/\s+/)
    if (!isStatus(status) || more !== undefined) fault(number, 'expected position, size and status')
    const start = bytesOf(pos, number)
    const length = bytesOf(size, number)
    const before = blocks.at(-1)
    if (before !== undefined && start !== before.end) {
      fault(
        number,
        start < before.end ? 'a block overlaps the one before it' : 'there is a gap before the block',
      )
    }
    if (length === 0) fault(number, 'a block is empty')
    if (!Number.isSafeInteger(start + length)) fault(number, 'a block ends too far out')
    blocks.push({ start, end: start + length, status })
  }
  const [start, end] = [blocks[0]?.start ?? 0, blocks.at(-1)?.end ?? 0]
  const sum = (...statuses: readonly BlockStatus[]): number =>
    blocks.reduce((bytes, one) => (statuses.includes(one.status) ? bytes + one.end - one.start : bytes), 0)
  return {
    position: bytesOf(position, first.number),
    phase,
    pass: pass === undefined ? null : Number(pass),
    blocks,
    start,
    end,
    total: end - start,
    rescued: sum('+'),
    bad: sum('-'),
    pending: sum('*', '/'),
    untried: sum('?'),
  }
}

/** The same of a file that may be something else, or may have been cut: null then. */
export function parsedMapfile(text: string): Mapfile | null {
  try {
    return parseMapfile(text)
  } catch (error) {
    if (error instanceof MapfileError) return null
    throw error
  }
}

function fault(line: number, what: string): never {
  throw new MapfileError(`line ${line} of the mapfile: ${what}`)
}

/** Decimal, hexadecimal (0x) or octal (0), as ddrescue reads them. */
function bytesOf(text: string, line: number): number {
  const value = /^0[0-7]+$/.test(text)
    ? Number.parseInt(text, 8)
    : /^(?:0x[0-9a-f]+|0|[1-9][0-9]*)$/i.test(text)
      ? Number(text)
      : Number.NaN
  return Number.isSafeInteger(value) ? value : fault(line, `${JSON.stringify(text)} is no number of bytes`)
}

/**
 * Health by the share of the device that was rescued: all of it `ok`, from 90 % `incomplete`, from 20 % `corrupt`, below
 * `failed`. `bytes`: size of the device; bytes that the map does not cover are not rescued. null: without a map, or of
 * nothing, there is nothing to tell it by.
 */
export function healthOf(map: Mapfile | null, bytes: number): Health | null {
  if (map === null || map.total === 0 || bytes === 0) return null
  const rescued = BigInt(map.rescued) * 100n
  const whole = BigInt(Math.max(bytes, map.end))
  if (rescued === whole * 100n) return 'ok'
  if (rescued >= whole * 90n) return 'incomplete'
  return rescued >= whole * 20n ? 'corrupt' : 'failed'
}

/** Whether the map speaks of every byte of a device of so many bytes. */
export const covers = (map: Mapfile, bytes: number): boolean =>
  map.blocks.length > 0 && map.start === 0 && map.end >= bytes

/** What was not read of a device of so many bytes: sorted, apart from one another. */
export function unreadRanges(map: Mapfile, bytes: number): readonly Range[] {
  const outside: Block[] = [{ start: map.end, end: bytes, status: '?' }]
  const found: { start: number; end: number }[] = map.start > 0 ? [{ start: 0, end: map.start }] : []
  for (const { start, end, status } of [...map.blocks, ...outside]) {
    if (status === '+' || start >= end) continue
    const before = found.at(-1)
    if (before?.end === start) before.end = end
    else found.push({ start, end })
  }
  return found
}
