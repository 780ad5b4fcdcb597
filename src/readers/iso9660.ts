// ISO 9660 read from the image itself: RockRidge, Joliet or plain, with the place of every file; no root, no tool.
//
// The order of preference is the kernel's: RockRidge, else Joliet, else plain names. What only Joliet names is listed as well:
// files that were hidden from Unix, or whose directory can no longer be read.
import type { Entry, EntryError, Volume } from '../model/entry.ts'
import { RunError } from '../model/errors.ts'
import type { Place, Reader } from '../model/world.ts'
import { parseRecords, skipOf } from './iso-records.ts'
import { Known, Walk, unlessUnread, type Tree } from './iso-walk.ts'
import { Pages } from './pages.ts'
import { byRanges, type FsReader } from './reader.ts'

const sector = 2048

export const iso9660: FsReader = {
  name: 'iso9660',
  // Of a disc that is UDF as well, the ISO 9660 side.
  reads: ({ type }) => type === 'iso9660' || type === 'udf',
  version: () => Promise.resolve('1'),
  list,
  contents: byRanges,
}

async function* list(
  image: Place,
  volume: Volume,
  world: Reader,
): AsyncGenerator<readonly (Entry | EntryError)[]> {
  const pages = new Pages(image, volume.start, world)
  const { main, joliet, isUnsure } = await findTrees(pages)
  if (isUnsure) {
    const message = 'whether the disc has RockRidge was never read: it may hold other names than these'
    yield [{ error: 'EIO', path: Buffer.alloc(0), message }]
  }
  const known = new Known()
  const walk = new Walk(main, volume.start, pages, known)
  yield* walk.all()
  if (joliet === null || main.side === 'joliet') return
  // The second side only for what the first does not name.
  let only = 0
  let missed = 0
  for await (const batch of new Walk(joliet, volume.start, pages, new Known()).all()) {
    const more = batch.filter((found) => 'type' in found && found.type === 'f' && known.isNews(found))
    only += more.length
    missed += batch.filter((found) => 'error' in found).length
    if (more.length > 0) yield more
  }
  if (missed > 0) world.line(`${missed} directories of the Joliet side could not be read whole`)
  if (only > 0) world.line(`${only} files are named only on the Joliet side; they are listed by those names`)
}

interface Trees {
  readonly main: Tree
  readonly joliet: Tree | null
  /** Whether the first tree has RockRidge was never read. */
  readonly isUnsure: boolean
}

/** Reads the volume descriptors; throws RunError where there is none of ISO 9660. */
async function findTrees(pages: Pages): Promise<Trees> {
  let primary: Tree | null = null
  let joliet: Tree | null = null
  for (let at = 16 * sector; ; at += sector) {
    const block = await pages.bytes(at, sector)
    const type = block.readUInt8(0)
    if (block.toString('latin1', 1, 6) !== 'CD001' || type === 255 || at > 1024 * sector) break
    if (type !== 1 && type !== 2) continue
    const [root] = parseRecords(block.subarray(156, 190))
    const blockBytes = block.readUInt16LE(128)
    if (root === undefined || blockBytes < 512) throw new RunError('the volume descriptor makes no sense')
    const tree: Tree = { side: 'plain', root, blockBytes, skip: 0 }
    if (type === 1) primary ??= tree
    else if (/^%\/[@CE]/.test(block.toString('latin1', 88, 91))) joliet ??= { ...tree, side: 'joliet' }
  }
  if (primary === null) throw new RunError('there is no volume descriptor of ISO 9660')
  const { root, blockBytes } = primary
  const first = await pages.bytes(root.block * blockBytes, sector).then(parseRecords, unlessUnread)
  const self = first?.[0]
  const skip = self === undefined ? null : skipOf(self.systemUse)
  if (skip !== null) return { main: { ...primary, side: 'rockridge', skip }, joliet, isUnsure: false }
  return { main: joliet ?? primary, joliet, isUnsure: first === null }
}
