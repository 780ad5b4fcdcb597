// Everything that a stage may do to the world. A Reader cannot write: it does not compile.
import type { Command } from './command.ts'
import type { Entry, EntryError } from './entry.ts'
import type { OlderRecord } from './older.ts'
import type { Frame } from './seekable.ts'

/**
 * A path. Either absolute, or `<root>:<path below it>`, where root is one of the named roots; products are
 * recorded only in the second form, so that several hosts may keep the same root in different places.
 */
export type Place = string
export const rootNames = ['image', 'raw', 'by-hash', 'archive', 'state'] as const
export type RootName = (typeof rootNames)[number]

/** What stat tells and what does not change by looking. */
export interface FileStat {
  readonly kind: 'file' | 'directory' | 'device'
  /** Size; for a block device its capacity. */
  readonly bytes: number
  /** Modification time, nanoseconds since 1970, decimal. */
  readonly mtimeNs: string
  /** When anything of it was changed last, its name and times included; nobody can set it. The same unit. */
  readonly ctimeNs: string
  readonly ino: string
  /** Permission bits, as in st_mode & 07777. */
  readonly mode: number
}

/** Bytes from `start` (included) to `end` (excluded). */
export interface Range {
  readonly start: number
  readonly end: number
}

export interface Digest {
  readonly bytes: number
  /** BLAKE3-256, 64 lower-case hex digits. */
  readonly blake3: string
}

/** BLAKE3 of bytes as they pass by. */
export interface Hasher {
  update(bytes: Buffer): void
  /** Of all that was fed; a hasher is read once. */
  digest(): Digest
}

/** What a program left: its exit was 0 unless `Command.accept` says more. */
export interface Output {
  readonly status: number
  readonly stdout: Buffer
  readonly stderr: string
}

export type Unit = 'bytes' | 'files' | 'records' | 'rows'

/** The row of `medium` and what the server says of its partitions, fetched for all media at once. */
export interface CatalogueRow {
  readonly mediumId: number
  readonly hash: string
  readonly name: string | null
  readonly enumDone: string | null
  readonly copyDone: string | null
  /** Loaded generation, null for none: attached partitions, their file nodes, sizes and write counters. */
  readonly load: TableLook | null
  readonly outcome: TableLook | null
  /** What the older pipeline left of it, as `ntt import` saw it; null where it never had it. */
  readonly older: OlderRecord | null
  /** Of the roots that were written to, the same for all media. */
  readonly rootIds: Readonly<Partial<Record<RootName, string>>>
}

/** Cheap look at a set of tables: changes when anything was written, or the tables were rebuilt. */
export interface TableLook {
  /** Tables of the medium that somebody detached; left out where there are none. */
  readonly detached?: readonly string[]
  /** The generation's own record: digest of the raw that it was made from, or of the exclusions, as its stage wrote it. */
  readonly origin: string
  readonly tables: readonly {
    readonly name: string
    readonly filenode: string
    readonly bytes: number
    /** Rows inserted, updated and deleted since creation, as the statistics collector counts them. */
    readonly writes: string
  }[]
}

/** Where filesystems can be mounted without anybody else seeing them; lent for as long as it is not disposed of. */
export interface Room extends AsyncDisposable {
  /** The mount point, for the argv of programs that run inside. */
  readonly inside: string
  /** The same, as seen from outside. */
  readonly root: string
  /** Run a program inside, to its end. What it leaves running goes with the room. */
  probe(command: Command): Promise<Output>
  /** What is mounted at the mount point now, as the kernel tells; null: nothing. */
  mounted(): Promise<{ readonly type: string; readonly source: string } | null>
}

