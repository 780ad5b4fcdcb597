// Which passes of the ladder have ended on which drive, and which one comes next.
import type { Kind, Pass } from '../../model/kind.ts'

/** One pass that ended: by itself, because nothing could be read for too long, or cut short when all had been read. */
export interface EndedPass {
  readonly pass: string
  /** The device that it was read from. */
  readonly drive: string
  /** Bytes read of the medium when it ended, by all passes so far. */
  readonly rescued: number
  readonly total: number
  readonly end: 'done' | 'gave-up' | 'cut-short'
}

/** Lines of JSON; a line that is not one of ours is passed over: the log is a help, the map is the truth. */
export function parsePasses(text: string | null): readonly EndedPass[] {
  return (text ?? '').split('\n').flatMap((line) => {
    try {
      const json: unknown = JSON.parse(line)
      return isEndedPass(json) ? [json] : []
    } catch (error) {
      if (error instanceof SyntaxError) return []
      throw error
    }
  })
}

export const passesText = (passes: readonly EndedPass[]): string =>
  passes.map((pass) => `${JSON.stringify(pass)}\n`).join('')

const isEndedPass = (value: unknown): value is EndedPass =>
  typeof value === 'object' &&
  value !== null &&
  'pass' in value &&
  typeof value.pass === 'string' &&
  'drive' in value &&
  typeof value.drive === 'string' &&
  'rescued' in value &&
  typeof value.rescued === 'number' &&
  'total' in value &&
  typeof value.total === 'number' &&
  'end' in value &&
  (value.end === 'done' || value.end === 'gave-up' || value.end === 'cut-short')

/**
 * The passes with the one that had read the last of the medium when it or ntt was killed, so that nobody wrote it down; the last
 * argument is what an earlier session left, in bytes. Which one it was follows from those before it: the ladder has one order.
 */
export function withCutShort(
  kind: Kind,
  drive: string,
  passes: readonly EndedPass[],
  { rescued, total }: { readonly rescued: number; readonly total: number },
): readonly EndedPass[] {
  const isTold = passes.some((one) => one.rescued === one.total)
  if (rescued !== total || isTold) return passes
  const pass = kind.passes.find(({ name }) => !passes.some((one) => one.drive === drive && one.pass === name))
  return pass === undefined
    ? passes
    : [...passes, { pass: pass.name, drive, rescued, total, end: 'cut-short' }]
}

/** Percent, 0 to 100; of nothing it is 0. */
export const share = (rescued: number, total: number): number => (total === 0 ? 0 : (rescued / total) * 100)

/**
 * The next pass on a drive; null: the ladder has ended there. Gentle passes always come; stubborn ones only while less was read
 * than `enough`, the share that the medium's policy asks for. A pass that leaves less than its `least` ends the ladder.
 */
export function nextPass(
  kind: Kind,
  drive: string,
  passes: readonly EndedPass[],
  read: { readonly rescued: number; readonly total: number } | null,
  enough: number,
): Pass | null {
  if (read !== null && read.total > 0 && read.rescued === read.total) return null
  const ended = passes.filter((one) => one.drive === drive)
  const hopeless = ended.some(
    ({ pass, rescued, total }) =>
      share(rescued, total) < (kind.passes.find(({ name }) => name === pass)?.least ?? 0),
  )
  if (hopeless) return null
  const next = kind.passes.find(({ name }) => ended.every(({ pass }) => pass !== name))
  if (next === undefined) return null
  const met = read !== null && share(read.rescued, read.total) >= enough
  return next.stubborn && met ? null : next
}
