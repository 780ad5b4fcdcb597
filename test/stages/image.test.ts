// The image stage: adopted files, archives in their place, and devices with real read errors that die, come back and are swapped.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
  closeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { parseMapfile, unreadRanges } from '../../src/model/mapfile.ts'
import type { Medium } from '../../src/model/medium.ts'
import type { Verification, Replaces } from '../../src/model/stage.ts'
import { archive } from '../../src/stages/archive/index.ts'
import { image, type Seen } from '../../src/stages/image/index.ts'
import { device, mapOf, type Bad } from '../support/devices.ts'
import { hands } from '../support/hands.ts'
import { medium, testHash as hash } from '../support/media.ts'

let folder: string
const at = (name: string): string => join(folder, 'image', name)
const final = (): string => at(`${hash}.img`)

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ntt-image-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }))
})

/** A disc of so many bytes that differ everywhere. */
function disc(bytes = 6_000_000, seed = 'disc'): string {
  const path = join(folder, `${seed}.iso`)
  const pieces: Buffer[] = []
  for (let made = 0; made < bytes; made += 32)
    pieces.push(createHash('sha256').update(`${seed}${made}`).digest())
  writeFileSync(path, Buffer.concat(pieces).subarray(0, bytes))
  return path
}

const b3sum = (path: string): string =>
  execFileSync('b3sum', ['--no-names', path], { encoding: 'utf8' }).trim()
const failed = ({ checks }: Verification): string[] => checks.filter(({ ok }) => !ok).map(({ name }) => name)
const adopted = (path: string, parts: Partial<Medium> = {}) =>
  medium({ source: { type: 'image', path }, ...parts })
const policy = (rescued: number) =>
  ({ policy: { rescued, unreadableFiles: 'refuse', partitions: {} } }) as const
const plan = async (what: Medium) => image.plan(what, await image.observe(what, hands(folder)))
async function run(what: Medium, replaces: Replaces = null, world = hands(folder)): Promise<Seen> {
  await image.run(what, await image.observe(what, world), world, replaces)
  return image.observe(what, world)
}

