// The gate before imaging: ten declared discs and three foreign ones go through one drive in random order.
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { identify } from '../../src/identify.ts'
import type { Known } from '../../src/identify/known.ts'
import { kinds } from '../../src/kinds/index.ts'
import type { Declaration } from '../../src/model/medium.ts'
import { image } from '../../src/stages/image/index.ts'
import { hands } from '../support/hands.ts'
import { medium } from '../support/media.ts'

/** The drive is a link: putting another disc in is making it point elsewhere. */
function insert(drive: string, disc: string): void {
  symlinkSync(disc, `${drive}.new`)
  renameSync(`${drive}.new`, drive)
}

const hashOf = (disc: string): string =>
  execFileSync(
    'sh',
    [
      '-c',
      `{ printf 'SIZE:%s|MODEL:unknown|SERIAL:unknown|' "$(stat -c %s "$1")"; head -c 1048576 "$1"; tail -c 1048576 "$1"; } | b3sum --no-names -l 16`,
      'sh',
      disc,
    ],
    { encoding: 'utf8' },
  ).trim()

test('ten are matched, three are refused, and not a byte is written for the three', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ntt-gate-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const drive = join(folder, 'sr0')
  const discs = Array.from({ length: 13 }, (_, number) => {
    const path = join(folder, `disc${number}`)
    // The same size, the same sort of filesystem: only label, serial number and thereby the hash differ.
    execFileSync('mkfs.vfat', ['-C', '-i', `1234567${number % 10}`, '-n', `DISC_${number}`, path, '1440'])
    return { path, hash: hashOf(path), name: `disc-${number}` }
  })
  // Five are declared by their hash, five by what the label says.
  const declared = discs.slice(0, 10).map(({ hash, name }, number): Declaration => {
    const byHash = number < 5
    const source = { type: 'device', path: drive } as const
    const expected = byHash ? {} : { volume: `DISC_${number}` }
    return { ...medium({ source, name, kind: 'floppy' }), hash: byHash ? hash : null, expect: expected }
  })
  const known: Known = {
    cache: new Map(),
    media: [],
    declared,
    isDrive: (kind) => kinds[kind].isDrive,
    learned: () => undefined,
  }
  const world = hands(folder)
  const taken = new Map<string, string>()
  for (const disc of discs.toSorted(() => Math.random() - 0.5)) {
    insert(drive, disc.path)
    for (const declaration of declared) {
      if (taken.has(declaration.name)) continue
      const identity = await identify(declaration, world, known)
      if ('because' in identity) {
        expect(identity).toMatchObject({ action: 'refuse', because: { code: 'wrong-medium' } })
        continue
      }
      const what = { ...declaration, ...identity }
      const seen = await image.observe(what, world)
      const decision = image.plan(what, seen)
      if (decision.action !== 'run') {
        expect(decision).toMatchObject({ action: 'refuse', because: { code: 'wrong-medium' } })
        await expect(image.run(what, seen, world, null)).rejects.toMatchObject({ tag: 'refused' })
        continue
      }
      await image.run(what, seen, world, null)
      taken.set(declaration.name, disc.name)
    }
  }
  expect(taken.size).toBe(10)
  for (const [name, disc] of taken) expect(disc).toBe(name)
  const images = readdirSync(join(folder, 'image')).filter((name) => name.endsWith('.img'))
  expect(images.toSorted()).toEqual(
    discs
      .slice(0, 10)
      .map(({ hash }) => `${hash}.img`)
      .toSorted(),
  )
  for (const { path, hash } of discs.slice(0, 10)) {
    expect(readFileSync(join(folder, 'image', `${hash}.img`)).equals(readFileSync(path))).toBe(true)
  }
  for (const { hash } of discs.slice(10)) expect(existsSync(join(folder, 'image', `${hash}.map`))).toBe(false)
}, 400_000)

test('the plan says which disc it saw, and which medium that is', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ntt-gate-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  mkdirSync(join(folder, 'discs'))
  const disc = join(folder, 'discs/holiday')
  execFileSync('mkfs.vfat', ['-C', '-n', 'HOLIDAY_98', disc, '1440'])
  const source = { type: 'device', path: disc } as const
  const known: Known = {
    cache: new Map(),
    media: [{ name: 'holiday-98', hash: hashOf(disc), version: 'v2', kind: 'floppy' }],
    declared: [],
    isDrive: () => false,
    learned: () => undefined,
  }
  const wanted = {
    ...medium({ source, name: 'ceh-005', kind: 'floppy' }),
    hash: null,
    expect: { volume: 'CEH_005' },
  }
  expect(await identify(wanted, hands(folder), known)).toEqual({
    action: 'refuse',
    because: {
      code: 'wrong-medium',
      text: `what is in ${disc} is another medium: the volume label is HOLIDAY_98, declared CEH_005. It is holiday-98; put ceh-005 into ${disc} and run \`ntt apply ceh-005\``,
    },
  })
})

test('a drive with another disc than the declared hash tells hash and label of what is in it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ntt-gate-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const disc = join(folder, 'holiday')
  execFileSync('mkfs.vfat', ['-C', '-n', 'HOLIDAY_98', disc, '1440'])
  const what = medium({ source: { type: 'device', path: disc }, kind: 'floppy' })
  const decision = image.plan(what, await image.observe(what, hands(folder)))
  expect(decision.because.text).toBe(
    `what is in ${disc} is another medium: it is medium ${hashOf(disc)} labelled HOLIDAY_98, not ${what.hash}; put ${what.name} into ${disc} and run \`ntt apply ${what.name}\``,
  )
})
