// The data sets of the sections, each made once, and read once before anything is measured: so that sources are warm.
import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { VolumeReport } from '../../src/model/entry.ts'
import { writeOlderRaw, writeRaw } from '../data/enumerations.ts'
import { made } from '../data/made.ts'
import { makeBig, makeListing, makeMixed, makeSmall } from '../data/trees.ts'
import { run, shell } from '../measure.ts'
import type { Bench } from './section.ts'

export const warm = async (path: string): Promise<void> => {
  await run(shell('find "$1" -type f -print0 | xargs -0 -n 1000 cat', path))
}

/** Many small files; and another tree with the same names and contents. */
export async function small({ quick, data, tell }: Bench): Promise<{ tree: string; again: string }> {
  const files = quick ? 2_000 : 100_000
  const make = (folder: string): void => makeSmall(folder, files)
  return {
    tree: await made(data, `small-${files}`, { files }, make, tell),
    again: await made(data, `small-${files}-again`, { files }, make, tell),
  }
}

/** A tenth as many of them, for what takes ten times as long. */
export const tenth = ({ quick, data, tell }: Bench): Promise<string> => {
  const files = quick ? 200 : 10_000
  return made(data, `small-${files}`, { files }, (folder) => makeSmall(folder, files), tell)
}

/** One big file: its folder. */
export const big = ({ quick, data, tell }: Bench): Promise<string> => {
  const bytes = quick ? 2 ** 28 : 2 ** 32
  return made(data, `big-${bytes}`, { bytes }, (folder) => makeBig(folder, bytes), tell)
}

/** A full folder tree that is listed only. */
export const listing = ({ quick, data, tell }: Bench): Promise<string> => {
  const files = quick ? 10_000 : 200_000
  return made(data, `listing-${files}`, { files }, (folder) => makeListing(folder, files), tell)
}

/** A disc: `tree` is what is on it, `image` the disc, `again` another disc with the same files. */
export interface Disc {
  readonly tree: string
  readonly image: string
  readonly again: string
  readonly files: number
}

export async function disc(
  bench: Bench,
  seed = 'cd',
  bytes = bench.quick ? 60e6 : 700e6,
  files = 1331,
): Promise<Disc> {
  const folder = await made(
    bench.data,
    `disc-${seed}-${bytes}`,
    { files, bytes, seed },
    async (into) => {
      makeMixed(join(into, 'tree'), files, bytes, seed)
      for (const [name, label] of [
        ['disc.iso', 'BENCH_ONE'],
        ['again.iso', 'BENCH_TWO'],
      ] as const)
        await run(iso(join(into, 'tree'), join(into, name), label))
    },
    bench.tell,
  )
  return {
    tree: join(folder, 'tree'),
    image: join(folder, 'disc.iso'),
    again: join(folder, 'again.iso'),
    files,
  }
}

const iso = (tree: string, image: string, label: string) => ({
  file: 'xorriso',
  args: ['-as', 'mkisofs', '-quiet', '-R', '-V', label, '-o', image, tree],
  env: { LC_ALL: 'C' },
})

/** A FAT image of some MB with the files of a tree. */
export const fat = (bench: Bench, tree: string): Promise<string> => {
  const megabytes = bench.quick ? 100 : 1000
  return made(
    bench.data,
    `fat-${megabytes}`,
    { megabytes },
    async (into) => {
      const image = join(into, 'stick.img')
      await run(
        shell(
          'truncate -s "$1"M "$2"; mkfs.vfat -n BENCH "$2"; mcopy -s -Q -i "$2" "$3"/* ::/',
          `${megabytes}`,
          image,
          tree,
        ),
      )
    },
    bench.tell,
  )
}

/** An enumeration of so many paths in both formats. */
export interface Enumeration {
  readonly folder: string
  readonly hash: string
  /** In the format of the older pipeline. */
  readonly older: string
  readonly paths: number
}

/** A directory as the enumerate stage reports it. */
export const treeVolume: VolumeReport = {
  fs: 0,
  scheme: 'whole',
  partitionType: '',
  start: 0,
  bytes: 0,
  type: 'directory',
  label: Buffer.alloc(0),
  uuid: '',
  outcome: 'read',
  reason: '',
  reader: 'walk',
}

export async function enumeration(bench: Bench, paths: number, seed = 'one'): Promise<Enumeration> {
  const hash = createHash('sha256').update(`${seed} ${paths}`).digest('hex').slice(0, 32)
  const volume = treeVolume
  const folder = await made(
    bench.data,
    `raw-${paths}-${seed}`,
    { paths, hash },
    async (into) => {
      await writeRaw(join(into, `${hash}.raw`), { hash, paths, volume })
      writeOlderRaw(join(into, 'older'), { hash, paths, volume })
    },
    bench.tell,
  )
  return { folder, hash, older: join(folder, 'older'), paths }
}

/** A medium of a directory: its declaration. */
export const directoryYaml = (directory: string, target: string): string =>
  `kind: directory\nsource:\n  directory: ${JSON.stringify(directory)}\ntarget: ${target}\n`

/** A medium of an image: its declaration. */
export const imageYaml = (image: string, target: string): string =>
  `source:\n  image: ${JSON.stringify(image)}\ntarget: ${target}\n`

/** A medium whose records are there already; an empty folder below `root` stands for its tree, and is not walked. */
export function recordsYaml(root: string, hash: string): string {
  const directory = join(root, hash)
  mkdirSync(directory, { recursive: true })
  return `${directoryYaml(directory, 'loaded')}medium_hash: ${hash}\n`
}
