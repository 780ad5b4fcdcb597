// A short form of `npm run torture`: killed at some moments, it converges as if nothing had been.
import { chmodSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { openArena, type Arena } from './torture/arena.ts'
import { findLies } from './torture/lies.ts'
import { flipBits } from './torture/flips.ts'
import { flipEveryBit, tryMutants } from './torture/mutants.ts'
import { killAtPoints } from './torture/points.ts'
import { killAnywhere } from './torture/kills.ts'
import { blobsIn } from './torture/truth.ts'

let arena: Arena
beforeAll(async () => {
  arena = await openArena()
}, 300_000)

describe('kill it anywhere', () => {
  test(
    'after kills at random moments everything is as after an undisturbed run',
    { timeout: 600_000 },
    async () => {
      const report = await killAnywhere(arena, {
        kills: 5,
        seed: 'short',
        isOver: () => false,
        tell: () => undefined,
      })
      expect(report.failures).toEqual([])
      expect(report.converged).toBe(report.chains)
    },
  )

  test('after kills at write points as well', { timeout: 600_000 }, async () => {
    const report = await killAtPoints(arena, {
      media: ['floppy'],
      seed: 'short',
      named: [],
      limit: 3,
      part: { k: 1, n: 1 },
      isOver: () => false,
      tell: () => undefined,
    })
    expect(report.failures).toEqual([])
    expect([report.converged, report.gone, report.missed]).toEqual([3, [], []])
  })

  test('single bits that flip are found, in everything that is kept', { timeout: 600_000 }, async () => {
    const report = await flipBits(arena, {
      flips: 990,
      seed: 'short',
      isOver: () => false,
      tell: () => undefined,
    })
    expect(report.failures).toEqual([])
    expect(Object.keys(report.flipped)).toEqual(['blobs', 'products'])
  })

  test(
    'no mutant of an image, a listing or a map makes a reader crash or hang',
    { timeout: 600_000 },
    async () => {
      const report = await tryMutants({ mutants: 90, seed: 'short', isOver: () => false })
      expect(report.failures).toEqual([])
    },
  )

  test('the search for lies finds those that are planted', async () => {
    const made = arena.fresh(['floppy'], true)
    expect((await made.ntt('apply', '--yes')).code).toBe(0)
    expect(findLies(made, arena.truth)).toEqual([])
    // While it is there: no single bit of an enumeration can change unseen.
    const { hash: medium = '' } = arena.truth.get('floppy') ?? {}
    const { bits, unseen } = await flipEveryBit(readFileSync(made.path('.ntt/raw', `${medium}.raw`)))
    expect([bits > 10_000, unseen]).toEqual([true, []])
    const [blob = ''] = blobsIn(made.path('.ntt/by-hash'))
    const { hash = '' } = arena.truth.get('floppy') ?? {}
    chmodSync(made.path('.ntt/by-hash', blob), 0o644)
    writeFileSync(made.path('.ntt/by-hash', blob), 'other bytes')
    truncateSync(made.path('.ntt/raw', `${hash}.raw`), 100)
    truncateSync(made.path('.ntt/archive', `${hash}.tar.zst`), 10_000)
    expect(findLies(made, arena.truth)).toEqual([
      expect.stringContaining('holds'),
      expect.stringContaining('mode 644'),
      expect.stringContaining('.raw is not'),
      expect.stringContaining('.tar.zst is not'),
    ])
  })
})
