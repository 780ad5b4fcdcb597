// The catalogue again, when the database is gone: equal to the lost one. And an archive without ntt, by its own instructions.
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { beforeAll, expect, test } from 'vitest'
import { ask, freshDatabase } from './support/postgres.ts'
import { sampleProject, scratch, type Project } from './support/project.ts'

/** Digests of what the catalogue holds, in words that do not depend on the order in which media were met. */
async function catalogue(url: string): Promise<Record<string, string>> {
  const tables = {
    medium: 'select medium_hash, hash_version, name, kind, medium_human from medium',
    filesystem:
      'select m.medium_hash, to_jsonb(f) - $$medium_id$$ from filesystem f join medium m using (medium_id)',
    inode: 'select m.medium_hash, to_jsonb(i) - $$medium_id$$ from inode i join medium m using (medium_id)',
    entry: 'select medium_hash, fs, ino, path from path',
    anomaly:
      'select m.medium_hash, to_jsonb(a) - $$medium_id$$ from anomaly a join medium m using (medium_id)',
    outcome:
      'select m.medium_hash, to_jsonb(o) - $$medium_id$$ from outcome o join medium m using (medium_id)',
    blob: 'select blob_id, size from blob',
  }
  const found: Record<string, string> = {}
  for (const [name, sql] of Object.entries(tables)) {
    const [row] = await ask<{ rows: string; digest: string }>(
      url,
      `select count(*)::text as rows, md5(coalesce(string_agg(t::text, '|' order by t::text), '')) as digest from (${sql}) t`,
    )
    found[name] = `${row?.rows} rows, ${row?.digest}`
  }
  return found
}

let made: Project
let lost: Record<string, string>

beforeAll(async () => {
  const database = await freshDatabase()
  made = sampleProject(['floppy.img', 'disk.img', 'box7'], { database })
  mkdirSync(made.path('media.d/box8/a\nb'), { recursive: true })
  writeFileSync(made.path('media.d/box8/a\nb/caf\u00e9.txt'), 'in a folder with a newline')
  writeFileSync(made.path('media.d/box8/left.tmp'), 'nobody wants this')
  writeFileSync(made.path('media.d/box8/twice.txt'), 'the same')
  copyFileSync(made.path('media.d/box8/twice.txt'), made.path('media.d/box8/twice too.txt'))
  execFileSync('ln', [made.path('media.d/box8/twice.txt'), made.path('media.d/box8/linked.txt')])
  // A file of which one name is left out, and the other is not.
  writeFileSync(made.path('media.d/box8/half.tmp'), 'under another name it is wanted')
  execFileSync('ln', [made.path('media.d/box8/half.tmp'), made.path('media.d/box8/wanted.txt')])
  made.medium(
    'box8',
    'label: the eighth box\nsource: {directory: box8}\nexclude: ["*.tmp"]\ntarget: archived\n',
  )
  const { code, out, err } = await made.ntt('apply', '--yes')
  if (code !== 0) throw new Error(out + err)
  lost = await catalogue(database)
})

test('a database that is not gone is left alone', async () => {
  const { code, err } = await made.ntt('rebuild', '--yes')
  expect([code, err]).toEqual([1, expect.stringContaining('knows 4 media: it is not gone')])
})

test('with everything else in its place, the catalogue is the lost one again', async () => {
  const database = await freshDatabase()
  made.env('NTT_DB_URL', database)
  const { code, out, err } = await made.ntt('rebuild', '--yes')
  expect([code, out + err]).toEqual([0, expect.stringContaining('Read the manifests of 4 archives')])
  expect(await catalogue(database)).toEqual(lost)
  expect((await made.ntt('plan')).code).toBe(0)
  expect((await made.ntt('verify', '--log')).code).toBe(0)
  expect(readdirSync(made.path('.ntt/log')).some((name) => name.startsWith('before-'))).toBe(true)
})

