// The sample media hold what the tests and the tour count on; every count is taken by a program that is not ours.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readDesired } from '../src/desired.ts'

const root = join(import.meta.dirname, '..')
const images = join(root, 'test/images')
const at = (name: string): string => join(images, name)

/** Lines that a program prints, one char a byte. */
function lines(program: string, ...args: readonly string[]): readonly string[] {
  const printed = execFileSync(program, args, {
    encoding: 'latin1',
    env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`, LC_ALL: 'C.UTF-8', TZ: 'UTC' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return printed.split('\n').filter((line) => line !== '')
}

test('the CD has 1,161 entries: 1,056 files and 105 others', () => {
  expect(lines('bsdtar', '-tf', at('ceh-report.iso'))).toHaveLength(1161)
  const kinds = lines(
    'bsdtar',
    '-cf',
    '-',
    '--format=mtree',
    '--options=!all,type',
    `@${at('ceh-report.iso')}`,
  )
  const count = (kind: string): number => kinds.filter((line) => line.endsWith(` type=${kind}`)).length
  expect([count('file'), count('dir'), count('link')]).toEqual([1056, 100, 5])
})

test('the CD has Joliet beside RockRidge, and there no links', () => {
  const names = lines('bsdtar', '--options=!rockridge', '-tf', at('ceh-report.iso'))
  expect(names).toHaveLength(1161 - 5)
})

test('the CD has empty files, duplicates, and names that break programs', () => {
  const entries = lines(
    'bsdtar',
    '-cf',
    '-',
    '--format=mtree',
    '--options=!all,type,size,sha256',
    `@${at('ceh-report.iso')}`,
  )
  const files = entries.filter((line) => line.includes(' type=file'))
  expect(files.filter((line) => line.includes(' size=0'))).toHaveLength(24)
  const digests = files.map((line) => /sha256digest=(\w+)/.exec(line)?.[1])
  expect(digests).not.toContain(undefined)
  expect(digests.length - new Set(digests).size).toBeGreaterThan(100)
  for (const name of [
    'two\\012lines',
    'field\\034separator',
    '\\134left-\\134right.plist',
    '\\043draft\\043',
    '/-rf',
    'caf\\351',
  ])
    expect(
      entries.some((line) => line.includes(name)),
      name,
    ).toBe(true)
  expect(entries.some((line) => (line.split(' ')[0] ?? '').length > 240)).toBe(true)
})

test('the floppy is 1.44 MB of FAT12 with 24 entries below its root', () => {
  expect(statSync(at('floppy.img')).size).toBe(1_474_560)
  expect(lines('blkid', '-p', '-o', 'export', at('floppy.img'))).toContain('VERSION=FAT12')
  expect(lines('mdir', '-b', '-s', '-i', at('floppy.img'), '::/')).toHaveLength(24)
})

test('the disk has an MBR and two ext filesystems that share inode numbers for different contents', () => {
  const table = lines('partx', '-r', '-g', '-o', 'START,SECTORS,TYPE,SCHEME', at('disk.img'))
  expect(table).toEqual(['2048 2048 0x83 dos', '4096 4096 0x83 dos'])
  const look = (start: number): ReadonlyMap<string, string> =>
    new Map(
      lines('fls', '-r', '-u', '-p', '-o', String(start), at('disk.img'))
        .map((line) => /^(\S+) (\d+):\t(.*)$/.exec(line) ?? [])
        .filter(([, type]) => type !== undefined && type !== 'V/V')
        .map(([, type = '', ino = '', name = '']) => [`${ino}`, `${type} ${name}`]),
    )
  const [first, second] = [look(2048), look(4096)]
  expect(first.get('33')).toBe('d/d drafts')
  expect(second.get('33')).toBe('r/r DRAFTS')
  const cat = (start: number, ino: number): string =>
    lines('icat', '-o', String(start), at('disk.img'), String(ino)).join('\n')
  for (let ino = 14; ino <= 32; ino++) {
    const [morning, evening] = [cat(2048, ino), cat(4096, ino)]
    expect(morning).toMatch(/^ante/)
    expect(evening).toMatch(/^post/)
    expect(evening.length - morning.length).toBe(0)
  }
})

test('the box is a folder of 33 entries', () => {
  expect(lines('find', at('box7'))).toHaveLength(33)
  expect(lines('find', at('box7'), '-type', 'f')).toHaveLength(29)
})

test('media.d declares the four of them, to be archived', () => {
  const files = readdirSync(join(root, 'media.d')).map((file) => ({
    file: `media.d/${file}`,
    text: readFileSync(join(root, 'media.d', file)),
  }))
  const declared = readDesired(files, root).filter(({ source }) => source.path.startsWith(images))
  expect(declared.map(({ kind, target }) => `${kind ?? ''} ${target}`).toSorted()).toEqual([
    'directory archived',
    'disk archived',
    'floppy archived',
    'optical archived',
  ])
  for (const { source, expect: wanted } of declared) {
    const { size } = statSync(source.path)
    if (wanted.bytes !== undefined) expect(size).toBe(wanted.bytes)
  }
})

test('the checked-in script makes them, with the same counts', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ntt-samples-'))
  try {
    const told = lines('sh', join(root, 'scripts/make-samples.sh'), folder)
    expect(told.slice(-5)).toEqual([
      'CD:     1161 entries by bsdtar',
      'floppy: 24 entries by mdir, without the root',
      'disk:   26 entries by fls from sector 2048, without the root',
      'disk:   37 entries by fls from sector 4096, without the root',
      'box:    33 entries by find',
    ])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
