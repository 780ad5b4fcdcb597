// An image that took the place of the one that was proven, by a person's word: what was made of the other one is made again, and not before.
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { each } from '../src/model/each.ts'
import { decodeRaw, encodeRaw, type RawRecord, type RawTail } from '../src/model/raw/index.ts'
import { make } from './support/looking.ts'
import { freshDatabase } from './support/postgres.ts'
import { project, type Project } from './support/project.ts'

const declared = 'source: {image: floppy.img}\nmedium_hash: f232a107347b651c3f9f799c3d012ae8\n'
const [older, newer] = ['what the first drive read', 'what a better one read   ']

function floppy(made: Project): void {
  mkdirSync(made.path('media.d'), { recursive: true })
  make('mkfs.vfat', '-C', made.path('media.d/floppy.img'), '1440')
  make('mcopy', '-i', made.path('media.d/floppy.img'), made.write('letter.txt', older), '::')
  made.medium('floppy', declared)
}

/** A floppy with one letter, archived; its file says which medium it is, so that another image is not told by its ends. */
async function archived(): Promise<Project> {
  const made = project({ database: await freshDatabase() })
  floppy(made)
  const { code, out, err } = await made.ntt('apply', '--yes')
  expect([code, out + err]).toEqual([0, expect.anything()])
  return made
}

/** Reads the letter as another drive would: as long, at the same place. */
function readBetter(made: Project): void {
  const image = made.path('media.d/floppy.img')
  const bytes = readFileSync(image)
  bytes.write(newer, bytes.indexOf(older))
  writeFileSync(image, bytes)
}

const letter = async (made: Project): Promise<string> => (await made.ntt('cat', 'floppy', 'letter.txt')).out

const archives = (made: Project) => {
  const folder = made.path('.ntt/archive')
  return readdirSync(folder).flatMap((name) =>
    name.includes('.tar.zst') ? [{ name, ino: statSync(join(folder, name)).ino }] : [],
  )
}

test('another image is refused with the way out; taken as it is, all that was made of the other one is made again', async () => {
  const made = await archived()
  expect(await letter(made)).toBe(older)
  readBetter(made)
  expect((await made.ntt('apply', '--yes')).code).toBe(3)
  const refused = await made.ntt('plan')
  expect([refused.code, refused.out]).toEqual([
    3,
    expect.stringContaining('`ntt apply --redo floppy/image` takes it as it is'),
  ])
  const taken = await made.ntt('apply', '--yes', '--redo', 'floppy/image')
  expect([taken.code, taken.out + taken.err]).toEqual([0, expect.anything()])
  expect(await letter(made)).toBe(newer)
  expect(archives(made).filter(({ name }) => name.includes('.aside-other-image-'))).toHaveLength(1)
  for (const verb of [['plan'], ['audit'], ['losses'], ['verify', '--depth', 'hash']]) {
    const { code, out } = await made.ntt(...verb)
    expect([verb, code, out]).toEqual([verb, 0, expect.anything()])
  }
})

test('until then it is told, by a verification as well as without one, and after a run that ended in between', async () => {
  const made = await archived()
  readBetter(made)
  expect((await made.ntt('apply', '--yes', '--target', 'imaged', '--redo', 'floppy/image')).code).toBe(0)
  const isTold = async (): Promise<void> => {
    const { code, out } = await made.ntt('plan')
    const others = out.split('\n').filter((line) => line.includes('made of another image'))
    expect([code, others.length]).toEqual([2, 3])
  }
  await isTold()
  expect((await made.ntt('losses')).code).toBe(5)
  const audit = await made.ntt('audit')
  expect([audit.code, audit.out]).toEqual([
    2,
    expect.stringContaining('enumerate, copy, archive: made of another'),
  ])
  // The archive is held against the image that is there.
  for (const how of [[], ['--budget', '1h'], ['--depth', 'hash']]) {
    expect((await made.ntt('verify', ...how)).code).toBe(3)
    await isTold()
  }
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  expect(await letter(made)).toBe(newer)
  expect((await made.ntt('plan')).code).toBe(0)
})

