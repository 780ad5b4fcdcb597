// BUG-015, criterion by criterion: success is what was read back, and nothing else.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { ask, freshDatabase } from './support/postgres.ts'
import { project, sampleImages, sampleProject, scratch, type Project } from './support/project.ts'

const iso = join(sampleImages, 'ceh-report.iso')
/** The medium of the report. */
const hash = 'da69350a5b27adf013e02994611cebc3'

interface Run {
  readonly made: Project
  readonly database: string
}

/** The sample CD under the report's own identity. */
async function cehReport(): Promise<Run> {
  const database = await freshDatabase()
  const made = project({ database })
  cpSync(iso, made.path('media.d/ceh-report.iso'))
  made.medium(
    'ceh-report',
    `label: CEH report CD-ROM\nsource: {image: ceh-report.iso}\nmedium_hash: ${hash}\ntarget: archived\n`,
  )
  return { made, database }
}

/** Replaces a program by a script of ours, first on PATH. */
function liar(made: Project, program: string, script: string): void {
  const folder = made.path('liars')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, program), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  made.programs(folder)
}

const named = (made: Project, event: string): readonly Record<string, unknown>[] =>
  made.events().filter((one) => one['event'] === event)

describe('the CD of the report, end to end (criterion 7, test requirement 1)', () => {
  let run: Run
  let code: number
  beforeAll(async () => {
    run = await cehReport()
    const ran = await run.made.ntt('apply', '--yes')
    code = ran.code
    if (code !== 0) throw new Error(ran.out + ran.err)
  })

  test('criterion 1: each success is logged after its start, its work and its witness, with a proof of the same run stored', async () => {
    expect(code).toBe(0)
    const events = run.made.events()
    for (const stage of ['image', 'enum', 'load', 'copy', 'archive']) {
      const order = events.map((one) => String(one['event'])).filter((name) => name.startsWith(`${stage}_`))
      const start = order.indexOf(`${stage}_start`)
      const verify = order.indexOf(`${stage}_verifying`)
      const success = order.indexOf(`${stage}_success`)
      expect([stage, start >= 0, start < verify, verify < success]).toEqual([stage, true, true, true])
    }
    const ids = new Set(events.map((one) => one['run']))
    const proofs = await ask<{ stage: string; run: string; ok: boolean }>(
      run.database,
      'select stage, run, ok from proof',
    )
    expect(proofs.filter(({ ok }) => ok).map(({ stage }) => stage)).toEqual(
      expect.arrayContaining(['image', 'enumerate', 'load', 'copy', 'archive']),
    )
    expect(proofs.every((proof) => ids.has(proof.run))).toBe(true)
  })

  test('criterion 3: the database holds 1,056 file inodes and 1,161 paths, as an independent listing of the disc does', async () => {
    const listed = execFileSync('bsdtar', ['-cf', '-', '--format=mtree', '--options=!all,type', `@${iso}`], {
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
      maxBuffer: 1 << 26,
    })
      .toString('latin1')
      .split('\n')
      .filter((line) => line.startsWith('.'))
    expect([listed.length, listed.filter((line) => line.includes('type=file')).length]).toEqual([1161, 1056])
    const [counts] = await ask<{ files: string; paths: string }>(
      run.database,
      "select (select count(*) from inode where type = 'f')::text as files, (select count(*) from path)::text as paths",
    )
    expect(counts).toEqual({ files: '1056', paths: '1161' })
  })

  test('criterion 4: copy_done and enum_done are the instants of their proofs', async () => {
    const [row] = await ask<{ enum: boolean; copy: boolean }>(
      run.database,
      `select exists (select from proof p where p.medium_hash = m.medium_hash and p.stage = 'load' and p.ok and p.at = m.enum_done) as enum,
              exists (select from proof p where p.medium_hash = m.medium_hash and p.stage = 'copy' and p.ok and p.at = m.copy_done) as copy
         from medium m`,
    )
    expect(row).toEqual({ enum: true, copy: true })
  })

  test('criterion 6: durations are measured on a clock with fractions of a second, and none is 0', () => {
    const durations = run.made
      .events()
      .filter((one) => String(one['event']).endsWith('_success'))
      .map((one) => Number(one['duration_sec']))
    expect(durations.length).toBeGreaterThanOrEqual(5)
    expect(durations.every((seconds) => seconds > 0 && seconds < 600)).toBe(true)
    expect(durations.some((seconds) => !Number.isInteger(seconds))).toBe(true)
  })

  test('every file of the disc is in the store under the BLAKE3 of its own content', async () => {
    const folder = scratch()
    execFileSync('bsdtar', ['-xf', iso, '-C', folder], { env: { ...process.env, LC_ALL: 'C.UTF-8' } })
    const sums = execFileSync('sh', ['-c', 'find . -type f -print0 | xargs -0 b3sum --no-names'], {
      cwd: folder,
      maxBuffer: 1 << 26,
    })
    const expected = new Set(sums.toString().split('\n').filter(Boolean))
    const stored = await ask<{ id: string }>(run.database, "select encode(blob_id, 'hex') as id from blob")
    expect(new Set(stored.map(({ id }) => id))).toEqual(expected)
    for (const id of expected) {
      expect(existsSync(run.made.path('.ntt/by-hash', id.slice(0, 2), id.slice(2, 4), id))).toBe(true)
    }
  })

  test('the archive holds the image, the enumeration and a manifest, and tar and zstd read it', () => {
    const archive = run.made.path('.ntt/archive', `${hash}.tar.zst`)
    const members = execFileSync('tar', ['--zstd', '-tf', archive]).toString().split('\n').filter(Boolean)
    expect(members.some((name) => name.endsWith('.img') || name.endsWith('.iso'))).toBe(true)
    expect(members.some((name) => name.endsWith('.raw'))).toBe(true)
    expect(members.some((name) => name.toLowerCase().includes('manifest'))).toBe(true)
  })

  test('a second plan is empty, and a second apply runs nothing', async () => {
    const planned = await run.made.ntt('plan')
    expect([planned.code, planned.out]).toEqual([0, expect.stringContaining('No changes')])
    const before = named(run.made, 'load_start').length
    expect((await run.made.ntt('apply', '--yes')).code).toBe(0)
    expect(named(run.made, 'load_start')).toHaveLength(before)
  })

  test("the report's own questions to the database answer as it expects", async () => {
    const done = await ask<{ enum: boolean; copy: boolean }>(
      run.database,
      `SELECT enum_done IS NOT NULL AS enum, copy_done IS NOT NULL AS copy FROM medium WHERE medium_hash = '${hash}'`,
    )
    expect(done).toEqual([{ enum: true, copy: true }])
    expect(await ask(run.database, 'SELECT COUNT(*)::int4 FROM inode_p_da69350a')).toEqual([{ count: 1056 }])
    const tables = await ask<{ relname: string }>(
      run.database,
      `SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relname ~ '^(inode_.*da69350a.*)$'`,
    )
    expect(tables).toHaveLength(1)
    const affected = await ask(
      run.database,
      `SELECT m.medium_hash, m.medium_human, m.message, m.enum_done, m.copy_done FROM medium m
        WHERE m.image_path IS NOT NULL AND (m.enum_done IS NULL OR m.copy_done IS NULL) ORDER BY added_at`,
    )
    expect(affected).toEqual([])
  })
})

