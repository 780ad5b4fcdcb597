// Trees with the names and kinds of entries that have broken pipelines before (T1 to T8).
import { execFileSync } from 'node:child_process'
import {
  ftruncateSync,
  closeSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

/** Names that any filesystem of bytes can hold. */
const hostileNames: readonly string[] = [
  ...Array.from({ length: 255 }, (_none, index) => index + 1)
    .filter((byte) => byte !== 0x2f)
    .map((byte) => `n${String.fromCharCode(byte)}x`),
  '\\left-\\right.plist',
  '\\n.plist',
  '\\newenvironment{x}',
  'a\\\\b',
  'trailing\\',
  '\\x41',
  '&amp;',
  "<name a='1'>",
  ' ',
  '   ',
  ' leading',
  'trailing ',
  '-rf',
  '#draft#',
  '...',
  'a..',
  '$MBR',
  'caf\xe9',
  'caf\xc3\xa9',
  'cafe\xcc\x81',
  'z'.repeat(255),
]

/** Everything that a Unix filesystem holds: hostile names, links, holes, pipes, empty files, deep directories. */
export function hostileTree(folder: string): string {
  const at = (name: string): Buffer => latin1(`${folder}/${name}`)
  mkdirSync(folder)
  for (const name of hostileNames) writeFileSync(at(name), latin1(`content of ${name}`))
  mkdirSync(at('C#'))
  writeFileSync(at('C#/x'), 'sharp')
  mkdirSync(at('looks.tar.zst'))
  writeFileSync(at('looks.tar.zst/inside'), 'a directory with the name of an archive')
  mkdirSync(at('empty directory'))
  writeFileSync(at('empty'), '')
  linkSync(at('empty'), at('empty too'))
  linkSync(at('n\nx'), at('C#/hard'))
  linkSync(at('n\nx'), at('looks.tar.zst/harder'))
  let deep = 'deep'
  for (let level = 0; level < 12; level++, deep += `/${'d'.repeat(20)}${level}`) mkdirSync(at(deep))
  writeFileSync(at(`${deep}`), 'at the bottom')
  for (const [name, target] of [
    ['broken', 'nowhere'],
    ['absolute', '/etc/passwd'],
    ['loop', 'loop'],
    ['outside', '../../..'],
    ['to directory', 'C#'],
    ['odd', 'n\n\\n\xe9'],
    ['59', 'y'.repeat(59)],
    ['60', 'z'.repeat(60)],
    ['long', Array(5).fill('w'.repeat(199)).join('/')],
  ] as const)
    symlinkSync(latin1(target), at(name))
  const holes = openSync(at('holes'), 'w')
  writeSync(holes, 'begin', 0)
  writeSync(holes, 'middle', 1_000_000)
  ftruncateSync(holes, 2_500_000)
  closeSync(holes)
  execFileSync('mkfifo', [at('pipe')] as unknown as string[])
  utimesSync(at('holes'), 0, 1_000_000_000.123)
  lutimesSync(at('broken'), 0, 86_400)
  utimesSync(at('empty'), 0, 2_000_000_000)
  return folder
}

/** What FAT and exFAT can hold as well: long names, no links, even seconds. */
export function plainTree(folder: string): string {
  mkdirSync(folder)
  const put = (name: string, content: string | Buffer): void => {
    writeFileSync(`${folder}/${name}`, content)
    utimesSync(`${folder}/${name}`, 0, 946_684_800 + name.length * 2)
  }
  put('a.txt', 'hello')
  put('EMPTY', '')
  put('A long name, with a comma & more.jpeg', Buffer.alloc(100_000, 'jpeg'))
  put('Café au lait, 日本.txt', 'not ASCII')
  put('z'.repeat(180), 'a long one')
  mkdirSync(`${folder}/sub`)
  mkdirSync(`${folder}/sub/empty`)
  mkdirSync(`${folder}/sub/deeper`)
  put('sub/deeper/b.bin', Buffer.from(Array.from({ length: 70_000 }, (_none, index) => index % 251)))
  for (let index = 0; index < 100; index++) put(`sub/f${index}`, `file ${index}`)
  return folder
}

/** What filesystems with names of UTF-16 hold; `links`: hard and symbolic ones, holes, and names that differ by case alone. */
export function unicodeTree(folder: string, links = true): string {
  mkdirSync(folder, { recursive: true })
  const put = (name: string, content: string | Buffer): void => writeFileSync(`${folder}/${name}`, content)
  const names = [
    'a.txt',
    'Äpfel',
    'Ångström',
    '日本語',
    '🎹 emoji',
    ' leading',
    '-rf',
    '#draft#',
    '...',
    'a..b',
    '$MBR',
    '&amp;',
    "it's",
  ]
  for (const name of [...names, 'z'.repeat(250)]) put(name, `content of ${name}`)
  put('empty', '')
  for (let size = 1; size < 1500; size += 61) put(`bytes ${size}`, Buffer.alloc(size, `${size} `))
  mkdirSync(`${folder}/sub`)
  mkdirSync(`${folder}/sub/empty`)
  let deep = `${folder}/sub/deep`
  for (let level = 0; level < 20; level += 1, deep += `/level ${level}`) mkdirSync(deep)
  writeFileSync(deep, 'at the bottom')
  put('sub/large', Buffer.alloc(3_000_000, 'all the same '))
  mkdirSync(`${folder}/many`)
  for (let index = 0; index < 300; index += 1) put(`many/a name of some length ${index}`, `file ${index}`)
  utimesSync(`${folder}/a.txt`, 0, 1_000_000_000)
  utimesSync(`${folder}/empty`, 0, 2_000_000_000)
  if (!links) return folder
  put('new\nline', 'not for every system')
  put('case', 'lower')
  put('CASE', 'upper')
  linkSync(`${folder}/a.txt`, `${folder}/sub/linked`)
  linkSync(`${folder}/a.txt`, `${folder}/sub/empty/linked too`)
  symlinkSync('nowhere', `${folder}/broken`)
  symlinkSync('../sub', `${folder}/sub/around`)
  symlinkSync('w'.repeat(900), `${folder}/long link`)
  const holes = openSync(`${folder}/holes`, 'w')
  writeSync(holes, 'begin', 0)
  writeSync(holes, 'middle', 1_000_000)
  ftruncateSync(holes, 2_500_000)
  closeSync(holes)
  return folder
}

/** A few files and folders, with two names for one of them: enough for what is tried sector by sector. */
export function smallTree(folder: string): string {
  mkdirSync(folder, { recursive: true })
  for (const below of ['one', 'one/two', 'one/two/three', 'empty']) mkdirSync(`${folder}/${below}`)
  for (let index = 0; index < 60; index += 1)
    writeFileSync(`${folder}/${index % 2 === 0 ? 'one' : 'one/two'}/name ${index}`, 'x'.repeat(index * 40))
  writeFileSync(`${folder}/one/two/three/last`, Buffer.alloc(50_000, 'last'))
  linkSync(`${folder}/one/name 0`, `${folder}/one/two/three/linked`)
  return folder
}
