// Programs and databases that lie: each ends well having done nothing, half, something else, too much, or what it did before. None is believed.
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { make } from './support/looking.ts'
import { ask, freshDatabase } from './support/postgres.ts'
import { project, sampleImages, sampleProject, type Project } from './support/project.ts'
import { plainTree } from './support/trees.ts'

/** How a program lies that tells by its stdout. `$real` is the honest one, `"$@"` its arguments, `$old` what it said of another medium. */
const telling = {
  'does nothing': 'exit 0',
  'does half': '"$real" "$@" > "$tmp" || exit; head -c $(( $(stat -c %s "$tmp") / 2 )) "$tmp"',
  'gives wrong bytes of the right size':
    '"$real" "$@" > "$tmp" || exit; LC_ALL=C tr "etaoin" "taoine" < "$tmp"',
  'gives too much': '"$real" "$@" > "$tmp" || exit; cat "$tmp" "$tmp"',
  'repeats what it said of another medium': '"$real" "$@" > /dev/null; cat "$old"',
}

/** The same of one that leaves an image and a map: the last three of its arguments are what it reads, writes and maps. */
const imaging = {
  'does nothing': 'exit 0',
  'does half': '"$real" "$@"; truncate -s $(( $(stat -c %s "$image") / 2 )) "$image"',
  'gives wrong bytes of the right size':
    '"$real" "$@"; LC_ALL=C tr "etaoin" "taoine" < "$image" > "$tmp"; cat "$tmp" > "$image"',
  'gives too much': '"$real" "$@"; cat "$image" > "$tmp"; cat "$tmp" >> "$image"',
  'leaves the image of another medium':
    '"$real" "$@"; head -c $(stat -c %s "$image") "$old" > "$tmp"; cat "$tmp" > "$image"',
  'says that all is read, and left zeros':
    'truncate -s $(stat -c %s "$source") "$image"; printf "# Mapfile\\n0x0 + 1\\n0x0 0x%X +\\n" $(stat -c %s "$source") > "$map"',
}

/** One that reads single sectors. */
const probing = {
  'does nothing': 'exit 0',
  'does half': telling['does half'],
  'gives wrong bytes of the right size': telling['gives wrong bytes of the right size'],
}

interface Scene {
  readonly program: string
  readonly of: string
  /** Files that are really on it. */
  readonly files: number
  readonly vices: Readonly<Record<string, string>>
  /** Declares the medium `it`. */
  readonly declare: (made: Project) => void
  /** What the honest program says of another medium. */
  readonly old: (made: Project, real: string) => Buffer
  /** Lies that nobody else can contradict. */
  readonly alone?: readonly string[]
}

const sample =
  (image: string) =>
  (made: Project): void => {
    cpSync(join(sampleImages, image), made.path('media.d', image))
    made.medium('it', `source: {image: ${image}}\ntarget: archived\n`)
  }

/** A disc in a drive: a file will do for ddrescue and dd. */
const inDrive = (made: Project): void => {
  cpSync(join(sampleImages, 'floppy.img'), made.path('drive'))
  made.medium('it', 'kind: floppy\nsource: {device: ../drive}\ntarget: archived\n')
}

const squash = (made: Project): void => {
  const tree = plainTree(made.path('tree'))
  make('mksquashfs', tree, made.path('media.d/it.img'), '-quiet', '-no-progress')
  made.medium('it', 'source: {image: it.img}\ntarget: archived\n')
}

/** The same where the kernel may not be asked. */
const squashForUsers = (made: Project): void => {
  squash(made)
  mkdirSync(made.path('others'))
  writeFileSync(made.path('others/id'), '#!/bin/sh\necho 1000\n', { mode: 0o755 })
  made.programs(made.path('others'))
}

const run = (real: string, ...args: readonly string[]): Buffer =>
  execFileSync(real, args, { maxBuffer: 1 << 28 })

/** Another disk: one partition, and a filesystem that begins where it does not. */
const otherDisk = (made: Project): string => {
  const image = made.path('other.img')
  writeFileSync(image, '')
  truncateSync(image, 8 << 20)
  make('mkfs.ext2', '-q', '-F', image)
  execFileSync('sfdisk', ['-q', image], { input: 'start=2048,size=4096,type=83\n' })
  return image
}

const blkid = {
  program: 'blkid',
  vices: telling,
  old: (made: Project, real: string) => run(real, '-p', '--output=udev', otherDisk(made)),
}
const drive = {
  of: 'a disc in a drive',
  files: 21,
  declare: inDrive,
  old: (made: Project) => run('cat', otherDisk(made)),
}

