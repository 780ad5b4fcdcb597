// What the outcomes of a medium were decided by, as `copying.origin` keeps it.
import { canonicalJson, isRecord } from '../../model/canonical.ts'

/** How many file inodes ended how. */
export interface Tally {
  readonly files: number
  readonly blobs: number
  readonly excluded: number
  readonly damaged: number
  readonly failed: number
  /** Of the failed: those that are worth another attempt. */
  readonly again: number
}

export interface Origin {
  /** Digest of the enumeration that the rows were loaded from. */
  readonly rows: string
  /** Fingerprint of the exclusions. */
  readonly exclude: string
  /** What of the image was not read, as unreadPrint tells. */
  readonly damage: string
  /** Fingerprint of the volumes and of who read them: by the same readers a file keeps its number. Empty: they may not be relied on. */
  readonly readers: string
  /** The digest of the image where that took the place of another one; empty: it is the first. */
  readonly image: string
  /** null: not come to its end. */
  readonly tally: Tally | null
}

export const originText = (origin: Origin): string => canonicalJson(origin)

/** null: nobody said, or in no words of ours. */
export function parseOrigin(text: string): Origin | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  if (!isRecord(value)) return null
  const { rows, exclude, damage, readers = '', image = '', tally } = value
  if (typeof rows !== 'string' || typeof exclude !== 'string') return null
  if (typeof damage !== 'string' || typeof readers !== 'string' || typeof image !== 'string') return null
  if (tally === null) return { rows, exclude, damage, readers, image, tally }
  if (!isRecord(tally)) return null
  const { files, blobs, excluded, damaged, failed, again } = tally
  const counts = { files, blobs, excluded, damaged, failed, again }
  return isCounts(counts) ? { rows, exclude, damage, readers, image, tally: counts } : null
}

const isCounts = (value: { readonly [Key in keyof Tally]: unknown }): value is Tally =>
  Object.values(value).every((count) => Number.isSafeInteger(count))