describe('nothing is believed (criteria 1, 2 and 5, test requirement 2)', () => {
  test('criterion 2: a program that ends with an error halts the medium before load, copy and archive', async () => {
    const { made, database } = await cehReport()
    for (const program of ['blkid', 'partx']) liar(made, program, 'echo broken >&2; exit 1')
    const ran = await made.ntt('apply', '--yes')
    expect(ran.code).not.toBe(0)
    expect(named(made, 'enum_success')).toHaveLength(0)
    expect(made.events().some((one) => /^(load|copy|archive)_start$/.test(String(one['event'])))).toBe(false)
    expect(existsSync(made.path('.ntt/archive', `${hash}.tar.zst`))).toBe(false)
    expect(await ask(database, 'select copy_done from medium where copy_done is not null')).toEqual([])
  })

  test('criteria 1 and 3: a load whose rows are silently fewer is an error, and no archive is made', async () => {
    const { made, database } = await cehReport()
    expect((await made.ntt('apply', '--yes', '--target', 'enumerated')).code).toBe(0)
    // Whatever is loaded, a tenth of it vanishes before the keys are made.
    await ask(
      database,
      `create function drop_rows() returns event_trigger language plpgsql as $$
        declare t record;
        begin
          for t in select c.oid::regclass as name from pg_class c where c.relkind = 'r' and c.relname ~ 'entry' and c.relname ~ '[0-9]' loop
            execute format('delete from %s where length(name) %% 10 = 0', t.name);
          end loop;
        end $$`,
    )
    await ask(
      database,
      "create event trigger thin on ddl_command_end when tag in ('CREATE INDEX') execute function drop_rows()",
    )
    const ran = await made.ntt('apply', '--yes')
    expect([3, 4]).toContain(ran.code)
    expect(named(made, 'load_success')).toHaveLength(0)
    expect(named(made, 'copy_start')).toHaveLength(0)
    expect(existsSync(made.path('.ntt/archive', `${hash}.tar.zst`))).toBe(false)
  })

  test('criterion 5: while copy cannot be proven, no archive is made', async () => {
    const { made } = await cehReport()
    expect((await made.ntt('apply', '--yes', '--target', 'copied')).code).toBe(0)
    const blobs = made.path('.ntt/by-hash')
    const [first] = execFileSync('find', [
      blobs,
      '-type',
      'f',
      '-size',
      '+1k',
      '-name',
      '????????????????????????????????????????????????????????????????',
    ])
      .toString()
      .split('\n')
    rmSync(String(first))
    const ran = await made.ntt('apply', '--yes')
    expect(ran.code).toBe(3)
    expect(existsSync(made.path('.ntt/archive', `${hash}.tar.zst`))).toBe(false)
  })
})

