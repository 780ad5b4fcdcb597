// An archive as it is read back: every member with the digest of what is really in it.
import {
  manifestName,
  parseManifest,
  treeLine,
  treeName,
  type Manifest,
  type MemberFact,
  type TreeFact,
} from '../../model/manifest.ts'
import { PackError } from '../../model/seekable.ts'
import { TarError } from '../../model/tar.ts'
import { untar, type TarMember } from '../../model/untar.ts'
import type { Hasher, Reader } from '../../model/world.ts'

/** What an archive holds, whatever its manifest says. */
export interface Contents {
  readonly members: readonly Omit<MemberFact, 'at'>[]
  readonly tree: Omit<TreeFact, 'at' | 'end' | 'leftOut'> | null
  /** null: it has none (an archive of the older pipeline). */
  readonly manifest: Manifest | null
}

/** An archive of a medium has a handful of members beside the tree; one with more than this is something else. */
const mostMembers = 10_000
const mostManifestBytes = 16 * 1024 * 1024

/** Reads a tar stream to its end. `told` is asked with the bytes of content so far. */
export async function readContents(
  bytes: AsyncIterable<Buffer>,
  world: Pick<Reader, 'hasher'>,
  told: (bytes: number) => void,
): Promise<Contents> {
  const members: Omit<MemberFact, 'at'>[] = []
  const tree = treeTally(world)
  let manifest: Manifest | null = null
  let passed = 0
  for await (const member of untar(bytes)) {
    const isOfTree = member.name.equals(root) || member.name.subarray(0, below.length).equals(below)
    const kept: Buffer[] = []
    const hasher = world.hasher()
    for await (const chunk of member.content) {
      hasher.update(chunk)
      if (!isOfTree && member.name.equals(manifestFile)) kept.push(keep(chunk, member.size))
      passed += chunk.length
      told(passed)
    }
    const { blake3 } = hasher.digest()
    if (isOfTree) tree.add(member, blake3)
    else {
      if (member.type !== 'file') throw new TarError(`${shown(member.name)} is a ${member.type}`)
      if (members.length >= mostMembers) throw new TarError(`it has more than ${mostMembers} members`)
      members.push({ name: member.name.toString('utf8'), bytes: member.size, blake3 })
      if (kept.length > 0) manifest = parseManifest(Buffer.concat(kept).toString('utf8'))
    }
  }
  return { members, tree: tree.result(), manifest }
}

const root = Buffer.from(treeName)
const below = Buffer.from(`${treeName}/`)
const manifestFile = Buffer.from(manifestName)

function keep(chunk: Buffer, size: number): Buffer {
  if (size > mostManifestBytes) throw new PackError(`a manifest of ${size} bytes`)
  return Buffer.from(chunk)
}

const shown = (name: Buffer): string => JSON.stringify(name.toString('utf8'))

/** Counts a tree and digests it in the order of its members. */
export function treeTally(world: Pick<Reader, 'hasher'>): {
  add(member: Pick<TarMember, 'type' | 'name' | 'target' | 'size'>, blake3: string): void
  result(): Contents['tree']
} {
  let hasher: Hasher | null = null
  let [files, bytes, directories, others] = [0, 0, 0, 0]
  return {
    add({ type, name, target, size }, blake3) {
      hasher ??= world.hasher()
      hasher.update(treeLine(type === 'file' ? blake3 : type, name, target))
      if (type === 'file') files += 1
      else if (type === 'directory') directories += 1
      else others += 1
      bytes += size
    },
    result: () =>
      hasher === null ? null : { files, bytes, directories, others, blake3: hasher.digest().blake3 },
  }
}

/** What an archive would have to be, as one short text for each member: for comparing and for telling. */
export const memberText = ({ bytes, blake3 }: Pick<MemberFact, 'bytes' | 'blake3'>): string =>
  `${bytes} bytes, blake3 ${blake3.slice(0, 16)}…`
