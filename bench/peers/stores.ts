// What people would pick instead: each takes a tree into a folder, durable at the end.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { run, shell, type Program } from '../measure.ts'

/** Something that keeps contents. `begin` makes its repository, which is not part of the time. */
export interface Peer {
  readonly name: string
  begin?(folder: string): Promise<void>
  keep(tree: string, folder: string): Program
}

const resticEnv = { RESTIC_PASSWORD: 'bench', RESTIC_PROGRESS_FPS: '0' }
const borgEnv = (folder: string) => ({
  BORG_BASE_DIR: join(folder, 'borg-home'),
  BORG_RELOCATED_REPO_ACCESS_IS_OK: 'yes',
})

const restic = (name: string, compression: string): Peer => ({
  name,
  async begin(folder) {
    const args = ['init', '--repo', join(folder, 'repo'), '--repository-version', '2']
    await run({ file: 'restic', args: [...args, '--cache-dir', join(folder, 'cache')], env: resticEnv })
  },
  keep: (tree, folder) => ({
    ...shell(
      'restic backup --quiet --repo "$1/repo" --cache-dir "$1/cache" --compression "$2" "$3"; sync -f "$1"',
      folder,
      compression,
      tree,
    ),
    env: resticEnv,
  }),
})

const borg = (name: string, compression: string): Peer => ({
  name,
  async begin(folder) {
    const args = ['init', '--encryption', 'none', join(folder, 'repo')]
    await run({ file: 'borg', args, env: borgEnv(folder) })
  },
  keep: (tree, folder) => ({
    ...shell('borg create --compression "$2" "$1/repo::one" "$3"; sync -f "$1"', folder, compression, tree),
    env: borgEnv(folder),
  }),
})

export const cp: Peer = {
  name: 'cp -a + sync',
  keep: (tree, folder) => shell('cp -a "$2" "$1/copy"; sync -f "$1"', folder, tree),
}

export const rsync: Peer = {
  name: 'rsync -a + sync, then b3sum',
  keep: (tree, folder) =>
    shell(
      'rsync -a "$2/" "$1/copy/"; sync -f "$1"; find "$1/copy" -type f -print0 | xargs -0 b3sum --no-names >"$1/sums"',
      folder,
      tree,
    ),
}

export const resticDefault = restic('restic', 'auto')
export const resticOff = restic('restic, compression off', 'off')
export const borgDefault = borg('borg', 'lz4')

/** All 65,536 folders of a store by hash, as one has them that is no longer new. */
export function makeFolders(store: string): void {
  for (const first of pairs)
    for (const second of pairs) mkdirSync(join(store, first, second), { recursive: true })
}

const pairs = Array.from({ length: 256 }, (_, at) => at.toString(16).padStart(2, '0'))

/** Our own layout, with one fsync for each file, one for each folder, as one would write it first. `isNew`: without its folders. */
export const fsyncEach = (isNew: boolean): Peer => ({
  name: 'by-hash, fsync per file',
  async begin(folder) {
    mkdirSync(join(folder, 'by-hash'))
    if (!isNew) makeFolders(join(folder, 'by-hash'))
  },
  keep: (tree, folder) => ({
    file: process.execPath,
    args: [join(import.meta.dirname, 'fsync-each.ts'), tree, join(folder, 'by-hash')],
  }),
})
