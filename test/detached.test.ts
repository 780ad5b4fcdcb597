// Tables of a medium that somebody detached from theirs: the plan says it with what puts them back, and apply converges without them.
import { beforeEach, describe, expect, test } from 'vitest'
import { ask, freshDatabase } from './support/postgres.ts'
import { sampleProject, type Project } from './support/project.ts'

let database: string
let made: Project

beforeEach(async () => {
  database = await freshDatabase()
  made = sampleProject(['floppy.img'], { database })
  const { code, out, err } = await made.ntt('apply', '--yes')
  if (code !== 0) throw new Error(out + err)
})

const tableOf = async (parent: string): Promise<string> => {
  const [row] = await ask<{ name: string }>(
    database,
    `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = $1::regclass`,
    [parent],
  )
  return row?.name ?? ''
}

const rowsOf = async (table: string): Promise<number> => {
  const [row] = await ask<{ rows: number }>(database, `select count(*)::int4 as rows from "${table}"`)
  return row?.rows ?? -1
}

describe.each(['inode', 'directory', 'entry', 'outcome'])('a table of %s', (parent) => {
  test('is named by the plan, with the one command that puts it back; then nothing is to be done', async () => {
    const table = await tableOf(parent)
    await ask(database, `alter table ${parent} detach partition "${table}"`)
    const { code, out } = await made.ntt('plan')
    const text = out.replaceAll(/\s+/g, ' ')
    expect([code, text]).toEqual([3, expect.stringContaining(`somebody detached ${table}: \``)])
    const [, command = ''] = /`(alter table [^`]*)`/.exec(text) ?? []
    await ask(database, command)
    expect((await made.ntt('plan')).code).toBe(0)
  })

  test('is made anew by apply, twice as well, and what was detached is kept under another name', async () => {
    for (const number of [1, 2]) {
      const table = await tableOf(parent)
      const rows = await rowsOf(table)
      expect(rows).toBeGreaterThan(0)
      await ask(database, `alter table ${parent} detach partition "${table}"`)
      const { code, out } = await made.ntt('apply', '--yes')
      expect([code, out.replaceAll(/\s+/g, ' ')]).toEqual([
        0,
        expect.stringContaining(
          `the table ${table} had been detached: it is kept as ${table}_detached_${number}`,
        ),
      ])
      expect(await tableOf(parent)).toBe(table)
      expect(await rowsOf(`${table}_detached_${number}`)).toBe(rows)
      expect((await made.ntt('plan')).code).toBe(0)
    }
    expect((await made.ntt('audit')).code).toBe(0)
    expect((await made.ntt('verify', '--depth', 'hash')).code).toBe(0)
  })
})
