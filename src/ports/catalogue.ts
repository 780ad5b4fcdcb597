// What the catalogue says of all media, in two questions whatever their number; partitions are seen, not believed.
import type { OlderRecord } from '../model/older.ts'
import type { CatalogueRow, Reader, TableLook } from '../model/world.ts'

type Query = Reader['query']

interface MediumRow {
  readonly medium_id: number
  readonly medium_hash: string
  readonly name: string | null
  readonly enum_done: string | null
  readonly copy_done: string | null
  readonly loaded_from: string | null
  readonly copied_from: string | null
  readonly older: OlderRecord | null
  readonly root_ids: CatalogueRow['rootIds'] | null
}

interface PartitionRow {
  readonly parent: string
  readonly name: string
  readonly filenode: string
  readonly bytes: string
  readonly writes: string
  readonly is_attached: boolean
}

const media = `
  select m.medium_id, m.medium_hash, m.name,
         to_char(m.enum_done at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') as enum_done,
         to_char(m.copy_done at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') as copy_done,
         g.origin as loaded_from, c.origin as copied_from,
         case when o.medium_hash is not null then json_build_object(
           'seenAt', to_char(o.seen_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'), 'sorting', o.sorting,
           'claims', json_build_object(
             'enumDone', to_char(o.enum_done at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
             'copyDone', to_char(o.copy_done at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'), 'health', o.health),
           'files', o.files, 'lost', o.lost, 'paths', o.paths, 'records', o.records) end as older,
         (select json_object_agg(root, store_id) from store) as root_ids
    from medium m
    left join older o using (medium_hash)
    left join generation g using (medium_id)
    left join copying c using (medium_id)
   where $1::text is null or m.medium_hash = $1`

// A partition's name is <parent>_<medium_id>_<first digits of the hash>; its number is what counts.
const partitions = `
  select parent.relname as parent, child.relname as name, child.relfilenode::text as filenode,
         pg_relation_size(child.oid)::text as bytes,
         (coalesce(s.n_tup_ins, 0) + coalesce(s.n_tup_upd, 0) + coalesce(s.n_tup_del, 0))::text as writes, true as is_attached
    from pg_inherits i
    join pg_class child on child.oid = i.inhrelid
    join pg_class parent on parent.oid = i.inhparent
    left join pg_stat_user_tables s on s.relid = child.oid
   where i.inhparent in ('inode'::regclass, 'directory'::regclass, 'entry'::regclass, 'outcome'::regclass)
     and child.relkind = 'r'
     and ($1::int4 is null or split_part(child.relname, '_', 2) = $1::int4::text)
   union all
  select split_part(c.relname, '_', 1), c.relname, '', '0', '0', false
    from medium m
    cross join (values ('inode'), ('directory'), ('entry'), ('outcome')) p (parent)
    join pg_class c on c.relname = concat_ws('_', p.parent, m.medium_id, left(m.medium_hash, 8))
   where c.relkind = 'r' and pg_table_is_visible(c.oid) and ($1::int4 is null or m.medium_id = $1::int4)
     and not exists (select from pg_inherits where inhrelid = c.oid)
   order by 2`

/** All media of the catalogue by their hash, or one of them. */
export async function readCatalogue(
  query: Query,
  hash: string | null,
): Promise<ReadonlyMap<string, CatalogueRow>> {
  const rows = await query<MediumRow>(media, [hash])
  const only = hash === null ? null : (rows[0]?.medium_id ?? -1)
  const tables = await query<PartitionRow>(partitions, [only])
  const byMedium = new Map<number, PartitionRow[]>()
  for (const table of tables) {
    const id = Number(table.name.split('_')[1])
    const list = byMedium.get(id)
    if (list === undefined) byMedium.set(id, [table])
    else list.push(table)
  }
  return new Map(
    rows.map((row) => {
      const own = byMedium.get(row.medium_id) ?? []
      const loaded = own.filter(({ parent }) => parent !== 'outcome')
      const copied = own.filter(({ parent }) => parent === 'outcome')
      return [
        row.medium_hash,
        {
          mediumId: row.medium_id,
          hash: row.medium_hash,
          name: row.name,
          enumDone: row.enum_done,
          copyDone: row.copy_done,
          load: look(row.loaded_from, loaded),
          outcome: look(row.copied_from, copied),
          older: row.older,
          rootIds: row.root_ids ?? {},
        },
      ]
    }),
  )
}

/** Tables without a record of their origin are a look too: something is there, and nobody says what. */
function look(origin: string | null, tables: readonly PartitionRow[]): TableLook | null {
  if (origin === null && tables.length === 0) return null
  const attached = tables.filter(({ is_attached }) => is_attached)
  const detached = tables.flatMap(({ is_attached, name }) => (is_attached ? [] : [name]))
  return {
    ...(detached.length > 0 && { detached }),
    origin: origin ?? '',
    tables: attached.map(({ name, filenode, bytes, writes }) => ({
      name,
      filenode,
      bytes: Number(bytes),
      writes,
    })),
  }
}
