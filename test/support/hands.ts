// A Writer over real files and real programs in a folder, for the tests of stages that need no database.
import { blake3, Blake3Hasher } from '@napi-rs/blake-hash'
import {
  closeSync,
  createReadStream,
  createWriteStream,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  renameSync,
  statSync,
} from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { CatalogueRow, FileStat, Hasher, Range, Unit, Writer } from '../../src/model/world.ts'
import { makeWriter, type Ports } from '../../src/ports/world.ts'
import { packFrames, unpackFrames } from '../../src/ports/zstd.ts'

export interface Hands extends Writer {
  readonly lines: string[]
  readonly told: { done: number; total: number | null; unit: Unit }[]
}

/** Roots are folders of this name below `folder`. */
export function hands(
  folder: string,
  options: { path?: string; catalogue?: CatalogueRow; signal?: AbortSignal } = {},
): Hands {
  const at = (place: string): string => {
    const [, root, below] = /^([a-z-]+):(.*)$/s.exec(place) ?? []
    return isAbsolute(place) ? place : join(folder, root ?? '', below ?? place)
  }
  const lines: string[] = []
  const told: Hands['told'] = []
  let parts = 0
  const look = (place: string): FileStat | null => {
    const stat = statSync(at(place), { bigint: true, throwIfNoEntry: false })
    if (stat === undefined) return null
    const kind = stat.isFile() ? 'file' : stat.isDirectory() ? 'directory' : 'device'
    return {
      kind,
      bytes: Number(stat.size),
      mtimeNs: String(stat.mtimeNs),
      ino: String(stat.ino),
      mode: Number(stat.mode) & 0o7777,
    }
  }
  const read = (place: string, range?: Range): AsyncIterable<Buffer> =>
    range !== undefined && range.end <= range.start
      ? none()
      : createReadStream(at(place), {
          highWaterMark: 1 << 20,
          ...(range === undefined ? {} : { start: range.start, end: range.end - 1 }),
        })
  const digest = async (place: string, range?: Range) => {
    const hasher = makeHasher()
    for await (const chunk of read(place, range)) hasher.update(chunk)
    return hasher.digest()
  }
  const files = {
    path: at,
    stat: async (place: string) => look(place),
    read,
    text: async (place: string) => (existsSync(at(place)) ? readFileSync(at(place), 'utf8') : null),
    names: async (place: string) => (existsSync(at(place)) ? readdirSync(at(place)).toSorted() : null),
    walk: none,
    async create(place: string, bytes: AsyncIterable<Buffer>) {
      mkdirSync(dirname(at(place)), { recursive: true })
      const hasher = makeHasher()
      const fed = async function* (): AsyncGenerator<Buffer> {
        for await (const chunk of bytes) {
          hasher.update(chunk)
          yield Buffer.from(chunk)
        }
      }
      await pipeline(fed(), createWriteStream(`${at(place)}~`))
      renameSync(`${at(place)}~`, at(place))
      return hasher.digest()
    },
    async publish(part: string, place: string, how: { replace?: boolean } = {}) {
      if (existsSync(at(place)) && how.replace !== true) throw new Error(`${place} is there`)
      renameSync(at(part), at(place))
    },
    part: (place: string) => `${place}.part-${(parts += 1)}`,
    async setAside(place: string, why: string) {
      renameSync(at(place), `${at(place)}.${why}`)
      return `${place}.${why}`
    },
  }
  const bytes = {
    digest,
    hasher: makeHasher,
    unpack: (place: string, frames: Parameters<typeof unpackFrames>[0]) =>
      unpackFrames(frames, async (start, end) => slice(at(place), start, end)),
    pack: packFrames,
  }
  const ports = {
    path: options.path ?? process.env['PATH'] ?? '',
    files: () => files,
    bytes: () => bytes,
    database: null,
    catalogue: async () => options.catalogue ?? null,
  } as unknown as Ports
  const speaker = {
    signal: options.signal ?? new AbortController().signal,
    progress: (done: number, total: number | null, unit: Unit) => told.push({ done, total, unit }),
    line: (text: string) => lines.push(text),
  }
  return { ...makeWriter(ports, speaker, async () => 1), lines, told }
}

async function* none(): AsyncGenerator<Buffer> {}

function makeHasher(): Hasher {
  const hasher = new Blake3Hasher()
  let bytes = 0
  return {
    update(chunk) {
      bytes += chunk.length
      hasher.update(chunk)
    },
    digest: () => ({ bytes, blake3: hasher.digest('hex') }),
  }
}

function slice(path: string, start: number, end: number): Buffer {
  const file = openSync(path, 'r')
  try {
    const into = Buffer.alloc(Math.min(end, fstatSync(file).size) - start)
    readSync(file, into, 0, into.length, start)
    return into
  } finally {
    closeSync(file)
  }
}

export const blake3Of = (bytes: Buffer): string => blake3(bytes).toString('hex')
