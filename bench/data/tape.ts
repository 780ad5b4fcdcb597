// Real contents: the files of this machine's packages, in an order that chance chose once, as one long tape.
import { closeSync, fstatSync, openSync, readSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { seeded } from './random.ts'

const places = ['/usr/share', '/usr/lib', '/usr/bin']
/** So much of one file, at most: or a few archives of programs would be all there is. */
const mostOfOne = 8 << 20

/** A second to list. */
let listed: readonly string[] | null = null

/** Reads on where it stopped; begins again when it has come to the end. */
export function openTape(seed: string): (bytes: number) => Buffer {
  const random = seeded(seed)
  const files = [...(listed ??= places.flatMap((place) => regularFiles(place)).toSorted())]
  for (let last = files.length - 1; last > 0; last -= 1) {
    const other = random.between(0, last)
    const kept = files[last]
    files[last] = files[other] ?? ''
    files[other] = kept ?? ''
  }
  if (files.length === 0) throw new Error(`no files below ${places.join(', ')}`)
  let next = 0
  let held: Buffer = Buffer.alloc(0)
  return (bytes) => {
    const taken: Buffer[] = []
    for (let wanted = bytes; wanted > 0;) {
      if (held.length === 0) {
        held = beginning(files[next % files.length] ?? '')
        next += 1
        continue
      }
      const part = held.subarray(0, wanted)
      taken.push(part)
      held = held.subarray(part.length)
      wanted -= part.length
    }
    return Buffer.concat(taken)
  }
}

/** By hand: `recursive` of Node follows links, and /usr/lib leads back into itself. */
function regularFiles(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((found) => {
    const path = join(folder, found.name)
    return found.isDirectory() ? regularFiles(path) : found.isFile() ? [path] : []
  })
}

function beginning(path: string): Buffer {
  const file = openSync(path, 'r')
  try {
    const bytes = Buffer.allocUnsafe(Math.min(fstatSync(file).size, mostOfOne))
    return bytes.subarray(0, readSync(file, bytes))
  } finally {
    closeSync(file)
  }
}
