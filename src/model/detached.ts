// Tables of a medium that somebody detached: what is told of them, and how they are kept when their names are needed.
import { quoted } from './partition.ts'
import type { TableLook, Transaction, Writer } from './world.ts'

/** To be said behind what is missing; empty where nothing was detached. */
export const detachedText = ({ detached = [] }: Pick<TableLook, 'detached'>): string =>
  detached
    .map((name) => {
      const [parent = '', id = ''] = name.split('_')
      const back = `alter table ${parent} attach partition ${quoted(name)} for values in (${id})`
      return `; somebody detached ${name}: \`${back}\` puts it back, else new rows are made and it is kept under another name`
    })
    .join('')

/** Takes the name from a table that is attached to nothing; the name that it has then, null: there was none. */
async function setAside(name: string, tx: Transaction): Promise<string | null> {
  const [there] = await tx.query<{ number: number }>(
    `select (select count(*) + 1 from pg_class o where starts_with(o.relname, $2))::int4 as number
       from pg_class c where c.oid = to_regclass($1) and not exists (select from pg_inherits where inhrelid = c.oid)`,
    [quoted(name), `${name}_detached_`],
  )
  if (there === undefined) return null
  const ending = `_detached_${there.number}`
  const indexes = await tx.query<{ name: string }>(
    'select c.relname as name from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = to_regclass($1)',
    [quoted(name)],
  )
  for (const index of indexes)
    await tx.execute(`alter index ${quoted(index.name)} rename to ${quoted(`${index.name}${ending}`)}`)
  await tx.execute(`alter table ${quoted(name)} rename to ${quoted(`${name}${ending}`)}`)
  return `${name}${ending}`
}

/** Frees these names in the transaction that needs them; `tell` says it to people, once that is done for good. */
export async function freeNames(
  names: readonly string[],
  tx: Transaction,
): Promise<{ tell(world: Pick<Writer, 'note'>): void }> {
  const kept: [string, string][] = []
  for (const name of names) {
    const now = await setAside(name, tx)
    if (now !== null) kept.push([name, now])
  }
  return {
    tell(world) {
      for (const [name, now] of kept)
        world.note(`the table ${name} had been detached: it is kept as ${now}, and nothing of ntt needs it`)
    },
  }
}