test('an image that turns out to hold the same bytes leaves all that was made of it', async () => {
  const made = await archived()
  const before = archives(made)
  utimesSync(made.path('media.d/floppy.img'), 1, 1)
  const { code, out, err } = await made.ntt('apply', '--yes', '--redo', 'floppy/image')
  expect([code, out + err]).toEqual([0, expect.anything()])
  expect(archives(made)).toEqual(before)
  expect((await made.ntt('plan')).code).toBe(0)
})

/** A map of the floppy of which some sectors were not read. */
function mapped(made: Project, bad: readonly number[]): void {
  const bytes = statSync(made.path('media.d/floppy.img')).size
  const hex = (value: number): string => `0x${value.toString(16)}`
  const lines = ['0x0 + 1']
  let at = 0
  for (const sector of bad) {
    if (sector * 512 > at) lines.push(`${hex(at)} ${hex(sector * 512 - at)} +`)
    lines.push(`${hex(sector * 512)} 0x200 -`)
    at = (sector + 1) * 512
  }
  if (at < bytes) lines.push(`${hex(at)} ${hex(bytes - at)} +`)
  made.write('media.d/floppy.map', `${lines.join('\n')}\n`)
}

const lastSector = 2879

test('what was known to be unread does not become whole by it', async () => {
  const made = await archived()
  mapped(made, [lastSector])
  made.medium('floppy', `${declared}policy: {rescued: 99%}\n`)
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  rmSync(made.path('media.d/floppy.map'))
  readBetter(made)
  const { code, out } = await made.ntt('apply', '--yes', '--redo', 'floppy/image')
  expect([code, out]).toEqual([3, expect.stringContaining('map')])
})

test('an image that was read further by hand is taken in one run, and nothing is left to do', async () => {
  const made = await archived()
  mapped(made, [lastSector - 1, lastSector])
  made.medium('floppy', `${declared}policy: {rescued: 99%}\n`)
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  mapped(made, [lastSector])
  readBetter(made)
  const { code, out, err } = await made.ntt('apply', '--yes', '--redo', 'floppy/image')
  expect([code, out + err]).toEqual([0, expect.anything()])
  expect(await letter(made)).toBe(newer)
  expect((await made.ntt('plan')).code).toBe(0)
  expect((await made.ntt('audit')).code).toBe(0)
})

test('a copy that never came to its end does not go on with contents of another image', async () => {
  const made = project({ database: await freshDatabase() })
  floppy(made)
  make('mcopy', '-i', made.path('media.d/floppy.img'), made.write('second.txt', 'torn'), '::')
  const torn = Math.floor(readFileSync(made.path('media.d/floppy.img')).indexOf('torn') / 512)
  mapped(made, [torn])
  made.medium('floppy', `${declared}policy: {rescued: 99%}\ntarget: copied\n`)
  // One letter is copied, of the other some was never read, and nobody accepts that.
  expect((await made.ntt('apply', '--yes')).code).toBe(4)
  expect(await letter(made)).toBe(older)
  mapped(made, [])
  readBetter(made)
  expect((await made.ntt('apply', '--yes', '--redo', 'floppy/image')).code).toBe(0)
  expect(await letter(made)).toBe(newer)
})

test('the older image that was put back is not as it was proven last', async () => {
  const made = await archived()
  const image = made.path('media.d/floppy.img')
  renameSync(image, made.path('older.img'))
  copyFileSync(made.path('older.img'), image)
  readBetter(made)
  expect((await made.ntt('apply', '--yes', '--redo', 'floppy/image')).code).toBe(0)
  rmSync(made.path('.ntt/archive'), { recursive: true })
  renameSync(made.path('older.img'), image)
  const { out } = await made.ntt('plan')
  expect(out).toMatch(/v +image +.*changed since it was proven/)
  expect((await made.ntt('verify')).code).toBe(3)
})

