// The one interface of the pipeline, and the plain values that travel through it.
import type { HashVersion, KindName, Medium, StageName, Target } from './medium.ts'
import type { ProductRoot } from './store.ts'
import type { Reader, Writer } from './world.ts'

/**
 * Why. `code` is for tests and grep and comes from `reasonCodes`; `text` is a sentence with its numbers, for people.
 * `text` decides nothing. Of the codes, `restore`, `gate`, `failed-proof` and `other-image` say how a step is carried out.
 */
export interface Reason {
  readonly code: ReasonCode
  readonly text: string
}

/** The closed list of reason codes; the README's table is compared with it by a test. */
export const reasonCodes = {
  absent: 'the product is not there yet',
  incomplete: 'the product is there in part',
  present: 'the product is there',
  proven: 'the product is there and was proven of exactly this',
  unproven: 'the product is there and nobody has verified exactly this',
  changed: 'the product is not as it was when it was proven',
  gate: 'proven again in this run, because an archive is about to be made over it',
  follows: 'follows when the stage before it has run',
  waits: 'a stage before it is refused or unknown',
  unobserved: 'it could not be looked at',
  'wrong-medium': 'the source is not the medium that is declared',
  'source-away': 'the source is not there, and nothing that holds its bytes is',
  'other-rows': 'rows of another enumeration are loaded',
  'other-image': 'the image is not the one that was proven, or that it was made of',
  'failed-proof': 'what is there failed its last verification; it is not replaced unasked',
  damaged: 'part of the medium could not be read',
  'below-policy': 'less of the medium was read than its policy asks for',
  unread: 'a partition has no outcome',
  'older-format': 'made by the older pipeline; read again in ours and compared',
  exclusions: 'the exclusions have changed since',
  failed: 'files that could not be read are not accepted by policy',
  missing: 'a product that was proven is gone',
  'over-budget': 'it needs more than the budget of this verification',
  asked: 'a person asked for it to be made again',
  restore: 'gone, damaged or needed by a later stage; restored from the archive',
  archived: 'the image lives in a proven archive',
  foreign: 'it belongs to something else',
} as const
export type ReasonCode = keyof typeof reasonCodes

/** What a stage makes of what it saw: its product is there, must be made, or needs a person. */
export interface Decision {
  readonly action: 'keep' | 'run' | 'refuse'
  readonly because: Reason
  /** The product is met by a copy elsewhere, and must be restored (`run`) before a later stage can work on it. */
  readonly elsewhere?: boolean
  /** A refusal that a person may overrule by asking for this very stage to be made again: `run` is then told to replace. */
  readonly mayRedo?: boolean
  /**
   * It was made while some of the medium was not read: if a stage before it runs, this one may have work as well. Without that
   * the decision stands.
   */
  readonly follows?: boolean
  /** What is there is as good as it could be made; its file asks for more, or for something else, than when it was. */
  readonly byPolicy?: true
  /** What was seen is the product and what it was made of: where that has changed, the product need not have. */
  readonly hasSources?: true
  /** What was proven was so, while less of the medium was read or asked for: to go on contradicts no proof. */
  readonly outgrown?: true
  /** By the product's own word: the digest of the image that it was made of, where that took the place of another one, else empty. Left out where it does not tell. */
  readonly madeOf?: string
  /** Of an image that a run would read further: the file that it goes on with, as its proof tells of it (`file`). */
  readonly goesOn?: string
  /** Where it fails its verification, it may be set aside and taken from the archive. */
  readonly restorable?: boolean
  /** What a run would move, where it is known. */
  readonly work?: Work
}

/** What a step will move: bytes to read and to write, entries. */
export interface Work {
  readonly read?: number
  readonly write?: number
  readonly entries?: number
}

/** `prove`: there, but nobody has verified exactly this. `unknown`: could not look. `wait`: held by a step before it. */
export type Action = Decision['action'] | 'prove' | 'unknown' | 'wait'

/** How deep a proof looked. `counts`: structure, counts and sizes. `hash`: every byte. */
export type Depth = 'counts' | 'hash'

/** One fact that was tested against reality. */
export interface Check {
  readonly name: string
  readonly ok: boolean
  readonly expected: string
  readonly actual: string
}

/** Content of a medium that could not be saved, in whole or in part. */
export interface Losses {
  readonly files: number
  readonly bytes: number
  /** The first hundred of them at most, as one char for each byte. */
  readonly paths: readonly string[]
}

/** What a verification found: the checks, and figures for people and events (units in the names: bytes, files, records). */
export interface Verification {
  readonly checks: readonly Check[]
  readonly figures: Readonly<Record<string, number>>
  /** Facts that people or later runs need (tool versions, per-filesystem counts); plain JSON. */
  readonly facts?: Readonly<Record<string, unknown>>
  readonly lost?: Losses
  /**
   * Digest of the product's content, where the look was deep enough to know it. Unless the product was made anew, it must
   * be the one of the last good proof: the flow compares.
   */
  readonly content?: string
  /**
   * The content of an earlier stage's product as it was met in this one. It must be the one of that stage's last good proof:
   * the flow compares.
   */
  readonly holds?: { readonly stage: StageName; readonly content: string }
}

