// The files of an enumeration that are to be copied, in its order; and those that are left out.
import type { Entry } from '../../model/entry.ts'
import { RunError } from '../../model/errors.ts'
import { InodeSet } from '../../model/inodes.ts'
import type { RawRecord } from '../../model/raw/index.ts'
import { excluding, type Exclude } from '../../model/exclusions.ts'

/** A name of a file, with the number that the database has for it. */
export interface Named {
  readonly fs: number
  readonly entry: Entry
}

/** The inodes of one filesystem that were met. */
class Met {
  readonly all = new InodeSet()
  /** Files whose names were all left out so far. */
  readonly doubtful = new InodeSet()
  /** Of those: the ones of which a name was not left out in the end. */
  readonly rescued = new InodeSet()
}

/**
 * Goes through an enumeration twice: the first time for the names under which files are copied, each file once; the
 * second time, where anything was left out, for the files of which every name was.
 */
export class Worklist {
  readonly #met = new Map<number, Met>()
  readonly #exclude: Exclude
  /** Distinct file inodes, and their bytes. */
  files = 0
  bytes = 0
  /** Files of which every name was left out, so far. */
  excluded = 0
  constructor(patterns: readonly string[]) {
    this.#exclude = excluding(patterns)
  }

  /** The files of a batch of records that are due under this name. As for the rows, the first record of an inode counts. */
  due(records: readonly RawRecord[]): readonly Named[] {
    return records.flatMap((record) => {
      if ('error' in record) return []
      const { fs, entry } = record
      const met = this.#of(fs)
      const isFirst = met.all.add(entry.ino)
      if (entry.type !== 'f') return []
      if (isFirst) {
        this.files += 1
        this.bytes += entry.size
      } else if (!met.doubtful.has(entry.ino) || met.rescued.has(entry.ino)) return []
      if (this.#exclude(entry.path) === null) {
        if (!isFirst) {
          met.rescued.add(entry.ino)
          this.excluded -= 1
        }
        // The names are views of a large block, and may have to wait long.
        return [{ fs, entry: { ...entry, path: Buffer.from(entry.path) } }]
      }
      if (isFirst) {
        met.doubtful.add(entry.ino)
        this.excluded += 1
      }
      return []
    })
  }

  /** On the second way through: files that are left out, each once, with the pattern of their first name. */
  leftOut(records: readonly RawRecord[]): readonly (Named & { readonly pattern: string })[] {
    return records.flatMap((record) => {
      if ('error' in record || record.entry.type !== 'f') return []
      const { fs, entry } = record
      const met = this.#of(fs)
      if (!met.doubtful.has(entry.ino) || met.rescued.has(entry.ino)) return []
      met.rescued.add(entry.ino)
      return [{ fs, entry, pattern: this.#exclude(entry.path) ?? '' }]
    })
  }

  /** Whether every name of a file was left out; asked when all have passed, before the second way through. */
  isLeftOut(fs: number, ino: bigint): boolean {
    const met = this.#of(fs)
    return met.doubtful.has(ino) && !met.rescued.has(ino)
  }

  #of(fs: number): Met {
    const met = this.#met.get(fs) ?? new Met()
    this.#met.set(fs, met)
    return met
  }
}

/** Runs of the same filesystem; each must be used up before the next one is asked for. */
export async function* byVolume(
  names: AsyncIterable<Named>,
): AsyncGenerator<{ readonly fs: number; readonly entries: AsyncIterable<Entry> }> {
  const source = names[Symbol.asyncIterator]()
  const take = async (): Promise<Named | null> => {
    const { done, value } = await source.next()
    return done === true ? null : value
  }
  let next = await take()
  async function* entriesOf(fs: number): AsyncGenerator<Entry> {
    for (; next !== null && next.fs === fs; next = await take()) yield next.entry
  }
  try {
    for (let fs = next?.fs; fs !== undefined;) {
      yield { fs, entries: entriesOf(fs) }
      const after: number | undefined = next?.fs
      if (after === fs)
        throw new RunError(`the reader of volume ${fs} ended before it was given all that it was asked for`)
      fs = after
    }
  } finally {
    await source.return?.()
  }
}
