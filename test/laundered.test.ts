// What a person or a shallow look might pass off as proven: an image that nobody has hashed, a skip that was taken back, an archive with less than was copied, a plan with more than was shown.
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
import { ask, freshDatabase } from './support/postgres.ts'
import { project, sampleProject, type Project } from './support/project.ts'

/** A floppy whose file says which medium it is: another image is not told by its identity. */
async function named(): Promise<Project> {
  const made = sampleProject(['floppy.img'], { database: await freshDatabase() })
  made.medium('floppy', 'source: {image: floppy.img}\nmedium_hash: f232a107347b651c3f9f799c3d012ae8\n')
  return made
}

/** Another image in the place of the floppy's: the same size, the same times, some bytes of its middle changed. */
function exchange(made: Project): void {
  const image = made.path('media.d/floppy.img')
  const { atime, mtime } = statSync(image)
  const bytes = readFileSync(image)
  bytes.write('ZZZZ', 700_000)
  writeFileSync(made.path('other.img'), bytes)
  utimesSync(made.path('other.img'), atime, mtime)
  renameSync(made.path('other.img'), image)
}

test('what was changed since it was proven is not made good by a verification by counts', async () => {
  const made = await named()
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  exchange(made)
  expect((await made.ntt('verify')).code).toBe(3)
  const { code, out } = await made.ntt('plan')
  expect([code, out]).toEqual([3, expect.stringMatching(/ x +image +.*failed its verification/)])
})

test('an image that is verified before it is applied is hashed, and its archive stays the good one', async () => {
  const made = await named()
  expect((await made.ntt('verify')).code).toBe(2)
  expect((await made.ntt('why', 'floppy', 'image')).out).toMatch(/blake3 +[0-9a-f]{8}/)
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  exchange(made)
  const { code, out } = await made.ntt('apply', '--yes')
  expect([code, out]).toEqual([3, expect.stringMatching(/! +floppy +image +/)])
})

test('an image whose map is gone does not become whole by that', async () => {
  const made = sampleProject(['floppy.img'], { database: await freshDatabase() })
  const declare = (target: string): void =>
    made.medium(
      'floppy',
      `source: {image: floppy.img}\ntarget: ${target}\npolicy: {rescued: 90%, unreadable_files: accept, partitions: {0: accept}}\n`,
    )
  const map = made.path('media.d/floppy.map')
  writeFileSync(map, '0x0 + 1\n0x0 0x80000 +\n0x80000 0x1000 -\n0x81000 0xe7000 +\n')
  const told = async (...words: readonly string[]) => {
    const { code, out, err } = await made.ntt(...words)
    return [code, (out + err).replaceAll(/\s+/g, ' ')]
  }
  for (const [target, said] of [
    ['imaged', /map: expected the map by which it was \w+, beside it, found none/],
    ['archived', /the map that told of that is gone/],
  ] as const) {
    declare(target)
    expect(await told('apply', '--yes')).toEqual([0, expect.anything()])
    renameSync(map, made.path('away'))
    expect(await told('apply', '--yes')).toEqual([3, expect.stringMatching(said)])
    expect((await made.ntt('losses')).code).toBe(5)
    renameSync(made.path('away'), map)
    expect((await made.ntt('plan')).code).toBe(0)
  }
  // Nor by losing the database as well: the enumeration remembers.
  renameSync(map, made.path('away'))
  made.env('NTT_DB_URL', await freshDatabase())
  expect(await told('rebuild', '--yes')).toEqual([
    4,
    expect.stringContaining('the map that told of that is gone'),
  ])
})

test('a partition whose skip is taken back is no longer as declared, and is read when a person says so', async () => {
  const made = sampleProject(['disk.img'], { database: await freshDatabase() })
  made.medium('disk', 'source: {image: disk.img}\npolicy: {partitions: {2: skip}}\n')
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  expect((await made.ntt('plan')).code).toBe(0)
  made.medium('disk', 'source: {image: disk.img}\n')
  const { code, out } = await made.ntt('plan')
  expect([code, out]).toEqual([2, expect.stringContaining('its file no longer says so')])
  const redo = ['enumerate', 'load', 'archive'].flatMap((stage) => ['--redo', `disk/${stage}`])
  const redone = await made.ntt('apply', '--yes', ...redo)
  expect([redone.code, redone.out + redone.err]).toEqual([0, expect.anything()])
  expect((await made.ntt('plan')).code).toBe(0)
})

