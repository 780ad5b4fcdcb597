// Rows of the catalogue against the rows that the enumeration makes: every byte of them, read back from the server.
import type { Check } from '../../model/stage.ts'
import type { Reader } from '../../model/world.ts'
import { anyOrder, inOrder, type Mark } from './marks.ts'
import { columns, tables, type Expected, type Rows, type Table } from './rows.ts'
import { markTuples, type Told } from './tuples.ts'

/** A COPY of the rows of each table. */
export type Copies = Readonly<Partial<Record<Table, string>>>

/** The rows of a medium as the catalogue has them. */
export async function presentRows(id: number, world: Reader): Promise<Copies> {
  const copies = await Promise.all(
    tables.map(async (table) => [table, await copyOfPart(table, id, world)] as const),
  )
  return Object.fromEntries(copies)
}

/**
 * Of a partition itself: that is read from its beginning to its end by one process, so in the order of its rows. Somebody who may read the
 * parent alone gets them through it, in whatever order.
 */
async function copyOfPart(table: Table, id: number, world: Reader): Promise<string> {
  const list = columns[table].join(', ')
  const [part] = await world.query<{ name: string; readable: boolean }>(
    `select tableoid::regclass::text as name, has_table_privilege(tableoid, 'select') as readable
       from ${table} where medium_id = $1 limit 1`,
    [id],
  )
  return table === 'anomaly' || part?.readable !== true
    ? `copy (select ${list} from ${table} where medium_id = ${id}) to stdout (format binary)`
    : `copy ${part.name} (${list}) to stdout (format binary)`
}

/**
 * One check for each table. Rows lie in the order in which they came, so that one hash over the stream tells that they are the same.
 * Where somebody has brought them into another order, `again` makes them once more, and they are compared whatever their order.
 */
export async function compareRows(
  copies: Copies,
  expected: Expected,
  again: (mark: () => Mark) => Promise<Rows>,
  world: Reader,
): Promise<readonly Check[]> {
  const wanted = tables.flatMap((table) => {
    const copy = copies[table]
    return copy === undefined ? [] : [{ table, copy }]
  })
  const marks = await Promise.all(
    wanted.map(async ({ table, copy }) =>
      table === 'anomaly'
        ? (await markTuples(world.copyOut(copy), anyOrder())).mark
        : markStream(world.copyOut(copy), inOrder(world.hasher())),
    ),
  )
  const isSame = ({ table }: { readonly table: Table }, at: number): boolean =>
    marks[at] === expected[table].mark
  if (wanted.every(isSame)) return wanted.map(({ table }) => check(table, expected[table], expected[table]))
  const rows = (await again(anyOrder)).told()
  return Promise.all(
    wanted.map(async ({ table, copy }) =>
      check(table, rows[table], await markTuples(world.copyOut(copy), anyOrder())),
    ),
  )
}

async function markStream(source: AsyncIterable<Buffer>, mark: Mark): Promise<string> {
  for await (const chunk of source) mark.block(chunk)
  return mark.text()
}

const text = ({ members, mark }: Told): string => `${members} rows, ${mark}`

const check = (name: Table, expected: Told, actual: Told): Check => ({
  name,
  ok: text(expected) === text(actual),
  expected: text(expected),
  actual: text(actual),
})