const scenes: readonly Scene[] = [
  { ...blkid, of: 'a floppy', files: 21, declare: sample('floppy.img') },
  { ...blkid, of: 'a CD', files: 1056, declare: sample('ceh-report.iso') },
  {
    program: 'partx',
    of: 'a disk',
    files: 52,
    vices: telling,
    declare: sample('disk.img'),
    old: (made, real) => run(real, '-P', '-o', 'NR,START,SECTORS,TYPE,SCHEME', otherDisk(made)),
  },
  { program: 'ddrescue', vices: imaging, ...drive },
  { program: 'dd', vices: probing, ...drive },
  {
    program: 'sqfs2tar',
    of: 'a squashfs, for a user who may not mount',
    files: 106,
    vices: telling,
    declare: squashForUsers,
    old: (made, real) => {
      mkdirSync(made.path('o'))
      writeFileSync(made.path('o/one'), 'one')
      make('mksquashfs', made.path('o'), made.path('o.sqfs'), '-quiet', '-no-progress')
      return run(real, '--root-becomes', '.', '--no-hard-links', made.path('o.sqfs'))
    },
    alone: ['repeats what it said of another medium'],
  },
  {
    program: 'zstd',
    of: 'an archive',
    files: 21,
    vices: telling,
    declare: sample('floppy.img'),
    old: (made, real) => {
      execFileSync('sh', ['-c', 'mkdir o && echo one > o/one.txt && tar -C o -c . | zstd -q > o.zst'], {
        cwd: made.folder,
      })
      return run(real, '-dc', made.path('o.zst'))
    },
  },
  ...(process.getuid?.() === 0
    ? ['mount', 'nsenter', 'unshare'].map((program) => ({
        program,
        of: 'a filesystem that only the kernel reads',
        files: 106,
        vices: { 'does nothing': 'exit 0' },
        declare: squash,
        old: () => Buffer.alloc(0),
      }))
    : []),
]

const cases = scenes.flatMap((scene) => Object.keys(scene.vices).map((vice) => ({ ...scene, vice })))

function hire(made: Project, { program, vices, vice, old }: (typeof cases)[number]): void {
  const real = execFileSync('sh', ['-c', `PATH=$PATH:/usr/sbin:/sbin command -v ${program}`])
    .toString()
    .trim()
  const folder = made.path('liars')
  mkdirSync(folder)
  writeFileSync(join(folder, 'old'), old(made, real))
  const script = [
    '#!/bin/sh',
    `real=${real}; old=${join(folder, 'old')}; tmp=$(mktemp)`,
    'trap \'rm -f "$tmp"\' EXIT',
    // A version is told as it is: whoever lies about that is not asked.
    'case $1 in -V|--version) exec "$real" "$@";; esac',
    `: > ${join(folder, 'asked')}`,
    'for one; do source=$image; image=$map; map=$one; done',
    vices[vice] ?? '',
    '',
  ].join('\n')
  writeFileSync(join(folder, program), script, { mode: 0o755 })
  made.programs(folder)
}

const archives = (made: Project): readonly string[] =>
  existsSync(made.path('.ntt/archive'))
    ? readdirSync(made.path('.ntt/archive')).filter((name) => name.endsWith('.tar.zst'))
    : []

const successes = (made: Project): readonly string[] =>
  made
    .events()
    .map(({ event }) => String(event))
    .filter((event) => /^(load|copy|archive)_success$/.test(event))

/** Nothing that follows was done or recorded, and the next plan tells what is missing. */
async function nothingAdvanced(made: Project, database: string): Promise<void> {
  expect(archives(made)).toEqual([])
  expect(successes(made)).not.toContain('archive_success')
  expect(await ask(database, "select stage from proof where ok and stage = 'archive'")).toEqual([])
  const told = await made.ntt('plan')
  expect([2, 3], told.out).toContain(told.code)
}

describe.each(cases)('$program, of $of, $vice', (one) => {
  test('it is caught, or not a word of it is taken; without it everything converges by itself', async () => {
    const database = await freshDatabase()
    const made = project({ database })
    one.declare(made)
    hire(made, one)
    const ran = await made.ntt('apply', '--yes')
    // Who was never asked has not lied to anybody.
    expect(existsSync(made.path('liars/asked'))).toBe(true)
    rmSync(made.path('liars', one.program))
    if (ran.code !== 0) {
      expect([3, 4, 5], ran.out + ran.err).toContain(ran.code)
      await nothingAdvanced(made, database)
      const mended = await made.ntt('apply', '--yes')
      expect(mended.code, ran.out + mended.out + mended.err).toBe(0)
    }
    if (one.alone?.includes(one.vice) === true) {
      // Nobody else could tell: then it is said whose word it is, wherever the enumeration is spoken of.
      const why = await made.ntt('why', 'it', 'enumerate')
      expect([ran.code, why.out]).toEqual([
        0,
        expect.stringMatching(new RegExp(`known by ${one.program} \\S+ alone`)),
      ])
      return
    }
    // Either way, what was made in the end is the truth.
    expect(archives(made)).toHaveLength(1)
    expect((await made.ntt('plan')).code).toBe(0)
    expect(await ask(database, "select count(*)::int4 as n from inode where type = 'f'")).toEqual([
      { n: one.files },
    ])
    expect(made.events().filter(({ event }) => event === 'archive_success')).toHaveLength(1)
  })
})