describe('da69350a is processed again (criterion 8)', () => {
  test('its image, enumeration and archive exist, its timestamps do not: load and copy are planned, the archive is proven', async () => {
    const { made, database } = await cehReport()
    // What the older pipeline left: an enumeration in its format, an archive of the image alone, and a row without timestamps.
    const tree = scratch()
    execFileSync('bsdtar', ['-xf', iso, '-C', tree], { env: { ...process.env, LC_ALL: 'C.UTF-8' } })
    mkdirSync(made.path('.ntt/raw'), { recursive: true })
    const raw = execFileSync(
      'find',
      [tree, '-printf', String.raw`%y\034%D\034%i\034%n\034%s\034%Ts\034/mnt/ntt/${hash}/%P\0`],
      { maxBuffer: 1 << 26 },
    )
    writeFileSync(made.path('.ntt/raw', `${hash}.raw`), raw)
    mkdirSync(made.path('.ntt/archive'), { recursive: true })
    const staged = scratch()
    cpSync(iso, join(staged, `${hash}.img`))
    execFileSync('tar', [
      '--zstd',
      '-cf',
      made.path('.ntt/archive', `${hash}.tar.zst`),
      '-C',
      staged,
      `${hash}.img`,
    ])
    const archived = readFileSync(made.path('.ntt/archive', `${hash}.tar.zst`))
    expect((await made.ntt('apply', '--yes', '--target', 'imaged')).code).toBe(0)
    await ask(database, "update medium set message = 'CEH report CD-ROM', enum_done = null, copy_done = null")

    const planned = await made.ntt('plan', '--json')
    expect(planned.code).toBe(2)
    const steps: readonly { stage: string; action: string }[] = JSON.parse(planned.out).lanes[0].steps
    expect(steps.map(({ stage, action }) => `${stage} ${action}`)).toEqual([
      'image keep',
      'enumerate run',
      'load run',
      'copy run',
      'archive prove',
    ])

    const applied = await made.ntt('apply', '--yes')
    expect(applied.code, applied.out + applied.err).toBe(0)
    expect(readFileSync(made.path('.ntt/archive', `${hash}.tar.zst`)).equals(archived)).toBe(true)
    const [row] = await ask<{ files: number; paths: number; message: string }>(
      database,
      `select (select count(*) from inode_p_da69350a)::int4 as files, (select count(*) from path)::int4 as paths, message from medium`,
    )
    expect(row).toEqual({ files: 1056, paths: 1161, message: 'CEH report CD-ROM' })
    expect((await made.ntt('plan')).code).toBe(0)
  })
})

describe('two at once (test requirement 4)', () => {
  test('two applies of the same media converge, and no line of the log is lost or mixed', async () => {
    const database = await freshDatabase()
    const made = sampleProject(['ceh-report.iso', 'floppy.img'], { database })
    const [one, two] = await Promise.all([
      made.ntt('apply', '--yes', '--wait'),
      made.ntt('apply', '--yes', '--wait'),
    ])
    expect([one.code, two.code]).toEqual([0, 0])
    // What the other has done is met, and not unfinished.
    for (const { out } of [one, two]) expect(out).not.toContain('not finished')
    expect((await made.ntt('plan')).code).toBe(0)
    const [doubled] = await ask<{ n: number }>(
      database,
      'select count(*)::int4 as n from (select medium_id, fs, ino from outcome group by 1, 2, 3 having count(*) > 1) as twice',
    )
    expect(doubled).toEqual({ n: 0 })
    const events = made.events()
    for (const run of new Set(events.map((event) => event['run']))) {
      const seqs = events.filter((event) => event['run'] === run).map((event) => event['seq'])
      expect(seqs).toEqual(seqs.map((_, index) => index + 1))
    }
  })
})