test('with sources and files of media.d gone as well, the archives bring it back', async () => {
  const database = await freshDatabase()
  made.env('NTT_DB_URL', database)
  // An image and its file; an image alone; a directory alone, with its enumeration; a directory and its file.
  for (const name of ['disk.yaml', 'disk.img', 'floppy.img', 'box7', 'box7.yaml', 'box8'])
    renameSync(made.path('media.d', name), made.path(`${name}.away`))
  for (const name of readdirSync(made.path('.ntt/raw')).filter((one) => one.endsWith('.raw')))
    rmSync(made.path('.ntt/raw', name))
  const { code, out, err } = await made.ntt('rebuild', '--yes')
  expect([code, out + err]).toEqual([0, expect.anything()])
  expect(out).toContain('disk: its file was lost; media.d/disk.yaml is written again')
  expect(out).toContain('box7: its file was lost; media.d/box7.yaml is written again')
  expect(out).toContain('floppy: its source is away; its archive says which medium it is')
  expect(readFileSync(made.path('media.d/disk.yaml'), 'utf8')).toMatch(
    /image: disk\.img\n.*target: archived\nmedium_hash: /s,
  )
  const again = await catalogue(database)
  expect(again).toEqual(lost)
  expect((await made.ntt('plan')).code).toBe(0)
})

test('an archive that says something else than its name is told and not used', async () => {
  const database = await freshDatabase()
  made.env('NTT_DB_URL', database)
  const [first = '', second = ''] = readdirSync(made.path('.ntt/archive')).filter((name) =>
    name.endsWith('.tar.zst'),
  )
  const away = made.path('first.away')
  renameSync(made.path('.ntt/archive', first), away)
  copyFileSync(made.path('.ntt/archive', second), made.path('.ntt/archive', first))
  const { code, out } = await made.ntt('rebuild', '--yes')
  expect(out).toContain(
    `not used: ${first}: medium: expected ${first.slice(0, 32)}, found ${second.slice(0, 32)}`,
  )
  expect(code).not.toBe(0)
  renameSync(away, made.path('.ntt/archive', first))
})

test('an archive that cannot be read is work to do, and told where nothing else is', async () => {
  const own = sampleProject(['floppy.img'], { database: await freshDatabase() })
  expect((await own.ntt('apply', '--yes')).code).toBe(0)
  const [name = ''] = readdirSync(own.path('.ntt/archive')).filter((one) => one.endsWith('.tar.zst'))
  const archive = own.path('.ntt/archive', name)
  writeFileSync(archive, readFileSync(archive).subarray(0, -40))
  rmSync(own.path('media.d/floppy.yaml'))
  own.env('NTT_DB_URL', await freshDatabase())
  const { code, err } = await own.ntt('rebuild', '--yes', '--quiet')
  expect([code, err]).toEqual([2, expect.stringContaining(`not used: ${name}`)])
})

test('an archive is checked without ntt, by the very instructions in its manifest, and a flipped bit is found by them', () => {
  for (const name of readdirSync(made.path('.ntt/archive')).filter((one) => one.endsWith('.tar.zst'))) {
    const folder = scratch()
    copyFileSync(made.path('.ntt/archive', name), `${folder}/${name}`)
    const manifest = execFileSync('tar', ['--zstd', '-xOf', name, 'MANIFEST.json'], {
      cwd: folder,
      maxBuffer: 1 << 26,
    })
    const { how_to_check: lines, tree } = JSON.parse(manifest.toString()) as {
      readonly how_to_check: readonly string[]
      readonly tree: unknown
    }
    const commands = lines.flatMap(
      (line) => /^ {2}((?:zstd|tar|b3sum) .*?)(?: {2,}.*)?$/.exec(line)?.[1] ?? [],
    )
    expect(commands).toHaveLength(tree === null ? 3 : 4)
    for (const command of commands) execFileSync('sh', ['-c', command], { cwd: folder, stdio: 'pipe' })
    const raw = `${folder}/${name.replace('.tar.zst', '.raw')}`
    expect(existsSync(raw)).toBe(true)
    // What was unpacked and then altered is seen by the list; the packed file by zstd.
    chmodSync(raw, 0o644)
    const bytes = readFileSync(raw)
    bytes[9] = (bytes[9] ?? 0) ^ 1
    writeFileSync(raw, bytes)
    const list = commands.find((command) => command.includes('MANIFEST.b3')) ?? 'false'
    const said = spawnSync('sh', ['-c', list], { cwd: folder, encoding: 'utf8' })
    expect([said.status, said.stdout]).toEqual([1, expect.stringMatching(/\.raw: FAILED/)])
    const packed = readFileSync(`${folder}/${name}`)
    packed[packed.length >> 1] = (packed[packed.length >> 1] ?? 0) ^ 1
    writeFileSync(`${folder}/${name}`, packed)
    expect(() => execFileSync('sh', ['-c', commands[0] ?? 'true'], { cwd: folder, stdio: 'pipe' })).toThrow()
  }
})