/** A database that spoils what it is given, as soon as the tables are there. */
async function spoil(database: string, table: string, sql: string): Promise<void> {
  await ask(
    database,
    `create function spoil() returns event_trigger language plpgsql as $$
     declare t record;
     begin
       for t in select c.oid::regclass::text as name from pg_class c where c.relkind = 'r' and c.relname ~ '^${table}_[0-9]' loop
         execute replace('${sql.replaceAll("'", "''")}', '%s', t.name);
       end loop;
     end $$`,
  )
  await ask(
    database,
    "create event trigger spoil on ddl_command_end when tag in ('CREATE INDEX', 'ALTER TABLE') execute function spoil()",
  )
}

/** A trigger on a table that is always there. */
const watch = (table: string, when: string, body: string): string =>
  `create function spoil() returns trigger language plpgsql as $$ begin ${body} end $$;
   create trigger spoil before ${when} on ${table} for each row execute function spoil()`

describe('a database that alters what it is given', () => {
  test.each([
    ['drops rows of names', 'entry', 'delete from %s where length(name) % 7 = 0'],
    ['doubles rows of names', 'entry', 'insert into %s select * from %s where length(name) % 7 = 0'],
    ['alters a size', 'inode', 'update %s set size = size + 1 where size % 7 = 1'],
    ['alters a name', 'entry', "update %s set name = name || 'x' where length(name) % 7 = 0"],
    ['drops directories', 'directory', 'delete from %s where dir % 3 = 1'],
    ['alters where links lead', 'inode', "update %s set target = target || 'x' where type = 'l'"],
  ])('%s: the load is not believed, and nothing follows it', async (_what, table, sql) => {
    const database = await freshDatabase()
    const made = sampleProject(['ceh-report.iso'], { database })
    await spoil(database, table, sql)
    const ran = await made.ntt('apply', '--yes')
    expect([3, 4], ran.out + ran.err).toContain(ran.code)
    expect(successes(made)).toEqual([])
    expect(await ask(database, 'select 1 from medium where enum_done is not null')).toEqual([])
    await nothingAdvanced(made, database)
    await ask(database, 'drop event trigger spoil')
    const mended = await made.ntt('apply', '--yes')
    expect(mended.code, mended.out + mended.err).toBe(0)
  })

  test.each([
    [
      'drops outcomes',
      watch('outcome', 'insert', 'if new.ino % 3 = 1 then return null; end if; return new;'),
    ],
    [
      'alters which content a file has',
      watch(
        'outcome',
        'insert',
        'if new.ino % 3 = 1 then new.blob_id = set_byte(new.blob_id, 0, 255 - get_byte(new.blob_id, 0)); end if; return new;',
      ),
    ],
    [
      'calls files left out',
      watch(
        'outcome',
        'insert',
        "if new.ino % 3 = 1 then new.state = 'x'; new.blob_id = null; end if; return new;",
      ),
    ],
    ['drops contents', watch('blob', 'insert', 'if new.size % 3 = 1 then return null; end if; return new;')],
    ['alters the size of a content', watch('blob', 'insert', 'new.size = new.size + 1; return new;')],
  ])('%s: the copy is not believed, and nothing follows it', async (_what, sql) => {
    const database = await freshDatabase()
    const made = sampleProject(['floppy.img'], { database })
    await ask(database, sql)
    const ran = await made.ntt('apply', '--yes')
    expect([3, 4], ran.out + ran.err).toContain(ran.code)
    expect(successes(made)).toEqual(['load_success'])
    expect(await ask(database, 'select 1 from medium where copy_done is not null')).toEqual([])
    await nothingAdvanced(made, database)
    await ask(database, 'drop function spoil cascade')
    const mended = await made.ntt('apply', '--yes')
    expect(mended.code, ran.out + mended.out + mended.err).toBe(0)
    expect((await made.ntt('verify', '--depth', 'hash')).code).toBe(0)
  })

  test.each([
    ['drops proofs', watch('proof', 'insert', "if new.stage = 'load' then return null; end if; return new;")],
    [
      'drops the claim that goes with a proof',
      watch('medium', 'update', 'if new.enum_done is not null then return null; end if; return new;'),
    ],
    ['drops the head of the chain', watch('proof_head', 'update', 'return null;')],
  ])('%s: the step fails, and nothing follows it', async (_what, sql) => {
    const database = await freshDatabase()
    const made = sampleProject(['floppy.img'], { database })
    await ask(database, sql)
    const ran = await made.ntt('apply', '--yes')
    expect([3, 4, 5], ran.out + ran.err).toContain(ran.code)
    expect(successes(made)).toEqual([])
    expect(await ask(database, 'select 1 from medium where enum_done is not null')).toEqual([])
    await nothingAdvanced(made, database)
    await ask(database, 'drop function spoil cascade')
    const mended = await made.ntt('apply', '--yes')
    expect(mended.code, ran.out + mended.out + mended.err).toBe(0)
  })
})
