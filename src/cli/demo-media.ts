// The six media of the demonstration: real images, three of them with a fault that is planted here.
import type { Range } from '../model/world.ts'

export interface DemoMedium {
  readonly name: string
  /** Its file in media.d. */
  readonly yaml: string
  /** The image of test/images that it is made from, and its own file below images/. */
  readonly from: string
  readonly image: string
  /** What it is, for the person who made the demonstration. */
  readonly says: string
  /** What becomes of the image's bytes, in place. */
  readonly alter?: (image: Buffer) => void
  /** Bytes that no drive could read: zeros in the image, `-` in the map beside it. */
  readonly bad?: readonly Range[]
  /** The database says that this was copied, and nothing ever was. */
  readonly isClaimed?: true
}

const yaml = (label: string, image: string, more: readonly string[] = []): string =>
  [`label: ${label}`, 'source:', `  image: ../images/${image}`, 'target: archived', ...more, ''].join('\n')

const sector = 2048
const sectors = (from: number, count: number): Range => ({
  start: from * sector,
  end: (from + count) * sector,
})

export const demoMedia: readonly DemoMedium[] = [
  {
    name: 'ceh-001',
    from: 'ceh-report.iso',
    image: 'ceh-001.iso',
    yaml: yaml('CEH report CD-ROM', 'ceh-001.iso', ['expect:', '  volume: CEH_REPORT']),
    says: 'a CD with 1,161 entries, healthy',
  },
  {
    name: 'ceh-002',
    from: 'floppy.img',
    image: 'ceh-002.img',
    yaml: yaml('Letters of 1994, 3.5 inch floppy', 'ceh-002.img'),
    says: 'a floppy, healthy',
  },
  {
    name: 'ceh-003',
    from: 'disk.img',
    image: 'ceh-003.img',
    yaml: yaml('Disk of the office PC', 'ceh-003.img'),
    says: 'a disk with two partitions, healthy',
  },
  {
    name: 'ceh-004',
    from: 'ceh-report.iso',
    image: 'ceh-004.iso',
    yaml: yaml('CEH plates, scratched CD-ROM', 'ceh-004.iso'),
    says: 'a scratched CD: three of its sectors could not be read',
    alter: (image) => relabel(image, 'CEH_REPORT', 'CEH_PLATES'),
    // Of report.txt and of LICENSE.
    bad: [sectors(450, 2), sectors(486, 1)],
  },
  {
    name: 'ceh-005',
    from: 'ceh-report.iso',
    image: 'ceh-005.iso',
    yaml: yaml('CEH appendix CD-ROM', 'ceh-005.iso', ['expect:', '  volume: CEH_005']),
    says: 'the wrong disc: declared as CEH_005, and it is another',
    alter: (image) => relabel(image, 'CEH_REPORT', 'HOLIDAY_98'),
  },
  {
    name: 'ceh-006',
    from: 'floppy.img',
    image: 'ceh-006.img',
    yaml: yaml('Memos of 1997, 3.5 inch floppy', 'ceh-006.img'),
    says: 'a lie: the database claims that it is copied, and nothing is',
    alter: (image) => relabel(image, 'LETTERS    ', 'MEMOS      '),
    isClaimed: true,
  },
]

/** Another volume label of the same length wherever the old one stands: as ASCII, and as Joliet has it (UCS-2, big-endian). */
function relabel(image: Buffer, from: string, to: string): void {
  for (const encode of [ascii, joliet]) {
    const mark = encode(from)
    for (let at = image.indexOf(mark); at !== -1; at = image.indexOf(mark, at + mark.length))
      encode(to).copy(image, at)
  }
}

const ascii = (text: string): Buffer => Buffer.from(text, 'latin1')
const joliet = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16()

/** The image as the demonstration has it. */
export function imageOf({ alter, bad = [] }: DemoMedium, original: Buffer): Buffer {
  const image = Buffer.from(original)
  alter?.(image)
  for (const { start, end } of bad) image.fill(0, start, end)
  return image
}

/** What ddrescue would have written beside it; null where it read everything. */
export function mapOf({ bad = [] }: Pick<DemoMedium, 'bad'>, bytes: number): string | null {
  if (bad.length === 0) return null
  const lines = ['# Mapfile. Made by ntt demo', '0x0 + 1']
  const add = (start: number, end: number, sign: '+' | '-'): void => {
    if (end > start) lines.push(`0x${start.toString(16)} 0x${(end - start).toString(16)} ${sign}`)
  }
  let at = 0
  for (const { start, end } of bad) {
    add(at, start, '+')
    add(start, end, '-')
    at = end
  }
  add(at, bytes, '+')
  return `${lines.join('\n')}\n`
}
