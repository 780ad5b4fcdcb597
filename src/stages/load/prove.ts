// The witness of a load: the rows are looked at and compared with the enumeration, read again from its file.
import { equal } from '../../model/check.ts'
import { canonicalJson, fingerprint } from '../../model/canonical.ts'
import { ObserveError } from '../../model/errors.ts'
import type { VolumeReport } from '../../model/entry.ts'
import { both } from '../../model/lanes.ts'
import type { Medium } from '../../model/medium.ts'
import { RawError, type RawCounts, type RawTail } from '../../model/raw/index.ts'
import type { Check, Depth, Verification } from '../../model/stage.ts'
import { tailOf } from '../../model/tail.ts'
import type { Reader } from '../../model/world.ts'
import { compareRows, presentRows } from './compare.ts'
import { parseLoadOrigin } from '../../model/load-origin.ts'
import { originOf, readRaw, remade, volumeFacts, type Remade } from './enumeration.ts'
import { inOrder, type Mark } from './marks.ts'
import type { Expected, Rows } from './rows.ts'

/** Rows as they were made of the enumeration that ends so. */
export interface Made {
  readonly tail: RawTail
  readonly expected: Expected
}

/** `made`: by the load that has just ended, so that the same records need not be made into the same rows once more. */
export async function proveLoad(
  medium: Medium,
  world: Reader,
  depth: Depth,
  made: Made | null,
): Promise<Verification> {
  const row = await world.catalogue(medium.hash)
  if (row === null || row.load === null) {
    return { checks: [equal('rows', 'there', 'none')], figures: {} }
  }
  const id = row.mediumId
  const [tail, found] =
    depth === 'hash' ? await compareBytes(medium, id, world, made) : await compareCounts(medium, id, world)
  const kept = parseLoadOrigin(row.load.origin)
  const sum = (of: (counts: RawCounts) => number): number =>
    tail.counts.reduce((all, one) => all + of(one), 0)
  return {
    checks: [
      equal('enumeration', originOf(tail).content, kept?.content ?? 'unknown'),
      ...found.checks,
      await compareVolumes(tail.volumes, id, world),
    ],
    figures: {
      records: sum(({ records }) => records),
      files: sum(({ files }) => files),
      directories: sum(({ directories }) => directories),
      links: sum(({ links }) => links),
      others: sum(({ others }) => others),
      errors: sum(({ errors }) => errors),
      inodes: sum(({ inodes }) => inodes),
      bytes: sum(({ bytes }) => bytes),
    },
    facts: { filesystems: tail.counts },
    ...(found.content === undefined ? {} : { content: found.content }),
  }
}

interface Found {
  readonly checks: readonly Check[]
  readonly content?: string
}

/** The enumeration once more; one that is damaged is no measure of rows. */
async function measured<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof RawError)) throw error
    throw new ObserveError(`the rows cannot be compared with the enumeration: ${error.message}`, {
      cause: error,
    })
  }
}

/** Every byte of every row against the rows that the enumeration makes. */
async function compareBytes(
  medium: Medium,
  id: number,
  world: Reader,
  made: Made | null,
): Promise<readonly [RawTail, Found]> {
  const again = (mark: () => Mark): Promise<Remade> => measured(() => remade(medium, world, mark))
  const now = made === null ? null : await tailOf(medium, world)
  const { tail, expected } =
    made !== null && now?.complete === true && now.digest === made.tail.digest
      ? made
      : await again(() => inOrder(world.hasher())).then(({ rows, tail: end }) => ({
          tail: end,
          expected: rows.told(),
        }))
  const rowsAgain = async (mark: () => Mark): Promise<Rows> => (await again(mark)).rows
  const checks = await compareRows(await presentRows(id, world), expected, rowsAgain, world)
  // Of the records, not of the rows: those depend on the order in which somebody listed the same.
  return [tail, { checks, content: fingerprint(['rows', originOf(tail).content]) }]
}

interface KindRow {
  readonly fs: number
  readonly type: string | null
  readonly rows: string
  readonly strays: string
}

