// What the main thread asks of the store's threads, and what they answer. All of it can be posted.
import type { Digest } from '../../model/world.ts'

/** A content to be read from a file, or from ranges of one. */
export interface Read {
  /** Bytes as latin1. */
  readonly path: string
  /** The folder below which a live file is opened, its path being relative to it; null: `path` says all. */
  readonly root: string | null
  readonly size: number
  /** When a live file must have been written to last; null: whenever. */
  readonly mtimeNs: bigint | null
  /** start, end, start, end …; a hole has -1 and its length. null: the whole of a live file. */
  readonly ranges: readonly number[] | null
  /** A content of this size is in the store already: look before writing. */
  readonly known: boolean
}

/** A content in a slab of memory. */
export interface Slice {
  readonly start: number
  readonly end: number
}

export interface Jobs {
  /** Read each content once, hash it, and write what the store does not hold to a temporary file. */
  read: { ask: { folder: string; reads: readonly Read[] }; answer: readonly Kept[] }
  /** The same for contents that lie whole in a slab, which is given back. */
  slab: { ask: { folder: string; slab: ArrayBuffer; slices: readonly Slice[] }; answer: readonly Kept[] }
  /** The next slab of a content that is larger than one. `end: drop`: it will not be complete. */
  part: {
    ask: { folder: string; stream: number; slab: ArrayBuffer; bytes: number; end: 'keep' | 'drop' | null }
    answer: Kept | null
  }
  /** Give temporary files the names of their contents; remove others. */
  name: {
    ask: { names: readonly (readonly [temp: string, blob: string])[]; drop: readonly string[] }
    answer: null
  }
  /** Size of each blob, -1 for what is not there. */
  sizes: { ask: { ids: readonly string[] }; answer: readonly number[] }
  /** Which of the blobs somebody may write to. */
  writable: { ask: { ids: readonly string[] }; answer: readonly string[] }
  /** Each blob read again. */
  rehash: { ask: { ids: readonly string[] }; answer: readonly { bytes: number; blake3: string | null }[] }
  digest: { ask: { path: string; start: number; end: number }; answer: Digest }
  /** A frame of an archive, packed in the memory of its content, which is shared; the frame's length. */
  pack: { ask: { slab: SharedArrayBuffer; bytes: number }; answer: number }
}

/** What became of a content: its blob, with the temporary file that holds it unless the store does; or why it was not read. */
export type Kept =
  | { readonly blob: string; readonly bytes: number; readonly temp: string | null }
  | { readonly class: FailureClass; readonly message: string }

/** Why a content could not be had. */
export type FailureClass =
  | 'missing'
  | 'permission'
  | 'io'
  | 'not-a-file'
  | 'size-changed'
  | 'changed'
  | 'path'
  | 'unreadable'

export type JobName = keyof Jobs

export type Ask = {
  [Name in JobName]: { readonly job: Name; readonly id: number } & Jobs[Name]['ask']
}[JobName]

/** `errno` where a system call failed; then `path` is what it was about. */
export interface Broken {
  readonly message: string
  readonly errno: string | null
  readonly path: string
  readonly writing: boolean
}

export type Answer =
  | { readonly id: number; readonly answer: Jobs[JobName]['answer']; readonly slab?: ArrayBuffer }
  | { readonly id: number; readonly broken: Broken }
  | { readonly id: number; readonly done: number; readonly contents: number }

/** A thread is started with these. */
export interface ThreadSetup {
  /** Absolute path of the store. */
  readonly root: string
  /** What it is called: part of the names of its temporary files. */
  readonly thread: string
}

/** Where a blob lies below the store. */
export const blobPath = (id: string): string => `${id.slice(0, 2)}/${id.slice(2, 4)}/${id}`

/** A content of up to this many bytes is read whole; slabs and buffers are of this size. */
export const slabBytes = 1024 * 1024
