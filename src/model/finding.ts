// What an audit finds: a closed list of kinds, and one thing that database, stores and claims say against each other.

/** The closed list of findings, in the order in which they are told. */
export const findingCodes = {
  'false-claim': 'a claim says done, and it is not so',
  'failed-proof': 'its last proof failed, and nothing has mended it since',
  'other-image': 'made of an image that another one has taken the place of',
  'missing-product': 'it was proven once, and is gone',
  displaced: 'it was proven once, and something else is in its place',
  'missing-beyond': 'it was proven once, is gone, and its file asks for less by now',
  'copied-in-part': 'files of the medium have no content in the store and no reason',
  'not-met': 'declared in media.d, and the database has never met it',
  'name-taken': 'declared under a name that is another medium in the database',
  'same-medium': 'declared, and the medium of another file as well: one medium has one file',
  unexpected: 'its source is not as its file in media.d says',
  undeclared: 'the database knows it, and no file of media.d declares it',
  'never-loaded': 'met, imaged or enumerated, and nothing of it is in the database',
  'loaded-in-part': 'rows of a part of the enumeration, and of no more',
  'foreign-rows': 'rows of which nothing says what they were made of',
  'archived-over-nothing': 'an archive exists, and what must be proven before it is not there',
  'orphan-raw': 'an enumeration of a medium that the database does not know',
  'orphan-archive': 'an archive of a medium that the database does not know',
  'orphan-partition': 'rows of a medium that the database does not know',
  'missing-blob': 'the database knows a content that the store does not hold',
  'wrong-size-blob': 'a content in the store has another size than the database says',
  'orphan-blob': 'a content in the store that the database does not know',
  writable: 'contents are never written to again, and here somebody may',
  unclaimed: 'complete, and only the timestamps are missing',
} as const
export type FindingCode = keyof typeof findingCodes

export interface Finding {
  readonly code: FindingCode
  readonly medium: string | null
  readonly hash: string | null
  /** A sentence with its numbers. */
  readonly text: string
  /** How many things are affected; `examples` names the first of them, as latin1 bytes. */
  readonly count: number
  readonly examples: readonly string[]
}

/** So many examples of a finding are named; the others are counted. */
export const examplesKept = 20

/** A finding of a medium, of a hash that belongs to none, or of neither. */
export const finding = (
  code: FindingCode,
  of: { readonly name: string | null; readonly hash: string | null } | null,
  count: number,
  text: string,
  examples: readonly string[] = [],
): Finding => ({ code, medium: of?.name ?? null, hash: of?.hash ?? null, text, count, examples })
