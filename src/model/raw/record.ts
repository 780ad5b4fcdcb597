// What a raw enumeration holds: records, their counts, and how it ended.
import type { Entry, EntryError, EntryType, VolumeReport } from '../entry.ts'
import { NttError } from '../errors.ts'
import { halvesOf } from '../halves.ts'
import { InodeSet } from '../inodes.ts'

/** An entry or an error, and the number of its filesystem. */
export type RawRecord =
  | { readonly fs: number; readonly entry: Entry }
  | { readonly fs: number; readonly error: EntryError }

/** Counts of one filesystem; by them a load is compared with its enumeration. */
export interface RawCounts {
  readonly fs: number
  /** Entries of all kinds; errors are not among them. */
  readonly records: number
  readonly files: number
  readonly directories: number
  readonly links: number
  /** Devices, pipes, sockets and what could not be told. */
  readonly others: number
  readonly errors: number
  /** Content of the files, each inode once; no more than 2^53 - 1, whatever a damaged filesystem claims. */
  readonly bytes: number
  /** Distinct inode numbers. */
  readonly inodes: number
}

export type RawFormat = 'ntt-1' | 'legacy-v0' | 'legacy-v1'

/** How an enumeration ended, as read from its last bytes. */
export interface RawTail {
  readonly format: RawFormat
  /** It has a whole trailer. Never so for the older formats, which have none. */
  readonly complete: boolean
  /**
   * ntt-1: SHA-256 of everything before it. Where there is no trailer: SHA-256 over the size and the first and last 64 KiB,
   * which tells two files apart but proves nothing.
   */
  readonly digest: string
  /** Order-independent digest of all records but their extents: equal for two enumerations that found the same. */
  readonly content: string
  /** medium_hash of the medium that it is of; null: it does not tell. */
  readonly hash: string | null
  /** Where the entries were read from; null: it does not tell. */
  readonly source: string | null
  /** What of the image was not read then, as unreadPrint tells; null: it does not tell. */
  readonly unread: string | null
  /** BLAKE3 of the image where that took the place of another one; empty for the first. */
  readonly image: string
  readonly volumes: readonly VolumeReport[]
  /** One for each filesystem with a record, by number; empty where there is no trailer. */
  readonly counts: readonly RawCounts[]
}

/** It is called raw, and it is not one, or not whole. */
export class RawError extends NttError {
  readonly tag = 'raw'
  readonly exitCode = 3
}

type Open = { -readonly [Key in keyof RawCounts]: RawCounts[Key] } & { readonly seen: InodeSet }

/** Counts records as they pass. */
export class RawCounter {
  readonly #open = new Map<number, Open>()
  #last: Open | null = null

  add(record: RawRecord): void {
    if ('error' in record) {
      this.error(record.fs)
      return
    }
    const { type, ino, size } = record.entry
    const { high, low } = halvesOf(ino)
    this.entry(record.fs, type, high, low, size)
  }

  error(fs: number): void {
    this.#of(fs).errors += 1
  }

  /** The inode number in its halves. Tells whether it is the first record of that inode. */
  entry(fs: number, type: EntryType, inoHigh: number, inoLow: number, size: number): boolean {
    const count = this.#of(fs)
    count.records += 1
    const isFirst = count.seen.addHalves(inoHigh, inoLow)
    switch (type) {
      case 'f':
        count.files += 1
        if (isFirst) count.bytes = Math.min(count.bytes + size, Number.MAX_SAFE_INTEGER)
        return isFirst
      case 'd':
        count.directories += 1
        return isFirst
      case 'l':
        count.links += 1
        return isFirst
      case 'b':
      case 'c':
      case 'p':
      case 's':
      case '?':
        count.others += 1
        return isFirst
      default:
        return type satisfies never
    }
  }

  counts(): readonly RawCounts[] {
    return [...this.#open.values()]
      .toSorted((one, other) => one.fs - other.fs)
      .map(({ seen, ...count }) => ({ ...count, inodes: seen.size }))
  }

  #of(fs: number): Open {
    if (this.#last?.fs === fs) return this.#last
    const found = this.#open.get(fs) ?? {
      fs,
      records: 0,
      files: 0,
      directories: 0,
      links: 0,
      others: 0,
      errors: 0,
      bytes: 0,
      inodes: 0,
      seen: new InodeSet(),
    }
    this.#open.set(fs, found)
    this.#last = found
    return found
  }
}
