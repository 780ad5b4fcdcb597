// The witness of a copy: every file of the enumeration has one outcome, and every blob that is named is in the store.
import { equal } from '../../model/check.ts'
import { each } from '../../model/each.ts'
import { ObserveError } from '../../model/errors.ts'
import type { Medium } from '../../model/medium.ts'
import { rawPlace } from '../../model/places.ts'
import { decodeRaw } from '../../model/raw/index.ts'
import type { Check, Depth, Losses, Verification } from '../../model/stage.ts'
import type { Reader } from '../../model/world.ts'
import { blobsOf } from './blobs.ts'
import { exclusionsPrint } from '../../model/exclusions.ts'
import { Examples, examplesKept, inPlace, withPaths, type Bad } from './examples.ts'
import { parseOrigin } from './origin.ts'
import { readTally } from './outcomes.ts'
import { Worklist } from './worklist.ts'

const pathsTold = 100

export async function verifyCopy(medium: Medium, world: Reader, depth: Depth): Promise<Verification> {
  const catalogue = await world.catalogue(medium.hash)
  if (catalogue === null) throw new ObserveError('the database does not know this medium')
  const id = catalogue.mediumId
  const made = parseOrigin(catalogue.outcome?.origin ?? '')
  const tally = await readTally(id, (sql, params) => world.query(sql, params))
  const rows = await compareRows(id, world)
  const list = await readList(medium, world)
  const store = await lookAtBlobs(id, world, depth)
  const accepts = medium.policy.unreadableFiles === 'accept'
  const lost = tally.failed + tally.damaged
  const bad = new Map<Examples, Bad>()
  for (const found of Object.values(store))
    if (found instanceof Examples && found.count > 0) bad.set(found, await withPaths(id, found, world))
  const none = (name: string, found: Examples): Check => {
    const first = bad.get(found)?.first
    const told = first === undefined ? '' : `, the first in ${JSON.stringify(first.toString())}`
    return { ...equal(name, 0, found.count), actual: `${found.count}${told}` }
  }
  const checks: Check[] = [
    equal('files', list.files, Number(rows.files)),
    equal('files without an outcome', 0, Number(rows.open)),
    equal('outcomes without a file', 0, Number(rows.strays)),
    equal('outcomes', list.files, tally.blobs + tally.excluded + tally.damaged + tally.failed),
    equal('left out by no pattern', 0, await strayLeftOut(id, list, world)),
    equal('contents of another size', 0, Number(rows.sizes)),
    none('contents not in the table of blobs', store.unlisted),
    none('contents not in the store', store.missing),
    none('contents of another size in the store', store.wrong),
    ...(depth === 'hash' ? [none('contents not what their name says', store.altered)] : []),
    equal('files behind the number of something else', 0, await hiddenFiles(medium, id, world)),
    equal('exclusions', exclusionsPrint(medium.exclude), made?.exclude ?? 'not known'),
    ...(accepts ? [] : [equal('unreadable files', 0, lost)]),
  ]
  const { files, blobs: copied, excluded, damaged, failed, again } = tally
  const examples = Object.entries(store).flatMap(([name, found]) => {
    const told = found instanceof Examples ? bad.get(found) : undefined
    return told === undefined ? [] : [[name, told.lines] as const]
  })
  return {
    checks,
    figures: {
      files,
      copied,
      excluded,
      // Copied before they were excluded.
      ...(list.excluded > excluded ? { excluded_kept: list.excluded - excluded } : {}),
      damaged,
      failed,
      again,
      blobs: store.count,
      bytes: store.bytes,
    },
    facts: { ...Object.fromEntries(examples), ...(lost > 0 ? { lost: await lostFiles(id, world) } : {}) },
    ...(lost > 0 ? { lost: await losses(id, world) } : {}),
    content: rows.content,
  }
}

interface Compared {
  readonly files: string
  readonly open: string
  readonly strays: string
  readonly sizes: string
  readonly content: string
}

/** The outcomes against the rows of the enumeration, both ways; and a digest of them that does not depend on their order. */
async function compareRows(id: number, world: Reader): Promise<Compared> {
  const [row] = await world.query<Compared>(
    `select (count(*) filter (where i.ino is not null))::text as files,
            (count(*) filter (where o.ino is null))::text as open,
            (count(*) filter (where i.ino is null))::text as strays,
            (count(*) filter (where o.blob_id is not null and b.size is distinct from i.size))::text as sizes,
            coalesce(sum(hashtextextended(concat_ws(' ', o.fs, o.ino, o.state, encode(o.blob_id, 'hex')), 0)), 0)::text as content
       from (select fs, ino, size from inode where medium_id = $1 and type = 'f') i
       full join (select fs, ino, state, blob_id from outcome where medium_id = $1) o on o.fs = i.fs and o.ino = i.ino
       left join blob b on b.blob_id = o.blob_id`,
    [id],
  )
  if (row === undefined) throw new ObserveError('the database gave no answer')
  return row
}

/**
 * Files that a reader gave the number of something else, or whose number went to another file while a live tree was walked:
 * one outcome stands for both, and one of the contents would be lost in silence.
 */
