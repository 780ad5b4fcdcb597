// A medium against what is claimed of it: its rows, its outcomes, its archive, and the last proof of each product.
import { mismatch } from '../model/check.ts'
import { examplesKept, finding, type Finding } from '../model/finding.ts'
import { instant } from '../model/instant.ts'
import { targetOf, stageNames, targets, type Declaration, type Target } from '../model/medium.ts'
import type { OlderRecord, Sorting } from '../model/older.ts'
import { loadTables } from '../model/partition.ts'
import { archivePlace, findImage, rawPlace } from '../model/places.ts'
import { isOfAnotherImage, latestOf, otherImageText } from '../model/proofs.ts'
import type { Proof } from '../model/stage.ts'
import type { CatalogueRow, Reader } from '../model/world.ts'

/** What the stores have of a medium, and whether it is declared to stop before the database. */
interface There {
  readonly raw: boolean
  readonly archive: boolean
  readonly asDeclared: boolean
  /** It is to be loaded, and no further. */
  readonly uncopied: boolean
}

export async function auditMedium(
  row: CatalogueRow,
  there: There,
  world: Reader,
): Promise<readonly Finding[]> {
  if ((row.load?.tables.length ?? 0) > 0)
    return [...foreignRows(row), ...(await auditLoaded(row, there, world))]
  return row.older === null ? auditUnloaded(row, there) : auditOlder(row, row.older, there, world)
}

/** What is known to be wrong by the last proof of a product, however it looks by its names and sizes. */
export function failedProofs(row: CatalogueRow, proofs: readonly Proof[]): readonly Finding[] {
  return stageNames.flatMap((stage) => {
    const own = proofs.filter((proof) => proof.stage === stage)
    const last = latestOf(own.at(-1)?.of ?? '', own)
    if (last === undefined || last.ok) return []
    const broken = last.checks.filter(({ ok }) => !ok)
    const told = broken.map(mismatch)
    return [
      finding('failed-proof', row, broken.length, `${stage}, ${instant(last.at)} UTC: ${told.join('; ')}`),
    ]
  })
}

/** What was made of an image that another one has taken the place of. */
export function outdatedProducts(
  row: CatalogueRow,
  proofs: readonly Proof[],
  target: Target | null,
): readonly Finding[] {
  const top = target === null ? -1 : stageNames.indexOf(targets[target])
  const stages = stageNames.filter((stage, at) => at <= top && isOfAnotherImage(stage, proofs))
  return stages.length === 0
    ? []
    : [finding('other-image', row, stages.length, `${stages.join(', ')}: ${otherImageText}`)]
}

/** Files that were proven and are not there: no name in their folder tells of them. `declared`: null where no file declares it. */
export async function missingProducts(
  row: CatalogueRow,
  proofs: readonly Proof[],
  declared: (Pick<Declaration, 'target' | 'source'> & { readonly refused: object | null }) | null,
  world: Reader,
): Promise<readonly Finding[]> {
  const top = declared === null ? null : stageNames.indexOf(targets[declared.target])
  const places = { enumerate: rawPlace(row), archive: archivePlace(row) } as const
  const findings: Finding[] = []
  for (const stage of ['enumerate', 'archive'] as const) {
    const last = proofs.findLast((proof) => proof.stage === stage && proof.ok)
    if (last === undefined || (await world.stat(places[stage])) !== null) continue
    const text = `${places[stage]} was proven ${instant(last.at)} UTC, and is not there`
    findings.push(
      top === null || stageNames.indexOf(stage) <= top
        ? finding('missing-product', row, 1, text)
        : finding(
            'missing-beyond',
            row,
            1,
            `${text}; \`target: ${targetOf[stage]}\` would have it made again`,
          ),
    )
  }
  const image = proofs.findLast((proof) => proof.stage === 'image' && proof.ok)
  if (image === undefined || declared === null || declared.source.type === 'directory') return findings
  // Of what lies in its place and is not taken for it, another finding tells.
  if (declared.refused !== null) return findings
  // One that was archived may live there.
  if ((await world.stat(places.archive)) !== null && !isOfAnotherImage('archive', proofs)) return findings
  if ((await findImage({ ...declared, hash: row.hash }, world)) === null) {
    const text = `its image was proven ${instant(image.at)} UTC, and neither that nor an archive of it is there`
    findings.push(finding('missing-product', row, 1, text))
  }
  return findings
}

function auditUnloaded(row: CatalogueRow, there: There): readonly Finding[] {
  const has = [...(there.raw ? ['its enumeration'] : []), ...(there.archive ? ['its archive'] : [])]
  const beside = has.length === 0 ? '' : `; ${has.join(' and ')} ${has.length === 1 ? 'is' : 'are'} there`
  return [
    ...(there.asDeclared ? [] : [finding('never-loaded', row, 1, `no rows are loaded${beside}`)]),
    ...untrue(row, 'enum_done', row.enumDone, 1, 'no rows are loaded'),
    ...untrue(row, 'copy_done', row.copyDone, 1, 'no rows are loaded'),
    ...overNothing(row, there, 1, 'nothing was ever loaded'),
  ]
}