test('what was never made is not verified: work to do, with its name, beside what is', async () => {
  const made = sampleProject(['floppy.img'], { database: await freshDatabase() })
  mkdirSync(made.path('box'))
  made.medium('box', 'source: {directory: ../box}\n')
  for (const [names, verified] of [
    [['box'], 0],
    [[], 1],
  ] as const) {
    const { code, out } = await made.ntt('verify', ...names)
    expect([code, out.replaceAll(/\s+/g, ' ')]).toEqual([
      2,
      expect.stringMatching(
        `${verified} verified, 1 with nothing there yet.*There is nothing to verify of box: .* ntt plan box shows`,
      ),
    ])
  }
  expect((await made.ntt('verify', 'floppy')).code).toBe(2)
  expect((await made.ntt('verify', '--json', 'box')).code).toBe(2)
})

test('exclusions that were edited are no longer as declared: nothing is contradicted, and nothing that was copied is lost', async () => {
  const made = project({ database: await freshDatabase() })
  mkdirSync(made.path('tree'))
  made.write('tree/a.txt', 'a\n')
  made.write('tree/b.log', 'b\n')
  made.medium('tree', 'source: {directory: ../tree}\n')
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  const edited = async (yaml: string): Promise<void> => {
    made.medium('tree', `source: {directory: ../tree}\n${yaml}`)
    for (const verb of ['plan', 'status', 'verify']) {
      const { code, out } = await made.ntt(verb)
      expect([verb, code, out]).toEqual([verb, 2, expect.stringContaining('the exclusions have changed')])
      expect(out).not.toContain('contradict')
    }
  }
  await edited('exclude: ["*.log"]\n')
  const applied = await made.ntt('apply', '--yes')
  expect([applied.code, applied.out]).toEqual([0, expect.stringMatching(/copied 2.*excluded kept 1/)])
  expect((await made.ntt('plan')).code).toBe(0)
  expect((await made.ntt('verify', '--depth', 'hash')).code).toBe(0)
  expect((await made.ntt('audit')).code).toBe(0)
  await edited('')
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
})

test('the archive of a directory holds what is copied, or is told as one that does not', async () => {
  const made = project({ database: await freshDatabase() })
  mkdirSync(made.path('tree'))
  made.write('tree/a.txt', 'kept from the first\n')
  made.write('tree/b.log', 'excluded at first\n')
  made.medium('tree', 'source: {directory: ../tree}\nexclude: ["*.log"]\n')
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  made.medium('tree', 'source: {directory: ../tree}\n')
  const applied = await made.ntt('apply', '--yes')
  expect([applied.code, applied.out]).toEqual([
    3,
    expect.stringMatching(/archive +contradicted: copied: expected 2 files, .* found 1 files/),
  ])
  const again = await made.ntt('apply', '--yes')
  expect([again.code, again.out]).toEqual([0, expect.stringContaining('copied -> archived')])
  expect((await made.ntt('verify', '--depth', 'hash')).code).toBe(0)
})

test('nothing is done beside a saved plan that it does not have', async () => {
  const made = sampleProject(['floppy.img'], { database: await freshDatabase() })
  copyFileSync(made.path('media.d/floppy.img'), made.path('media.d/other.img'))
  expect((await made.ntt('plan', 'floppy', '--out', './plan.json')).code).toBe(2)
  for (const flag of [
    ['--only', 'floppy'],
    ['--redo', 'floppy/copy'],
    ['--target', 'loaded'],
  ]) {
    const { code, err } = await made.ntt('apply', './plan.json', ...flag)
    expect([code, err]).toEqual([1, expect.stringContaining('beside a saved plan')])
  }
  expect((await made.ntt('apply', './plan.json')).code).toBe(0)
})

test('a saved plan is carried out with what was asked for, and refused where its medium is declared otherwise by now', async () => {
  const made = sampleProject(['floppy.img'], { database: await freshDatabase() })
  expect((await made.ntt('plan', '--out', 'floppy')).err).toContain('Call it floppy.plan')
  expect((await made.ntt('plan', '--out', 'first.plan')).code).toBe(2)
  made.medium('floppy', 'source: {image: floppy.img}\nexclude: ["*.txt"]\n')
  const edited = await made.ntt('apply', 'first.plan')
  expect([edited.code, edited.err]).toEqual([
    6,
    expect.stringContaining('floppy: its file says something else'),
  ])
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  expect((await made.ntt('plan', '--redo', 'floppy/archive', '--out', 'again.plan')).code).toBe(2)
  renameSync(made.path('media.d/floppy.yaml'), made.path('aside'))
  const gone = await made.ntt('apply', 'again.plan')
  expect([gone.code, gone.err]).toEqual([6, expect.stringContaining('no medium is called floppy')])
  renameSync(made.path('aside'), made.path('media.d/floppy.yaml'))
  const before = made.events().length
  expect((await made.ntt('apply', 'again.plan')).code).toBe(0)
  const done = made.events().slice(before)
  expect(done.some(({ event }) => event === 'archive_start')).toBe(true)
  // Once is what was asked for.
  expect((await made.ntt('apply', 'again.plan')).code).toBe(6)
})

