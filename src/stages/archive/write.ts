// An archive as it is written: a tar stream with the digest of each member taken from the bytes that pass.
import { RunError } from '../../model/errors.ts'
import {
  listLine,
  listName,
  manifestName,
  manifestText,
  type Manifest,
  type MemberFact,
  type TreeFact,
} from '../../model/manifest.ts'
import type { Medium } from '../../model/medium.ts'
import { plainHeader, tarBytes, tarEnd, tarHeader, tarPadding } from '../../model/tar.ts'
import type { Reader } from '../../model/world.ts'
import type { Part } from './members.ts'

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
    yield* member(name, stat.bytes, mtime, world.read(place), world, written)
  }
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

/** One regular file; refuses a source that is longer or shorter than it was when we looked. */
async function* member(
  name: string,
  size: number,
  mtime: number,
  bytes: AsyncIterable<Buffer>,
  world: Reader,
  written: Written,
): AsyncGenerator<Buffer> {
  const header = plainHeader(name, size, mtime)
  const hasher = world.hasher()
  const at = written.bytes
  yield tarHeader(header)
  let passed = 0
  for await (const chunk of bytes) {
    passed += chunk.length
    if (passed > size) break
    hasher.update(chunk)
    yield chunk
  }
  if (passed !== size)
    throw new RunError(`${name} changed while it was archived: ${size} bytes, then ${passed}`)
  yield tarPadding(size)
  written.bytes += tarBytes(header)
  written.members.push({ name, bytes: size, blake3: hasher.digest().blake3, at })
}

async function* text(name: string, bytes: Buffer, world: Reader, written: Written): AsyncGenerator<Buffer> {
  yield* member(name, bytes.length, 0, once(bytes), world, written)
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  if (bytes.length > 0) yield bytes
}
