// An archive as it is written: a tar stream with the digest of each member taken from the bytes that pass.
import { each } from '../../model/each.ts'
import { RunError } from '../../model/errors.ts'
import {
  listLine,
  listName,
  manifestName,
  manifestText,
  treeListName,
  treeRawListName,
  type Manifest,
  type MemberFact,
  type TreeFact,
} from '../../model/manifest.ts'
import type { Medium } from '../../model/medium.ts'
import { plainHeader, tarBytes, tarEnd, tarHeader, tarPadding, type TarHeader } from '../../model/tar.ts'
import type { Reader } from '../../model/world.ts'
import type { Part } from './members.ts'
import { treeTally } from './read.ts'
import { lineOf, treeLines, treeMembers } from './tree.ts'

/** What was written; complete when the stream has ended. */
export interface Written {
  readonly members: MemberFact[]
  tree: TreeFact | null
  /** Bytes of content so far. */
  bytes: number
}

/** The unpacked content of an archive, from its first header to its end mark. `written` is filled as it goes. */
export async function* content(
  medium: Medium,
  parts: readonly Part[],
  world: Reader,
  written: Written,
): AsyncGenerator<Buffer> {
  for (const { name, place, stat } of parts) {
    const mtime = Number(BigInt(stat.mtimeNs) / 1_000_000_000n)
    yield* member(plainHeader(name, stat.bytes, mtime), world.read(place), world, written)
  }
  if (medium.source.type === 'directory') yield* tree(medium, world, written)
  const manifest: Manifest = {
    format: 'ntt-archive-1',
    medium: {
      hash: medium.hash,
      version: medium.version,
      kind: medium.kind,
      name: medium.name,
      label: medium.label,
    },
    members: [...written.members],
    tree: written.tree,
  }
  yield* text(manifestName, Buffer.from(manifestText(manifest)), world, written)
  const lines = written.members.map(({ blake3, name }) => listLine(blake3, Buffer.from(name)))
  yield* text(listName, Buffer.concat(lines.filter((line) => line !== null)), world, written)
  written.bytes += tarEnd.length
  yield tarEnd
}

/** A member that stands in the manifest by itself. */
async function* member(
  header: TarHeader,
  bytes: AsyncIterable<Buffer>,
  world: Reader,
  written: Written,
): AsyncGenerator<Buffer> {
  const at = written.bytes
  const blake3 = yield* file(header, bytes, world)
  written.bytes += tarBytes(header)
  written.members.push({ name: header.name.toString('utf8'), bytes: header.size, blake3, at })
}

/** Header, content and padding; returns the digest. Refuses a source that is longer or shorter than it was when we looked. */
async function* file(
  header: TarHeader,
  bytes: AsyncIterable<Buffer>,
  world: Reader,
): AsyncGenerator<Buffer, string> {
  const hasher = world.hasher()
  yield tarHeader(header)
  let passed = 0
  for await (const chunk of bytes) {
    passed += chunk.length
    if (passed > header.size) break
    hasher.update(chunk)
    yield chunk
  }
  if (passed !== header.size) {
    const name = header.name.toString('utf8')
    throw new RunError(`${name} changed while it was archived: ${header.size} bytes, then ${passed}`)
  }
  yield tarPadding(header.size)
  return hasher.digest().blake3
}

const text = (name: string, bytes: Buffer, world: Reader, written: Written): AsyncGenerator<Buffer> =>
  member(plainHeader(name, bytes.length, 0), each([bytes]), world, written)

/** The tree of a directory medium, then its lists: made by asking for the tree again, so that none of it is kept in memory. */
async function* tree(medium: Medium, world: Reader, written: Written): AsyncGenerator<Buffer> {
  const at = written.bytes
  const tally = treeTally(world)
  const leftOut: Record<string, number> = {}
  const listBytes = { utf8: 0, bytes: 0 }
  for await (const found of treeMembers(medium, world)) {
    if ('leftOut' in found) {
      leftOut[found.leftOut] = (leftOut[found.leftOut] ?? 0) + 1
      continue
    }
    const { header, blake3, place } = found
    const read = yield* file(header, place === null ? none() : world.read(place), world)
    if (place !== null && read !== blake3) {
      throw new RunError(`the blob ${blake3} holds something else (blake3 ${read})`, {
        hint: `ntt verify ${medium.name} --depth hash`,
      })
    }
    written.bytes += tarBytes(header)
    tally.add(header, read)
    if (blake3 === null) continue
    const line = lineOf(header.name, blake3)
    listBytes[line.which] += line.bytes.length
  }
  const facts = tally.result()
  if (facts === null) throw new RunError('the raw lists no entry, not even the root')
  written.tree = { ...facts, leftOut, at, end: written.bytes }
  yield* list(treeListName, listBytes.utf8, treeLines(medium, world, 'utf8'), world, written)
  if (listBytes.bytes > 0) {
    yield* list(treeRawListName, listBytes.bytes, treeLines(medium, world, 'bytes'), world, written)
  }
}

const list = (
  name: string,
  size: number,
  lines: AsyncIterable<Buffer>,
  world: Reader,
  written: Written,
): AsyncGenerator<Buffer> => member(plainHeader(name, size, 0), lines, world, written)

async function* none(): AsyncGenerator<Buffer> {}
