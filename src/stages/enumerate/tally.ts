// What passes of one volume while it is listed, and how the volume ends by that.
import { counted } from '../../model/counted.ts'
import {
  hidesNames,
  isEntry,
  otherFilesystem,
  type Entry,
  type EntryError,
  type Volume,
  type VolumeReport,
} from '../../model/entry.ts'
import { RunError } from '../../model/errors.ts'
import { bytesIn, intersect, subtract } from '../../model/ranges.ts'
import type { RawRecord } from '../../model/raw/index.ts'
import { rangesText } from '../../model/unread.ts'
import type { Range } from '../../model/world.ts'
import { unreadNames } from '../../readers/reader.ts'
import type { Verdict } from '../../readers/volumes/judging.ts'

/** More errors than this and a volume is given up: what follows would be noise. */
export const mostErrors = 10_000
/** No filesystem has longer paths; a loop of directories has. */
const longestPath = 65_536
/** So many places where something is mounted are kept; what goes beyond that nobody leaves out one by one. */
const mostMounts = 1000

/** What passed of one volume. */
export class Tally {
  root = false
  errors = 0
  #hidden = 0
  #entries = 0
  #first = ''
  /** Files of which bytes lie past the end of the image: so many, and the first. */
  #cut = 0
  #firstCut = ''
  readonly #mounts: string[] = []
  /** Of what a blind reader did not see that it was never read: what no file was met in. */
  #unseen: readonly Range[]
  readonly #unread: readonly Range[]
  readonly #imageBytes: number

  constructor(unread: readonly Range[], imageBytes: number) {
    this.#imageBytes = imageBytes
    this.#unread = unread
    this.#unseen = unread
  }

  /** The record of what was found; and for a directory that was not read whole, which a blind reader cannot know, an error. */
  take(found: Entry | EntryError, fs: number): readonly RawRecord[] {
    const record = this.#count(found, fs)
    if (this.#unread.length === 0 || !isEntry(found)) return [record]
    const hit = intersect(found.extents ?? [], this.#unread)
    if (hit.length === 0) return [record]
    const sorted = hit.toSorted((one, other) => one.start - other.start)
    this.#unseen = this.#unseen.flatMap((range) => subtract(range, sorted))
    return found.type === 'd' ? [record, this.#count(unreadNames(found.path, hit), fs)] : [record]
  }

  #count(found: Entry | EntryError, fs: number): RawRecord {
    if (!isEntry(found)) {
      this.errors += 1
      if (found.error === otherFilesystem && this.#mounts.length < mostMounts)
        this.#mounts.push(found.path.toString('latin1'))
      else if (hidesNames(found)) {
        this.#hidden += 1
        this.#first ||= brief(`${found.error}, ${JSON.stringify(found.path.toString())}: ${found.message}`)
      }
      return { fs, error: found }
    }
    if (found.path.length > longestPath) {
      throw new RunError(`a path of ${found.path.length} bytes: its directories run in a circle`)
    }
    if (isStray(found.path)) {
      const path = brief(JSON.stringify(found.path.toString()))
      throw new RunError(`${path} is no path below a root: its names were not told apart`)
    }
    if (found.type === 'f' && (found.extents ?? []).some(({ end }) => end > this.#imageBytes)) {
      this.#cut += 1
      this.#firstCut ||= brief(JSON.stringify(found.path.toString()))
    }
    if (found.path.length === 0) this.root = true
    else if (!found.path.equals(lostAndFound)) this.#entries += 1
    return { fs, entry: found }
  }

  /** `doubt`: why something may be missing whatever was listed; null: no cause to think so. */
  verdict(volume: Volume, doubt: string | null): Verdict & Pick<VolumeReport, 'mounts'> {
    const missing = volume.start + volume.bytes - this.#imageBytes
    const reasons = [
      ...(this.errors > mostErrors ? [`given up after ${mostErrors} errors`] : []),
      ...(this.#hidden > 0 ? [`${this.#hidden} could not be read, the first: ${this.#first}`] : []),
      ...(doubt === null ? [] : [doubt]),
      ...(bytesIn(this.#unseen) > 0
        ? [`${rangesText(this.#unseen)} were never read, and its reader cannot tell what lies there`]
        : []),
      ...(missing > 0 ? [`its last ${missing} bytes are past the end of the image`] : []),
      ...(this.#cut > 0
        ? [
            `the image has ${counted(this.#imageBytes, 'byte')}, and ${counted(this.#cut, 'file goes', 'files go')} on behind them (it is cut off, or what tells their places is damaged), the first: ${this.#firstCut}`,
          ]
        : []),
    ]
    if (this.#mounts.length > 0) {
      const reason = [...reasons, mountsText(this.#mounts)].join('; ')
      return { outcome: 'partial', reason, ...(reasons.length === 0 ? { mounts: this.#mounts } : {}) }
    }
    if (reasons.length > 0) return { outcome: 'partial', reason: reasons.join('; ') }
    if (this.#entries > 0) return { outcome: 'read', reason: '' }
    return { outcome: 'empty', reason: `a ${volume.type ?? 'filesystem'} without a file in it` }
  }
}

const mountsTold = 5

function mountsText(mounts: readonly string[]): string {
  const told = mounts
    .slice(0, mountsTold)
    .map((path) => JSON.stringify(Buffer.from(path, 'latin1').toString()))
  const more = mounts.length > mountsTold ? ', …' : ''
  return brief(`not read, because another filesystem is mounted there: ${told.join(', ')}${more}`)
}

/** Whether a path leads elsewhere than down, one name after the other: readers of ours mend such names, programs may pass them on. */
function isStray(path: Buffer): boolean {
  if (path.length === 0) return false
  let begin = 0
  for (let at = 0; at <= path.length; at += 1) {
    const byte = at === path.length ? slash : path[at]
    if (byte === 0) return true
    if (byte !== slash) continue
    const length = at - begin
    if (length === 0 || (length <= 2 && path[begin] === dot && path[at - 1] === dot)) return true
    begin = at + 1
  }
  return false
}

const [slash, dot] = [0x2f, 0x2e]

/** A path may be as long as a book; the record of the error has it whole. */
const brief = (text: string): string =>
  text.length <= 400 ? text : `${text.slice(0, 200)} … ${text.slice(-200)}`

/** Made with the filesystem, by nobody. */
const lostAndFound = Buffer.from('lost+found')
