// JSON as values are compared by it: one text for one value, its fingerprint, and what was parsed.
import { createHash } from 'node:crypto'

/** JSON with the keys of every object in code-unit order; `undefined` members are left out, as in JSON. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`)
    return `{${members.join(',')}}`
  }
  return JSON.stringify(value) ?? 'null'
}

/** Whether a parsed value is an object with members. */
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A link of a chain: SHA-256 over the link before and the canonical JSON of what follows it. */
export const chained = (before: Buffer, value: unknown): Buffer =>
  createHash('sha256').update(before).update(canonicalJson(value)).digest()

/** SHA-256 over the canonical JSON, 64 hex digits. */
export const fingerprint = (value: unknown): string =>
  createHash('sha256').update(canonicalJson(value)).digest('hex')
