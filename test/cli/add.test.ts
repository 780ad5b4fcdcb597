// ntt add: the file that it writes says what was seen, is never written over another, and no label breaks it.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { add } from '../../src/cli/add.ts'
import type { AddArguments } from '../../src/cli/add.ts'
import { readConfig } from '../../src/config.ts'
import { readDesired } from '../../src/desired.ts'
import { DesiredError, ObserveError, RunError, UsageError } from '../../src/model/errors.ts'
import { identify } from '../../src/identify.ts'
import type { Known } from '../../src/identify/known.ts'
import { kinds } from '../../src/kinds/index.ts'
import type { Eyes } from '../../src/observe.ts'
import { hands } from '../support/hands.ts'
import { documentOf, openOut } from '../support/outs.ts'
import { sampleImages, scratch } from '../support/project.ts'

const sbin = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`
/** Nothing was met before. */
const known: Known = {
  cache: new Map(),
  media: [],
  declared: [],
  isDrive: (kind) => kinds[kind].isDrive,
  learned: () => {},
}

/** An empty folder as a project, and the verb in it. */
function project(identified: Eyes['identify'] = (declaration, world) => identify(declaration, world, known)) {
  const folder = scratch()
  const config = readConfig({}, { environment: {}, folder, cores: 1, isTerminal: false }, true)
  const world = hands(scratch(), { path: sbin })
  const run = async (source: string, more: Partial<AddArguments> = {}) => {
    const out = openOut()
    const code = await add(config, { source, folder, ...more }, { world, identify: identified }, out)
    return { code, text: out.text }
  }
  const read = (name: string) =>
    readDesired(
      [{ file: `media.d/${name}.yaml`, text: readFileSync(join(config.media, `${name}.yaml`)) }],
      folder,
    )[0]
  return { folder, media: config.media, run, read }
}

test('the CD is declared with its identity, label, kind and expectations', async () => {
  const { run, read } = project()
  const { code, text } = await run(join(sampleImages, 'ceh-report.iso'))
  expect(code).toBe(0)
  expect(text).toContain('whole medium, iso9660, "CEH_REPORT", 3.2 MB')
  expect(text).toMatch(/ {4}ntt plan ceh-report\n$/)
  expect(read('ceh-report')).toMatchObject({
    label: 'CEH_REPORT',
    kind: 'optical',
    source: { type: 'image', path: join(sampleImages, 'ceh-report.iso') },
    target: 'archived',
    hash: expect.stringMatching(/^[0-9a-f]{32}$/),
    expect: { volume: 'CEH_REPORT', bytes: 3_186_688 },
  })
})

test('a disk shows its partitions, and is expected by its size alone', async () => {
  const { run, read } = project()
  const { text } = await run(join(sampleImages, 'disk.img'))
  expect(text).toContain(
    '2 volumes:\n  partition 1, ext2, "MORNING", 1.0 MB\n  partition 2, ext4, "EVENING", 2.1 MB\n',
  )
  expect(read('disk')).toMatchObject({ label: 'disk.img', expect: { bytes: 4_194_304 } })
})

test('a folder is a medium by its name, with nothing to expect', async () => {
  const { run, read } = project()
  await run(join(sampleImages, 'box7'), { name: 'seven', label: 'Box 7', target: 'copied' })
  expect(read('seven')).toMatchObject({
    label: 'Box 7',
    kind: 'directory',
    source: { type: 'directory' },
    target: 'copied',
    hash: null,
    expect: {},
  })
})

test('what lies within the project is named relative to its file, what lies outside absolutely', async () => {
  const { folder, media, run } = project()
  execFileSync('cp', [join(sampleImages, 'floppy.img'), folder])
  await run('floppy.img')
  expect(readFileSync(join(media, 'floppy.yaml'), 'utf8')).toContain('image: ../floppy.img\n')
})

test('a file that exists is left as it is, whatever its ending', async () => {
  const { media, run } = project()
  mkdirSync(media)
  writeFileSync(join(media, 'ceh-report.yml'), 'source: {image: mine}\n')
  await expect(run(join(sampleImages, 'ceh-report.iso'))).rejects.toThrow(
    /exists already, and is left as it is/,
  )
  expect(readdirSync(media)).toEqual(['ceh-report.yml'])
})

test('of two at once under one name one wins, and the other changes nothing', async () => {
  const { media, run, read } = project()
  const both = await Promise.allSettled(
    ['ceh-report.iso', 'floppy.img'].map((file) =>
      run(join(sampleImages, file), { name: 'same', label: file }),
    ),
  )
  expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  const winner = both[0]?.status === 'fulfilled' ? 'ceh-report.iso' : 'floppy.img'
  expect(read('same')?.label).toBe(winner)
  expect(readdirSync(media)).toEqual(['same.yaml'])
})

test('the same source or identity under a second name is refused, and nothing is written', async () => {
  const { folder, media, run } = project()
  await run(join(sampleImages, 'ceh-report.iso'))
  const again = run(join(sampleImages, 'ceh-report.iso'), { name: 'twice' })
  await expect(again).rejects.toThrow(DesiredError)
  const copy = join(folder, 'copy.iso')
  execFileSync('cp', [join(sampleImages, 'ceh-report.iso'), copy])
  await expect(run(copy)).rejects.toMatchObject({
    message: 'the medium is declared already',
    hint: expect.stringMatching(/^Nothing was written, media\.d\/copy\.yaml neither/),
  })
  expect(readdirSync(media)).toEqual(['ceh-report.yaml'])
})

test('a problem in another file is no reason to refuse', async () => {
  const { media, run } = project()
  mkdirSync(media)
  writeFileSync(join(media, 'broken.yaml'), 'lable: x')
  expect((await run(join(sampleImages, 'ceh-report.iso'))).code).toBe(0)
})

test.each([
  'a: "b',
  "'\\n- x",
  '# no',
  '&a *b !c',
  '%@`|>',
  '{}[],?',
  'yes',
  '1998',
  ' led',
  '\u202e\u{1f4be}é',
])('the volume label %j stays a label', async (label) => {
  const { folder, run, read } = project()
  const image = join(folder, 'disk.img')
  writeFileSync(image, '')
  truncateSync(image, 256 * 1024)
  execFileSync('mkfs.ext2', ['-q', '-F', '-L', label, image], { env: { PATH: sbin }, stdio: 'ignore' })
  const { text } = await run('disk.img')
  const medium = read('disk')
  expect(medium?.expect.volume).toBe(label)
  expect(medium?.label).toBe(label)
  expect(Object.keys(medium?.source ?? {})).toEqual(['type', 'path'])
  expect(text).not.toContain('\u202e')
})

