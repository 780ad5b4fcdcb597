// Large contents on their way to the disk: past the page cache where that can be, whole everywhere, and failures of pieces that nobody waited for yet.
import { blake3 } from '@napi-rs/blake-hash'
import { execFileSync } from 'node:child_process'
import { constants, openSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { StoreError } from '../../src/model/errors.ts'
import { openStore } from '../../src/ports/store/index.ts'
import { Memory, PieceFile, openPieces } from '../../src/ports/store/pieces.ts'
import { Temp } from '../../src/ports/store/temp.ts'
import { scratch } from '../support/project.ts'

const root = process.getuid?.() === 0
const noise = (bytes: number, seed: number): Buffer => {
  const out = Buffer.alloc(bytes)
  for (let at = 0, word = seed; at + 4 <= bytes; at += 4)
    out.writeInt32LE((word = (Math.imul(word, 1664525) + 1013904223) | 0), at)
  return out
}

/** A new filesystem, gone when the test ends. */
function filesystem(type: 'ext4' | 'ramfs', megabytes: number): string {
  const folder = scratch()
  if (type === 'ramfs') execFileSync('mount', ['-t', 'ramfs', 'ntt-test', folder])
  else {
    const image = join(scratch(), 'image')
    execFileSync('truncate', ['-s', `${megabytes}M`, image])
    execFileSync('mkfs.ext4', ['-q', '-F', '-m', '0', image])
    execFileSync('mount', ['-o', 'loop', image, folder])
  }
  onTestFinished(() => void execFileSync('umount', ['--lazy', folder]))
  return folder
}

/** Takes a file of the size into a new store below the folder; the path of its blob. */
async function store(folder: string, content: Buffer): Promise<string> {
  const source = scratch()
  writeFileSync(join(source, 'large'), content)
  const store = openStore({ root: join(folder, 'by-hash'), run: 'run', path: (place) => place })
  onTestFinished(() => store.close())
  const origin = { type: 'file', root: source, inside: Buffer.from('large') } as const
  const pieces = (async function* () {
    yield { key: 'large', size: content.length, origin }
  })()
  const speaker = { signal: new AbortController().signal, progress: () => undefined }
  for await (const _ of store.speak(speaker).ingest(pieces));
  const id = blake3(content).toString('hex')
  return join(folder, 'by-hash', id.slice(0, 2), id.slice(2, 4), id)
}

test.runIf(root)('a large content takes none of the memory that other programs have filled', async () => {
  const content = noise(20_000_001, 1)
  const blob = await store(filesystem('ext4', 80), content)
  const fincore = ['--bytes', '--noheadings', '--output', 'RES', blob]
  // What is left is the block in which the file ends.
  expect(Number(execFileSync('fincore', fincore, { encoding: 'utf8' }))).toBeLessThanOrEqual(65_536)
  expect(readFileSync(blob).equals(content)).toBe(true)
})

test.runIf(root)('a filesystem that knows no way past its memory has the content all the same', async () => {
  const content = noise(5_000_001, 2)
  expect(readFileSync(await store(filesystem('ramfs', 80), content)).equals(content)).toBe(true)
})

test.runIf(root)(
  'a disk that becomes full within a content ends the run, and leaves nothing of it',
  async () => {
    const folder = filesystem('ext4', 24)
    await expect(store(folder, noise(60_000_000, 3))).rejects.toThrow(StoreError)
    const left = readdirSync(join(folder, 'by-hash'), { recursive: true, withFileTypes: true })
    expect(
      left.filter((one) => one.isFile() && !one.name.startsWith('.') && one.parentPath.includes('run/')),
    ).toEqual([])
  },
)

/** A new temporary file with what it holds of memory. */
function open(memory = new Memory()) {
  const folder = scratch()
  const path = join(folder, 'temp')
  const file = new PieceFile(path, openPieces(path, 0o444), memory)
  return { path, file, temp: new Temp(() => false, folder, 'temp', file) }
}

test('a disk that cannot take a piece from where it lies gets it the usual way, also of who is not root', async () => {
  if (root) {
    process.seteuid?.(65_534)
    onTestFinished(() => process.seteuid?.(0))
  }
  const { path, file } = open()
  const content = noise(2 * 1024 * 1024, 4)
  for (const at of [0, 1024 * 1024]) {
    const piece = await file.space()
    const shifted = Buffer.alloc(piece.length + 1).subarray(1)
    content.copy(shifted, 0, at)
    file.write(shifted, piece.length, at)
  }
  await file.close(content.length - 5)
  expect(readFileSync(path).equals(content.subarray(0, -5))).toBe(true)
  expect(statSync(path).mode & 0o777).toBe(0o444)
})

test('parts come one after the other, whoever waits for them', async () => {
  const { path, temp } = open()
  const contents = [1, 2, 3, 4, 5, 6].map((seed) => noise(1024 * 1024, seed))
  const last = noise(77, 9)
  const added = [...contents, last].map((content) => temp.add((memory) => content.copy(memory)))
  const kept = await temp.close()
  const whole = Buffer.concat([...contents, last])
  expect(await Promise.all(added)).toEqual([...contents.map((one) => one.length), 77])
  expect(kept).toEqual({ blob: blake3(whole).toString('hex'), bytes: whole.length, temp: 'temp' })
  expect(readFileSync(path).equals(whole)).toBe(true)
})

test('a source that fails between two parts leaves no file and no piece in use', async () => {
  const memory = new Memory()
  const { path, temp } = open(memory)
  const used = new Set<Buffer>()
  await temp.add((piece) => {
    used.add(piece)
    return piece.fill(1).length
  })
  await expect(
    temp.add((piece) => {
      used.add(piece)
      throw new Error('the source is gone')
    }),
  ).rejects.toThrow('the source is gone')
  await temp.drop()
  expect(readdirSync(join(path, '..'))).toEqual([])
  expect([used.size, used.has(memory.take()), used.has(memory.take())]).toEqual([2, true, true])
})

test('the last piece of a file that cannot be written is not taken for written', async () => {
  const file = new PieceFile('/dev/full', openSync('/dev/full', constants.O_WRONLY), new Memory())
  const piece = await file.space()
  file.write(piece, piece.length, 0)
  await expect(file.close(piece.length)).rejects.toThrow('ENOSPC')
})
