// Programs that lie: each ends with 0 having done nothing, half, something else, too much, or what it did before. None is believed.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ask, freshDatabase } from './support/postgres.ts'
import { sampleProject, type Project } from './support/project.ts'

/** How a program lies. `$real` is the honest one; `"$@"` its arguments. */
const vices = {
  'does nothing': 'exit 0',
  'does half': '"$real" "$@" > "$tmp" || exit; head -c $(( $(stat -c %s "$tmp") / 2 )) "$tmp"',
  'gives wrong bytes of the right size':
    '"$real" "$@" > "$tmp" || exit; LC_ALL=C tr "etaoin" "taoine" < "$tmp"',
  'gives too much': '"$real" "$@" > "$tmp" || exit; cat "$tmp" "$tmp"',
  'repeats what it said of another medium': '"$real" "$@" > /dev/null; cat "$old"',
} as const
type Vice = keyof typeof vices

/** Programs, the medium on which they are needed, and how their words for another medium are had. */
const programs: readonly { program: string; image: string; files: number; old: readonly string[] }[] = [
  { program: 'blkid', image: 'floppy.img', files: 21, old: ['-p', '-o', 'export', 'OTHER'] },
  { program: 'blkid', image: 'ceh-report.iso', files: 1056, old: ['-p', '-o', 'export', 'OTHER'] },
  {
    program: 'partx',
    image: 'disk.img',
    files: 52,
    old: ['-P', '-o', 'NR,START,SECTORS,TYPE,SCHEME,UUID,NAME', 'OTHER'],
  },
  { program: 'zstd', image: 'floppy.img', files: 21, old: ['-dc', 'OTHER'] },
]

function hire(made: Project, program: string, vice: Vice, old: readonly string[]): void {
  const real = execFileSync('sh', ['-c', `PATH=$PATH:/usr/sbin:/sbin command -v ${program}`])
    .toString()
    .trim()
  const folder = made.path('liars')
  mkdirSync(folder)
  const recorded = join(folder, 'old')
  writeFileSync(recorded, '')
  if (vice === 'repeats what it said of another medium') {
    const image = makeOther(made, program)
    writeFileSync(
      recorded,
      execFileSync(
        real,
        old.map((word) => word.replace('OTHER', image)),
        { maxBuffer: 1 << 28 },
      ),
    )
  }
  const script = `#!/bin/sh\nreal=${real}\nold=${recorded}\ntmp=$(mktemp)\ntrap 'rm -f "$tmp"' EXIT\n${vices[vice]}\n`
  writeFileSync(join(folder, program), script, { mode: 0o755 })
  made.programs(folder)
}

function makeOther(made: Project, program: string): string {
  if (program === 'partx' || program === 'fiwalk' || program === 'blkid') {
    // Another disk: one partition in place of two, or another filesystem.
    const image = made.path('other.img')
    execFileSync('sh', [
      '-c',
      `truncate -s 8M ${image} && mkfs.ext2 -q -F ${image} && echo 'start=2048,size=4096,type=83' | sfdisk -q ${image}`,
    ])
    return image
  }
  const tree = made.path('other')
  mkdirSync(tree)
  writeFileSync(join(tree, 'one.txt'), 'one')
  if (program === 'bsdtar') {
    execFileSync('genisoimage', ['-quiet', '-R', '-o', made.path('other.iso'), tree])
    return made.path('other.iso')
  }
  execFileSync('sh', ['-c', `tar -C ${tree} -c . | zstd -q > ${made.path('other.zst')}`])
  return made.path('other.zst')
}

const archives = (made: Project): readonly string[] =>
  existsSync(made.path('.ntt/archive'))
    ? readdirSync(made.path('.ntt/archive')).filter((name) => name.endsWith('.tar.zst'))
    : []

describe.each(programs)('a $program that lies about $image', ({ program, image, files, old }) => {
  test.each(Object.keys(vices) as Vice[])('%s: it is caught, or not a word of it is taken', async (vice) => {
    const database = await freshDatabase()
    const made = sampleProject([image], { database })
    hire(made, program, vice, old)
    const ran = await made.ntt('apply', '--yes')
    rmSync(made.path('liars', program))
    if (ran.code !== 0) {
      expect([3, 4, 5], ran.out + ran.err).toContain(ran.code)
      expect(archives(made)).toEqual([])
      expect(await ask(database, "select stage from proof where ok and stage = 'archive'")).toEqual([])
      expect(made.events().some((event) => event['event'] === 'archive_success')).toBe(false)
      // The liar is gone: the next plan tells what is missing, and everything converges; at most a person must ask for it.
      const told = await made.ntt('plan')
      expect([2, 3], told.out).toContain(told.code)
      const mended = await made.ntt('apply', '--yes', '--redo', `${image.replace(/\.[a-z]+$/, '')}/enumerate`)
      expect(mended.code, mended.out + mended.err).toBe(0)
    }
    // Either way, what was made in the end is the truth.
    expect(archives(made)).toHaveLength(1)
    expect((await made.ntt('plan')).code).toBe(0)
    expect(await ask(database, "select count(*)::int4 as n from inode where type = 'f'")).toEqual([
      { n: files },
    ])
  })
})

describe('a database that alters what it is given', () => {
  const spoil: Readonly<Record<string, string>> = {
    'drops rows of names': 'delete from %s where length(name) % 7 = 0',
    'doubles rows of names': 'insert into %s select * from %s where length(name) % 7 = 0',
    'alters a size': 'update %s set size = size + 1 where size % 7 = 1',
    'alters a name': "update %s set name = name || 'x' where length(name) % 7 = 0",
  }
  test.each(Object.entries(spoil))('%s: the load is not believed', async (what, sql) => {
    const table = what.includes('size') ? 'inode' : 'entry'
    const database = await freshDatabase()
    const made = sampleProject(['ceh-report.iso'], { database })
    await ask(
      database,
      `create function spoil() returns event_trigger language plpgsql as $$
       declare t record;
       begin
         for t in select c.oid::regclass::text as name from pg_class c where c.relkind = 'r' and c.relname ~ '${table}' and c.relname ~ '[0-9]' loop
           execute replace('${sql.replaceAll("'", "''")}', '%s', t.name);
         end loop;
       end $$`,
    )
    await ask(
      database,
      "create event trigger spoil on ddl_command_end when tag in ('CREATE INDEX', 'ALTER TABLE') execute function spoil()",
    )
    const ran = await made.ntt('apply', '--yes')
    expect([3, 4], ran.out + ran.err).toContain(ran.code)
    expect(made.events().some((event) => event['event'] === 'load_success')).toBe(false)
    expect(await ask(database, 'select 1 from medium where enum_done is not null')).toEqual([])
    expect(archives(made)).toEqual([])
    await ask(database, 'drop event trigger spoil')
    const mended = await made.ntt('apply', '--yes')
    expect(mended.code, mended.out + mended.err).toBe(0)
  })
})