test.each(['\n', 'a\n b: c', '\u001b[31m', 'x\u0000', '"', '---\nx: 1', "'"])(
  'the label %j that a person gives stays a label',
  async (label) => {
    const { run, read } = project()
    await run(join(sampleImages, 'ceh-report.iso'), { label })
    expect(read('ceh-report')?.label).toBe(label)
  },
)

test('names are made from what is there, and one that cannot be is asked for', async () => {
  const { folder, media, run } = project()
  execFileSync('cp', [join(sampleImages, 'ceh-report.iso'), join(folder, 'Informe Ñandú (1999).ISO')])
  await run('Informe Ñandú (1999).ISO')
  expect(readdirSync(media)).toEqual(['informe-nandu-1999.yaml'])
  execFileSync('cp', [join(sampleImages, 'floppy.img'), join(folder, '箱.img')])
  await expect(run('箱.img')).rejects.toThrow('nothing on the medium tells a name for it')
  await expect(run('箱.img', { name: '../x' })).rejects.toThrow(UsageError)
})

test('what is no medium is told for what it is, and nothing is written', async () => {
  const { folder, media, run } = project()
  execFileSync('mkfifo', [join(folder, 'pipe')])
  writeFileSync(join(folder, 'empty.img'), '')
  writeFileSync(join(folder, 'disc.iso.gz'), Buffer.from('1f8b080000000000', 'hex'))
  await expect(run('nowhere')).rejects.toThrow(UsageError)
  await expect(run('pipe')).rejects.toThrow('neither a file nor a folder nor a drive')
  await expect(run('empty.img')).rejects.toThrow(RunError)
  await expect(run('disc.iso.gz')).rejects.toThrow('looks like gzip')
  await expect(run(folder)).rejects.toThrow('where ntt itself works')
  expect(existsSync(media)).toBe(false)
})

test('a file that shows nothing of a medium is declared only if somebody says what it was', async () => {
  const { folder, media, run, read } = project()
  writeFileSync(join(folder, 'README.md'), '# ntt\n'.repeat(200))
  await expect(run('README.md')).rejects.toThrow('no filesystem and no partition that is known')
  expect(existsSync(media)).toBe(false)
  await run('README.md', { kind: 'floppy' })
  expect(read('readme')).toMatchObject({ kind: 'floppy', source: { type: 'image' } })
})

test('a medium that cannot be identified is not declared', async () => {
  const { media, run } = project(async () => ({
    action: 'unknown',
    because: { code: 'unobserved', text: 'no answer' },
  }))
  await expect(run(join(sampleImages, 'ceh-report.iso'))).rejects.toThrow(ObserveError)
  expect(existsSync(media)).toBe(false)
})

test('--json is one document that its schema describes', async () => {
  const { run } = project()
  const { text } = await run(join(sampleImages, 'disk.img'), { json: true })
  expect(documentOf('add', text)).toMatchObject({
    medium: 'disk',
    file: 'media.d/disk.yaml',
    kind: 'disk',
    hash_version: 'v2',
    volumes: [
      { fs: 1, type: 'ext2', label: 'MORNING' },
      { fs: 2, type: 'ext4', label: 'EVENING' },
    ],
  })
})