describe('an image that a person has', () => {
  test('is kept where it lies, and its content is the BLAKE3 that b3sum tells', async () => {
    const path = disc()
    expect(await plan(adopted(path))).toEqual({
      action: 'keep',
      because: { code: 'present', text: '6,000,000 bytes' },
    })
    const { checks, content, figures } = await image.verify(
      adopted(path, { bytes: 6_000_000 }),
      hands(folder),
      'hash',
    )
    expect(checks.every(({ ok }) => ok)).toBe(true)
    expect(content).toBe(b3sum(path))
    expect(figures).toEqual({ bytes: 6_000_000 })
    expect(existsSync(at(''))).toBe(true)
    expect(readdirSync(at(''))).toEqual([])
  })

  test('of 0 bytes, or another size than its identity says, fails its proof', async () => {
    const path = disc()
    expect(failed(await image.verify(adopted(path, { bytes: 6_000_001 }), hands(folder), 'counts'))).toEqual([
      'medium',
    ])
    truncateSync(path, 0)
    expect(failed(await image.verify(adopted(path), hands(folder), 'counts'))).toEqual(['size'])
  })

  test('with a map beside it is judged by the map, and by the policy', async () => {
    const path = disc()
    writeFileSync(join(folder, 'disc.map'), mapOf([[2048, 6000]], 6_000_000))
    expect(await plan(adopted(path))).toMatchObject({ action: 'refuse', because: { code: 'below-policy' } })
    const kept = await plan(adopted(path, policy(99)))
    expect(kept).toEqual({
      action: 'keep',
      because: { code: 'damaged', text: '6,000,000 bytes, 6,000 bytes unread, 99.90 % rescued' },
    })
    const { facts, figures } = await image.verify(adopted(path, policy(99)), hands(folder), 'counts')
    expect(facts).toMatchObject({ health: 'incomplete' })
    expect(figures).toMatchObject({ rescued_bytes: 5_994_000, bad_bytes: 6000 })
    expect(failed(await image.verify(adopted(path), hands(folder), 'counts'))).toEqual(['rescued'])
    writeFileSync(join(folder, 'disc.map'), mapOf([], 5_000_000))
    expect(await plan(adopted(path))).toMatchObject({ action: 'refuse', because: { code: 'damaged' } })
    writeFileSync(join(folder, 'disc.map'), 'a drawing of Treasure Island')
    expect(await plan(adopted(path))).toMatchObject({ action: 'refuse', because: { code: 'unobserved' } })
  })

  test('with its map under another name is refused until it has ours: what was not read is no content', async () => {
    const path = disc()
    const map = `# Mapfile. Created by GNU ddrescue version 1.27\n0x0 + 1\n0x0 0x1000 -\n0x1000 ${6_000_000 - 0x1000} +\n`
    for (const name of ['disc.iso.map', 'disc.log', 'disc.iso.mapfile', 'mapfile']) {
      writeFileSync(join(folder, name), map)
      expect(await plan(adopted(path))).toMatchObject({
        action: 'refuse',
        because: {
          code: 'unobserved',
          text: expect.stringMatching(`/${name} is a map .* under .*/disc.map`),
        },
      })
      rmSync(join(folder, name))
    }
    // What only has such a name is none of its business.
    writeFileSync(join(folder, 'disc.log'), 'burned on Monday')
    writeFileSync(join(folder, 'disc.iso.log'), '')
    mkdirSync(join(folder, 'disc.iso.map'))
    // Nor is a map of another size, or one without a hole, that may be of whatever lies here.
    writeFileSync(join(folder, 'mapfile'), mapOf([[0, 4096]], 5_000_000))
    writeFileSync(join(folder, 'logfile'), mapOf([], 6_000_000))
    expect(await plan(adopted(path))).toMatchObject({ action: 'keep' })
    writeFileSync(join(folder, 'disc.map'), map)
    expect(await plan(adopted(path))).toMatchObject({ action: 'refuse', because: { code: 'below-policy' } })
  })

  test('that is gone, with no archive, needs a person; it is never made', async () => {
    const gone = adopted(join(folder, 'gone.iso'))
    expect(await plan(gone)).toMatchObject({ action: 'refuse', because: { code: 'source-away' } })
    await expect(run(gone)).rejects.toMatchObject({ tag: 'refused' })
    await expect(run(adopted(disc()))).rejects.toMatchObject({ tag: 'refused' })
  })

  test('that was taken from the archive is not: it is ours, and comes from there again', async () => {
    const path = disc()
    const gone = adopted(join(folder, 'gone.iso'))
    mkdirSync(at(''), { recursive: true })
    copyFileSync(path, final())
    expect((await image.observe(gone, hands(folder))).image?.place).toBe(`image:${hash}.img`)
    await expect(run(gone, 'asked')).rejects.toMatchObject({ tag: 'refused' })
  })

  test('is taken as it is where a person says so, and no byte of it is touched', async () => {
    const path = disc()
    const before = b3sum(path)
    await run(adopted(path), 'asked')
    expect([b3sum(path), readdirSync(at(''))]).toEqual([before, []])
  })
})

describe('an image that lives in its archive', () => {
  const archived = async (path: string): Promise<void> => {
    const world = hands(folder)
    writeFileSync(join(folder, `raw/${hash}.raw`), 'raw')
    await archive.run(adopted(path), await archive.observe(adopted(path), world), world, null)
  }

  test('is met by it, proven in it, and restored from it with its map', async () => {
    const path = disc()
    const [digest, map] = [b3sum(path), mapOf([[4096, 2048]], 6_000_000)]
    writeFileSync(join(folder, 'disc.map'), map)
    await archived(path)
    rmSync(path)
    const gone = adopted(path, policy(99))
    expect(await plan(gone)).toMatchObject({ action: 'keep', elsewhere: true, because: { code: 'archived' } })
    expect(failed(await image.verify(gone, hands(folder), 'counts'))).toEqual([])
    expect(await image.verify(gone, hands(folder), 'hash')).toMatchObject({ content: digest })
    const seen = await run(gone)
    expect(seen.image?.place).toBe(`image:${hash}.img`)
    expect(b3sum(final())).toBe(digest)
    expect(readFileSync(at(`${hash}.map`), 'utf8')).toBe(map)
    expect(readdirSync(at('')).toSorted()).toEqual([`${hash}.img`, `${hash}.map`])
    expect(await plan(gone)).toMatchObject({ action: 'keep', because: { code: 'damaged' } })
  })

  test('is restored from an archive of the older pipeline too', async () => {
    const path = disc()
    const digest = b3sum(path)
    copyFileSync(path, join(folder, `${hash}.img`))
    mkdirSync(join(folder, 'archive'))
    execFileSync('tar', ['--zstd', '-cf', join(folder, `archive/${hash}.tar.zst`), `${hash}.img`], {
      cwd: folder,
    })
    rmSync(path)
    await run(adopted(path))
    expect(b3sum(final())).toBe(digest)
  })

  test('is not restored from an archive that is cut or altered: no image appears', async () => {
    const path = disc()
    await archived(path)
    rmSync(path)
    const file = join(folder, `archive/${hash}.tar.zst`)
    const whole = readFileSync(file)
    for (const damaged of [whole.subarray(0, whole.length - 900), flipped(whole, 1_000_000)]) {
      writeFileSync(file, damaged)
      await expect(run(adopted(path))).rejects.toMatchObject({ tag: 'run' })
      expect(failed(await image.verify(adopted(path), hands(folder), 'hash'))).toEqual(['archive'])
      expect(readdirSync(at('')).filter((name) => !name.endsWith('.part'))).toEqual([])
    }
  })
})

