// What an enumeration finds: volumes, entries and errors. Names are bytes, always.
import type { Range } from './world.ts'

/** One letter a kind, as find(1) prints them. `?`: an entry whose kind could not be told. */
export type EntryType = 'f' | 'd' | 'l' | 'b' | 'c' | 'p' | 's' | '?'

const types: Readonly<Record<number, EntryType>> = {
  0o10: 'f',
  0o04: 'd',
  0o12: 'l',
  0o06: 'b',
  0o02: 'c',
  0o01: 'p',
  0o14: 's',
}

/** What the upper bits of a Unix mode (st_mode) say. */
export const typeOfMode = (mode: number): EntryType => types[mode >>> 12] ?? '?'

/** An entry of a filesystem. */
export interface Entry {
  readonly type: EntryType
  /** Relative to the filesystem's root, no leading or trailing slash; empty for the root itself. */
  readonly path: Buffer
  /** The filesystem's own number; where it has none, one that the reader makes, equal for hard links of one file. */
  readonly ino: bigint
  readonly nlink: number
  /** Bytes of content; 0 for all but files (and links, where it is the target's length). */
  readonly size: number
  /** Nanoseconds since 1970, UTC; null where the filesystem has no time. */
  readonly mtimeNs: bigint | null
  /** Permission bits, st_mode & 07777; null where the filesystem has none. */
  readonly mode: number | null
  readonly uid: number | null
  readonly gid: number | null
  /** major * 2^32 + minor of a device node, 0 for others. */
  readonly rdev: bigint
  /** Target of a symbolic link. */
  readonly target: Buffer | null
  /**
   * Where the content lies, absolute in the image, in file order; a hole has `start: -1` and its length as `end`.
   * null: not known (the reader must be asked for the bytes).
   */
  readonly extents: readonly Range[] | null
}

/** What an entry has where the filesystem knows neither owner nor mode; it is no link and no device. */
export const nobody = { mode: null, uid: null, gid: null, rdev: 0n, target: null } as const

/** A root of which nothing is known but that it is there. */
export const bareRoot = (ino: bigint): Entry => ({
  ...nobody,
  type: 'd',
  path: Buffer.alloc(0),
  ino,
  nlink: 1,
  size: 0,
  mtimeNs: null,
  extents: null,
})

/** Something below a root that could not be read. `path` empty: the root, or not known. */
export interface EntryError {
  /**
   * errno name, or a word of ours: `unreadable-directory` (names below it are missing), `other-filesystem` (what is mounted there was not
   * read), `reader`. These leave names intact: `content` (bytes of a file are missing), `bad-name` (a name had to be mended).
   */
  readonly error: string
  readonly path: Buffer
  readonly message: string
}

/** A range of a medium that may hold a filesystem. */
export interface Volume {
  /** Number of the filesystem within the medium: 0 for the whole medium, else the partition's number. Half of the inode key. */
  readonly fs: number
  /**
   * How it was found: `whole`, or the partition table's scheme as partx names it (dos, gpt, mac, bsd, sun, sgi), `offset`,
   * `hybrid`, `session` (of a disc), or `cd` (raw frames).
   */
  readonly scheme: string
  /** Partition type as the table says; mode of the frames, or where a session begins; empty for whole media. */
  readonly partitionType: string
  /** Byte range in the image. For directories 0 and 0. */
  readonly start: number
  readonly bytes: number
  /** blkid's TYPE (iso9660, udf, vfat, ext4, ntfs, …), `directory`, or null where nothing was recognised. */
  readonly type: string | null
  readonly label: Buffer
  readonly uuid: string
}

/**
 * How a volume ended. `read`: enumerated whole. `empty`: a filesystem (or fill pattern) without entries, seen to be so.
 * `waived`: not read, for a reason (a container, swap, a person's `skip`). `partial`: read, and names may be missing.
 * `unreadable`: it should hold something and could not be read.
 */
export type VolumeOutcome = 'read' | 'empty' | 'waived' | 'partial' | 'unreadable'

export interface VolumeReport extends Volume {
  readonly outcome: VolumeOutcome
  /** Why, in a sentence; empty for a plain `read`. */
  readonly reason: string
  /** Which reader, with its version: `bsdtar 3.6.2`; empty where none read it. */
  readonly reader: string
  /** Readers with their versions that were asked before it and failed; left out where there were none. */
  readonly failed?: readonly string[]
  /**
   * Where filesystems are mounted that were not read, one char for each byte of a path. Only where nothing else is missing, so that who
   * leaves these out leaves out all that is.
   */
  readonly mounts?: readonly string[]
}

/** The word of an error that stands for what is mounted inside a directory. */
export const otherFilesystem = 'other-filesystem'

/** Bytes of a content are missing, or not its own. */
export const contentError = 'content'
/** Something is in use, and no name leads to it: what a check of the disk would put into lost+found. */
export const unnamedError = 'unnamed'
const leaveNamesIntact: readonly string[] = [contentError, 'bad-name', unnamedError]

/** Whether there may be entries that nobody told us of. */
export const hidesNames = ({ error }: EntryError): boolean => !leaveNamesIntact.includes(error)

export const isEntry = (found: Entry | EntryError): found is Entry => 'type' in found

/** How people are told of a volume by its number. */
export const volumeName = (fs: number): string => (fs === 0 ? 'the medium' : `partition ${fs}`)

/** The reason of a volume that was left out because the medium's file said so, for as long as it does. */
export const skipped = 'skipped, as its file says'
