// Real images and real words of programs with some bytes changed: every reader ends, with an answer or one of our errors.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { seeded, type Random } from '../../bench/data/random.ts'
import { NttError } from '../../src/model/errors.ts'
import { parseMapfile } from '../../src/model/mapfile.ts'
import { decodeRaw } from '../../src/model/raw/index.ts'
import { TarError } from '../../src/model/tar.ts'
import { untar } from '../../src/model/untar.ts'
import { parseDfxml } from '../../src/readers/fiwalk/dfxml.ts'
import { readersFor } from '../../src/readers/index.ts'
import { parseBlkid, parsePartx } from '../../src/readers/volumes/probe.ts'
import { findVolumes } from '../../src/readers/volumes/index.ts'
import { looking } from '../support/looking.ts'
import { sampleImages, scratch } from '../support/project.ts'

export interface MutantsReport {
  /** Mutants by what they are mutants of. */
  readonly tried: Readonly<Record<string, number>>
  readonly failures: readonly string[]
}

export interface MutantsOptions {
  readonly mutants: number
  readonly seed: string
  readonly isOver: () => boolean
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes
}

async function drain(all: AsyncIterable<unknown>): Promise<void> {
  for await (const one of all) void one
}

interface Prey {
  readonly name: string
  readonly bytes: Buffer
  /** Where bytes are changed: what readers read. */
  readonly within: number
  readonly read: (bytes: Buffer) => Promise<unknown>
}

const images = ['floppy.img', 'disk.img', 'ceh-report.iso'] as const

function prey(folder: string): readonly Prey[] {
  const word = (file: string, ...args: readonly string[]): Buffer =>
    execFileSync(file, args, { env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` } })
  const [floppy, disk, disc] = images.map((name) => join(sampleImages, name))
  const tar = word('tar', '-C', sampleImages, '-cf', '-', 'box7')
  const parser = (name: string, bytes: Buffer, read: Prey['read']): Prey => ({
    name,
    bytes,
    within: bytes.length,
    read,
  })
  return [
    parser('blkid', word('blkid', '-p', '--output=udev', '--', floppy ?? ''), async (bytes) =>
      parseBlkid(bytes),
    ),
    parser(
      'partx',
      word('partx', '-P', '-o', 'NR,START,SECTORS,TYPE,SCHEME,UUID,NAME', disk ?? ''),
      async (bytes) => parsePartx(bytes),
    ),
    parser('dfxml', word('fiwalk', '-x', floppy ?? ''), async (bytes) => drain(parseDfxml(once(bytes)))),
    parser('tar', tar, async (bytes) => drain(untar(once(bytes)))),
    parser(
      'mapfile',
      Buffer.from('# Mapfile\n0x0 + 1\n0x0 0x1000 +\n0x1000 0x200 -\n0x1200 0x800 ?\n'),
      async (bytes) => parseMapfile(bytes.toString('latin1')),
    ),
    ...images.map((name): Prey => {
      const bytes = readFileSync(join(sampleImages, name))
      return {
        name,
        bytes,
        within: Math.min(bytes.length, 1 << 18),
        read: (mutant) => list(join(folder, name), mutant),
      }
    }),
    parser('disc', readFileSync(disc ?? '').subarray(0, 1 << 17), (mutant) =>
      list(join(folder, 'cut.iso'), mutant),
    ),
  ]
}

/** All that our own readers say of an image; programs of others are asked by tests of their own. */
async function list(path: string, bytes: Buffer): Promise<void> {
  writeFileSync(path, bytes)
  const world = looking()
  for (const volume of await findVolumes(path, bytes.length, world)) {
    const [reader] = volume.verdict === null ? readersFor(volume) : []
    if (reader !== undefined) await drain(reader.list(path, volume, world))
  }
}

/** Changes, cuts or doubles some bytes. */
function mutate({ bytes, within }: Prey, random: Random): Buffer {
  const mutant = Buffer.from(bytes)
  for (let count = random.spread(1, 16); count > 0; count -= 1) {
    const at = random.between(0, within - 1)
    const end = Math.min(mutant.length, at + random.between(1, 64))
    const how = random.next()
    if (how < 0.5) mutant.writeUInt8(random.between(0, 255), at)
    else if (how < 0.75) mutant.fill(random.pick([0, 0xff, 0x80, 0x7f]), at, Math.min(end, at + 8))
    else mutant.copyWithin(at, random.between(0, within - 1), end)
  }
  return random.next() < 0.1 ? mutant.subarray(0, random.between(1, mutant.length)) : mutant
}

/** Longest that one may take, on any machine: less would be the machine, more a reader that does not end. */
const patienceMs = 120_000

export async function tryMutants({ mutants, seed, isOver }: MutantsOptions): Promise<MutantsReport> {
  const random = seeded(seed)
  const folder = scratch('ntt-mutants-')
  const all = prey(folder)
  const tried: Record<string, number> = {}
  const failures: string[] = []
  for (let count = 0; count < mutants && !isOver(); count += 1) {
    const one = all[count % all.length]
    if (one === undefined) break
    const mutant = mutate(one, random)
    tried[one.name] = (tried[one.name] ?? 0) + 1
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error('it does not end')), patienceMs)
    })
    try {
      await Promise.race([one.read(mutant), late])
    } catch (error) {
      // Refused, or not to be looked at: an answer. Anything else is a crash.
      if (!(error instanceof NttError || error instanceof TarError))
        failures.push(
          `mutant ${count} of seed ${seed} (${one.name}): ${error instanceof Error ? error.stack : String(error)}`,
        )
    } finally {
      clearTimeout(timer)
    }
  }
  return { tried, failures }
}

/** Every single bit of an enumeration, flipped: how many, and the places of those that nobody noticed. */
export async function flipEveryBit(
  raw: Buffer,
): Promise<{ readonly bits: number; readonly unseen: readonly number[] }> {
  const unseen: number[] = []
  for (let bit = 0; bit < raw.length * 8; bit += 1) {
    const mutant = Buffer.from(raw)
    mutant.writeUInt8(mutant.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
    let isWhole = false
    try {
      await drain(
        decodeRaw(once(mutant), ({ complete }) => {
          isWhole = complete
        }),
      )
    } catch (error) {
      if (!(error instanceof NttError)) throw error
    }
    if (isWhole) unseen.push(bit)
  }
  return { bits: raw.length * 8, unseen }
}
