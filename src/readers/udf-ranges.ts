// The ranges of a file of UDF as they are found, one descriptor after the other.

/** Ranges of a file in its order; those that follow on one another are one. */
export class Ranges {
  readonly found: { start: number; end: number }[] = []
  left: number

  constructor(size: number) {
    this.left = size
  }

  add(start: number, bytes: number): void {
    const last = this.found.at(-1)
    if (last !== undefined && last.start !== -1 && last.end === start) last.end += bytes
    else this.found.push({ start, end: start + bytes })
    this.left -= bytes
  }

  hole(stated: number): void {
    const bytes = Math.min(stated, this.left)
    const last = this.found.at(-1)
    if (last?.start === -1) last.end += bytes
    else this.found.push({ start: -1, end: bytes })
    this.left -= bytes
  }
}
