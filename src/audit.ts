// What the database, the stores and media.d say against each other. Looks at all of them, believes no flag, writes nothing.
import { auditMedium, failedProofs, missingProducts, outdatedProducts } from './audit/media.ts'
import { auditBlobs, auditStore } from './audit/store.ts'
import { compare } from './model/document.ts'
import type { ExitCode } from './model/errors.ts'
import { declaredHash, nameTaken, ownerOf, strangers } from './model/declared.ts'
import { finding, findingCodes, type Finding, type FindingCode } from './model/finding.ts'
import { sideBySide } from './model/lanes.ts'
import type { Declaration } from './model/medium.ts'
import { isDisplaced } from './model/proofs.ts'
import type { Proof, Unidentified } from './model/stage.ts'
import { needKnownRoot, productRoots } from './model/store.ts'
import type { CatalogueRow, Reader } from './model/world.ts'

export interface Declared extends Pick<Declaration, 'name' | 'file' | 'target' | 'hash' | 'source'> {
  /** The medium that the file is about, whether it says so or not; null where nobody could tell. */
  readonly is: string | null
  /** Why what lies there is not taken for it; null where it is, or could not be looked at. */
  readonly refused: Pick<Unidentified, 'because' | 'displaced'> | null
}

/** Media that are looked at side by side: each costs a question to the database. */
const atOnce = 8

/** It is declared to go no further than to the stage before the database. */
const stopsBefore = ({ target }: Declared): boolean => target === 'imaged' || target === 'enumerated'

/**
 * All findings. `rows`: every medium of the catalogue; `proofs`: what was proven of each. Throws ObserveError where something could
 * not be looked at.
 */
export async function audit(
  declared: readonly Declared[],
  rows: readonly CatalogueRow[],
  proofs: ReadonlyMap<string, readonly Proof[]>,
  world: Reader,
): Promise<readonly Finding[]> {
  const unloaded = new Set(declared.filter(stopsBefore).map(({ name }) => name))
  const wanted = new Map(declared.map((one) => [one.name, one]))
  for (const root of productRoots) await needKnownRoot(root, rows[0]?.rootIds[root] ?? null, world)
  const raws = hashesOf(await world.names('raw:'), '.raw')
  const archives = hashesOf(await world.names('archive:'), '.tar.zst')
  const known = new Set(rows.map(({ hash }) => hash))
  const declarationOf = ({ name }: CatalogueRow): Declared | null =>
    (name === null ? null : wanted.get(name)) ?? null
  const ofMedia = await sideBySide(rows, atOnce, async (row) => {
    const there = {
      raw: raws.has(row.hash),
      archive: archives.has(row.hash),
      asDeclared: row.name !== null && unloaded.has(row.name),
      uncopied: declarationOf(row)?.target === 'loaded',
    }
    const own = proofs.get(row.hash) ?? []
    return [
      ...(await auditMedium(row, there, world)),
      ...failedProofs(row, own),
      ...outdatedProducts(row, own, declarationOf(row)?.target ?? null),
      ...(await missingProducts(row, own, declarationOf(row), world)),
    ]
  })
  const orphan = (code: FindingCode, hash: string, file: string): Finding =>
    finding(code, { name: null, hash }, 1, `${file} is of a medium that the database does not know`)
  const findings = [
    ...ofMedia.flat(),
    ...[...raws.difference(known)].map((hash) => orphan('orphan-raw', hash, `raw:${hash}.raw`)),
    ...[...archives.difference(known)].map((hash) =>
      orphan('orphan-archive', hash, `archive:${hash}.tar.zst`),
    ),
    ...auditDeclared(declared, rows, proofs),
    ...(await auditPartitions(world)),
    ...(await auditBlobs(world)),
    ...(await auditStore(world)),
  ]
  const order = Object.keys(findingCodes)
  return findings.toSorted(
    (a, b) => order.indexOf(a.code) - order.indexOf(b.code) || compare(nameOf(a), nameOf(b)),
  )
}

/** 3 where something that is claimed or recorded is not so, 2 for what is left over or not done, 0 for nothing. */
export function auditExit(findings: readonly Finding[]): ExitCode {
  const grave: readonly FindingCode[] = [
    'false-claim',
    'failed-proof',
    'missing-product',
    'displaced',
    'archived-over-nothing',
    'loaded-in-part',
    'foreign-rows',
    'missing-blob',
    'wrong-size-blob',
  ]
  if (findings.some(({ code }) => grave.includes(code))) return 3
  return findings.length > 0 ? 2 : 0
}

const nameOf = ({ medium, hash }: Finding): string => medium ?? hash ?? ''

const hashesOf = (names: readonly string[] | null, ending: string): ReadonlySet<string> =>
  new Set((names ?? []).filter((name) => name.endsWith(ending)).map((name) => name.slice(0, -ending.length)))

/** Files without a medium in the database, and the other way round. */
function auditDeclared(
  files: readonly Declared[],
  rows: readonly CatalogueRow[],
  proofs: ReadonlyMap<string, readonly Proof[]>,
): readonly Finding[] {
  const declared = files.map((one) => ({ ...one, hash: one.is ?? one.hash }))
  const { unmet, undeclared } = strangers(declared, rows)
  return [
    ...unmet.map((one) =>
      finding('not-met', one, 1, `${one.file} declares it, and nothing was ever done with it`),
    ),
    ...declared.flatMap((one) => {
      const hash = declaredHash(one)
      const text = hash === undefined ? null : nameTaken(one, hash, { media: rows, declared })
      if (text !== null) return [finding('name-taken', one, 1, text)]
      return unmet.includes(one) ? [] : auditSource(one, proofs)
    }),
    ...auditTwice(files),
    ...undeclared.map((row) =>
      finding(
        'undeclared',
        row,
        1,
        'it is in the database, and no file of media.d declares it; ntt add SOURCE --name NAME writes one',
      ),
    ),
  ]
}

/** What lies where a file says that its medium does, and is not taken for it. */
function auditSource(
  { name, hash, refused }: Declared,
  proofs: ReadonlyMap<string, readonly Proof[]>,
): readonly Finding[] {
  if (refused === null) return []
  const { because, displaced } = refused
  return isDisplaced(displaced, proofs.get(displaced ?? '') ?? [])
    ? [finding('displaced', { name, hash: displaced }, 1, because.text)]
    : [finding('unexpected', { name, hash }, 1, because.text)]
}

/** Of files that are about one medium, those that do not get it. */
function auditTwice(files: readonly Declared[]): readonly Finding[] {
  return [...Map.groupBy(files, ({ is }) => is)].flatMap(([is, own]) => {
    const owner = is === null ? undefined : (ownerOf(is, own) ?? own[0])
    if (is === null || owner === undefined) return []
    return own
      .filter((one) => one !== owner)
      .map(({ name, file }) =>
        finding(
          'same-medium',
          { name, hash: is },
          1,
          `${file} declares the medium of ${owner.file} once more, and ntt works on ${owner.name} alone: remove one of the two; or, if it is another medium that begins and ends alike, give it a \`medium_hash\` of 32 hex digits of your own`,
        ),
      )
  })
}

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