/** How many of each kind, by filesystem; and whether every name has its inode and its directory. */
async function compareCounts(medium: Medium, id: number, world: Reader): Promise<readonly [RawTail, Found]> {
  const looking = Promise.all([
    world.query<KindRow>(`
      select e.fs, i.type::text as type, count(*)::text as rows, (count(*) - count(d.dir))::text as strays
        from entry e
        left join inode i on i.medium_id = ${id} and i.fs = e.fs and i.ino = e.ino
        left join directory d on d.medium_id = ${id} and d.fs = e.fs and d.dir = e.dir
       where e.medium_id = ${id} group by e.fs, i.type`),
    world.query<{ fs: number; inodes: string; bytes: string }>(`
      select fs, count(*)::text as inodes, least(coalesce(sum(size) filter (where type = 'f'), 0), ${Number.MAX_SAFE_INTEGER})::text as bytes
        from inode where medium_id = ${id} group by fs`),
    world.query<{ fs: number; first: string; told: string; rows: string }>(`
      select a.fs, i.type::text as first, a.detail::json->>'type' as told, count(*)::text as rows
        from anomaly a join inode i on i.medium_id = ${id} and i.fs = a.fs and i.ino = a.ino
       where a.medium_id = ${id} and a.kind = 'repeated-inode' group by 1, 2, 3`),
    world.query<{ fs: number; rows: string }>(`
      select fs, count(*)::text as rows from anomaly where medium_id = ${id} and kind <> 'repeated-inode' group by fs`),
  ])
  const [tail, [names, inodes, repeated, errors]] = await both(
    measured(() => readRaw(medium, world, null)),
    looking,
  )
  const kindsOf = (fs: number): ReadonlyMap<string, number> => {
    const kinds = new Map<string, number>()
    const add = (type: string | null, count: number): void => {
      const kind = kindNames[type ?? ''] ?? 'others'
      kinds.set(kind, (kinds.get(kind) ?? 0) + count)
    }
    for (const one of names) if (one.fs === fs && one.type !== null) add(one.type, Number(one.rows))
    // A name whose record was not the first for its inode counts as what its own record said.
    for (const one of repeated) {
      if (one.fs !== fs) continue
      add(one.first, -Number(one.rows))
      add(one.told, Number(one.rows))
    }
    return kinds
  }
  const numbers = new Set([...tail.counts, ...names, ...inodes, ...errors].map(({ fs }) => fs))
  const checks = [...numbers]
    .toSorted((one, other) => one - other)
    .map((fs) => {
      const kinds = kindsOf(fs)
      const inode = inodes.find((one) => one.fs === fs)
      const expected = tail.counts.find((one) => one.fs === fs)
      return equal(
        `filesystem ${fs}`,
        told(expected ?? nothing),
        told({
          ...nothing,
          files: kinds.get('files') ?? 0,
          directories: kinds.get('directories') ?? 0,
          links: kinds.get('links') ?? 0,
          others: kinds.get('others') ?? 0,
          errors: Number(errors.find((one) => one.fs === fs)?.rows ?? 0),
          inodes: Number(inode?.inodes ?? 0),
          bytes: Number(inode?.bytes ?? 0),
        }),
      )
    })
  const lost = names.filter(({ type }) => type === null).reduce((all, { rows }) => all + Number(rows), 0)
  const strays = names.reduce((all, one) => all + Number(one.strays), 0)
  checks.push(equal('names without an inode', '0', String(lost)))
  checks.push(equal('names without a directory', '0', String(strays)))
  return [tail, { checks }]
}

type Counted = Omit<RawCounts, 'records' | 'fs'>
const nothing: Counted = { files: 0, directories: 0, links: 0, others: 0, errors: 0, inodes: 0, bytes: 0 }
const kindNames: Readonly<Record<string, 'files' | 'directories' | 'links'>> = {
  f: 'files',
  d: 'directories',
  l: 'links',
}

const told = ({ files, directories, links, others, errors, inodes, bytes }: Counted): string =>
  `${files} files, ${directories} directories, ${links} links, ${others} others, ${errors} errors, ${inodes} inodes, ${bytes} bytes`

interface VolumeRow {
  readonly fs: number
  readonly scheme: string
  readonly partition_type: string
  readonly start: string
  readonly bytes: string
  readonly type: string | null
  readonly label: Buffer
  readonly uuid: string
  readonly outcome: VolumeReport['outcome']
  readonly reason: string
  readonly reader: string
}

async function compareVolumes(volumes: readonly VolumeReport[], id: number, world: Reader): Promise<Check> {
  const rows = await world.query<VolumeRow>('select * from filesystem where medium_id = $1 order by fs', [id])
  const kept = rows.map(
    ({
      partition_type: partitionType,
      start,
      bytes,
      fs,
      scheme,
      type,
      label,
      uuid,
      outcome,
      reason,
      reader,
    }) =>
      volumeFacts({
        fs,
        scheme,
        partitionType,
        start: Number(start),
        bytes: Number(bytes),
        type,
        label,
        uuid,
        outcome,
        reason,
        reader,
      }),
  )
  const expected = volumes.map(volumeFacts).toSorted((one, other) => one.fs - other.fs)
  const text = (facts: readonly ReturnType<typeof volumeFacts>[]): string =>
    `${facts.length} (${fingerprint(facts).slice(0, 16)})`
  const same = canonicalJson(kept) === canonicalJson(expected)
  return { name: 'volumes', ok: same, expected: text(expected), actual: text(kept) }
}
