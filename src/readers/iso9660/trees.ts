// Which trees an ISO 9660 disc has, as its volume descriptors say: RockRidge or plain, and Joliet beside it.
import { RunError } from '../../model/errors.ts'
import { parseRecords, skipOf, type IsoRecord, type Side } from './records.ts'
import { unlessUnread } from '../faults.ts'
import type { Pages } from '../pages.ts'

const sector = 2048

export interface Tree {
  readonly side: Side
  readonly root: IsoRecord
  readonly blockBytes: number
  /** Bytes to pass over in each system use area. */
  readonly skip: number
}

export interface Trees {
  /** The tree that is read. */
  readonly main: Tree
  /** The one that is asked what else there is. */
  readonly other: Tree | null
  /** Whether the first tree has RockRidge was never read. */
  readonly isUnsure: boolean
}

/** Reads the volume descriptors of the session that begins at a sector; throws RunError where there is none of ISO 9660. */
export async function findTrees(pages: Pages, session = 0): Promise<Trees> {
  let primary: Tree | null = null
  let joliet: Tree | null = null
  const first = (session + 16) * sector
  for (let at = first; ; at += sector) {
    const block = await pages.bytes(at, sector)
    const type = block.readUInt8(0)
    if (block.toString('latin1', 1, 6) !== 'CD001' || type === 255 || at > first + 1024 * sector) break
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
  const records = await pages.bytes(root.block * blockBytes, sector).then(parseRecords, unlessUnread)
  const self = records?.[0]
  const skip = self === undefined ? null : skipOf(self.systemUse)
  if (skip !== null) return { main: { ...primary, side: 'rockridge', skip }, other: joliet, isUnsure: false }
  const sides = joliet === null ? { main: primary, other: null } : { main: joliet, other: primary }
  return { ...sides, isUnsure: records === null }
}
