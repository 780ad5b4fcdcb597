// Each subvolume of btrfs numbers its inodes for itself; the numbers of entries are one for all of a volume. Pure.
import { RunError } from '../../model/errors.ts'
import { trees } from './layout.ts'

/** Bits 40 to 59 are the number of the subvolume, 0 for the one at the top; below them is that of the inode. */
const subvolumeStep = 2n ** 40n
const mostSubvolumes = 2n ** 20n
/** A directory that only stands where a subvolume was has this and the number of that subvolume. */
const standIn = 2n ** 39n

/** Throws RunError where they are too large to be told apart from others. */
export function entryNumber(subvolume: bigint, inode: bigint): bigint {
  if (subvolume >= mostSubvolumes || inode >= standIn)
    throw new RunError(`inode ${inode} of subvolume ${subvolume} has too large a number`)
  return (subvolume === trees.top ? 0n : subvolume * subvolumeStep) + inode
}

export const standInNumber = (subvolume: bigint, other: bigint): bigint =>
  entryNumber(subvolume, 0n) + standIn + (other % standIn)

export const numbersOf = (number: bigint): { readonly subvolume: bigint; readonly inode: bigint } => ({
  subvolume: number < subvolumeStep ? trees.top : number / subvolumeStep,
  inode: number % subvolumeStep,
})
