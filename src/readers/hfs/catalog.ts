// What the catalogs of HFS and HFS+ say alike, and how they differ in saying it. Pure.
import type { KeyForm } from './tree.ts'

export interface Fork {
  readonly size: number
  readonly blocks: number
  /** The first pieces: HFS has three in a record, HFS+ eight. */
  readonly extents: readonly Extent[]
}

export interface Extent {
  readonly first: number
  readonly blocks: number
}

export interface Node {
  readonly id: number
  readonly mtimeNs: bigint | null
  /** As st_mode; 0 where no Unix has seen it. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Device number, count of links, or number of the file that is linked, by what it is. */
  readonly special: number
  /** Type and creator, eight letters. */
  readonly kind: string
  /** It is one of several names of a folder. */
  readonly isLinked: boolean
}

export interface Folder extends Node {
  readonly type: 'folder'
}

export interface File extends Node {
  readonly type: 'file'
  readonly data: Fork
  readonly resource: Fork
  /** Its content is compressed, and not in its data fork. */
  readonly isCompressed: boolean
}

/** A record that tells, for the number in its key, where that one is. */
export interface Thread {
  readonly type: 'thread'
  readonly isFolder: boolean
  readonly parent: number
  /** As bytes of a path, before anything is mended. */
  readonly name: Buffer
}

/** A volume as its header tells. */
export interface HfsHeader {
  readonly blockBytes: number
  readonly blocks: number
  readonly freeBlocks: number
  /** Where the first block begins, from the beginning of the volume. */
  readonly firstAt: number
  readonly isClean: boolean
  readonly catalog: Fork
  readonly extents: Fork
  readonly attributes: Fork
  /** Forks that are the filesystem's own, beside those, with their numbers. */
  readonly others: readonly (readonly [fork: Fork, number: number])[]
}

/** How the one is told from the other. */
export interface HfsForm {
  readonly catalogKey: KeyForm
  readonly extentsKey: KeyForm
  /** The name in a key of the catalog, as bytes of a path, before anything is mended. */
  nameOf(key: Buffer): Buffer
  /** Throws RunError for what is none of the four kinds. */
  recordOf(value: Buffer): Folder | File | Thread
  /** Pieces of a fork that its record does not hold: which fork, from which of its blocks on, and where. */
  piecesOf(
    key: Buffer,
    value: Buffer,
  ): { readonly fork: number; readonly from: number; readonly extents: readonly Extent[] }
}