function flipped(bytes: Buffer, place: number): Buffer {
  const changed = Buffer.from(bytes)
  changed[place] = (changed[place] ?? 0) ^ 1
  return changed
}

const drive = (path: string, parts: Partial<Medium> = {}) =>
  medium({ source: { type: 'device', path }, ...parts })
const passes = (): string[] =>
  readFileSync(at(`${hash}.passes.jsonl`), 'utf8')
    .trim()
    .split('\n')
    .map((line) => /"pass":"(\w+)"/.exec(line)?.[1] ?? '')
/** Waits until ddrescue has read so much, and then does what a test wants to happen in the middle. */
async function whenRead(bytes: number, then: () => unknown): Promise<void> {
  for (let tries = 0; tries < 1000; tries += 1) {
    await sleep(50)
    const text = existsSync(at(`${hash}.live.map`)) ? readFileSync(at(`${hash}.live.map`), 'utf8') : ''
    if (!text.endsWith('+\n') && !text.endsWith('?\n')) continue
    if (parseMapfile(text).rescued < bytes) continue
    await then()
    return
  }
  throw new Error('it was never read so far')
}
const mapNow = (name = `${hash}.map`) => parseMapfile(readFileSync(at(name), 'utf8'))

// A loaded machine may take minutes for what takes seconds.
describe('a device', { timeout: 400_000 }, () => {
  test('that is healthy becomes an image equal to it; nothing else is left', async () => {
    const path = disc(5_000_100)
    const { path: from } = await device(folder, path)
    const before = b3sum(path)
    expect(await plan(drive(from, { version: 'declared', expect: { bytes: 5_000_100 } }))).toMatchObject({
      action: 'run',
      because: { code: 'absent' },
    })
    const what = drive(from, { expect: { bytes: 5_000_100 } })
    await run(what)
    expect(b3sum(final())).toBe(before)
    expect(b3sum(path)).toBe(before)
    expect(readdirSync(at('')).toSorted()).toEqual([`${hash}.img`, `${hash}.map`, `${hash}.passes.jsonl`])
    expect(passes()).toEqual(['sweep'])
    expect(await plan(what)).toMatchObject({
      action: 'keep',
      because: { text: '5,000,100 bytes, all rescued' },
    })
    expect(await image.verify(what, hands(folder), 'hash')).toMatchObject({
      content: before,
      facts: { health: 'ok' },
    })
  })

  const bad: Bad = [
    // Within one sector: ddrescue tells whole sectors of 2,048 bytes.
    [1_200_640, 1024],
    [4_194_304, 2048],
  ]
  const exact = [
    { start: 1_200_128, end: 1_202_176 },
    { start: 4_194_304, end: 4_196_352 },
  ]

  test('with bad sectors is read but for exactly these; without leave of the policy it goes through all passes and stops', async () => {
    const path = disc()
    const { path: from } = await device(folder, path, { bad })
    const what = drive(from, { expect: { bytes: 6_000_000 } })
    await expect(run(what)).rejects.toMatchObject({
      tag: 'run',
      message: expect.stringContaining('the policy asks for 100 %'),
    })
    expect(passes()).toEqual(['sweep', 'scrape', 'retry', 'backwards', 'stubborn'])
    expect(unreadRanges(mapNow(), 6_000_000)).toEqual(exact)
    expect(await plan(what)).toMatchObject({ action: 'refuse', because: { code: 'below-policy' } })
    const read = readFileSync(final())
    const truth = readFileSync(path)
    for (const { start, end } of exact) truth.fill(0, start, end)
    expect(read.equals(truth)).toBe(true)
  })

  test('with bad sectors that the policy accepts is met after the gentle passes', async () => {
    const { path: from } = await device(folder, disc(), { bad })
    const what = drive(from, { expect: { bytes: 6_000_000 }, ...policy(99) })
    await run(what)
    expect(passes()).toEqual(['sweep', 'scrape'])
    expect(await plan(what)).toMatchObject({ action: 'keep', because: { code: 'damaged' } })
    expect(await image.verify(what, hands(folder), 'hash')).toMatchObject({ facts: { health: 'incomplete' } })
  })

  test('that is refined by a second drive ends whole, in the same image and map', async () => {
    const path = disc()
    const first = await device(folder, path, { bad, name: 'first' })
    await expect(run(drive(first.path, { expect: { bytes: 6_000_000 } }))).rejects.toMatchObject({
      tag: 'run',
    })
    await first.remove()
    const second = await device(folder, path, { name: 'second' })
    const what = drive(second.path, { expect: { bytes: 6_000_000 } })
    expect(await plan(what)).toMatchObject({ action: 'run', because: { code: 'incomplete' } })
    await run(what)
    expect(b3sum(final())).toBe(b3sum(path))
    expect(await plan(what)).toMatchObject({
      action: 'keep',
      because: { text: '6,000,000 bytes, all rescued' },
    })
  })

  test('that stops answering at half is told as such: nothing is called bad, and it goes on when it is back', async () => {
    const path = disc()
    const { path: from, fail } = await device(folder, path, { delayMs: 40 })
    const what = drive(from, { expect: { bytes: 6_000_000 } })
    const middle = whenRead(1_000_000, () => fail(true))
    await expect(run(what)).rejects.toMatchObject({
      tag: 'run',
      message: expect.stringContaining('went away'),
    })
    await middle
    const map = mapNow(`${hash}.unfinished.map`)
    expect(map).toMatchObject({ bad: 0, pending: 0 })
    expect(map.rescued).toBeGreaterThan(500_000)
    expect(existsSync(final())).toBe(false)
    fail(false)
    expect(await plan(what)).toMatchObject({
      action: 'run',
      because: { text: expect.stringContaining('read so far') },
    })
    await run(what)
    expect(b3sum(final())).toBe(b3sum(path))
  })

  test('whose name vanishes while it is read is told as gone', async () => {
    const path = disc()
    const { path: from, remove } = await device(folder, path, { delayMs: 40 })
    const middle = whenRead(1_000_000, remove)
    await expect(run(drive(from, { expect: { bytes: 6_000_000 } }))).rejects.toMatchObject({ exitCode: 4 })
    await middle
    expect(existsSync(final())).toBe(false)
    expect(mapNow(`${hash}.unfinished.map`)).toMatchObject({ bad: 0 })
    expect(await plan(drive(from))).toMatchObject({ action: 'refuse', because: { code: 'source-away' } })
  })

  test('that answers nothing at all gives no image', async () => {
    const { path: from, fail } = await device(folder, disc())
    const what = drive(from, { expect: { bytes: 6_000_000 } })
    const seen = await image.observe(what, hands(folder))
    fail(true)
    await expect(image.run(what, seen, hands(folder), null)).rejects.toMatchObject({
      message: expect.stringContaining('nothing can be read'),
    })
    expect(existsSync(final())).toBe(false)
  })

  test('that holds another disc is refused, and no byte is written', async () => {
    const { path: from } = await device(folder, disc())
    const what = drive(from, { expect: { bytes: 6_000_001 } })
    expect(await plan(what)).toMatchObject({ action: 'refuse', because: { code: 'wrong-medium' } })
    await expect(run(what)).rejects.toMatchObject({ tag: 'refused' })
    await expect(run(drive(from))).rejects.toThrow('is another medium')
    expect(readdirSync(at(''))).toEqual([])
  })

  test('that holds another disc in a later session is refused by what was read before', async () => {
    const first = await device(folder, disc(), { delayMs: 40, name: 'first' })
    const middle = whenRead(1_000_000, () => first.fail(true))
    await expect(run(drive(first.path, { expect: { bytes: 6_000_000 } }))).rejects.toThrow('went away')
    await middle
    const before = readFileSync(at(`${hash}.unfinished.map`), 'utf8')
    const other = await device(folder, disc(6_000_000, 'other'), { name: 'second' })
    await expect(run(drive(other.path, { expect: { bytes: 6_000_000 } }))).rejects.toMatchObject({
      tag: 'refused',
    })
    expect(readFileSync(at(`${hash}.unfinished.map`), 'utf8')).toBe(before)
  })

  test('that is swapped while it is read is noticed; what was read since is not kept', async () => {
    const path = disc(12_000_000)
    const other = readFileSync(disc(12_000_000, 'other'))
    const { path: from } = await device(folder, path, { delayMs: 30, bad: [[9_000_960, 2048]] })
    const middle = whenRead(1_000_000, () => {
      const file = openSync(path, 'r+')
      writeSync(file, other)
      closeSync(file)
    })
    await expect(run(drive(from, { expect: { bytes: 12_000_000 } }))).rejects.toMatchObject({
      tag: 'refused',
      message: expect.stringContaining('was changed while it was read'),
    })
    await middle
    expect(existsSync(final())).toBe(false)
    expect(mapNow(`${hash}.unfinished.map`).rescued).toBeLessThan(6_000_000)
  })

  test('is read on after SIGKILL, three times; the finished image is the source', async () => {
    const path = disc(9_000_000)
    const { path: from } = await device(folder, path, { delayMs: 40 })
    const rescued: number[] = []
    for (let kills = 0; kills < 3; kills += 1) {
      const child = spawn(
        process.execPath,
        [join(import.meta.dirname, '../support/imaging.ts'), folder, from],
        {
          stdio: 'ignore',
          env: { ...process.env, NTT_BYTES: '9000000' },
        },
      )
      await whenRead((rescued.at(-1) ?? 0) + 700_000, () => child.kill('SIGKILL'))
      await sleep(300)
      rescued.push(mapNow(`${hash}.live.map`).rescued)
      const left = spawnSync('pgrep', ['-ax', 'ddrescue'], { encoding: 'utf8' }).stdout
      expect(left).not.toContain(folder)
    }
    expect(rescued.toSorted((a, b) => a - b)).toEqual(rescued)
    expect(rescued[2]).toBeGreaterThan(rescued[0] ?? 0)
    await run(drive(from, { expect: { bytes: 9_000_000 } }))
    expect(b3sum(final())).toBe(b3sum(path))
  })

  test('without its map an image proves nothing', async () => {
    const { path: from } = await device(folder, disc())
    const what = drive(from, { expect: { bytes: 6_000_000 } })
    await run(what)
    rmSync(at(`${hash}.map`))
    expect(await plan(what)).toMatchObject({ action: 'refuse', because: { code: 'unread' } })
    expect(failed(await image.verify(what, hands(folder), 'counts'))).toEqual(['map'])
    await expect(run(what)).rejects.toMatchObject({ tag: 'refused' })
  })

  test('is read again when a person asks; the whole old image is kept aside', async () => {
    const { path: from } = await device(folder, disc())
    const what = drive(from, { expect: { bytes: 6_000_000 } })
    await run(what)
    await run(what, 'asked')
    expect(readdirSync(at('')).filter((name) => name.includes('.aside-asked-'))).toHaveLength(3)
    expect(await plan(what)).toMatchObject({ action: 'keep' })
  })

  test('what is whole stays until another reading is whole as well', async () => {
    const path = disc()
    const { path: from, remove } = await device(folder, path)
    const parts = { expect: { bytes: 6_000_000 } }
    await run(drive(from, parts))
    await remove()
    await expect(run(drive(from, parts), 'asked')).rejects.toMatchObject({ tag: 'run' })
    const worse = await device(folder, path, { bad: [[3_000_000, 65_536]], name: 'worse' })
    await expect(run(drive(worse.path, parts), 'asked')).rejects.toMatchObject({ tag: 'run' })
    expect(b3sum(final())).toBe(b3sum(path))
    expect(await plan(drive(from, parts))).toMatchObject({ action: 'keep' })
    // What was read of it is nobody's image: not even where the other one goes.
    expect(existsSync(at(`${hash}.unfinished.img`))).toBe(false)
    const better = await device(folder, path, { name: 'better' })
    await run(drive(better.path, parts), 'asked')
    expect(readdirSync(at('')).filter((name) => /\.img\.aside-asked-/.test(name))).toHaveLength(1)
    expect(readdirSync(at('')).filter((name) => /\.(unfinished|again)\./.test(name))).toEqual([])
    expect(b3sum(final())).toBe(b3sum(path))
  })
})
