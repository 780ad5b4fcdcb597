// ntt doctor: what is missing, denied, full or unreachable is told, each with its fix and the right exit code.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { doctor } from '../../src/cli/doctor/index.ts'
import { lookAtRoots } from '../../src/cli/doctor/roots.ts'
import { lookAtTools, parseVersion, tools } from '../../src/cli/doctor/tools.ts'
import { readConfig } from '../../src/config.ts'
import type { Finding } from '../../src/views/doctor.ts'
import { documentOf, openOut } from '../support/outs.ts'
import { freshDatabase } from '../support/postgres.ts'
import { repository, sampleImages, sampleProject, scratch } from '../support/project.ts'

const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`
const { signal } = new AbortController()

/** A project with one good medium. */
function project(): string {
  const folder = scratch()
  mkdirSync(join(folder, 'media.d'))
  writeFileSync(join(folder, 'media.d/cd.yaml'), `source: {image: ${join(sampleImages, 'ceh-report.iso')}}\n`)
  return folder
}

async function examine(folder: string, environment: Record<string, string> = {}) {
  const config = readConfig(
    {},
    { environment: { PATH: path, ...environment }, folder, cores: 2, isTerminal: false },
    true,
  )
  const [text, json] = [openOut(), openOut()]
  const code = await doctor(config, { signal }, text)
  expect(await doctor(config, { signal, json: true }, json)).toBe(code)
  const { findings } = documentOf('doctor', json.text) as { findings: readonly Finding[] }
  return { code, text: text.text, findings }
}

/** A folder with links to these programs: a search path on which the others are missing. */
function programs(names: readonly string[]): string {
  const folder = scratch()
  for (const name of names) {
    const where = path
      .split(':')
      .map((one) => join(one, name))
      .find((one) => existsSync(one))
    if (where !== undefined) symlinkSync(where, join(folder, name))
  }
  return folder
}

test('with all that is needed nothing stands in the way, and nothing was written', async () => {
  const folder = project()
  const { code, text, findings } = await examine(folder)
  expect(findings.filter(({ condition }) => condition === 'problem' || condition === 'unknown')).toEqual([])
  expect(code).toBe(0)
  expect(text).toMatch(/Nothing stands in the way\.\n$/)
  expect(text).toContain('media.d  1 medium well declared')
  for (const { program } of tools)
    expect(findings).toContainEqual(
      expect.objectContaining({ name: program, condition: 'good', text: expect.stringMatching(/^\d+/) }),
    )
  expect(readdirSync(folder)).toEqual(['media.d'])
})

test('a missing program is told with what it adds and the one command that installs all', async () => {
  const findings = await lookAtTools(
    programs(tools.map(({ program }) => program).filter((name) => name !== 'ddrescue' && name !== 'bsdtar')),
    false,
    signal,
  )
  const missing = findings.filter(({ condition }) => condition !== 'good')
  expect(missing.map(({ name, condition, text }) => `${name} ${condition} ${text}`)).toEqual([
    'ddrescue note not installed; it reads drives, damaged ones too',
    'bsdtar note not installed; it reads ISO 9660 (CD, DVD)',
  ])
  expect(new Set(missing.map(({ fix }) => fix))).toEqual(
    new Set(['    sudo apt-get install gddrescue libarchive-tools']),
  )
})

test('a program that nothing works without is a problem; one that does not answer is unknown', async () => {
  const folder = programs(['partx', 'setpriv', 'zstd'])
  writeFileSync(join(folder, 'bsdtar'), '#!/bin/sh\necho broken >&2\nexit 3\n', { mode: 0o755 })
  const findings = await lookAtTools(folder, true, signal)
  const conditions = Object.fromEntries(findings.map(({ name, condition }) => [name, condition]))
  expect(conditions).toMatchObject({ blkid: 'problem', partx: 'good', bsdtar: 'unknown', '7zz': 'note' })
})

test('every program that the code runs is known to the doctor', () => {
  const known = new Set(tools.map(({ program }) => program))
  const sources = readdirSync(join(repository, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => /^(readers|stages|kinds|model|identify)/.test(file) && file.endsWith('.ts'))
    .map((file) => readFileSync(join(repository, 'src', file), 'utf8'))
  // A Command, and the ways in which readers write one.
  const asked =
    /(?:\bfile: |\blisting\(|\bversionOf\(world, |\.has\()'([a-z0-9_.+-]+)'(?=,\s*(?:args\b|\[)|\))/g
  const used = sources.flatMap((text) => [...text.matchAll(asked)].map((match) => match[1] ?? ''))
  expect(used).toEqual(expect.arrayContaining(['blkid', 'bsdtar', 'icat', 'zstd']))
  expect(used.filter((program) => !known.has(program))).toEqual([])
})

test('what the doctor knows is what the set-up installs', () => {
  const script = readFileSync(join(repository, 'scripts/setup.sh'), 'utf8')
  const needed = /^needed='([^']*)'/m.exec(script)?.[1]?.trim().split(/\s+/) ?? []
  expect(tools.map(({ program, from }) => `${program}:${from}`).toSorted()).toEqual(needed.toSorted())
})

test('versions are read from what programs print', () => {
  expect(
    [
      'bsdtar 3.6.2 - libarchive 3.6.2 zlib/1.2.13',
      '*** Zstandard CLI (64-bit) v1.5.4, by Yann Collet ***',
      '7-Zip (z) 26.02 (x64) : Copyright (c) 1999-2026 Igor Pavlov',
      'SleuthKit Version: 4.11.1',
      'no number',
    ].map(parseVersion),
  ).toEqual(['3.6.2', '1.5.4', '26.02', '4.11.1', null])
})

test('roots are looked at one by one: yet to be made, in the way, volatile, on the same filesystem', async () => {
  const folder = project()
  writeFileSync(join(folder, 'file'), '')
  const { roots, from, log } = readConfig(
    { root: [`image=${join(folder, 'file/img')}`, 'raw=/dev/shm/ntt-raw'] },
    { environment: {}, folder, cores: 1, isTerminal: false },
  )
  const findings = await lookAtRoots({ roots, from, log })
  const [image, raw, byHash, archive] = findings
  expect(image).toMatchObject({ condition: 'problem', text: expect.stringMatching(/file is not a folder$/) })
  expect(image?.fix).toContain('--root image=FOLDER')
  expect(raw?.condition).not.toBe('unknown')
  expect(byHash?.text).toMatch(/\(default, will be made\); .* free$/)
  expect(archive?.text).toMatch(/same filesystem as by-hash$/)
})

test('a database that cannot be reached is unknown, told without its password', async () => {
  const { code, text } = await examine(project(), { NTT_DB_URL: 'postgres://me:s3cret@127.0.0.1:1/x' })
  expect(code).toBe(5)
  expect(text).toMatch(/\? {2}PostgreSQL {2}.*me@127\.0\.0\.1:1\/x/)
  expect(text).toContain('1 problem:')
  expect(text).not.toContain('s3cret')
})

test('wrong declarations end with 1 and point to ntt validate', async () => {
  const folder = project()
  writeFileSync(join(folder, 'media.d/b.yaml'), 'lable: x')
  const { code, text } = await examine(folder)
  expect(code).toBe(1)
  expect(text).toMatch(/2 problems in 1 file[^]*ntt validate\n$/)
})

test('a drive that is away is a note; without media.d the way to one is told', async () => {
  const folder = project()
  writeFileSync(join(folder, 'media.d/away.yaml'), 'source: {device: /dev/ntt-none}')
  const away = await examine(folder)
  expect(away.code).toBe(0)
  expect(away.findings).toContainEqual({
    area: 'media',
    name: 'away',
    condition: 'note',
    text: '/dev/ntt-none is not there now',
  })
  const empty = await examine(scratch())
  expect(empty.code).toBe(0)
  expect(empty.text).toContain('ntt add SOURCE')
})

test('an image that is away is told where a plan would miss it, and noted where its archive serves', async () => {
  const made = sampleProject(['floppy.img'], { database: await freshDatabase() })
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  rmSync(made.path('media.d/floppy.img'))
  const served = await made.ntt('doctor')
  expect([served.code, served.out]).toEqual([
    0,
    expect.stringMatching(/\. {2}floppy +\/.*floppy\.img is not there now, and is not needed/),
  ])
  made.medium('gone', 'source: {image: gone.img}\n')
  const { code, out } = await made.ntt('doctor')
  expect([code, (await made.ntt('plan')).code]).toEqual([5, 5])
  expect(out).toMatch(/1 problem:\n {2}gone: .*gone\.img is not there\n {4}Bring it back[^]*ntt why gone\n$/)
  made.env('NTT_DB_URL', 'postgres://nobody@127.0.0.1:1/none')
  const blind = await made.ntt('doctor')
  expect([blind.code, blind.out]).toEqual([
    5,
    expect.stringContaining('gone.img is not there now; the database cannot tell'),
  ])
})

test('each setting is shown with where it comes from, and what nobody reads is noted', async () => {
  const { findings } = await examine(project(), { NTT_JOBS: '3', NTT_RAW_ROOT: '/x', NTT_RAMDISK: '/y' })
  const text = (name: string): string | undefined => findings.find((finding) => finding.name === name)?.text
  expect(text('jobs')).toBe('3 (NTT_JOBS)')
  expect(text('raw')).toMatch(/^\/x \(NTT_RAW_ROOT, will be made\)/)
  expect(text('unread')).toBe('NTT_RAMDISK is set and is not read')
  const shown = findings.filter(({ name }) => name.startsWith('display.')).map(({ name }) => name)
  expect(shown).toEqual(['display.plain', 'display.color', 'display.ascii'])
})

test('a private database that is gone is unknown to all who look, and is made again by a rebuild alone', async () => {
  const made = sampleProject(['floppy.img'])
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  rmSync(made.path('.ntt/postgres'), { recursive: true })
  for (const verb of ['plan', 'status', 'apply', 'verify', 'audit', 'losses', 'doctor']) {
    const { code, out, err } = await made.ntt(verb, ...(verb === 'apply' ? ['--yes'] : []))
    const told = expect.stringMatching(
      /the private database is not in [^]*ntt\s+rebuild\s+makes\s+it\s+again/,
    )
    expect([verb, code, out + err]).toEqual([verb, 5, told])
  }
  expect(existsSync(made.path('.ntt/postgres/data'))).toBe(false)
  expect((await made.ntt('rebuild', '--yes')).code).toBe(0)
  expect((await made.ntt('doctor')).code).toBe(0)
})

test('archives beside no private database are noted, though no event log tells of one', async () => {
  const made = sampleProject(['floppy.img'])
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  for (const folder of ['postgres', 'log']) rmSync(made.path('.ntt', folder), { recursive: true })
  const { code, out } = await made.ntt('doctor')
  expect([code, out]).toEqual([
    0,
    expect.stringMatching(/1 archive in .*: was it lost\?[^]*ntt rebuild makes it again/),
  ])
})
