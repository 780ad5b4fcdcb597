// The manifest of an archive: what it holds, with digests, and how to check it without ntt.
import { isRecord } from './canonical.ts'
import { kindNames, type HashVersion, type KindName } from './medium.ts'
import { PackError } from './seekable.ts'

/** One member, but for those of the tree. */
export interface MemberFact {
  readonly name: string
  readonly bytes: number
  /** BLAKE3-256, hex. */
  readonly blake3: string
  /** Where its header begins in the unpacked content. */
  readonly at: number
}

/** The tree of a directory medium, as a whole. */
export interface TreeFact {
  readonly files: number
  readonly bytes: number
  readonly directories: number
  readonly others: number
  /** Files of the medium that are not in it, by what became of them: excluded, damaged, failed. */
  readonly leftOut: Readonly<Record<string, number>>
  /** Where it begins and ends in the unpacked content. */
  readonly at: number
  readonly end: number
  /** BLAKE3 over `treeLine` of each of its members, in order. */
  readonly blake3: string
}

export interface Manifest {
  readonly format: 'ntt-archive-1'
  readonly medium: {
    readonly hash: string
    readonly version: HashVersion
    readonly kind: KindName
    readonly name: string
    readonly label: string | null
  }
  readonly members: readonly MemberFact[]
  readonly tree: TreeFact | null
}

export const manifestName = 'MANIFEST.json'
export const listName = 'MANIFEST.b3'
export const treeName = 'tree'
export const treeListName = 'tree.b3'
export const treeRawListName = 'tree.raw-names'

/** How a person checks the archive with zstd, tar and b3sum alone. */
const instructions = (file: string, hasTree: boolean): readonly string[] => [
  'This archive is checked without ntt, with zstd, GNU tar and b3sum:',
  `  zstd -t ${file}                      every frame has a checksum; this compares them all`,
  `  tar --zstd -xf ${file}               unpacks it into the current folder`,
  `  b3sum -c ${listName}                 compares the BLAKE3 digest of every member with this list`,
  ...(hasTree
    ? [
        `  b3sum -c ${treeListName}                     compares every file of the tree`,
        `  ${treeRawListName} has the same lines, ended by NUL, for names that b3sum cannot read (not UTF-8)`,
      ]
    : []),
  'The .img is the medium sector by sector. The .map, if any, says which of its sectors could be read (GNU ddrescue).',
  'The .raw lists every entry of its filesystems; its format is described in schemas/raw.md of ntt.',
]

export function manifestText(manifest: Manifest): string {
  const file = `${manifest.medium.hash}.tar.zst`
  return `${JSON.stringify({ ...manifest, how_to_check: instructions(file, manifest.tree !== null) }, null, 2)}\n`
}

/** One line of a list that `b3sum -c` reads; null where it could not (a name that is not UTF-8, or holds U+FFFD). */
export function listLine(blake3: string, name: Buffer): Buffer | null {
  const text = name.toString('utf8')
  if (text.includes('\uFFFD') || !Buffer.from(text).equals(name)) return null
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
  return Buffer.from(`${escaped === text ? '' : '\\'}${blake3}  ${escaped}\n`)
}

/** The same for any name: no escapes, ended by NUL. */
export const rawListLine = (blake3: string, name: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${blake3}  `), name, Buffer.alloc(1)])

/** What a member of the tree contributes to the tree's digest: its digest or type, its name, its target. */
export const treeLine = (is: string, name: Buffer, target: Buffer | null): Buffer =>
  Buffer.concat([Buffer.from(`${is}  `), name, Buffer.alloc(1), target ?? Buffer.alloc(0), Buffer.alloc(1)])

/** Reads a manifest that may be damaged or hostile; throws PackError. */
export function parseManifest(text: string): Manifest {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new PackError('the manifest is not JSON', { cause: error })
  }
  if (!isRecord(json) || json['format'] !== 'ntt-archive-1')
    throw new PackError('the manifest is not one of ntt')
  const { medium, members, tree } = json
  if (!isRecord(medium) || !isMedium(medium)) throw new PackError('the manifest names no medium')
  if (!Array.isArray(members) || !members.every(isMember))
    throw new PackError('the manifest has no list of members')
  if (tree !== null && !isTree(tree)) throw new PackError('the manifest does not describe its tree')
  return { format: 'ntt-archive-1', medium, members, tree }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0

const isDigest = (value: unknown): value is string =>
  typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)

const isMedium = (value: Record<string, unknown>): value is Record<string, unknown> & Manifest['medium'] =>
  ['hash', 'version', 'name'].every((key) => typeof value[key] === 'string') &&
  kindNames.some((kind) => kind === value['kind']) &&
  (value['label'] === null || typeof value['label'] === 'string')

const isMember = (value: unknown): value is MemberFact =>
  isRecord(value) &&
  typeof value['name'] === 'string' &&
  isCount(value['bytes']) &&
  isCount(value['at']) &&
  isDigest(value['blake3'])

const isTree = (value: unknown): value is TreeFact =>
  isRecord(value) &&
  ['files', 'bytes', 'directories', 'others', 'at', 'end'].every((key) => isCount(value[key])) &&
  isRecord(value['leftOut']) &&
  Object.values(value['leftOut']).every(isCount) &&
  isDigest(value['blake3'])
