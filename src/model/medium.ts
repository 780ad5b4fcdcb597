// A medium: what a person declared, and what identifies the thing itself.

/** The five stages, in the order of work. */
export const stageNames = ['image', 'enumerate', 'load', 'copy', 'archive'] as const
export type StageName = (typeof stageNames)[number]

/** What a person writes as `target:`; each names the stage that must hold, with all before it. */
export const targets = {
  imaged: 'image',
  enumerated: 'enumerate',
  loaded: 'load',
  copied: 'copy',
  archived: 'archive',
} as const satisfies Record<string, StageName>
export type Target = keyof typeof targets

/** What a person writes for each stage. */
export const targetOf = Object.fromEntries(
  Object.entries(targets).map(([target, stage]) => [stage, target]),
) as Record<StageName, Target>

/** What sort of carrier: decides how it is imaged and which stages make sense. */
export const kindNames = ['disk', 'optical', 'floppy', 'directory'] as const
export type KindName = (typeof kindNames)[number]

/** Where the bytes come from. Paths are absolute. */
export type Source =
  | { readonly type: 'image'; readonly path: string }
  | { readonly type: 'device'; readonly path: string }
  | { readonly type: 'directory'; readonly path: string }

/** What a disc must look like before a byte of it is imaged. */
export interface Expectation {
  readonly volume?: string
  readonly bytes?: number
  readonly serial?: string
  readonly model?: string
}

export interface Policy {
  /** The least share of the bytes that must be read, in percent, 0 to 100. */
  readonly rescued: number
  readonly unreadableFiles: 'refuse' | 'accept'
  /** Waivers, by partition number. `skip`: it is not read. `accept`: what could be read of it is enough. */
  readonly partitions: Readonly<Record<string, 'skip' | 'accept'>>
  /** The reason for the waivers, in a person's words. */
  readonly why?: string
}

/** One file of media.d, checked and with its defaults. */
export interface Declaration {
  /** The file name without `.yaml`. */
  readonly name: string
  /** The YAML file, as told to people. */
  readonly file: string
  readonly label: string | null
  readonly kind: KindName | null
  readonly source: Source
  readonly target: Target
  /** A declared identity, 32 hex digits. */
  readonly hash: string | null
  readonly expect: Expectation
  /** gitignore patterns against the path inside the filesystem, in order. */
  readonly exclude: readonly string[]
  readonly policy: Policy
}

/** The algorithm behind a medium_hash: `declared` was given by a person or a file name; `directory` hashes the declared name. */
export type HashVersion = 'v0' | 'v1' | 'v2' | 'declared' | 'directory'

/** Which medium this is. */
export interface Identity {
  /** 32 hex digits, the `medium_hash`. */
  readonly hash: string
  readonly version: HashVersion
  readonly kind: KindName
  /** Size of the source; null for a directory or a source that is away. */
  readonly bytes: number | null
}

/** A declared medium whose identity is known: what stages work on. */
export interface Medium extends Declaration, Identity {
  readonly hash: string
  readonly kind: KindName
}
