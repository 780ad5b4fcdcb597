// What may never be, at any moment: wrong bytes under a right name, half a product under a final name, anything left running.
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { openHasher } from '../../src/ports/blake3.ts'
import type { Project } from '../support/project.ts'
import { archiveDigest, blobsIn, contentOf, digestOf, namesIn, rawDigest, type Truth } from './truth.ts'

/** Everything about the stores of a project that is not true, each as a sentence; none where all is well. */
export function findLies(made: Project, truth: ReadonlyMap<string, Truth>): readonly string[] {
  const byHash = new Map([...truth.values()].map((one) => [one.hash, one]))
  return [
    ...blobLies(made.path('.ntt/by-hash')),
    ...productLies(
      made.path('.ntt/raw'),
      '.raw',
      (hash, path) => rawDigest(contentOf(path)) === byHash.get(hash)?.raw,
    ),
    ...productLies(made.path('.ntt/img'), '.img', (hash, path) => digestOf(path) === byHash.get(hash)?.image),
    ...productLies(made.path('.ntt/archive'), '.tar.zst', (hash, path) => isArchive(path, byHash.get(hash))),
  ]
}

function blobLies(store: string): readonly string[] {
  return blobsIn(store).flatMap((relative) => {
    const path = join(store, relative)
    const hasher = openHasher()
    hasher.update(readFileSync(path))
    const { blake3 } = hasher.digest()
    const lies: string[] = []
    if (relative !== `${blake3.slice(0, 2)}/${blake3.slice(2, 4)}/${blake3}`)
      lies.push(`${path} holds ${blake3}`)
    const mode = statSync(path).mode & 0o7777
    if (mode !== 0o444) lies.push(`${path} has mode ${mode.toString(8)}`)
    return lies
  })
}

function productLies(
  folder: string,
  ending: string,
  isRight: (hash: string, path: string) => boolean,
): readonly string[] {
  return namesIn(folder).flatMap((name) => {
    const path = join(folder, name)
    if (!name.endsWith(ending) || name.endsWith('.unfinished.img')) return []
    return isRight(name.slice(0, -ending.length), path)
      ? []
      : [`${path} is not what an undisturbed run makes`]
  })
}

function isArchive(path: string, truth: Truth | undefined): boolean {
  try {
    return archiveDigest(path) === truth?.archive
  } catch {
    return false
  }
}

/** What is left when all is done: unfinished products, mounts. Temporary files of the store go when it is next written to. */
export function findLeftovers(made: Project): readonly string[] {
  const parts = ['img', 'raw', 'archive'].flatMap((root) =>
    namesIn(made.path('.ntt', root))
      .filter((name) => /\.part|\.aside|\.new/.test(name))
      .map((name) => `${root}/${name} was left behind`),
  )
  return [...parts, ...mountsOf(made)]
}

const mountsOf = (made: Project): readonly string[] =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(made.folder))
    .map((line) => `mounted: ${line}`)

/** How two truths differ, in words; none where they do not. */
export function compare(
  found: ReadonlyMap<string, Truth>,
  truth: ReadonlyMap<string, Truth>,
): readonly string[] {
  return [...found].flatMap(([name, one]) => {
    const expected = truth.get(name)
    if (expected === undefined) return [`${name} is a stranger`]
    const other = (['hash', 'image', 'raw', 'archive', 'blobs'] as const)
      .filter((what) => String(one[what]) !== String(expected[what]))
      .map((what) => `${name}: its ${what} is not that of an undisturbed run`)
    const proven = one.contents
      .filter((line) => !expected.contents.includes(line))
      .map((line) => `proven: ${line}`)
    return [...other, ...[...proven, ...difference(one.rows, expected.rows)].map((row) => `${name}: ${row}`)]
  })
}

/** Lines that only one of two has, the first few. */
function difference(found: readonly string[], expected: readonly string[]): readonly string[] {
  const [here, there] = [new Set(found), new Set(expected)]
  return [
    ...found.filter((line) => !there.has(line)).map((line) => `too much: ${line}`),
    ...expected.filter((line) => !here.has(line)).map((line) => `missing: ${line}`),
  ].slice(0, 8)
}

/** The contents that the store holds and the media do not, or the other way round. */
export function compareStore(made: Project, found: ReadonlyMap<string, Truth>): readonly string[] {
  const held = new Set(blobsIn(made.path('.ntt/by-hash')).map((path) => path.slice(6)))
  const known = new Set([...found.values()].flatMap(({ blobs }) => blobs))
  return [
    ...[...known].filter((id) => !held.has(id)).map((id) => `content ${id} is not in the store`),
    ...[...held].filter((id) => !known.has(id)).map((id) => `content ${id} of the store belongs to nothing`),
  ]
}
