// How much a verification may take: a time or a number of bytes; and ages, as people write them.
import { parseSize } from './size.ts'

export type Budget = { readonly ms: number } | { readonly bytes: number }

const units: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

/** What was read back within this is fresh, where nobody says otherwise. */
export const usualMaxAge = '30d'

/** `90s`, `10m`, `1.5h`, `30d`, `2w` as milliseconds; null where it is no time. */
export function parseTime(text: string): number | null {
  const [, count, unit = ''] = /^([0-9]+(?:\.[0-9]+)?) ?(s|m|min|h|d|w)$/.exec(text) ?? []
  const factor = units[unit]
  return count === undefined || factor === undefined ? null : Math.round(Number(count) * factor)
}

/** When something was looked at. A time that is still to come was told by a clock that was wrong: nobody knows when, so null. */
export const credible = (at: string | null, now: Date): string | null =>
  at !== null && Date.parse(at) <= now.getTime() + 86_400_000 ? at : null

/** `10m` or `20GB`; null where it is neither, or nothing. */
export function parseBudget(text: string): Budget | null {
  const ms = parseTime(text)
  if (ms !== null) return ms > 0 ? { ms } : null
  const bytes = /[A-Za-z]$/.test(text) ? parseSize(text) : null
  return bytes !== null && bytes > 0 ? { bytes } : null
}
