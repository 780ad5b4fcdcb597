// Identities from real images, devices with real read errors, and a real catalogue.
import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { identify } from '../src/identify.ts'
import { readKnown, remember, type CachedIdentity, type Known } from '../src/identify/known.ts'
import { kinds } from '../src/kinds/index.ts'
import type { Declaration, Source } from '../src/model/medium.ts'
import { oneEach } from '../src/observe.ts'
import { openDatabase } from '../src/ports/postgres.ts'
import { device, mapOf } from './support/devices.ts'
import { hands } from './support/hands.ts'
import { medium } from './support/media.ts'
import { freshDatabase } from './support/postgres.ts'

let folder: string
let learned: CachedIdentity[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ntt-identify-'))
  learned = []
  // A lazily unmounted device may still hold the folder for a moment.
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }))
})

const known = (parts: Partial<Known> = {}): Known => ({
  cache: new Map(),
  media: [],
  declared: [],
  isDrive: (kind) => kinds[kind].isDrive,
  learned: (identity) => learned.push(identity),
  ...parts,
})

const declare = (source: Source, parts: Partial<Declaration> = {}): Declaration => ({
  ...medium({ source, kind: 'optical' }),
  hash: null,
  kind: null,
  ...parts,
})

function floppy(name: string, label = 'LETTERS'): string {
  const path = join(folder, name)
  execFileSync('mkfs.vfat', ['-C', '-n', label, '-i', '12345678', path, '1440'])
  return path
}

/** v2 as the older pipeline's shell made it: nothing of ntt has a part in it. */
const v2 = (path: string): string =>
  execFileSync(
    'sh',
    [
      '-c',
      `s=$(stat -c %s "$1"); { printf 'SIZE:%s|MODEL:unknown|SERIAL:unknown|' "$s"; head -c 1048576 "$1"; tail -c 1048576 "$1"; } | b3sum --no-names -l 16`,
      'sh',
      path,
    ],
    { encoding: 'utf8' },
  ).trim()

const image = (path: string): Source => ({ type: 'image', path })
const drive = (path: string): Source => ({ type: 'device', path })
const look = (declaration: Declaration, parts: Partial<Known> = {}) =>
  identify(declaration, hands(folder), known(parts))