test('what of the other image cannot be read is refused once, and not made again each time', async () => {
  const made = project({ database: await freshDatabase() })
  floppy(made)
  make('mcopy', '-i', made.path('media.d/floppy.img'), made.write('second.txt', 'torn'), '::')
  made.medium('floppy', `${declared}policy: {rescued: 99%}\n`)
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  mapped(made, [Math.floor(readFileSync(made.path('media.d/floppy.img')).indexOf('torn') / 512)])
  readBetter(made)
  expect((await made.ntt('apply', '--yes', '--redo', 'floppy/image')).code).toBe(4)
  const raws = (): readonly string[] => readdirSync(made.path('.ntt/raw'))
  const before = raws()
  const { out } = await made.ntt('plan')
  expect(out).toMatch(/x +copy +.*accept the loss/)
  expect((await made.ntt('apply', '--yes')).code).toBe(3)
  expect(raws()).toEqual(before)
  const losses = await made.ntt('losses')
  expect([losses.code, losses.out]).toEqual([2, expect.stringContaining('second.txt')])
  made.medium('floppy', `${declared}policy: {rescued: 99%, unreadable_files: accept}\n`)
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  expect(await letter(made)).toBe(newer)
})

test('a content that has rotted, and that both images hold, is mended', async () => {
  const made = project({ database: await freshDatabase() })
  floppy(made)
  make('mcopy', '-i', made.path('media.d/floppy.img'), made.write('second.txt', 'sound'), '::')
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  const [blob = ''] = readdirSync(made.path('.ntt/by-hash'), { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.length > 64 && readFileSync(made.path('.ntt/by-hash', name), 'utf8') === 'sound',
  )
  chmodSync(made.path('.ntt/by-hash', blob), 0o644)
  writeFileSync(made.path('.ntt/by-hash', blob), 'sOund')
  readBetter(made)
  // Believed by its name while it is copied, for it was written lately; its proof reads it.
  expect((await made.ntt('apply', '--yes', '--redo', 'floppy/image')).code).toBe(3)
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  expect((await made.ntt('cat', 'floppy', 'second.txt')).out).toBe('sound')
  expect((await made.ntt('plan')).code).toBe(0)
})

test('a lost database takes nothing of it back: what is there is proven, and not made again', async () => {
  const made = await archived()
  readBetter(made)
  expect((await made.ntt('apply', '--yes', '--redo', 'floppy/image')).code).toBe(0)
  const before = archives(made)
  made.env('NTT_DB_URL', await freshDatabase())
  const rebuilt = await made.ntt('rebuild', '--yes')
  expect([rebuilt.code, rebuilt.out + rebuilt.err]).toEqual([0, expect.anything()])
  expect(readdirSync(made.path('.ntt/raw')).filter((name) => name.includes('.aside-'))).toHaveLength(1)
  expect(archives(made)).toEqual(before)
  expect((await made.ntt('plan')).code).toBe(0)
})

test('an enumeration that only says that it is of another image is not believed', async () => {
  const made = project({ database: await freshDatabase() })
  floppy(made)
  made.medium('floppy', `${declared}target: enumerated\n`)
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  const [name = ''] = readdirSync(made.path('.ntt/raw')).filter((one) => one.endsWith('.raw'))
  const tails: RawTail[] = []
  const records: RawRecord[] = []
  const bytes = readFileSync(made.path('.ntt/raw', name))
  for await (const some of decodeRaw(each([bytes]), (tail) => tails.push(tail))) records.push(...some)
  const kept = records.filter((one) => !('entry' in one && one.entry.type === 'f'))
  const about = { hash: name.slice(0, 32), source: 'floppy.img', writer: 'test', image: 'f'.repeat(64) }
  const chunks: Buffer[] = []
  for await (const chunk of encodeRaw(each([kept]), () => tails[0]?.volumes ?? [], about))
    chunks.push(Buffer.from(chunk))
  writeFileSync(made.path('.ntt/raw', name), Buffer.concat(chunks))
  const { code, out } = await made.ntt('verify')
  expect([code, out]).toEqual([3, expect.stringContaining('content')])
})
