// Raw images of CDs, and discs of several sessions: what holds files is read, what holds sound is told.
import { createHash } from 'node:crypto'
import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { withReadErrors } from '../../src/model/unread.ts'
import type { Range } from '../../src/model/world.ts'
import { readerNamed, readersFor } from '../../src/readers/index.ts'
import { parseCue } from '../../src/readers/cd/cue.ts'
import { findVolumes } from '../../src/readers/volumes/index.ts'
import type { FoundVolume } from '../../src/readers/volumes/judging.ts'
import { frames, sound } from '../support/cd.ts'
import { looking, make } from '../support/looking.ts'
import { scratch } from '../support/project.ts'
import { contentsOf, contentsOfTree, listAll, sideBySide } from '../support/reading.ts'
import { plainTree } from '../support/trees.ts'

let folder = ''
let tree = ''
const at = (name: string): string => join(folder, name)
const iso = (name: string, ...options: readonly string[]): Buffer => {
  make('genisoimage', '-quiet', '-input-charset', 'utf-8', ...options, '-o', at(name), tree)
  return readFileSync(at(name))
}
const volumesOf = (image: string): Promise<readonly FoundVolume[]> =>
  findVolumes(image, statSync(image).size, looking())
const told = ({ fs, scheme, partitionType, type, verdict }: FoundVolume): string =>
  `${fs} ${scheme} ${partitionType}: ${type ?? '-'}, ${verdict === null ? 'to be read' : `${verdict.outcome}: ${verdict.reason}`}`

async function read(image: string, volume: FoundVolume) {
  const [reader] = readersFor(volume)
  if (reader === undefined) throw new Error(`nobody reads ${told(volume)}`)
  const { entries, errors } = await listAll(reader, image, volume)
  const contents = await contentsOf(reader, image, volume, entries)
  return { reader, entries, errors, contents }
}

beforeAll(() => {
  folder = scratch()
  tree = plainTree(at('tree'))
})

