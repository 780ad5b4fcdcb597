// A Writer over the real ports in a folder, for the tests of stages; with a database where one is given.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { readRange } from '../../src/model/range.ts'
import { rootNames, type Range, type RootName, type Unit, type Writer } from '../../src/model/world.ts'
import { openHasher } from '../../src/ports/blake3.ts'
import { readCatalogue } from '../../src/ports/catalogue.ts'
import { openFiles } from '../../src/ports/files.ts'
import type { Database } from '../../src/ports/postgres.ts'
import { makeWriter, type Ports } from '../../src/ports/world.ts'
import { unpackFrames } from '../../src/ports/zstd.ts'
import { packed } from './packed.ts'

export interface Hands extends Writer {
  readonly lines: string[]
  readonly told: { done: number; total: number | null; unit: Unit }[]
}

/** Roots are folders of their names below `folder`. */
export function hands(
  folder: string,
  options: { path?: string; database?: Database; signal?: AbortSignal; run?: string } = {},
): Hands {
  const lines: string[] = []
  const told: Hands['told'] = []
  const signal = options.signal ?? new AbortController().signal
  const roots = Object.fromEntries(rootNames.map((name) => [name, join(folder, name)])) as Record<
    RootName,
    string
  >
  for (const root of Object.values(roots)) mkdirSync(root, { recursive: true })
  const files = openFiles({ roots, run: options.run ?? 'test', signal })
  const bytes = {
    async digest(place: string, range?: Range) {
      const hasher = openHasher()
      for await (const chunk of files.read(place, range)) hasher.update(chunk)
      return hasher.digest()
    },
    digestOnce: (place: string) => bytes.digest(place),
    hasher: openHasher,
    unpack: (place: string, frames: Parameters<typeof unpackFrames>[0]) =>
      unpackFrames(frames, (start, end) => readRange(files, place, { start, end })),
    pack: packed,
  }
  const ports = {
    path: options.path ?? process.env['PATH'] ?? '',
    files: () => files,
    bytes: () => bytes,
    database: options.database ?? null,
    catalogue: async (hash: string) => {
      const { database } = options
      if (database === undefined) return null
      return (await readCatalogue((sql, params) => database.query(sql, params), hash)).get(hash) ?? null
    },
  } as unknown as Ports
  const speaker = {
    signal,
    progress: (done: number, total: number | null, unit: Unit) => told.push({ done, total, unit }),
    line: (text: string) => lines.push(text),
  }
  return { ...makeWriter(ports, speaker, { enrol: async () => 1, fence: async () => {} }), lines, told }
}
