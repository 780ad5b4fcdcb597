// Writes the trees that make-samples.sh makes media of: report/, floppy/, part1/, part2/ and box7/ below the folder given.
//   node scripts/sample-trees.mjs FOLDER
// Texts are the licences that every Debian carries and files of this project; pictures are drawn here. No clock and no
// random number: the same sources give the same trees.
import {
  linkSync,
  lutimesSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { crc32, deflateSync } from 'node:zlib'

const [top] = process.argv.slice(2)
if (top === undefined) throw new Error('usage: sample-trees.mjs FOLDER')
const project = join(import.meta.dirname, '..')
const licences = '/usr/share/common-licenses'
const text = (name) => readFileSync(join(licences, name), 'utf8')
const bytes = (name) => (typeof name === 'string' ? Buffer.from(name) : name)

/** A tree that knows what is in it. Names are bytes. */
class Tree {
  files = 0
  others = 1
  #times = []
  #made = new Set()

  constructor(name, first) {
    this.root = Buffer.from(`${join(top, name)}`)
    this.clock = Date.parse(first) / 1000
    mkdirSync(this.root, { recursive: true })
    this.#times.push(this.root)
  }

  #at(path) {
    return Buffer.concat([this.root, Buffer.from('/'), bytes(path)])
  }

  folder(path) {
    const whole = bytes(path)
    const key = whole.toString('latin1')
    if (this.#made.has(key)) return
    const cut = whole.lastIndexOf(0x2f)
    if (cut > 0) this.folder(whole.subarray(0, cut))
    mkdirSync(this.#at(path), { mode: 0o755 })
    this.#made.add(key)
    this.#times.push(this.#at(path))
    this.others += 1
  }

  file(path, content) {
    const whole = bytes(path)
    const cut = whole.lastIndexOf(0x2f)
    if (cut > 0) this.folder(whole.subarray(0, cut))
    writeFileSync(this.#at(path), content, { mode: 0o644, flag: 'wx' })
    this.#times.push(this.#at(path))
    this.files += 1
  }

  link(path, target) {
    symlinkSync(bytes(target), this.#at(path))
    this.#times.push(this.#at(path))
    this.others += 1
  }

  hardLink(path, existing) {
    linkSync(this.#at(existing), this.#at(path))
    this.files += 1
  }

  sparse(path, size, tail) {
    this.file(path, '')
    truncateSync(this.#at(path), size - tail.length)
    writeFileSync(this.#at(path), tail, { flag: 'a' })
  }

  /** Each entry a minute older than the one made after it; last, because making a file touches its folder. */
  seal() {
    for (const [index, path] of this.#times.toReversed().entries())
      lutimesSync(path, this.clock - index * 60, this.clock - index * 60)
  }
}

/** A text cut into pages of some lines each; page lengths go up and down, so that no two volumes are cut alike. */
function pages(source, least, spread) {
  const lines = source.split('\n')
  const cut = []
  for (let at = 0, page = 0; at < lines.length; page++) {
    const length = least + ((page * 7) % spread)
    const body = lines.slice(at, at + length).join('\n')
    if (body.trim() !== '') cut.push(`${body}\n`)
    at += length
  }
  return cut
}

/** A PNG of a Julia set: 8-bit grey, every parameter another picture. */
function picture(width, height, real, imaginary) {
  const rows = Buffer.alloc((width + 1) * height)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let [a, b, steps] = [(x / width - 0.5) * 3, (y / height - 0.5) * 2.4, 0]
      for (; steps < 60 && a * a + b * b < 4; steps++) [a, b] = [a * a - b * b + real, 2 * a * b + imaginary]
      rows[y * (width + 1) + 1 + x] = 255 - steps * 4
    }
  }
  const chunk = (type, body) => {
    const typed = Buffer.concat([Buffer.from(type), body])
    const framed = Buffer.alloc(typed.length + 8)
    framed.writeUInt32BE(body.length, 0)
    typed.copy(framed, 4)
    framed.writeUInt32BE(crc32(typed), typed.length + 4)
    return framed
  }
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  head[8] = 8
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

const two = (number) => String(number).padStart(2, '0')

/** Names that broke other programs; each is bytes, and Joliet keeps none of the odd ones as it is. */
const hostile = [
  'two\nlines.txt',
  'field\x1cseparator.txt',
  'tab\tand return\r.txt',
  '\\left-\\right.plist',
  '\\n.plist',
  '\\newenvironment{x}.sty',
  'ends with backslash\\',
  '#draft#',
  '-rf',
  '--help',
  ' leading space',
  'trailing space ',
  'it\'s "quoted".txt',
  '$(reboot) `id` ${HOME} %s %n.txt',
  'a|b;c&d<e>f*g?.txt',
  'escape \x1b[31m red.txt',
  'Guatemala – informe ñandú.txt',
  'nin\u0303o.txt',
  'ni\u00f1o.txt',
  'emoji \u{1f4be}.txt',
  Buffer.from('latin1 caf\xe9 \xa1.txt', 'latin1'),
  Buffer.from('not utf-8 \xff\xfe\x80', 'latin1'),
  `${'long name '.repeat(20)}end`,
  'n'.repeat(240),
]
const inside = (folder, name) => Buffer.concat([bytes(`${folder}/`), bytes(name)])

const plate = (index) => picture(96, 72, -0.8 + index * 0.013, 0.156 + index * 0.009)

/** The report on a CD: `files` files, and `others` that are none (its root, folders, links). */
function report(files, others) {
  const tree = new Tree('report', '1999-02-25T12:00:00Z')
  tree.file('README.TXT', `Every text of this disc is a licence, cut into pages.\n\n${text('BSD')}`)
  tree.file('report.txt', text('GPL-3') + text('GPL-2') + text('LGPL-2.1') + text('GFDL-1.3'))
  for (const [index, name] of hostile.entries())
    tree.file(inside('names/hostile', name), `Name ${index + 1} of ${hostile.length}, on purpose.\n`)
  tree.file('names/#draft#/C#/notes.txt', 'Not a comment.\n')
  for (let index = 1; index <= 24; index++) tree.file(`empty/reserved-${two(index)}.dat`, '')
  for (let index = 0; index < 40; index++) tree.file(`pictures/plate-${two(index + 1)}.png`, plate(index))
  // Ten of them again, as people do.
  for (let index = 0; index < 10; index++)
    tree.file(`pictures/copy of plates/plate-${two(index + 1)}.png`, plate(index))
  for (const name of [
    'src/model/medium.ts',
    'src/model/stage.ts',
    'src/model/world.ts',
    'package.json',
    'LICENSE',
  ])
    tree.file(`software/ntt/${name}`, readFileSync(join(project, name)))
  for (const letter of 'abcdefghijkl') tree.folder(`index/letter-${letter}`)
  tree.folder('volume-01')
  tree.link('latest', 'volume-12')
  tree.link('report.lnk', 'report.txt')
  tree.link('volume-01/missing.txt', '../volume-99/nowhere.txt')
  tree.link('volume-01/absolute', '/etc/passwd')
  tree.link('names/loop', 'loop')
  volumes(tree, files, others)
  tree.seal()
  return tree
}

/** Volumes of chapters of pages, until the disc holds exactly as much as it is known for. */
function volumes(tree, files, others) {
  const books = ['GPL-3', 'GPL-2', 'LGPL-2.1', 'LGPL-2', 'GFDL-1.3', 'MPL-1.1', 'MPL-2.0', 'GFDL-1.2']
    .concat(['Apache-2.0', 'GPL-1', 'LGPL-3', 'CC0-1.0'])
    .map((name, index) => ({ name, folder: `volume-${two(index + 1)}` }))
  for (const { folder } of books) tree.folder(folder)
  const chapters = Math.floor((others - tree.others) / books.length)
  const each = Math.floor((files - tree.files) / (chapters * books.length))
  for (const [volume, { name, folder }] of books.entries()) {
    for (let chapter = 0; chapter < chapters; chapter++) {
      const cut = pages(text(name), 6 + chapter * 2, 9 + volume)
      for (let page = 0; page < each; page++)
        tree.file(`${folder}/chapter-${two(chapter + 1)}/page-${two(page + 1)}.txt`, cut[page % cut.length])
    }
  }
  const rest = pages(text('Artistic'), 4, 5)
  for (let index = 0; tree.files < files; index++)
    tree.file(`appendix-${two(index + 1)}.txt`, rest[index % rest.length])
  for (let index = 1; tree.others < others; index++) tree.folder(`index/annex-${two(index)}`)
}

/** A floppy of letters: short and long names, one beyond ASCII, one empty, one that is on the CD too. */
function floppy() {
  const tree = new Tree('floppy', '1994-05-10T09:30:00Z')
  tree.file('README.TXT', 'Letters and two pictures. Names as DOS and Windows 95 wrote them.\n')
  for (const [index, page] of pages(text('GPL-1'), 12, 11).slice(0, 14).entries())
    tree.file(`LETTERS/LETTER${two(index + 1)}.TXT`, page.replaceAll('\n', '\r\n'))
  tree.file('LETTERS/EMPTY.TXT', '')
  tree.file('Minutes of the meeting in May.txt', pages(text('Artistic'), 60, 1)[0])
  tree.file('informe ñandú.txt', 'A name beyond ASCII.\n')
  tree.file('PICTURES/plate-01.png', plate(0))
  tree.file('PICTURES/large plate.png', picture(320, 240, -0.4, 0.6))
  tree.file('GFDL.TXT', text('GFDL-1.3'))
  tree.folder('NOTHING')
  tree.seal()
  return tree
}

/**
 * Two partitions of one disk that share inode numbers: letters of the same size with other words in them, and a file
 * where the other has a folder. mkfs numbers by name: the letters' folder is 12, the letters are 13 to 32, and 33 is the
 * folder `drafts` here and the file `DRAFTS` there.
 */
function partitions() {
  const first = new Tree('part1', '2001-11-03T18:00:00Z')
  first.file('plate.png', plate(12))
  first.file('drafts/empty', '')
  first.file('drafts/notes.txt', text('Artistic'))
  letters(first, 'ante meridiem')
  const second = new Tree('part2', '2004-11-03T18:00:00Z')
  second.file('plate.png', plate(14))
  second.file('archive/report.txt', text('GPL-2'))
  second.hardLink('archive/report again.txt', 'archive/report.txt')
  second.hardLink('report.txt', 'archive/report.txt')
  second.sparse('archive/sparse.bin', 600_000, Buffer.from('the end\n'))
  second.link('latest', 'archive/report.txt')
  second.link('broken', '../../nowhere')
  for (const name of [
    'two\nlines',
    '\\left-\\right.plist',
    '#draft#',
    Buffer.from('caf\xe9', 'latin1'),
    'n'.repeat(255),
  ])
    second.file(inside('names', name), 'A name.\n')
  second.file('DRAFTS', 'A file, not a folder.\n')
  letters(second, 'post meridiem')
  first.seal()
  second.seal()
  return [first, second]
}

function letters(tree, words) {
  for (let index = 1; index <= 20; index++)
    tree.file(`1994/letter-${two(index)}.txt`, `${words} ${two(index)}\n`.repeat(index * 12))
}

/** A box of papers as a plain folder: names that git keeps everywhere, some contents that are on the other media too. */
function box() {
  const tree = new Tree('box7', '2008-07-01T08:00:00Z')
  tree.file('contents.txt', 'Box 7: scans and transcripts, 2008.\n')
  for (const [index, page] of pages(text('MPL-2.0'), 14, 9).slice(0, 18).entries())
    tree.file(`transcripts/page-${two(index + 1)}.txt`, page)
  for (let index = 0; index < 6; index++) tree.file(`scans/plate-${two(index + 1)}.png`, plate(index * 3))
  tree.file('scans/plate-01 (copy).png', plate(0))
  tree.file('scans/missing.png', '')
  tree.file('licences/BSD.txt', text('BSD'))
  tree.file('licences/Artistic.txt', text('Artistic'))
  tree.seal()
  return tree
}

const made = [report(1056, 105), floppy(), ...partitions(), box()]
for (const { root, files, others } of made)
  process.stdout.write(`${root}: ${files + others} entries, ${files} files, ${others} others\n`)