/**
 * Why what is there gives way to what is made: it failed its proof, a person asked for a new one, or it was made of an image that was
 * itself replaced. null: nothing that is there may be replaced.
 */
export type Replaces = 'failed-proof' | 'asked' | 'other-image' | null

/**
 * A stage of the pipeline. `Seen` is plain JSON data: it is printed, logged, digested and written in tests.
 * What changes in `Seen` makes an earlier proof stale; so it holds nothing volatile (no times of looking, no device numbers).
 */
export interface Stage<Seen = unknown> {
  readonly name: StageName
  /** The column of `medium` that claims this stage is done; written with the proof, by nobody else. */
  readonly claim?: 'enum_done' | 'copy_done'
  /** Where its product lies. Before it is missed or made, the flow sees to it that the root is the one that the database knows. */
  readonly root?: ProductRoot
  /** How deep `apply` looks after a run, and at a product that nobody has verified. Counts where left out. */
  readonly depths?: { readonly run: Depth; readonly prove: Depth }
  /** What is true now of this stage's own product. Reads only, and cheaply: every plan asks it of every medium. */
  observe(medium: Medium, world: Reader): Promise<Seen>
  /** What to do about it, and why. Judges the product, never the input. Pure. */
  plan(medium: Medium, seen: Seen): Decision
  /**
   * Make it so. Safe to repeat after a crash. The only member that may write. `fromArchive`: not made anew but restored, as
   * it was.
   */
  run(medium: Medium, seen: Seen, world: Writer, replaces: Replaces, fromArchive?: boolean): Promise<void>
  /** Prove it. Looks again, in depth; believes neither `run` nor the record. What `run` has just read back of the product itself may stand in for reading that once more. */
  verify(medium: Medium, world: Reader, depth: Depth): Promise<Verification>
}

/** A claim of the database or of a file name: shown, compared, never used. */
export interface Claim {
  readonly stage: StageName
  readonly text: string
}

/** What one stage saw of one medium; or that it could not look, which is not the same as nothing. */
export type Observation = { readonly stage: StageName } & (
  | { readonly seen: unknown; readonly decision: Decision; readonly of: string }
  | { readonly unknown: Reason }
)

/** A medium that was looked at: its stages in order, its proofs, and what is claimed of it. */
export interface Observed {
  readonly medium: Medium | Unidentified
  readonly observations: readonly Observation[]
  readonly proofs: readonly Proof[]
  readonly claims: readonly Claim[]
}

/** A declared medium whose identity could not be found out, or is not the declared one. */
export interface Unidentified {
  readonly name: string
  readonly file: string
  readonly label: string | null
  readonly kind: KindName | null
  readonly target: Target
  readonly hash: null
  readonly because: Reason
  /** `refuse`: seen, and it is another disc. `unknown`: could not look. */
  readonly action: 'refuse' | 'unknown'
  /** The medium_hash of the one that was met here, where its bytes show that this is not it: what was proven of that one is not so now. */
  readonly displaced?: string
}

/** What was proven, when, how deep, and of exactly what. A proof can be outdated by reality; it never overrules it. */
export interface Proof {
  readonly stage: StageName
  /** Fingerprint of the observation that the checks were made of. */
  readonly of: string
  readonly depth: Depth
  readonly ok: boolean
  readonly checks: readonly Check[]
  readonly figures: Readonly<Record<string, number>>
  readonly facts: Readonly<Record<string, unknown>>
  readonly content: string | null
  /** Run that proved it. */
  readonly run: string
  readonly host: string
  /** ISO 8601, UTC. */
  readonly at: string
}

/** A decision in its place. Plain data. */
export interface Step {
  readonly medium: string
  readonly stage: StageName
  readonly action: Action
  readonly because: Reason
  /** Something that was proven or is claimed is not so. Shown with `!`; exit code 3 where a proof is contradicted. */
  readonly contradicts: 'proof' | 'claim' | null
  /** Fingerprint of what was seen; null where it could not be looked at. */
  readonly of: string | null
  /** The latest proof of exactly this, if any. */
  readonly proof: { readonly at: string; readonly depth: Depth } | null
  readonly work?: Work
}

/** One medium's steps, in the order of work. */
export interface Lane {
  readonly medium: string
  readonly label: string | null
  readonly kind: KindName | null
  readonly hash: string | null
  readonly hashVersion: HashVersion | null
  readonly bytes: number | null
  /** ok, incomplete, corrupt or failed, by the last good proof of the image; null where nobody knows. */
  readonly health: string | null
  readonly target: Target
  readonly steps: readonly Step[]
  readonly claims: readonly Claim[]
  /** The highest stage that holds now, counted from the first without a gap; null for none. */
  readonly holds: StageName | null
  /** A drive that only one lane may use at a time. */
  readonly exclusive: string | null
}

/** All lanes. Its fingerprints are the staleness check of a saved plan. */
export interface Plan {
  readonly version: 1
  readonly at: string
  readonly lanes: readonly Lane[]
}