test('an audit tells rows of which nothing says what they were made of, and a product that is gone though nobody asks for it now', async () => {
  const database = await freshDatabase()
  const made = sampleProject(['floppy.img'], { database })
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  made.medium('floppy', 'source: {image: floppy.img}\ntarget: copied\n')
  rmSync(made.path('.ntt/archive/f232a107347b651c3f9f799c3d012ae8.tar.zst'))
  const lowered = await made.ntt('audit')
  expect([lowered.code, lowered.out]).toEqual([
    2,
    expect.stringMatching(/missing-beyond [^]*`target: archived` would have it made again\n\n1 finding\.\n$/),
  ])
  await ask(database, 'delete from generation')
  const { code, out } = await made.ntt('audit')
  expect([code, out]).toEqual([
    3,
    expect.stringMatching(/foreign-rows [^]*nothing says from which enumeration/),
  ])
  // Audit sends to the plan, and the plan has the way out.
  for (const [table, stage] of [
    ['generation', 'load'],
    ['copying', 'copy'],
  ] as const) {
    await ask(database, `delete from ${table}`)
    const plan = await made.ntt('plan')
    const way = ['apply', '--redo', `floppy/${stage}`]
    expect([plan.code, plan.out]).toEqual([3, expect.stringContaining(`\`ntt ${way.join(' ')}\``)])
    expect((await made.ntt(...way, '--yes')).code).toBe(0)
    expect((await made.ntt('plan')).code).toBe(0)
    expect((await made.ntt('audit')).out).not.toContain('foreign-rows')
  }
})

test('contents that were found bad are mended first, whatever was edited since', async () => {
  const database = await freshDatabase()
  const made = sampleProject(['floppy.img'], { database })
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  const store = made.path('.ntt/by-hash')
  const [blob = ''] = readdirSync(store, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /[0-9a-f]{64}$/.test(name),
  )
  const bytes = readFileSync(join(store, blob))
  chmodSync(join(store, blob), 0o644)
  writeFileSync(join(store, blob), Buffer.concat([Buffer.from('?'), bytes.subarray(1)]))
  expect((await made.ntt('verify', '--depth', 'hash')).code).toBe(3)
  made.medium('floppy', 'source: {image: floppy.img}\ntarget: archived\nexclude: ["*.nothing"]\n')
  const plan = await made.ntt('plan')
  expect([plan.code, plan.out]).toEqual([3, expect.stringContaining('contents failed their verification')])
  const applied = await made.ntt('apply', '--yes')
  expect(applied.code, applied.out + applied.err).toBe(0)
  expect(readFileSync(join(store, blob)).equals(bytes)).toBe(true)
  expect((await made.ntt('verify', '--depth', 'hash')).code).toBe(0)
  expect((await made.ntt('plan')).code).toBe(0)
})

test('a store that is lost, and whose folder was given its marker, is not as declared', async () => {
  const made = sampleProject(['floppy.img'], { database: await freshDatabase() })
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  const store = made.path('.ntt/by-hash')
  const marker = readFileSync(join(store, '.ntt-store'))
  rmSync(store, { recursive: true })
  mkdirSync(store)
  writeFileSync(join(store, '.ntt-store'), marker)
  const plan = await made.ntt('plan')
  expect([plan.code, plan.out]).toEqual([3, expect.stringContaining('the store has no content at all')])
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  expect((await made.ntt('verify', '--depth', 'hash')).code).toBe(0)
})

test('an audit misses an image that nothing stands in for, and a verification what was never made', async () => {
  const made = await named()
  const declare = (target: string): void =>
    made.medium(
      'floppy',
      `source: {image: floppy.img}\ntarget: ${target}\nmedium_hash: f232a107347b651c3f9f799c3d012ae8\n`,
    )
  declare('copied')
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  expect((await made.ntt('verify')).code).toBe(0)
  declare('archived')
  const part = await made.ntt('verify')
  expect([part.code, part.out]).toEqual([
    2,
    expect.stringMatching(/Of floppy only what is there was verified: the rest was never\s+made/),
  ])
  declare('copied')
  expect((await made.ntt('audit')).code).toBe(0)
  renameSync(made.path('media.d/floppy.img'), made.path('elsewhere.img'))
  const { code, out } = await made.ntt('audit')
  expect([code, out]).toEqual([3, expect.stringContaining('neither that nor an archive of it is there')])
  renameSync(made.path('elsewhere.img'), made.path('media.d/floppy.img'))
  declare('archived')
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  rmSync(made.path('media.d/floppy.img'))
  expect((await made.ntt('audit')).code).toBe(0)
})
