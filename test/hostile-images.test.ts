// Images with forged names: nothing leads outside, nothing passes for what it is not, and all of it is told.
import { existsSync, mkdirSync, readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { blake3 } from '@napi-rs/blake-hash'
import { expect, test } from 'vitest'
import { make } from './support/looking.ts'
import { ask, freshDatabase } from './support/postgres.ts'
import { project, scratch, type Project } from './support/project.ts'
import { blobsIn } from './torture/truth.ts'

/** What a terminal would obey; only the line feed is ours. */
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const control = /[\x00-\x09\x0b-\x1f\x7f-\x9f]/u

/** Names as a maker is given them, what stands there afterwards (as long), and what a path may say of it. */
type Forged = readonly (readonly [was: string, is: string, told: string])[]

const long: Forged = [
  ['placeholder-0001', '../../../escaped', '.._.._.._escaped'],
  ['placeholder-0002', '/tmp/ntt-escaped', '_tmp_ntt-escaped'],
  ['placeholder-0003', 'a/../../../b/c/d', 'a_.._.._.._b_c_d'],
  ['placeholder-0004', 'nul\0in/the\0name!', 'nul_in_the_name!'],
  ['placeholder-0005', 'e\x1b]0;owned\x07\x1b[2Jx', 'e\x1b]0;owned\x07\x1b[2Jx'],
  ['q1', '..', '__'],
  ['q', '.', '_'],
]
const short: Forged = [
  ['PLACEH01TXT', '../../..ABC', '.._.._...ABC'],
  ['PLACEH02TXT', '/TMP/NTTESC', '_TMP_NTT.ESC'],
  ['PLACEH03TXT', 'NUL\0IN/\0ABC', 'NUL_IN__.ABC'],
  ['PLACEH04TXT', 'E\x1b[2J\x07\x07XTXT', 'E\x1b[2J\x07\x07X.TXT'],
  ['Q1         ', '..         ', '__'],
  ['Q          ', '.          ', '_'],
]

/** A tree with each name twice: in the root and in a folder. */
function treeOf(names: readonly string[]): string {
  const tree = join(scratch(), 'tree')
  mkdirSync(join(tree, 'sub'), { recursive: true })
  for (const name of names)
    for (const at of ['', 'sub']) writeFileSync(join(tree, at, name), `${at}: content of ${name}`)
  return tree
}

/** Writes other bytes over each of some, wherever they stand; `mark`: bytes before it that tell where names are. */
function forge(image: string, names: Forged, mark: (length: number) => string = () => ''): void {
  const bytes = readFileSync(image)
  for (const [was, is] of names) {
    const before = mark(was.length)
    let count = 0
    for (let at = bytes.indexOf(before + was, 0, 'latin1'); at !== -1; count += 1) {
      bytes.write(is, at + before.length, 'latin1')
      at = bytes.indexOf(before + was, at + 1, 'latin1')
    }
    if (count < 2) throw new Error(`${was} stands in ${count} places`)
  }
  writeFileSync(image, bytes)
}

const images: Readonly<Record<string, readonly [Forged, (image: string) => void]>> = {
  ext: [
    long,
    (image) => {
      writeFileSync(image, '')
      truncateSync(image, 2 << 20)
      make(
        'mke2fs',
        '-q',
        '-F',
        '-t',
        'ext4',
        '-O',
        '^metadata_csum',
        '-d',
        treeOf(long.map(([was]) => was)),
        image,
      )
      forge(image, long, (length) => `${String.fromCharCode(length)}\x01`)
    },
  ],
  rockridge: [
    long,
    (image) => {
      make('genisoimage', '-quiet', '-R', '-o', image, treeOf(long.map(([was]) => was)))
      forge(image, long, (length) => `NM${String.fromCharCode(length + 5)}\x01\0`)
    },
  ],
  fat: [
    short,
    (image) => {
      const tree = treeOf(short.map(([was]) => was.replace('TXT', '.TXT').trim()))
      make('mkfs.vfat', '-C', image, '1440')
      make('mcopy', '-s', '-Q', '-i', image, ...readdirSync(tree).map((name) => join(tree, name)), '::/')
      forge(image, short)
    },
  ],
}

async function saysNothingRaw(made: Project, verbs: readonly (readonly string[])[]): Promise<void> {
  for (const words of verbs) {
    const { code, out, err } = await made.ntt(...words)
    expect([words, control.exec(out + err)], out + err).toEqual([words, null])
    expect([words, code === 1]).toEqual([words, false])
  }
}

test(
  'forged names of images are mended, told, and lead nowhere; each content is kept',
  { timeout: 300_000 },
  async () => {
    const database = await freshDatabase()
    const made = project({ database })
    for (const [name, [, build]] of Object.entries(images)) {
      build(made.path(`${name}.img`))
      made.medium(name, `source: {image: ../${name}.img}\ntarget: archived\n`)
    }
    const before = readdirSync(made.folder)
    const { code, out, err } = await made.ntt('apply', '--yes')
    expect([code, control.exec(out + err)], out + err).toEqual([0, null])
    for (const [name, [forged]] of Object.entries(images)) {
      const rows = await ask<{ path: Buffer; blob: Buffer }>(
        database,
        `select p.path, o.blob_id as blob from path p join outcome o using (medium_id, fs, ino) join medium m using (medium_id) where m.name = $1`,
        [name],
      )
      const told = new Map(rows.map(({ path, blob }) => [path.toString('latin1'), blob.toString('hex')]))
      const truth = forged.flatMap(([was, , is]) =>
        ['', 'sub'].map((at) => {
          const file = was.replace('TXT', '.TXT').trim()
          const content = blake3(Buffer.from(`${at}: content of ${file}`)).toString('hex')
          return [at === '' ? is : `${at}/${is}`, content] as const
        }),
      )
      expect([name, Object.fromEntries(told)]).toEqual([name, Object.fromEntries(truth)])
      const [anomalies] = await ask<{ count: number }>(
        database,
        `select count(*)::int4 from anomaly a join medium m using (medium_id) where m.name = $1 and a.kind = 'bad-name'`,
        [name],
      )
      const mended = forged.filter(([, is, path]) => /[\0/]|^\.+ *$/.test(is) && path !== is).length
      expect([name, anomalies?.count]).toEqual([name, mended * 2])
    }
    const kept = new Set(blobsIn(made.path('.ntt/by-hash')))
    expect(kept.size).toBe(
      Object.values(images).reduce((sum, [forged]) => sum + forged.length * 2, 0) - overlap(),
    )
    expect(readdirSync(made.folder).toSorted()).toEqual([...before, '.ntt'].toSorted())
    for (const path of ['/tmp/ntt-escaped', '/TMP', join(made.folder, '../escaped')])
      expect(existsSync(path)).toBe(false)
    await saysNothingRaw(made, [
      ['plan'],
      ['why', 'ext'],
      ['losses', 'fat'],
      ['losses', '--json'],
      ['audit'],
      ['verify', '--depth', 'hash'],
    ])
  },
)

/** The same contents on two media. */
const overlap = (): number => long.length * 2
