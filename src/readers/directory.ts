// A live directory tree as a volume: walked in this process, read file by file.
import type { Entry } from '../model/entry.ts'
import type { Piece } from '../model/world.ts'
import type { FsReader } from './reader.ts'

/** `image` is the directory itself. */
export const directory: FsReader = {
  name: 'directory',
  reads: ({ type }) => type === 'directory',
  version: () => Promise.resolve('1'),
  list: (root, _volume, world) => world.walk(world.path(root)),
  async *contents(root, _volume, entries, world) {
    const above = world.path(root)
    for await (const key of entries) {
      const origin = { type: 'file', root: above, inside: key.path } as const
      yield { key, size: key.size, origin } satisfies Piece<Entry>
    }
  },
}
