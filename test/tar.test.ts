// tar and the seekable zst, with GNU tar, bsdtar and zstd as the witnesses.
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { PackError, declaredSize, framesOf, readSeekTable, seekTable } from '../src/model/seekable.ts'
import { TarError, plainHeader, tarEnd, tarHeader, tarPadding, type TarHeader } from '../src/model/tar.ts'
import { untar } from '../src/model/untar.ts'
import { unpackFrames } from '../src/ports/zstd.ts'
import { packed } from './support/packed.ts'

const folder = mkdtempSync(join(tmpdir(), 'ntt-tar-'))
afterAll(() => rmSync(folder, { recursive: true }))

interface Plain {
  readonly header: TarHeader
  readonly content: Buffer
}

async function* chunks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

const pack = (members: readonly Plain[]): Buffer =>
  Buffer.concat([
    ...members.flatMap(({ header, content }) => [
      tarHeader({ ...header, size: content.length }),
      content,
      tarPadding(content.length),
    ]),
    tarEnd,
  ])

async function unpack(bytes: Buffer, size = 700): Promise<Plain[]> {
  const found: Plain[] = []
  for await (const { content, ...header } of untar(chunks(bytes, size))) {
    const read: Buffer[] = []
    for await (const chunk of content) read.push(Buffer.from(chunk))
    found.push({ header, content: Buffer.concat(read) })
  }
  return found
}

async function collect(bytes: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = []
  for await (const chunk of bytes) all.push(Buffer.from(chunk))
  return Buffer.concat(all)
}

const file = (name: Buffer | string, content: string | Buffer): Plain => ({
  header: { ...plainHeader('', 0, 1_000_000_000), name: Buffer.from(name), size: content.length },
  content: Buffer.from(content),
})

describe('tar', () => {
  test('any name of bytes, any content and any split come back as they were', async () => {
    const name = fc
      .uint8Array({ minLength: 1, maxLength: 300 })
      .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 0 ? 1 : byte))))
    const content = fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes))
    const members = fc.array(fc.tuple(name, content), { maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(members, fc.integer({ min: 1, max: 1500 }), async (list, size) => {
        const plain = list.map(([bytes, inside]) => file(bytes, inside))
        expect(await unpack(pack(plain), size)).toEqual(plain)
      }),
      { numRuns: 60 },
    )
  })

  test('GNU tar and bsdtar extract hostile and long names byte for byte', () => {
    const names = ['a\nb', '-rf', 'q\'"$', `${'d'.repeat(90)}-${'é'.repeat(60)}`].map((name) =>
      Buffer.from(name),
    )
    names.push(Buffer.from([0x66, 0xff, 0x1c, 0x80]))
    const archive = join(folder, 'names.tar')
    writeFileSync(archive, pack(names.map((name, index) => file(name, `content ${index}`))))
    for (const program of ['tar', 'bsdtar']) {
      const at = mkdtempSync(join(folder, program))
      execFileSync(program, ['-xf', archive, '-C', at])
      for (const [index, name] of names.entries()) {
        const path = Buffer.concat([Buffer.from(`${at}/`), name])
        expect(readFileSync(path, 'utf8')).toBe(`content ${index}`)
      }
    }
  })

  test('a size above 8 GiB and a time before 1970 are understood by GNU tar', () => {
    const head = tarHeader({ ...plainHeader('big', 20_000_000_000, -5), mode: 0o640 })
    const archive = join(folder, 'big.tar')
    writeFileSync(archive, head)
    const listed = execFileSync('sh', ['-c', 'tar --utc -tvf "$1" 2>/dev/null || true', 'sh', archive], {
      encoding: 'utf8',
    })
    expect(listed).toContain('-rw-r----- 0/0     20000000000 1969-12-31 23:59 big')
  })

  test('what GNU tar writes in gnu, pax, ustar and v7 is read: long names, links, devices and all', async () => {
    const tree = mkdtempSync(join(folder, 'tree'))
    const deep = join(tree, 'x'.repeat(80), 'y'.repeat(80))
    execFileSync('mkdir', ['-p', deep])
    writeFileSync(join(deep, 'file'), 'inside')
    writeFileSync(
      Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xe9, 0x0a, 0x31])]),
      Buffer.alloc(1500, 7),
    )
    execFileSync('ln', ['-s', 'z'.repeat(150), join(tree, 'sym')])
    execFileSync('ln', [join(deep, 'file'), join(tree, 'hard')])
    execFileSync('mkfifo', [join(tree, 'fifo')])
    for (const format of ['gnu', 'pax']) {
      const archive = join(folder, `${format}.tar`)
      execFileSync('tar', [`--format=${format}`, '--sort=name', '-cf', archive, '-C', tree, '.'])
      const members = await unpack(readFileSync(archive))
      const shown = members.map(({ header: { type, name, target }, content }) => [
        type,
        name.toString('latin1').slice(-20),
        target?.length ?? 0,
        content.length,
      ])
      expect(shown).toEqual([
        ['directory', '.', 0, 0],
        ['fifo', './fifo', 0, 0],
        ['file', './hard', 0, 6],
        ['symlink', './sym', 150, 0],
        ['directory', `./${'x'.repeat(80)}`.slice(-20), 0, 0],
        ['directory', 'y'.repeat(20), 0, 0],
        ['link', `${'y'.repeat(15)}/file`, 6, 0],
        ['file', './\u00e9\n1', 0, 1500],
      ])
    }
  })

  test.each([
    ['cut in a header', (bytes: Buffer) => bytes.subarray(0, 300)],
    ['cut in a content', (bytes: Buffer) => bytes.subarray(0, 600)],
    ['cut in the padding', (bytes: Buffer) => bytes.subarray(0, 1500)],
    ['without its end mark', (bytes: Buffer) => bytes.subarray(0, 2048)],
    ['with one bit of a header changed', (bytes: Buffer) => flip(bytes, 5)],
    ['of something else', () => Buffer.alloc(2048, 0x41)],
  ])('an archive %s is refused', async (_what, damage) => {
    const whole = pack([file('one', 'x'.repeat(1200))])
    await expect(unpack(damage(whole))).rejects.toThrow(TarError)
  })
})