describe('a raw image of a CD', () => {
  test.each([
    ['mode 1', 1, ['-R', '-J'], 'iso9660'],
    ['mode 2, form 1', 2, ['-R'], 'iso9660'],
    ['mode 1, with UDF', 1, ['-R', '-udf'], 'udf'],
  ] as const)('in %s comes back whole', async (what, mode, options, type) => {
    const plain = iso('plain.iso', ...options)
    const image = at('raw.bin')
    writeFileSync(image, frames(plain, mode))
    const volumes = await volumesOf(image)
    expect(volumes.map(told)).toEqual([`1 cd mode${mode}/2352: ${type}, to be read`])
    const [volume] = volumes as readonly [FoundVolume]
    const { reader, entries, errors, contents } = await read(image, volume)
    expect([reader.name, errors]).toEqual([`cd-${type}`, []])
    expect(readerNamed(`${reader.name} 1`)).toBe(reader)
    const { expected, actual } = sideBySide(tree, entries, { times: 's', modes: false, links: false })
    expect(actual, what).toEqual(expected)
    expect(contents).toEqual(contentsOfTree(tree))
    // The places are those of the data: the first bytes of each file stand at its first place.
    const raw = readFileSync(image)
    for (const { type: kind, path, extents } of entries.filter(({ size }) => size > 0)) {
      const start = extents?.[0]?.start ?? -1
      expect(kind === 'f' && raw[start] === readFileSync(join(tree, path.toString()))[0]).toBe(true)
      expect(extents?.every(({ end }) => end <= raw.length)).toBe(true)
    }
  })

  test('the frames of the test are frames to bchunk as well', () => {
    const plain = iso('plain.iso', '-R')
    writeFileSync(at('made.bin'), frames(plain, 1))
    writeFileSync(at('made.cue'), 'FILE "made.bin" BINARY\n  TRACK 01 MODE1/2352\n    INDEX 01 00:00:00\n')
    make('bchunk', at('made.bin'), at('made.cue'), at('unmade'))
    expect(readFileSync(at('unmade01.iso')).equals(plain)).toBe(true)
  })

  test('with subchannels behind each frame comes back whole', async () => {
    const raw = frames(iso('plain.iso', '-R'), 1)
    const image = at('sub.bin')
    const pieces = Array.from({ length: raw.length / 2352 }, (_none, index) =>
      Buffer.concat([raw.subarray(index * 2352, (index + 1) * 2352), Buffer.alloc(96, 0x5a)]),
    )
    writeFileSync(image, Buffer.concat(pieces))
    const [volume] = (await volumesOf(image)) as readonly [FoundVolume]
    expect(volume.partitionType).toBe('mode1/2448')
    expect((await read(image, volume)).contents).toEqual(contentsOfTree(tree))
  })

  test('sound after the data is waived, by the names of its cue sheet', async () => {
    const image = at('mixed.bin')
    writeFileSync(image, Buffer.concat([frames(iso('plain.iso', '-R'), 1), sound(9)]))
    const volumes = await volumesOf(image)
    expect(volumes.map(told)).toEqual([
      '1 cd mode1/2352: iso9660, to be read',
      '2 cd audio/2352: -, waived: sound, 0:09 minutes of it, and no files',
    ])
    const tracks =
      '  TRACK 01 MODE1/2352\n    INDEX 01 00:00:00\n  TRACK 02 AUDIO\n    TITLE "Ünï"\n  TRACK 03 AUDIO\n'
    writeFileSync(at('mixed.cue'), `FILE "mixed.bin" BINARY\r\n${tracks}`)
    const [, audio] = await volumesOf(image)
    expect(audio?.verdict?.reason).toBe(
      'sound, 0:09 minutes of it, and no files; by its cue sheet tracks 2 Ünï, 3',
    )
    const [first] = volumes as readonly [FoundVolume]
    expect((await read(image, first)).contents).toEqual(contentsOfTree(tree))
  })

  test('a session of data behind the sound is read at its own addresses', async () => {
    // A CD-Extra: the second session begins at sector 12,000, and its filesystem counts from the beginning of the disc.
    const image = at('extra.bin')
    const session = iso('session.iso', '-R', '-C', '0,12000')
    writeFileSync(image, Buffer.concat([sound(8), frames(session, 2, 12_000)]))
    const volumes = await volumesOf(image)
    expect(volumes.map(told)).toEqual([
      '1 cd audio/2352: -, waived: sound, 0:08 minutes of it, and no files',
      '2 cd mode2/2352, session at sector 12000: iso9660, to be read',
    ])
    const [, second] = volumes as readonly [FoundVolume, FoundVolume]
    const { entries, errors, contents } = await read(image, second)
    expect(errors).toEqual([])
    expect(contents).toEqual(contentsOfTree(tree))
    expect(entries.every(({ extents }) => (extents ?? []).every(({ start }) => start >= second.start))).toBe(
      true,
    )
  })

  test('a sector that was never read, and one that was read wrongly, hit their own files and no others', async () => {
    const image = at('hurt.bin')
    const raw = frames(iso('plain.iso', '-R'), 1)
    writeFileSync(image, raw)
    const [volume] = (await volumesOf(image)) as readonly [FoundVolume]
    const whole = await read(image, volume)
    const start = (path: string): number =>
      whole.entries.find((entry) => entry.path.toString() === path)?.extents?.[0]?.start ?? -1
    const frameOf = (place: number): number => place - (place % 2352)
    raw.fill(0, frameOf(start('sub/f7')), frameOf(start('sub/f7')) + 2352)
    raw[start('sub/f9')] = 0x21
    writeFileSync(image, raw)
    const [again] = (await volumesOf(image)) as readonly [FoundVolume]
    expect(again.bytes).toBe(raw.length)
    const { reader, entries, errors } = { ...whole, ...(await listed(image, again)) }
    expect(errors).toEqual([])
    const refused: string[] = []
    for (const entry of entries.filter(({ type }) => type === 'f'))
      await contentsOf(reader, image, again, [entry]).catch((error: unknown) => refused.push(String(error)))
    expect(refused.toSorted()).toEqual([
      expect.stringMatching(/sector \d+ has no header: it was never read/),
      expect.stringMatching(/sector \d+ was read wrongly: its sum is another/),
    ])
    // A directory of which a sector is not there is told.
    raw.fill(0, frameOf(start('sub')), frameOf(start('sub')) + 2352)
    writeFileSync(image, raw)
    const hit = await listed(image, again)
    expect(hit.errors.map(({ path, error }) => `${path.toString()} ${error}`)).toEqual(['sub EIO'])
  })

  async function listed(image: string, volume: FoundVolume) {
    const [reader] = readersFor(volume)
    if (reader === undefined) throw new Error('no reader')
    return listAll(reader, image, volume)
  }

  test('what the map says was never read hits the same files, by places in the image', async () => {
    const image = at('mapped.bin')
    writeFileSync(image, frames(iso('plain.iso', '-R'), 1))
    const [volume] = (await volumesOf(image)) as readonly [FoundVolume]
    const whole = await listed(image, volume)
    const place = (path: string): Range =>
      whole.entries.find((entry) => entry.path.toString() === path)?.extents?.[0] ?? { start: 0, end: 0 }
    const world = withReadErrors(looking(), image, [place('sub')])
    const [reader] = readersFor(volume)
    if (reader === undefined) throw new Error('no reader')
    const { errors, entries } = await listAll(reader, image, volume, world)
    expect(errors.map(({ path, error }) => `${path.toString()} ${error}`)).toEqual(['sub EIO'])
    expect(entries.length).toBeLessThan(whole.entries.length)
  })

  test('sectors of the second form are not taken for data', async () => {
    const image = at('form2.bin')
    const raw = frames(iso('plain.iso', '-R'), 2)
    writeFileSync(image, raw)
    const [volume] = (await volumesOf(image)) as readonly [FoundVolume]
    const { reader, entries } = await read(image, volume)
    const long = entries.find(({ path }) => path.toString().startsWith('A long name'))
    const place = long?.extents?.[0]?.start ?? -1
    raw[place - (place % 2352) + 18] = 0x20
    writeFileSync(image, raw)
    await expect(contentsOf(reader, image, volume, long === undefined ? [] : [long])).rejects.toThrow(
      'holds sound or pictures',
    )
  })

  test('an image that is cut lists all, and its last files cannot be had', async () => {
    const image = at('cut.bin')
    writeFileSync(image, frames(iso('plain.iso', '-R'), 1))
    const [whole] = (await volumesOf(image)) as readonly [FoundVolume]
    const last = (await read(image, whole)).entries.flatMap(({ extents }) =>
      (extents ?? []).map(({ end }) => end),
    )
    truncateSync(image, Math.max(...last) - 2352 * 3)
    const [volume] = (await volumesOf(image)) as readonly [FoundVolume]
    const { errors } = await listed(image, volume)
    expect(errors.map(({ error }) => error)).toContain('content')
  })

  test('a disc of a Macintosh comes back', async () => {
    const plain = at('plain.hfs')
    writeFileSync(plain, '')
    truncateSync(plain, 4 << 20)
    const files = ['one', 'two'].map((name) => join(scratch(), name))
    for (const [index, file] of files.entries())
      writeFileSync(file, Buffer.alloc(100_000 * (index + 1), `${index},`))
    // hfsutils keep what is mounted in a file of the home directory.
    const script = 'export HOME="$1"; hformat -l Disc "$2" && hcopy -r "$3" "$4" : && humount'
    make('sh', '-c', script, 'sh', folder, plain, ...files)
    const image = at('mac.bin')
    writeFileSync(image, frames(readFileSync(plain), 1))
    const [volume] = (await volumesOf(image)) as readonly [FoundVolume]
    expect(told(volume)).toBe('1 cd mode1/2352: hfs, to be read')
    const { reader, contents } = await read(image, volume)
    expect(reader.name).toBe('cd-hfs')
    for (const file of files)
      expect(contents.get(file.split('/').at(-1) ?? '')).toBe(
        createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 16),
      )
  })

  test('data without a filesystem are unreadable, and noise is no CD', async () => {
    const image = at('odd.bin')
    writeFileSync(image, frames(Buffer.alloc(2048 * 400, 'data'), 1))
    expect((await volumesOf(image)).map(told)).toEqual([
      '1 cd mode1/2352: -, unreadable: 400 sectors of data (mode1/2352) without a filesystem that ntt knows on raw CDs',
    ])
    writeFileSync(image, Buffer.alloc(2352 * 400, 'noise'))
    expect((await volumesOf(image)).map(told)).toEqual([
      '0 whole : -, unreadable: nothing that is known to blkid, and it is not blank',
    ])
  })
})