/** Everything that can look at the world. `null` means: looked, and it is not there. A throw means: could not look. */
export interface Reader {
  readonly signal: AbortSignal
  /** The absolute path of a place, for argv. */
  path(place: Place): string
  stat(place: Place): Promise<FileStat | null>
  /** The bytes of a file or device, in chunks that are only valid until the next one is asked for. */
  read(place: Place, range?: Range): AsyncIterable<Buffer>
  /** A small text file, whole; refuses more than 16 MiB. */
  text(place: Place): Promise<string | null>
  /** BLAKE3 of a file or a part of it, hashed off the main thread; progress is told in bytes. */
  digest(place: Place, range?: Range): Promise<Digest>
  /** The same of a whole file, from memory where this run has read it already and nothing of it was changed since, by its ctime. */
  digestOnce(place: Place): Promise<Digest>
  /** Has the machine forget what it has of a file in memory, as far as that is on the disk: what is read next is read from there. */
  forget(place: Place): Promise<void>
  /** BLAKE3 of bytes that the caller reads anyway. */
  hasher(): Hasher
  /** The content of these frames of a packed file, in their order; throws PackError where one is cut or altered. */
  unpack(place: Place, frames: readonly Frame[]): AsyncIterable<Buffer>
  /** Names in a directory of ours, in byte order; null if the directory is not there. */
  names(place: Place): Promise<readonly string[] | null>
  /** Everything below a directory, the root included, without crossing filesystems or following links. */
  walk(directory: string): AsyncIterable<readonly (Entry | EntryError)[]>
  /** Whether a program is installed. */
  has(program: string): Promise<boolean>
  /** Run a program that changes nothing, to its end; at most 64 MiB of output. */
  probe(command: Command): Promise<Output>
  /** A place of its own for mounts that only we see; gone with us, whatever ends us. */
  room(): Promise<Room>
  /** The bytes of a file of a mounted filesystem, opened without following a link. */
  fileBytes(path: Buffer): AsyncIterable<Buffer>
  /** Run a program that changes nothing and take its stdout as it comes, in chunks as `read` has them; throws at the end if it failed. */
  stream(command: Command): AsyncIterable<Buffer>
  /** One question to the database, in a read-only transaction. */
  query<Row>(sql: string, params?: readonly unknown[]): Promise<readonly Row[]>
  /** `COPY (…) TO STDOUT`: the bytes as the server sends them, in a read-only transaction. */
  copyOut(sql: string): AsyncIterable<Buffer>
  /** What the catalogue says of a medium; null: never heard of. Answered from one query for all media where possible. */
  catalogue(hash: string): Promise<CatalogueRow | null>
  /** Which of these blobs the store holds, with their sizes as stat tells; absent ones are left out. */
  blobs(ids: readonly string[]): Promise<ReadonlyMap<string, number>>
  /** Which of these blobs have a mode by which somebody may write to them. */
  writable(ids: readonly string[]): Promise<readonly string[]>
  /** Re-read blobs and hash them; yields in batches, in any order. `blake3: null`: it is not there or cannot be read. */
  rehash(
    ids: AsyncIterable<readonly string[]>,
  ): AsyncIterable<readonly { id: string; bytes: number; blake3: string | null }[]>
  /** Where one run reads the contents of several media together: what it read of this one's. null: it did not. */
  readonly together?: (mediumId: number) => Promise<ReadTogether | null>
  /** How far. `total: null` while it is not known. What moves files and bytes tells both in turn: each has its price. */
  progress(done: number, total: number | null, unit: Unit): void
  /** A line for the log, from a program or about a finding. */
  line(text: string): void
  /** A line that people are shown although they did not ask for more; a few of them. */
  note(text: string): void
}

/** Contents of one medium that were read for all media at once. */
export interface ReadTogether {
  /** BLAKE3 over the names of those that were there and were read, as bytes in their order: who finds others there has them unread. */
  readonly sum: string
  /** Those of them that were not what their names say, or could not be read, though something of their size was there. */
  readonly suspects: readonly string[]
}

