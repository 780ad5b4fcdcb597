// What one look at an installation of the older pipeline finds of a medium, and how that is sorted, whatever its flags say.

/** The older pipeline names the empty content by its SHA-256; every other one by its BLAKE3. Nobody misses its file. */
export const olderEmpty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

/** What the older pipeline claims of a medium: carried along to be compared, never used. Times are ISO 8601, UTC. */
export interface OlderClaims {
  readonly enumDone: string | null
  readonly copyDone: string | null
  readonly health: string | null
}

/** File inodes of a medium by what became of them, as rows and store say together. */
export interface OlderTally {
  readonly files: number
  /** Their content is in the store with its size, or there is none to have. */
  readonly kept: number
  /** Every name was left out by a pattern. */
  readonly excluded: number
  /** No content is named, and no reason. */
  readonly uncopied: number
  /** The content that is named is not in the store. */
  readonly missing: number
  /** It is there and has another size. */
  readonly otherSize: number
}

/** Rows and files of one medium. */
export interface OlderLook {
  readonly tally: OlderTally
  /** Rows of `path`; 0: nothing is loaded. */
  readonly paths: number
  /** Entries in the enumeration; null: it is not there. `damaged`: it cannot be read to its end. */
  readonly raw: { readonly records: number; readonly files: number } | 'damaged' | null
}

/** Its table of contents: how many it has, and how many of those its store does not hold; the first of them. */
export interface OlderBlobs {
  readonly rows: number
  readonly missing: number
  readonly examples: readonly string[]
}

export const sortings = ['complete', 'copied-in-part', 'loaded-in-part', 'never-loaded'] as const
export type Sorting = (typeof sortings)[number]

export const lostFiles = ({ uncopied, missing, otherSize }: OlderTally): number =>
  uncopied + missing + otherSize

/**
 * A medium without rows was never loaded, unless its enumeration shows that it has no entry. One without a single file is only
 * believed to have none where the enumeration says so: two rows once stood for 246,852 files.
 */
export function sortOlder({ tally, paths, raw }: OlderLook): Sorting {
  const counted = raw !== null && raw !== 'damaged'
  if (paths === 0) return counted && raw.records === 0 ? 'complete' : 'never-loaded'
  if (tally.files === 0 && !(counted && raw.files === 0)) return 'never-loaded'
  if (counted && paths < raw.records) return 'loaded-in-part'
  return lostFiles(tally) > 0 ? 'copied-in-part' : 'complete'
}

/** What the catalogue keeps of such a look, for those who compare. */
export interface OlderRecord {
  readonly seenAt: string
  readonly sorting: Sorting
  readonly claims: OlderClaims
  readonly files: number
  readonly lost: number
  readonly paths: number
  readonly records: number | null
}

/** What was taken over of a medium, as `ntt import --json` tells it; or that it could not be looked at. */
export type Imported =
  | {
      readonly hash: string
      /** Its name in media.d; null: it cannot be one of ours, and `note` says why. */
      readonly medium: string | null
      readonly file: string | null
      /** The file was written now; otherwise it was there, and is as it was. */
      readonly isNew: boolean
      readonly sorting: Sorting
      readonly tally: OlderTally
      readonly lost: number
      readonly paths: number
      readonly raw: OlderLook['raw']
      /** Bytes; null: not there. */
      readonly image: number | null
      readonly archive: number | null
      /** The first names of files without content, as one char for each byte. */
      readonly examples: readonly string[]
      readonly note: string | null
    }
  | { readonly hash: string; readonly unknown: string }
