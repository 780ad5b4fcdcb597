// HFS: volumes that Linux and hfsutils have filled compared with what Linux reads of them, and damaged ones.
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { hfs } from '../../src/readers/hfs/classic.ts'
import { loseSectors } from '../support/damage.ts'
import { filled } from '../support/filled.ts'
import { looking, make } from '../support/looking.ts'
import { scratch } from '../support/project.ts'
import { contentsOf, inUtf8, listAll, volumeOf } from '../support/reading.ts'

const driver = {
  filesystem: 'hfs',
  mount: 'mount -t hfs $loop /media/m',
  look: 'mount -t hfs -o ro $loop /media/m',
}

function empty(bytes: number): string {
  const image = join(scratch(), 'image')
  writeFileSync(image, '')
  truncateSync(image, bytes)
  make('hformat', '-l', 'A volume', image)
  return image
}

/** Names of at most 31 bytes; one is of no known code, one has a slash on the disk. */
function tree(folder: string, many: number): string {
  mkdirSync(folder)
  const put = (name: string, content: string | Buffer): void =>
    writeFileSync(Buffer.from(`${folder}/${name}`, 'latin1'), content)
  for (const name of ['a.txt', ' leading', '#draft#', 'caf\x8e', 'a:b', 'z'.repeat(31)])
    put(name, `content of ${name}`)
  put('empty', '')
  mkdirSync(`${folder}/sub`)
  mkdirSync(`${folder}/sub/deeper`)
  mkdirSync(`${folder}/sub/nothing`)
  put('sub/deeper/large', Buffer.alloc(300_000, 'all the same '))
  for (let index = 0; index < many; index += 1) put(`sub/number ${index}`, `file ${index}`)
  return folder
}

test('every name, size, time and byte is what Linux reads, and a file in many pieces too', async () => {
  const image = empty(8 << 20)
  writeFileSync(`${image}.source`, Buffer.alloc(4_600_000, 'half of it'))
  const witness = filled(
    image,
    driver,
    `
      cp -r ${tree(join(scratch(), 'tree'), 800)} tree
      mkdir fill
      split -b 16384 -a 4 -d ${image}.source fill/
      rm fill/*[02468]
      head -c 3200000 ${image}.source > pieces
    `,
  )
  const volume = await volumeOf(image)
  const world = looking()
  const { entries, errors } = await listAll(hfs, image, volume, world)
  expect(errors).toEqual([])
  // The kernel makes up owners and modes; its clock is that on the wall.
  const ours = entries.map(({ type, size, path }) => `${type} ${size} ${path.toString('utf8')}`)
  const theirs = witness.lines.map((line) => line.replace(/^(\w) \d+ (\d+) -?\d+ \d+ \d+ {2}/, '$1 $2 '))
  expect(ours.toSorted()).toEqual(theirs.toSorted())
  const given = await contentsOf(hfs, image, volume, entries)
  expect(inUtf8(given)).toEqual(witness.sums)
  expect(entries.find(({ path }) => path.toString() === 'pieces')?.extents?.length).toBeGreaterThan(10)
  expect(world.lines).toEqual([])
  const recent = entries.find(({ path }) => path.toString() === 'tree/a.txt')?.mtimeNs ?? 0n
  expect(Math.abs(Number(recent / 1_000_000_000n) - Date.now() / 1000)).toBeLessThan(14 * 3600)
})

/** A file with both forks, as MacBinary II carries it. */
function macBinary(name: string, data: Buffer, resource: Buffer): Buffer {
  const head = Buffer.alloc(128)
  head.writeUInt8(name.length, 1)
  head.write(name, 2, 'latin1')
  head.write('TEXTttxt', 65, 'latin1')
  head.writeUInt32BE(data.length, 83)
  head.writeUInt32BE(resource.length, 87)
  head.fill(129, 122, 124)
  let sum = 0
  for (const byte of head.subarray(0, 124))
    for (let bit = 7; bit >= 0; bit -= 1) {
      const out = ((sum >>> 15) & 1) ^ ((byte >>> bit) & 1)
      sum = ((sum << 1) & 0xffff) ^ (out === 1 ? 0x1021 : 0)
    }
  head.writeUInt16BE(sum, 124)
  const padded = (fork: Buffer): Buffer => Buffer.concat([fork, Buffer.alloc(-fork.length & 127)])
  return Buffer.concat([head, padded(data), padded(resource)])
}

test('a resource fork that hfsutils wrote stands beside its file', async () => {
  const image = empty(2 << 20)
  const [data, resource] = [Buffer.alloc(5000, 'data '), Buffer.alloc(7000, 'resource ')]
  writeFileSync(`${image}.bin`, macBinary('both', data, resource))
  const env = { ...process.env, HOME: join(image, '..') }
  for (const command of [['hmount', image], ['hcopy', '-m', `${image}.bin`, ':'], ['humount']])
    execFileSync(command[0] ?? '', command.slice(1), { env, stdio: 'pipe' })
  const volume = await volumeOf(image)
  const { entries, errors } = await listAll(hfs, image, volume)
  expect(errors).toEqual([])
  const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex').slice(0, 16)
  expect(await contentsOf(hfs, image, volume, entries)).toEqual(
    new Map([
      ['both', sha(data)],
      ['both:rsrc', sha(resource)],
    ]),
  )
})

test('one sector that was not read makes nothing up, and leaves nothing out in silence', async () => {
  const image = empty(2 << 20)
  filled(image, driver, `cp -r ${tree(join(scratch(), 'tree'), 60)} tree`)
  const volume = await volumeOf(image)
  const campaign = await loseSectors(hfs, image, volume, { sectorBytes: 512, most: 150 })
  expect(campaign.faults).toEqual([])
  expect(campaign.refused.length).toBeLessThan(5)
  expect(campaign.hits.length).toBeGreaterThan(10)
  // The same with zeros in place of every node of the catalog: no crash, and nothing is gone without a word.
  const sound = readFileSync(image)
  const whole = await listAll(hfs, image, volume)
  const first =
    sound.readUInt16BE(1024 + 0x1c) * 512 + sound.readUInt16BE(1024 + 0x96) * sound.readUInt32BE(1024 + 0x14)
  for (let node = 1; node < 30; node += 1) {
    const bytes = Buffer.from(sound)
    bytes.fill(0, first + node * 512, first + (node + 1) * 512)
    writeFileSync(image, bytes)
    const { entries, errors } = await listAll(hfs, image, volume)
    if (errors.length === 0) expect(entries).toHaveLength(whole.entries.length)
  }
})