/** Rows without the record that was written with them: whoever took it away took away what they can be compared with. */
const foreignRows = (row: CatalogueRow): readonly Finding[] =>
  [
    { look: row.load, text: 'rows are loaded, and nothing says from which enumeration' },
    { look: row.outcome, text: 'outcomes are there, and nothing says what they were decided by' },
  ].flatMap(({ look, text }) => (look?.origin === '' ? [finding('foreign-rows', row, 1, text)] : []))

async function auditLoaded(row: CatalogueRow, there: There, world: Reader): Promise<readonly Finding[]> {
  const tables = row.load?.tables.length ?? 0
  if (tables < loadTables.length)
    return [
      finding(
        'loaded-in-part',
        row,
        loadTables.length - tables,
        `${tables} of ${loadTables.length} tables are there`,
      ),
    ]
  const [tally] = await world.query<{ files: string; decided: string }>(tallies, [row.mediumId])
  const files = Number(tally?.files)
  const open = files - Number(tally?.decided)
  if (Number.isNaN(open)) throw new TypeError('the tally of a medium is two numbers')
  if (there.uncopied && open === files)
    return untrue(row, 'copy_done', row.copyDone, open, 'nothing was ever copied')
  if (open === 0) return unclaimed(row, row, files, `all ${files} files have an outcome`)
  const paths = await world.query<{ path: Buffer }>(openPaths, [row.mediumId, examplesKept])
  const examples = paths.map(({ path }) => path.toString('latin1'))
  const lost = `${open} of ${files} files`
  return [
    finding('copied-in-part', row, open, `${lost} have no content in the store and no reason`, examples),
    ...untrue(row, 'copy_done', row.copyDone, open, `${lost} were never copied`),
    ...overNothing(row, there, open, `${lost} were never copied`),
  ]
}

/** When each was set, as a text; null where it never was. */
type Claims = Pick<OlderRecord['claims'], 'enumDone' | 'copyDone'>

function unclaimed(
  row: CatalogueRow,
  { enumDone, copyDone }: Claims,
  files: number,
  truth: string,
): readonly Finding[] {
  const absent = [...(enumDone === null ? ['enum_done'] : []), ...(copyDone === null ? ['copy_done'] : [])]
  if (absent.length === 0) return []
  const verb = absent.length === 1 ? 'is' : 'are'
  return [finding('unclaimed', row, files, `${truth}; only ${absent.join(' and ')} ${verb} missing`)]
}

const untrue = (
  row: CatalogueRow,
  claim: 'enum_done' | 'copy_done',
  at: string | null,
  count: number,
  truth: string,
): readonly Finding[] =>
  at === null ? [] : [finding('false-claim', row, count, `${claim} is set (${at}), and ${truth}`)]

const overNothing = (
  row: CatalogueRow,
  { archive }: There,
  count: number,
  truth: string,
): readonly Finding[] =>
  archive ? [finding('archived-over-nothing', row, count, `archived, and ${truth}`)] : []

/** What the older pipeline left of a medium that is not loaded here yet, as it was seen when it was taken over. */
async function auditOlder(
  row: CatalogueRow,
  older: OlderRecord,
  there: There,
  world: Reader,
): Promise<readonly Finding[]> {
  const { sorting, claims, files } = older
  const findings =
    sorting === 'complete'
      ? unclaimed(row, claims, files, `all ${files} files have a content or a reason`)
      : await olderShort(row, sorting, older, there, world)
  return findings.map((one) => ({ ...one, text: `${one.text} (the older pipeline, seen ${older.seenAt})` }))
}

async function olderShort(
  row: CatalogueRow,
  sorting: Exclude<Sorting, 'complete'>,
  { claims, files, lost, paths, records }: OlderRecord,
  there: There,
  world: Reader,
): Promise<readonly Finding[]> {
  const count = sorting === 'copied-in-part' ? lost : 1
  const truth = {
    'never-loaded': 'nothing was ever loaded',
    'loaded-in-part': `${paths} of ${records ?? 'unknown many'} entries were loaded`,
    'copied-in-part': `${lost} of ${files} files have no content in the store and no reason`,
  }[sorting]
  const named = await world.query<{ examples: readonly Buffer[] }>(
    `select examples[1:${examplesKept}] as examples from older where medium_hash = $1`,
    [row.hash],
  )
  const examples = named.flatMap((one) => one.examples.map((path) => path.toString('latin1')))
  return [
    finding(sorting, row, count, truth, examples),
    // A copy cannot be done of what was not loaded; a load can be of what was copied in part.
    ...(sorting === 'copied-in-part' ? [] : untrue(row, 'enum_done', claims.enumDone, count, truth)),
    ...untrue(row, 'copy_done', claims.copyDone, count, truth),
    ...overNothing(row, there, count, truth),
  ]
}

const tallies = `
  select count(*)::text as files, count(o.ino)::text as decided
    from inode i left join outcome o on o.medium_id = $1 and o.fs = i.fs and o.ino = i.ino
   where i.medium_id = $1 and i.type = 'f'`

const openPaths = `
  select p.path from path p
   where p.medium_id = $1
     and (p.fs, p.ino) in (
       select i.fs, i.ino from inode i
        where i.medium_id = $1 and i.type = 'f'
          and not exists (select from outcome o where o.medium_id = $1 and o.fs = i.fs and o.ino = i.ino))
   order by p.path limit $2`