/** Inside one transaction of the database. */
export interface Transaction {
  query<Row>(sql: string, params?: readonly unknown[]): Promise<readonly Row[]>
  execute(sql: string, params?: readonly unknown[]): Promise<number>
  /**
   * `COPY … FROM STDIN (FORMAT binary)`; returns the count of rows that the server took. A chunk of 128 KiB or more has left the
   * process when the next one is asked for.
   */
  copyIn(sql: string, source: AsyncIterable<Buffer>): Promise<number>
  /** Makes a table the part of a partitioned one that holds the rows of this medium. */
  attach(parent: string, part: string, mediumId: number): Promise<void>
}

/** Where the bytes of one content are to be read. */
export type Origin =
  /**
   * A live file below a root; no link below the root is followed. `inside` is bytes, relative to it. `mtimeNs`: when it was
   * written to as enumerated, where that matters; another time is a failure `changed`.
   */
  | {
      readonly type: 'file'
      readonly root: string
      readonly inside: Buffer
      readonly mtimeNs?: bigint | null
    }
  /** Ranges of an image, in file order; a hole is a range with `start: -1` and its length as `end`. */
  | { readonly type: 'ranges'; readonly place: Place; readonly ranges: readonly Range[] }
  /**
   * Bytes that a program hands out, in its own order; they are consumed before the next piece is asked for. An ObserveError
   * among them says that this content cannot be had (`unreadable`); any other error ends the ingest.
   */
  | { readonly type: 'stream'; readonly bytes: AsyncIterable<Buffer> }

/** One content on its way to the store. */
export interface Piece<Key = unknown> {
  readonly key: Key
  /** As enumerated; another number of bytes is a failure `size-changed`. */
  readonly size: number
  readonly origin: Origin
  /** A content of this size is in the store already: it is worth looking before writing. */
  readonly known?: boolean
}

/** What became of a piece. When it is yielded, the blob is durable under its name. */
export type Stored<Key = unknown> =
  | { readonly key: Key; readonly blob: string; readonly bytes: number; readonly fresh: boolean }
  | { readonly key: Key; readonly failure: { readonly class: string; readonly message: string } }

/** Everything that can change the world. Only `Stage.run` is handed one. */
export interface Writer extends Reader {
  /**
   * Run a program that makes something. `meanwhile` is asked about once a second as long as it runs (for progress that the
   * program leaves in files); if it throws, the program is ended and that is what is thrown.
   */
  exec(command: Command, meanwhile?: () => Promise<void>): Promise<Output>
  /**
   * The bytes as independent zstd frames of 4 MiB with checksums and a seek table at the end (model/seekable.ts), in chunks as `read`
   * has them.
   */
  pack(bytes: AsyncIterable<Buffer>): AsyncIterable<Buffer>
  /** Work in one transaction of its own connection; rolled back if `work` throws. No file I/O loops inside. */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
  /** The number of this medium's row, made if need be. */
  enrol(): Promise<number>
  /** Write beside the target, flush, rename, flush the directory: a reader sees all of it or none. Mode 0644. */
  create(place: Place, bytes: AsyncIterable<Buffer>): Promise<void>
  /** Flush a finished file and give it its final name; never over another file unless `replace`. */
  publish(part: Place, place: Place, options?: { replace?: boolean }): Promise<void>
  /** A temporary name beside `place`, unique to run, medium and object; a later run removes it if we die. */
  part(place: Place): Place
  /** Removes what `part` named and nobody published; nothing else can be removed. */
  discard(part: Place): Promise<void>
  /** Take what lies there out of the way under a name that says why; nothing is deleted. null: nothing lay there. */
  setAside(place: Place, why: string): Promise<Place | null>
  /** Which store `by-hash:` is: the id in its marker file, made if need be. */
  storeId(): Promise<string>
  /**
   * Put contents into the store; batches come back durable. Errors of the store end it with a StoreError. `moved` is told
   * before that, also within a large content, how many more contents a flush has covered, and how many more of their
   * declared bytes.
   */
  ingest<Key>(
    pieces: AsyncIterable<Piece<Key>>,
    moved?: (contents: number, bytes: number) => void,
  ): AsyncIterable<readonly Stored<Key>[]>
}