function flip(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes)
  changed[at] = (changed[at] ?? 0) ^ 1
  return changed
}

describe('seekable zst', () => {
  const content = Buffer.concat(
    Array.from({ length: 11 }, (_, index) => Buffer.alloc(1_000_003, `${index} and some text `)),
  )
  const path = join(folder, 'some.zst')
  const read = async (start: number, end: number): Promise<Buffer> => {
    const into = Buffer.alloc(end - start)
    const file = openSync(path, 'r')
    try {
      return into.subarray(0, readSync(file, into, 0, into.length, start))
    } finally {
      closeSync(file)
    }
  }

  test('zstd itself tests and unpacks it, and any range is reached through its frames', async () => {
    writeFileSync(path, await collect(packed(chunks(content, 65_000))))
    execFileSync('zstd', ['-q', '-t', path])
    expect(execFileSync('zstd', ['-dc', path], { maxBuffer: 1 << 26 }).equals(content)).toBe(true)
    const frames = (await readSeekTable(read, statSync(path).size)) ?? []
    expect(frames.map(({ bytes }) => bytes)).toEqual([4_194_304, 4_194_304, content.length - 8_388_608])
    for (const frame of frames)
      expect(declaredSize(await read(frame.start, frame.start + 14))).toBe(frame.bytes)
    const some = framesOf(frames, 9_000_000, 9_000_010)
    expect(some).toHaveLength(1)
    const unpacked = await collect(unpackFrames(some, read))
    const at = 9_000_000 - (some[0]?.at ?? 0)
    expect(unpacked.subarray(at, at + 10)).toEqual(content.subarray(9_000_000, 9_000_010))
  })

  test('a flipped bit, a cut end and a table that lies are told', async () => {
    const whole = await collect(packed(chunks(content, 1 << 20)))
    writeFileSync(path, whole)
    const frames = (await readSeekTable(read, whole.length)) ?? []
    writeFileSync(path, flip(whole, 200))
    await expect(collect(unpackFrames(frames, read))).rejects.toThrow(PackError)
    writeFileSync(path, whole.subarray(0, -20))
    expect(await readSeekTable(read, whole.length - 20)).toBeNull()
    const [first, ...rest] = frames
    if (first === undefined) throw new Error('no frames')
    const lying = [{ ...first, packed: first.packed - 1 }, ...rest]
    writeFileSync(
      path,
      Buffer.concat([whole.subarray(0, whole.length - seekTable(frames).length), seekTable(lying)]),
    )
    await expect(readSeekTable(read, statSync(path).size)).rejects.toThrow(PackError)
  })

  test('an empty content is a file that zstd accepts', async () => {
    writeFileSync(path, await collect(packed(chunks(Buffer.alloc(0), 1))))
    expect(await readSeekTable(read, statSync(path).size)).toEqual([])
    expect(execFileSync('zstd', ['-dc', path])).toHaveLength(0)
  })
})
