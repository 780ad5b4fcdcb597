// What an inspection of the record and the log finds.

/** A place where the evidence does not hold. */
export interface Flaw {
  /** `events.jsonl:17`, `proof 12`, `run 20261123-204955-3f2a1c`. */
  readonly where: string
  readonly text: string
}

export interface Evidence {
  readonly proofs: number
  /** Runs that have ended and are sealed. */
  readonly sealed: number
  /** Runs of this host that have begun and not ended: at work, killed, or broken off by an error. */
  readonly open: readonly string[]
  readonly log: {
    readonly files: readonly string[]
    readonly lines: number
    /** Places of lines that a power cut or a full disk has torn. */
    readonly torn: readonly string[]
    /** Hosts whose runs are logged elsewhere, with how many there are. */
    readonly elsewhere: Readonly<Record<string, number>>
  }
  /** The last seal, 64 hex digits: what the end of the last run printed. */
  readonly head: string
  readonly flaws: readonly Flaw[]
}
