// Where the content of an attribute of NTFS lies: its list of runs, and what they mean for sparse and compressed files. Pure.
import { RunError } from '../../model/errors.ts'
import type { Range } from '../../model/world.ts'
import { push } from '../ranges.ts'

/** So many clusters of the volume follow one another; `first: -1` is a hole. */
export interface Run {
  readonly first: number
  readonly clusters: number
}

/** Throws RunError where a run leaves the volume. */
export function parseRuns(bytes: Buffer, clusters: number): readonly Run[] {
  const runs: Run[] = []
  let first = 0
  for (let at = 0; at < bytes.length && bytes[at] !== 0;) {
    const head = bytes[at] ?? 0
    const [long, far] = [head & 0x0f, head >>> 4]
    if (long === 0 || long > 8 || far > 8 || at + 1 + long + far > bytes.length)
      throw new RunError('its list of runs makes no sense')
    const length = signed(bytes, at + 1, long)
    if (length < 1 || length > 2 ** 48) throw new RunError('its list of runs makes no sense')
    if (far !== 0) {
      first += signed(bytes, at + 1 + long, far)
      if (first < 0 || first + length > clusters + 1)
        throw new RunError('a run of it lies outside of the volume')
    }
    runs.push({ first: far === 0 ? -1 : first, clusters: length })
    at += 1 + long + far
  }
  return runs
}

/** Little-endian with a sign; what does not fit into 48 bits lies outside of every volume anyway. */
const signed = (bytes: Buffer, at: number, length: number): number =>
  length <= 6 ? bytes.readIntLE(at, length) : bytes.readIntLE(at + length - 6, 6) * 2 ** ((length - 6) * 8)

export interface Stretch {
  readonly runs: readonly Run[]
  /** Bytes of content. */
  readonly size: number
  /** Of these, so many were ever written; the others are zeros whatever lies there. */
  readonly written: number
}

/** In the image, cut to the size; fewer bytes than that where the runs end before. `start`: of the volume. */
export function rangesOf({ runs, size, written }: Stretch, clusterBytes: number, start: number): Range[] {
  const ranges: { start: number; end: number }[] = []
  let at = 0
  for (const { first, clusters } of runs) {
    const length = Math.min(clusters * clusterBytes, size - at)
    if (length <= 0) break
    const stored = first === -1 ? 0 : Math.min(length, Math.max(0, written - at))
    const from = start + first * clusterBytes
    if (stored > 0) push(ranges, { start: from, end: from + stored })
    if (stored < length) push(ranges, { start: -1, end: length - stored })
    at += length
  }
  return ranges
}

/** The runs of each unit of so many clusters. */
export function* unitsOf(runs: readonly Run[], unit: number): Generator<readonly Run[]> {
  let own: Run[] = []
  let room = unit
  for (const { first, clusters } of runs) {
    for (let done = 0; done < clusters;) {
      // A long stretch of one kind that begins a unit is many units of that kind.
      const taken = Math.min(clusters - done, room)
      own.push({ first: first === -1 ? -1 : first + done, clusters: taken })
      done += taken
      room -= taken
      if (room > 0) continue
      yield own
      own = []
      room = unit
    }
  }
  if (own.length > 0) yield own
}

/**
 * Whether any unit of so many clusters holds compressed bytes: some of its clusters are stored, and some are not. That is so
 * where stored clusters and holes meet inside of a unit.
 */
export function hasPacked(runs: readonly Run[], unit: number): boolean {
  let at = 0
  let afterHole = false
  for (const { first, clusters } of runs) {
    if (at % unit !== 0 && (first === -1) !== afterHole) return true
    at += clusters
    afterHole = first === -1
  }
  return false
}
