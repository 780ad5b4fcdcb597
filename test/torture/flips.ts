// Single bits, flipped without a trace in size or time, in contents, images, enumerations, archives and the log: each must be found.
import { chmodSync, closeSync, openSync, readSync, statSync, utimesSync, writeSync } from 'node:fs'
import { seeded, type Random } from '../../bench/data/random.ts'
import type { Project } from '../support/project.ts'
import { mediumNames, type Arena } from './arena.ts'
import { blobsIn, namesIn } from './truth.ts'

export interface FlipsReport {
  /** Bits that were flipped, by what they were bits of. */
  readonly flipped: Readonly<Record<string, number>>
  readonly failures: readonly string[]
}

export interface FlipsOptions {
  readonly flips: number
  readonly seed: string
  readonly isOver: () => boolean
  readonly tell: (line: string) => void
}

/** Flips one bit in each of many objects at once, lets `ntt verify --depth hash` look, and flips them back. */
export async function flipBits(arena: Arena, options: FlipsOptions): Promise<FlipsReport> {
  const random = seeded(options.seed)
  const made = arena.fresh(mediumNames, true)
  const { code, out } = await made.ntt('apply', '--yes')
  if (code !== 0) throw new Error(`nothing to flip bits of: ${out}`)
  const flipped: Record<string, number> = {}
  const failures: string[] = []
  const total = (): number => Object.values(flipped).reduce((sum, count) => sum + count, 0)
  for (let round = 0; total() < options.flips && !options.isOver(); round += 1) {
    const kind = (['blobs', 'products', 'blobs', 'log'] as const)[round % 4] ?? 'blobs'
    const files = filesOf(made, kind)
    const flips = files.map((path) => flip(path, random))
    const found = kind === 'log' ? await lookAtLog(made) : await lookAtMedia(made, kind, arena)
    for (const undo of flips) undo()
    flipped[kind] = (flipped[kind] ?? 0) + files.length
    failures.push(...found.map((text) => `round ${round} of seed ${options.seed}: ${text}`))
    options.tell(
      `${kind}: ${files.length} bits: ${found.length === 0 ? 'all found' : found.join('\n  ')}   (${total()} bits)`,
    )
  }
  const healed = await made.ntt('verify', '--depth', 'hash')
  if (healed.code !== 0) failures.push(`with all bits back, verify ends with ${healed.code}:\n${healed.out}`)
  return { flipped, failures }
}

function filesOf(made: Project, kind: 'blobs' | 'products' | 'log'): readonly string[] {
  const below = (root: string, ending: string): readonly string[] =>
    namesIn(made.path('.ntt', root))
      .filter((name) => name.endsWith(ending))
      .map((name) => made.path('.ntt', root, name))
  switch (kind) {
    case 'blobs':
      return blobsIn(made.path('.ntt/by-hash'))
        .map((path) => made.path('.ntt/by-hash', path))
        .filter((path) => statSync(path).size > 0)
    case 'products':
      return [...below('raw', '.raw'), ...below('archive', '.tar.zst'), ...below('img', '.img')]
    case 'log':
      return [made.path('.ntt/log/events.jsonl')]
    default:
      return kind satisfies never
  }
}

/** Flips one bit of a file; what is returned flips it back. Size, times and mode stay. */
function flip(path: string, random: Random): () => void {
  const { size, mode, atime, mtime } = statSync(path)
  const [at, bit] = [random.between(0, size - 1), random.between(0, 7)]
  const turn = (): void => {
    chmodSync(path, 0o600)
    const fd = openSync(path, 'r+')
    const byte = Buffer.alloc(1)
    readSync(fd, byte, 0, 1, at)
    byte.writeUInt8(byte.readUInt8() ^ (1 << bit))
    writeSync(fd, byte, 0, 1, at)
    closeSync(fd)
    utimesSync(path, atime, mtime)
    chmodSync(path, mode & 0o7777)
  }
  turn()
  return turn
}

async function lookAtLog(made: Project): Promise<readonly string[]> {
  const { code, out, err } = await made.ntt('verify', '--log')
  return code === 3 && /events\.jsonl/.test(out + err) ? [] : [`verify --log ends with ${code}: ${out}${err}`]
}

async function lookAtMedia(
  made: Project,
  kind: 'blobs' | 'products',
  arena: Arena,
): Promise<readonly string[]> {
  const { code, out, err } = await made.ntt('verify', '--depth', 'hash')
  const told = out + err
  const missed = [...arena.truth].flatMap(([medium, { blobs, image }]) => {
    if (kind === 'blobs') {
      const [, count = '0'] =
        new RegExp(
          `${medium} +copy +failed: .*contents not what their name says: expected 0, found ([0-9,]+)`,
        ).exec(told) ?? []
      const expected = blobs.filter((id) => id !== emptyBlob).length
      return Number(count.replaceAll(',', '')) === expected
        ? []
        : [`${count} of ${expected} contents of ${medium} were found`]
    }
    return ['enumerate', 'archive', ...(image === null ? [] : ['image'])]
      .filter((stage) => !new RegExp(`${medium} +${stage} +(failed|contradicted)`).test(told))
      .map((stage) => `the ${stage} of ${medium} was not found`)
  })
  return code === 3 && missed.length === 0 ? [] : [`verify ends with ${code}`, ...missed, told]
}

/** BLAKE3 of nothing: a file without a bit. */
const emptyBlob = 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262'
