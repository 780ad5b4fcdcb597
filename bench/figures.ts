// The arithmetic of a benchmark: medians, and ratios of what was measured in the same round.

/** What one contender cost in one round. */
export interface Sample {
  readonly seconds: number
  /** User and system time of every process that it started and waited for; the database server is not among them. */
  readonly cpuSeconds: number
  /** The most memory that its main process ever held (VmHWM), and that it held together with its children at one moment. */
  readonly peakBytes: number
  readonly treeBytes: number
}

/** One contender's rounds, in their order. */
export interface Series<S = Sample> {
  readonly name: string
  readonly samples: readonly S[]
}

/** The middle of the numbers; the mean of the two middle ones. NaN for none. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  const half = sorted.length / 2
  const upper = sorted[Math.floor(half)] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? Number.NaN) + upper) / 2
}

/** A ratio with how far its rounds lay apart. */
export interface Ratio {
  readonly median: number
  readonly least: number
  readonly most: number
  readonly rounds: number
}

/**
 * ours / theirs, round by round, then the median: what disturbs the machine for a minute disturbs both of a pair.
 * Throws where the rounds do not pair up, or a figure is no positive number: a ratio of that would mean nothing.
 */
export function pairedRatio(ours: readonly number[], theirs: readonly number[]): Ratio {
  if (ours.length === 0 || ours.length !== theirs.length)
    throw new RangeError(`${ours.length} rounds cannot be paired with ${theirs.length}`)
  const ratios = ours.map((our, round) => {
    const ratio = our / (theirs[round] ?? Number.NaN)
    if (!(ratio > 0) || !Number.isFinite(ratio))
      throw new RangeError(`round ${round + 1}: ${our} / ${theirs[round]}`)
    return ratio
  })
  return {
    median: median(ratios),
    least: Math.min(...ratios),
    most: Math.max(...ratios),
    rounds: ratios.length,
  }
}
