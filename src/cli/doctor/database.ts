// The database: which one, whether it answers, its version, and how far its schema is. Makes and changes nothing in it.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../../config.ts'
import { counted } from '../../model/counted.ts'
import { NttError } from '../../model/errors.ts'
import { rootMarker } from '../../model/places.ts'
import { knownRootId, otherRoot, otherRootHint, productRoots } from '../../model/store.ts'
import type { RootName } from '../../model/world.ts'
import { readText } from '../../ports/files.ts'
import { readMigrations, schemaState } from '../../ports/migrate.ts'
import type { SchemaState } from '../../ports/migrate.ts'
import { nameOf } from '../../ports/postgres/errors.ts'
import { openDatabase } from '../../ports/postgres.ts'
import { openServer, serverExists } from '../../ports/server/index.ts'
import type { Finding } from '../../views/doctor.ts'
import { lostDatabase } from '../lost-database.ts'

export async function lookAtDatabase(
  { database, roots }: Pick<Config, 'database' | 'roots'>,
  packageRoot: string,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const isOurs = database === null
  const name = isOurs ? 'private' : 'PostgreSQL'
  const base = { area: 'database', name } as const
  try {
    if (isOurs && !serverExists(roots.postgres)) {
      const lost = await lostDatabase({ roots })
      if (lost !== null) throw lost
      const archives = await archivesIn(roots.archive)
      if (archives === 0)
        return [{ ...base, condition: 'good', text: `in ${roots.postgres}; the first 'ntt apply' makes it` }]
      const text = `none in ${roots.postgres}, and ${counted(archives, 'archive')} in ${roots.archive}: was it lost?`
      return [{ ...base, condition: 'note', text, fix: 'ntt rebuild makes it again from what is there.' }]
    }
    const server = isOurs ? await openServer({ directory: roots.postgres, packageRoot, signal }) : null
    try {
      const open = await openDatabase({
        where: server ?? database ?? '',
        run: 'doctor',
        readers: 1,
        writers: 1,
      })
      try {
        const query = <Row>(sql: string, params?: readonly unknown[]): Promise<readonly Row[]> =>
          open.query<Row>(sql, params)
        const [row] = await query<{ version: string }>("select current_setting('server_version') as version")
        const where = isOurs ? `in ${roots.postgres}` : open.name
        const text = `${where}; PostgreSQL ${row?.version ?? 'of unknown version'}`
        const state = await schemaState(query, await readMigrations(join(packageRoot, 'schemas/sql')))
        const store = state === 'current' ? await rootFindings(query, roots) : []
        return [{ ...base, condition: 'good', text }, schemaFinding(state), ...store]
      } finally {
        await open.close()
      }
    } finally {
      await server?.leave()
    }
  } catch (error) {
    if (!(error instanceof NttError)) throw error
    const where = isOurs ? roots.postgres : nameOf(database)
    const text = error.message.includes(where) ? error.message : `${where}: ${error.message}`
    return [{ ...base, condition: 'unknown', text, ...(error.hint !== undefined && { fix: error.hint }) }]
  }
}

/** Whether any can be read is told with the roots. */
async function archivesIn(root: string): Promise<number> {
  const names = await readdir(root).catch(() => [])
  return names.filter((name) => name.endsWith('.tar.zst')).length
}

/** Whether the roots are those that the database knows; nothing of those that it does not know yet. */
async function rootFindings(
  query: <Row>(sql: string, params?: readonly unknown[]) => Promise<readonly Row[]>,
  roots: Readonly<Record<RootName, string>>,
): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const root of ['by-hash', ...productRoots] as const) {
    const known = await knownRootId(root, query)
    if (known === null) continue
    const path = roots[root]
    const found = (await readText(join(path, rootMarker(root).replace(`${root}:`, ''))))?.trim() ?? null
    const other = otherRoot(root, path, { known, found })
    const base = { area: 'database', name: root === 'by-hash' ? 'store' : `root ${root}` } as const
    findings.push(
      other === null
        ? { ...base, condition: 'good', text: `the one in ${path}, ${known}` }
        : {
            ...base,
            condition: 'problem',
            text: other,
            fix: otherRootHint(root, path, { known, found }),
          },
    )
  }
  return findings
}

function schemaFinding(state: SchemaState): Finding {
  const base = { area: 'database', name: 'schema' } as const
  switch (state) {
    case 'current':
      return { ...base, condition: 'good', text: 'the one of this ntt' }
    case 'none':
      return { ...base, condition: 'good', text: "none yet; the first 'ntt apply' makes it" }
    case 'behind':
      return { ...base, condition: 'good', text: "of an older ntt; the next 'ntt apply' brings it up" }
    case 'foreign':
      return {
        ...base,
        condition: 'problem',
        text: 'tables of our names that no ntt of ours made: the older pipeline?',
        fix: 'Give ntt another database, and take that one over with: ntt import URL',
      }
    case 'newer':
      return { ...base, condition: 'problem', text: 'made by a newer ntt', fix: 'Use that one here.' }
    case 'altered':
      return {
        ...base,
        condition: 'problem',
        text: 'an applied migration is not the file that this ntt has',
        fix: 'Use the ntt that made it, or another database.',
      }
    default:
      return state satisfies never
  }
}