async function hiddenFiles({ source }: Medium, id: number, world: Reader): Promise<number> {
  const [row] = await world.query<{ hidden: string }>(
    `select count(*)::text as hidden
       from (select fs, ino, detail::json as told from anomaly where medium_id = $1 and kind = 'repeated-inode') a
       join inode i on i.medium_id = $1 and i.fs = a.fs and i.ino = a.ino
      where told->>'type' = 'f'
        and (i.type <> 'f' or i.size <> (told->>'size')::int8
             or ($2 and i.mtime_ns is distinct from (told->>'mtime_ns')::int8))`,
    [id, source.type === 'directory'],
  )
  return Number(row?.hidden)
}

/** What should be there, counted in the enumeration itself. */
async function readList(medium: Medium, world: Reader): Promise<Worklist> {
  const list = new Worklist(medium.exclude)
  for await (const records of decodeRaw(world.read(rawPlace(medium)))) list.due(records)
  return list
}

const askedAtOnce = 10_000

/** Files that are recorded as left out, and that no pattern leaves out. The other way round, what is excluded may be copied: it was before. */
async function strayLeftOut(id: number, list: Worklist, world: Reader): Promise<number> {
  let strays = 0
  let last: LeftOut = { fs: -1, ino: '0' }
  for (;;) {
    const rows = await world.query<LeftOut>(
      `select fs, ino::text as ino from outcome where medium_id = $1 and state = 'x' and (fs, ino) > ($2::int4, $3::int8)
        order by outcome.fs, outcome.ino limit ${askedAtOnce}`,
      [id, last.fs, last.ino],
    )
    strays += rows.filter(({ fs, ino }) => !list.isLeftOut(fs, BigInt.asUintN(64, BigInt(ino)))).length
    last = rows.at(-1) ?? last
    if (rows.length < askedAtOnce) return strays
  }
}

interface LeftOut {
  readonly fs: number
  readonly ino: string
}

/**
 * Every blob that is named is looked at where it lies; at depth hash it is read, unless this run has read it for all media.
 * That counts where exactly the blobs that are there now were read, and what was bad then is read once more.
 */
async function lookAtBlobs(id: number, world: Reader, depth: Depth, together = world.together ?? null) {
  const [unlisted, missing, wrong, altered] = [new Examples(), new Examples(), new Examples(), new Examples()]
  let [count, bytes] = [0, 0]
  const names = world.hasher()
  async function* present(): AsyncGenerator<readonly string[]> {
    for await (const batch of blobsOf(id, world)) {
      const held = await world.blobs(batch.map(({ blob }) => blob))
      const whole: string[] = []
      for (const { blob, bytes: stated } of batch) {
        const found = held.get(blob)
        count += 1
        bytes += found ?? 0
        if (stated === null) unlisted.add(blob)
        if (found === undefined) missing.add(blob, missing.isFull ? '' : await inPlace(blob, world))
        else if (stated !== null && found !== stated)
          wrong.add(blob, `: ${stated} bytes expected, ${found} found`)
        else whole.push(blob)
      }
      names.update(Buffer.from(whole.join(''), 'hex'))
      world.progress(count, null, 'files')
      yield whole
    }
  }
  async function read(blobs: AsyncIterable<readonly string[]>): Promise<void> {
    for await (const batch of world.rehash(blobs)) {
      for (const { id: blob, blake3 } of batch) if (blake3 !== blob) altered.add(blob)
    }
  }
  if (depth === 'hash' && together === null) await read(present())
  else for await (const batch of present()) batch satisfies readonly string[]
  if (depth === 'hash' && together !== null) {
    const all = await together(id)
    if (all === null || all.sum !== names.digest().blake3) return lookAtBlobs(id, world, depth, null)
    await read(each([all.suspects]))
  }
  return { count, bytes, unlisted, missing, wrong, altered }
}

/** What is lost in all, and the first of its paths. */
async function losses(id: number, world: Reader): Promise<Losses> {
  const [sum] = await world.query<{ files: string; bytes: string }>(
    `select count(*)::text as files, coalesce(sum(i.size), 0)::text as bytes
       from outcome o join inode i on i.medium_id = $1 and i.fs = o.fs and i.ino = o.ino
      where o.medium_id = $1 and o.state in ('d', 'e')`,
    [id],
  )
  const rows = await world.query<{ path: Buffer }>(
    `select p.path from outcome o join path p on p.medium_id = $1 and p.fs = o.fs and p.ino = o.ino
      where o.medium_id = $1 and o.state in ('d', 'e') order by p.fs, p.path limit ${pathsTold}`,
    [id],
  )
  const paths = rows.map(({ path }) => path.toString('latin1'))
  return { files: Number(sum?.files ?? 0), bytes: Number(sum?.bytes ?? 0), paths }
}

/** The first of the files whose content is lost, in whole or in part, with the reason. */
async function lostFiles(id: number, world: Reader): Promise<readonly string[]> {
  const rows = await world.query<{ path: Buffer; detail: string }>(
    `select p.path, o.detail from outcome o join path p on p.medium_id = $1 and p.fs = o.fs and p.ino = o.ino
      where o.medium_id = $1 and o.state in ('d', 'e') order by p.fs, p.path limit ${examplesKept}`,
    [id],
  )
  return rows.map(({ path, detail }) => `${path.toString('latin1')}: ${detail}`)
}