describe('a disc of several sessions', () => {
  test('each is a volume, wherever it begins, and its files are those of its own tree', async () => {
    const first = iso('first.iso', '-R')
    const begin = Math.ceil(first.length / 2048) + 11_400
    const more = join(scratch(), 'more')
    plainTree(more)
    writeFileSync(join(more, 'only in the second'), 'new')
    const session = at('second.iso')
    make('genisoimage', '-quiet', '-R', '-C', `0,${begin}`, '-M', at('first.iso'), '-o', session, more)
    const image = at('sessions.iso')
    writeFileSync(
      image,
      Buffer.concat([first, Buffer.alloc(begin * 2048 - first.length), readFileSync(session)]),
    )
    const volumes = await volumesOf(image)
    expect(volumes.map(told)).toEqual([
      '0 whole : iso9660, to be read',
      `2002 session session at sector ${begin}: iso9660, to be read`,
    ])
    const [one, two] = volumes as readonly [FoundVolume, FoundVolume]
    expect((await read(image, one)).contents).toEqual(contentsOfTree(tree))
    const second = await read(image, two)
    expect(second.contents).toEqual(contentsOfTree(more))
  })

  test('a disc inside of a file behind the first is no session', async () => {
    const first = iso('first.iso', '-R')
    const image = at('inside.iso')
    writeFileSync(image, Buffer.concat([first, Buffer.alloc(40 * 2048), first]))
    expect((await volumesOf(image)).map(told)).toEqual(['0 whole : iso9660, to be read'])
  })
})

test('of a cue sheet of several files only the tracks of the own file count', () => {
  const sheet = 'FILE "a b.bin" BINARY\n TRACK 01 MODE1/2352\nFILE c.wav WAVE\n TRACK 02 AUDIO\n'
  expect(parseCue(sheet, 'a b.bin')).toEqual([
    { file: 'a b.bin', number: 1, mode: 'MODE1/2352', title: null },
  ])
  expect(parseCue('no sheet at all', 'x')).toEqual([])
})
