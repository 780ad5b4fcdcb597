// "Did you mean": the candidate that a mistyped word is nearest to.

/** Optimal string alignment distance: edits, where swapping two neighbours (`archvie`) counts as one. */
export function distance(a: string, b: string): number {
  let before: number[] = []
  let above = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const line = [row]
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1] ? 0 : 1
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      line[column] = Math.min(
        (above[column] ?? 0) + 1,
        (line[column - 1] ?? 0) + 1,
        (above[column - 1] ?? 0) + same,
        swapped ? (before[column - 2] ?? 0) + 1 : Infinity,
      )
    }
    before = above
    above = line
  }
  return above[b.length] ?? 0
}

/** The nearest of the candidates, if it is no farther than a third of the longer word; case does not count. */
export function nearest(word: string, candidates: Iterable<string>): string | null {
  // Longer than any word of ours: not a slip of the finger, and the table would be quadratic.
  if (word.length > 100) return null
  let best: string | null = null
  let least = Infinity
  for (const candidate of candidates) {
    const far = distance(word.toLowerCase(), candidate.toLowerCase())
    const limit = Math.max(1, Math.floor(Math.max(word.length, candidate.length) / 3))
    if (far <= limit && far < least) {
      best = candidate
      least = far
    }
  }
  return best
}