describe('an image', () => {
  test('has the v2 hash of its ends, and a kind by its size and first bytes', async () => {
    const path = floppy('letters.img')
    expect(await look(declare(image(path)))).toEqual({
      hash: v2(path),
      version: 'v2',
      kind: 'floppy',
      bytes: 1_474_560,
    })
  })

  test('takes its identity from `medium_hash` or from a file name of 32 hex digits', async () => {
    const path = floppy('letters.img')
    expect(await look(declare(image(path), { hash: 'a'.repeat(32) }))).toMatchObject({
      hash: 'a'.repeat(32),
      version: 'declared',
    })
    const named = join(folder, `${'b'.repeat(32)}.img`)
    copyFileSync(path, named)
    expect(await look(declare(image(named)))).toEqual({
      hash: 'b'.repeat(32),
      version: 'declared',
      kind: 'floppy',
      bytes: 1_474_560,
    })
  })

  test('is not read again while it looks as it did, and is when it was touched or other things are expected', async () => {
    const path = floppy('letters.img')
    await look(declare(image(path)))
    const [first] = learned
    if (first === undefined) throw new Error('nothing was learned')
    const cache = new Map([[path, { ...first, hash: 'c'.repeat(32) }]])
    expect(await look(declare(image(path)), { cache })).toMatchObject({ hash: 'c'.repeat(32) })
    expect(await look(declare(image(path), { expect: { bytes: 1_474_560 } }), { cache })).toMatchObject({
      hash: first.hash,
    })
    utimesSync(path, 1, 1)
    expect(await look(declare(image(path)), { cache })).toMatchObject({ hash: first.hash })
  })

  test('of no bytes is refused, with a declared hash or not found at all it is told', async () => {
    const path = join(folder, 'nothing.img')
    writeFileSync(path, '')
    expect(await look(declare(image(path)))).toMatchObject({
      action: 'refuse',
      because: { code: 'incomplete' },
    })
    const away = declare(image(join(folder, 'away.img')))
    expect(await look(away)).toMatchObject({ action: 'unknown', because: { code: 'source-away' } })
    const media = [{ hash: 'd'.repeat(32), version: 'v2', name: 'ceh', kind: 'floppy' }] as const
    expect(await look(away, { media })).toEqual({
      hash: 'd'.repeat(32),
      version: 'v2',
      kind: 'floppy',
      bytes: null,
    })
  })

  test('with another label or size than expected is refused', async () => {
    const path = floppy('letters.img', 'HOLIDAY 98')
    expect(await look(declare(image(path), { expect: { volume: 'HOLIDAY 98' } }))).toHaveProperty('hash')
    const because = {
      code: 'wrong-medium',
      text: expect.stringContaining('the volume label is HOLIDAY 98, declared CEH'),
    }
    const other = declare(image(path), { expect: { volume: 'CEH' } })
    expect(await look(other)).toEqual({ action: 'refuse', because })
    // Of one that was met before, what was proven is contradicted, where its bytes tell that this is not it.
    const met = { name: other.name, hash: 'f'.repeat(32), version: 'v2', kind: null } as const
    const displaced = { action: 'refuse', because, displaced: met.hash }
    expect(await look(other, { media: [met] })).toEqual(displaced)
    const madeUp = { ...other, hash: 'f'.repeat(32) }
    expect(await look(madeUp, { media: [met] })).toEqual({ action: 'refuse', because })
    expect(await look(declare(image(path), { expect: { bytes: 1 } }))).toMatchObject({ action: 'refuse' })
  })

  test('that replaces the one known under this name is not that medium', async () => {
    const path = floppy('letters.img')
    const media = [{ hash: 'd'.repeat(32), version: 'v2', name: 'ceh', kind: 'floppy' }] as const
    expect(await look(declare(image(path)), { media })).toMatchObject({
      action: 'refuse',
      because: { code: 'other-image' },
    })
    const same = [{ ...media[0], hash: v2(path) }]
    expect(await look(declare(image(path)), { media: same })).toMatchObject({ hash: v2(path) })
  })

  test('that may not be read is unknown, not absent', async () => {
    mkdirSync(join(folder, 'box'))
    expect(await look(declare(image(join(folder, 'box'))))).toMatchObject({ action: 'refuse' })
    writeFileSync(join(folder, 'file'), 'x')
    await expect(look(declare(image(join(folder, 'file/inside'))))).rejects.toMatchObject({ tag: 'observe' })
  })
})

test('a directory is its declared name, wherever it lies', async () => {
  const one = await look(declare({ type: 'directory', path: '/mnt/a' }))
  expect(await look(declare({ type: 'directory', path: '/mnt/b' }))).toEqual(one)
  expect(await look(declare({ type: 'directory', path: '/mnt/a' }, { name: 'other' }))).not.toEqual(one)
})

