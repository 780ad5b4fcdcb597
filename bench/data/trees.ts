// Trees of files to be copied: many small ones, the mixture of a CD, one big one, one full folder.
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fileName, folderName } from './names.ts'
import { noise, seeded, type Random } from './random.ts'
import { openTape } from './tape.ts'

const kibi = 1024
const mebi = kibi * kibi

/** Paths of `files` files, relative, in folders of 5 to 60, four deep at most; the folders are made. Names are bytes. */
function* scattered(root: string, files: number, random: Random): Generator<Buffer> {
  const open = ['']
  for (let made = 0; made < files;) {
    const parent = open.length < 2 || random.next() < 0.6 ? (open.at(-1) ?? '') : random.pick(open)
    const deep = parent.split('/').length > 4
    const folder = `${deep ? '' : parent}${folderName(random, made)}/`
    open.push(folder)
    mkdirSync(Buffer.from(join(root, folder), 'latin1'), { recursive: true })
    for (let here = random.between(5, 60); here > 0 && made < files; here -= 1) {
      yield Buffer.from(join(root, folder, fileName(random, made)), 'latin1')
      made += 1
    }
  }
}

/** Files of 1 to 20 KiB, their sizes spread evenly, no two alike. Half real contents, half noise. */
export function makeSmall(root: string, files: number): void {
  const random = seeded('small')
  const [real, noisy] = [openTape('small'), noise('small')]
  for (const path of scattered(root, files, random)) {
    const bytes = random.between(kibi, 20 * kibi)
    writeFileSync(path, random.next() < 0.5 ? real(bytes) : noisy(bytes))
  }
}

/**
 * The mixture of all media that the older pipeline met, by count (reference: 42 million files): shares of files and the range
 * of their sizes in bytes.
 */
const mixture: readonly { readonly share: number; readonly from: number; readonly to: number }[] = [
  { share: 0.278, from: 30, to: kibi },
  { share: 0.472, from: kibi, to: 10 * kibi },
  { share: 0.157, from: 10 * kibi, to: 100 * kibi },
  { share: 0.062, from: 100 * kibi, to: mebi },
  { share: 0.024, from: mebi, to: 10 * mebi },
  { share: 0.007, from: 10 * mebi, to: 100 * mebi },
]

/** The mixture of a disc, `bytes` in all. Large files are half noise (pictures, archives), half real contents. */
export function makeMixed(root: string, files: number, bytes: number, seed = 'mixed'): void {
  const random = seeded(seed)
  const [real, noisy] = [openTape(seed), noise(seed)]
  const sizes = mixture.flatMap(({ share, from, to }) =>
    Array.from({ length: Math.round(share * files) }, () => random.spread(from, to)),
  )
  while (sizes.length < files) sizes.push(random.spread(kibi, 10 * kibi))
  sizes.length = files
  // What the small ones leave is shared out among the large ones, so that the disc is as full as was asked for.
  const sum = (some: readonly number[]): number => some.reduce((all, one) => all + one, 0)
  const rest = sum(sizes.filter((size) => size <= mebi))
  const scale = Math.max(0.01, (bytes - rest) / sum(sizes.filter((size) => size > mebi)))
  const scaled = sizes.map((size) => (size <= mebi ? size : Math.floor(size * scale)))
  for (const path of scattered(root, files, random)) {
    const [size = 0] = scaled.splice(random.between(0, scaled.length - 1), 1)
    const source = size > 100 * kibi && random.next() < 0.5 ? noisy : real
    const file = openSync(path, 'wx')
    try {
      for (let left = size; left > 0; left -= mebi) writeSync(file, source(Math.min(mebi, left)))
    } finally {
      closeSync(file)
    }
  }
}

/** One file that no program makes smaller. */
export function makeBig(root: string, bytes: number): void {
  const noisy = noise('big')
  mkdirSync(root, { recursive: true })
  const file = openSync(join(root, 'disk-image.dd'), 'wx')
  try {
    for (let left = bytes; left > 0; left -= 4 * mebi) writeSync(file, noisy(Math.min(4 * mebi, left)))
  } finally {
    closeSync(file)
  }
}

/** Many files of a few bytes in folders of a hundred, one name in ten not UTF-8: to be listed, not read. */
export function makeListing(root: string, files: number): void {
  for (let made = 0; made < files; made += 1) {
    const folder = join(root, `folder-${Math.floor(made / 100)}`)
    if (made % 100 === 0) mkdirSync(folder, { recursive: true })
    const name = `${made % 10 === 0 ? 'caf\xe9' : 'plain'}-${made}`
    writeFileSync(Buffer.from(join(folder, name), 'latin1'), '')
  }
}
