// What the database, the stores and media.d say against each other. Looks at all of them, believes no flag, writes nothing.
import { auditMedium, failedProofs } from './audit/media.ts'
import { auditBlobs, auditStore } from './audit/store.ts'
import type { ExitCode } from './model/errors.ts'
import { finding, findingCodes, type Finding, type FindingCode } from './model/finding.ts'
import type { Proof } from './model/stage.ts'
import type { CatalogueRow, Reader } from './model/world.ts'

/**
 * All findings. `rows`: every medium of the catalogue; `proofs`: what was proven of each; `unloaded`: names of those that are declared to stop
 * before the database. Throws ObserveError where something could not be looked at.
 */
export async function audit(
  rows: readonly CatalogueRow[],
  proofs: ReadonlyMap<string, readonly Proof[]>,
  unloaded: ReadonlySet<string>,
  world: Reader,
): Promise<readonly Finding[]> {
  const raws = hashesOf(await world.names('raw:'), '.raw')
  const archives = hashesOf(await world.names('archive:'), '.tar.zst')
  const known = new Set(rows.map(({ hash }) => hash))
  const findings: Finding[] = []
  for (const row of rows) {
    const there = {
      raw: raws.has(row.hash),
      archive: archives.has(row.hash),
      asDeclared: row.name !== null && unloaded.has(row.name),
    }
    findings.push(...(await auditMedium(row, there, world)))
    findings.push(...failedProofs(row, proofs.get(row.hash) ?? []))
  }
  const orphan = (code: FindingCode, hash: string, file: string): Finding =>
    finding(code, { name: null, hash }, 1, `${file} is of a medium that the database does not know`)
  findings.push(
    ...[...raws.difference(known)].map((hash) => orphan('orphan-raw', hash, `raw:${hash}.raw`)),
    ...[...archives.difference(known)].map((hash) =>
      orphan('orphan-archive', hash, `archive:${hash}.tar.zst`),
    ),
    ...(await auditPartitions(world)),
    ...(await auditBlobs(world)),
    ...(await auditStore(world)),
  )
  const order = Object.keys(findingCodes)
  return findings.toSorted(
    (a, b) =>
      order.indexOf(a.code) - order.indexOf(b.code) || compare(a.medium ?? a.hash, b.medium ?? b.hash),
  )
}

/** 3 where something that is claimed or recorded is not so, 2 for what is left over or not done, 0 for nothing. */
export function auditExit(findings: readonly Finding[]): ExitCode {
  const grave: readonly FindingCode[] = [
    'false-claim',
    'failed-proof',
    'archived-over-nothing',
    'loaded-in-part',
    'missing-blob',
    'wrong-size-blob',
  ]
  if (findings.some(({ code }) => grave.includes(code))) return 3
  return findings.length > 0 ? 2 : 0
}

const compare = (a: string | null, b: string | null): number =>
  (a ?? '') < (b ?? '') ? -1 : (a ?? '') > (b ?? '') ? 1 : 0

const hashesOf = (names: readonly string[] | null, ending: string): ReadonlySet<string> =>
  new Set((names ?? []).filter((name) => name.endsWith(ending)).map((name) => name.slice(0, -ending.length)))

async function auditPartitions(world: Reader): Promise<readonly Finding[]> {
  const rows = await world.query<{ name: string }>(`
    select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent in ('inode'::regclass, 'directory'::regclass, 'entry'::regclass, 'outcome'::regclass) and c.relkind = 'r'
       and not exists (select from medium m where m.medium_id::text = split_part(c.relname, '_', 2))
     order by 1`)
  return rows.map(({ name }) =>
    finding('orphan-partition', null, 1, `table ${name} belongs to no medium`, [name]),
  )
}