describe('a device', () => {
  test('is identified by its ends; a disc only lies in its drive', async () => {
    const path = floppy('letters.img')
    const { path: at } = await device(folder, path)
    expect(await look(declare(drive(at)))).toEqual({
      hash: v2(path),
      version: 'v2',
      kind: 'floppy',
      bytes: 1_474_560,
    })
    expect(learned).toEqual([])
  })

  test('with bad sectors at its beginning has the hash with zeros in their place', async () => {
    const path = floppy('letters.img')
    const { path: at } = await device(folder, path, { bad: [[4096, 2048]] })
    const zeroed = join(folder, 'zeroed.img')
    copyFileSync(path, zeroed)
    execFileSync('dd', [
      'if=/dev/zero',
      `of=${zeroed}`,
      'bs=2048',
      'seek=2',
      'count=1',
      'conv=notrunc',
      'status=none',
    ])
    expect(await look(declare(drive(at)))).toMatchObject({ hash: v2(zeroed) })
  })

  test('whose ends cannot be read at all is unknown until a person gives it an identity', async () => {
    const { path: at } = await device(folder, floppy('letters.img'), { bad: [[0, 1_474_560]] })
    await expect(look(declare(drive(at)))).rejects.toMatchObject({
      tag: 'observe',
      hint: expect.stringContaining('medium_hash'),
    })
    expect(await look(declare(drive(at), { hash: 'a'.repeat(32) }))).toMatchObject({
      hash: 'a'.repeat(32),
      bytes: 1_474_560,
    })
  })

  test('with another disc in it is refused by name if nothing else tells the medium', async () => {
    const path = floppy('letters.img', 'HOLIDAY 98')
    const { path: at } = await device(folder, path)
    const declared = [{ name: 'holiday', hash: v2(path), file: 'media.d/holiday.yaml' }]
    const found = await look(declare(drive(at), { expect: { volume: 'CEH_005' } }), { declared })
    expect(found).toMatchObject({ action: 'refuse', because: { code: 'wrong-medium' } })
    expect(JSON.stringify(found)).toContain('the volume label is HOLIDAY 98, declared CEH_005. It is holiday')
    expect(await look(declare(drive(at)), { declared })).toMatchObject({
      action: 'refuse',
      because: { text: expect.stringContaining('is holiday already') },
    })
  })

  test('that is known keeps its identity while another disc, or none, is in the drive', async () => {
    const { path: at, remove } = await device(folder, floppy('letters.img'))
    const hash = 'e'.repeat(32)
    expect(await look(declare(drive(at), { hash, kind: 'optical' }))).toEqual({
      hash,
      version: 'declared',
      kind: 'optical',
      bytes: null,
    })
    await remove()
    expect(await look(declare(drive(at), { hash, kind: 'optical' }))).toMatchObject({ hash, bytes: null })
    expect(await look(declare(drive(at)))).toMatchObject({
      action: 'unknown',
      because: { code: 'source-away' },
    })
  })

  test('is recognised by what was read of it before, where its hash cannot be worked out twice', async () => {
    const path = floppy('letters.img')
    const { path: at } = await device(folder, path, { bad: [[4096, 2048]] })
    const media = [{ hash: 'e'.repeat(32), version: 'v2', name: 'ceh', kind: 'floppy' }] as const
    mkdirSync(join(folder, 'image'), { recursive: true })
    const unfinished = join(folder, `image/${'e'.repeat(32)}.unfinished`)
    copyFileSync(path, `${unfinished}.img`)
    writeFileSync(`${unfinished}.map`, mapOf([[10_240, 2048]], 1_474_560))
    expect(await look(declare(drive(at)), { media })).toMatchObject({
      hash: 'e'.repeat(32),
      bytes: 1_474_560,
    })
    execFileSync('dd', [
      'if=/dev/urandom',
      `of=${unfinished}.img`,
      'bs=512',
      'seek=100',
      'count=1',
      'conv=notrunc',
      'status=none',
    ])
    expect(await look(declare(drive(at)), { media })).toMatchObject({ bytes: null })
  })
})

test('what was worked out is kept in the catalogue and read back in one question', async () => {
  const database = await openDatabase({ where: await freshDatabase(), run: 'test' })
  onTestFinished(() => database.close())
  const path = floppy('letters.img')
  const identity = await look(declare(image(path)))
  await database.transaction((tx) => remember(tx, learned))
  await database.transaction((tx) => remember(tx, learned))
  const { cache, media } = await readKnown((sql, params) => database.query(sql, params))
  expect(media).toEqual([])
  expect([...cache.values()]).toEqual(learned)
  truncateSync(path, 1_474_560)
  expect(await look(declare(image(path)), { cache })).toMatchObject({
    hash: 'hash' in identity ? identity.hash : '',
  })
})

test('two declarations of one medium: the second is refused and told whose it is', () => {
  const one = medium({ source: image('/a.iso'), name: 'one' })
  const media = oneEach([one, { ...one, name: 'two' }, { ...one, name: 'three', hash: 'b'.repeat(32) }])
  expect(media.map(({ hash }) => hash)).toEqual([one.hash, null, 'b'.repeat(32)])
  expect(media[1]).toMatchObject({ action: 'refuse', because: { text: expect.stringContaining('one') } })
})
