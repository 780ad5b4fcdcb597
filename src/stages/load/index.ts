// load: every record of the enumeration as rows of the catalogue, made beside what is there and attached when they are whole.
import { count, counted } from '../../model/counted.ts'
import { detachedText } from '../../model/detached.ts'
import { RefusedError } from '../../model/errors.ts'
import { loadTables, type Owner } from '../../model/partition.ts'
import type { RawTail } from '../../model/raw/index.ts'
import type { Decision, Stage } from '../../model/stage.ts'
import type { TableLook, Writer } from '../../model/world.ts'
import { Slots } from '../../model/lanes.ts'
import type { Medium } from '../../model/medium.ts'
import { Filling } from './filling.ts'
import { checkBeside, dropUnfinished, refresh, swap } from './generation.ts'
import { parseLoadOrigin, type LoadOrigin } from '../../model/load-origin.ts'
import { lookAtRaw, readRaw, remade } from './enumeration.ts'
import { inOrder, type Mark } from './marks.ts'
import { proveLoad, type Made } from './prove.ts'
import { Rows } from './rows.ts'

export interface Seen {
  readonly rows: TableLook | null
  /** The enumeration that is there now; null for none, and where the rows are of exactly it. */
  readonly raw: LoadOrigin | null
  /** The enumeration left something open that was not read of the medium. */
  readonly mayGrow: boolean
}

/** Loads at work at once. Each holds up to four connections; were they to hold all that there are, none could go on. */
const atWork = new Slots(8)

export const load: Stage<Seen> = {
  name: 'load',
  claim: 'enum_done',
  depths: { run: 'hash', prove: 'hash' },

  async observe(medium, world) {
    const rows = (await world.catalogue(medium.hash))?.load ?? null
    const { origin: raw, mayGrow } = (await lookAtRaw(medium, world)) ?? { origin: null, mayGrow: false }
    const kept = parseLoadOrigin(rows?.origin ?? '')
    const same = raw !== null && kept?.content === raw.content && kept.volumes === raw.volumes
    return { rows, raw: same ? null : raw, mayGrow }
  },

  plan: judge,

  async run(medium, seen, world, replaces) {
    const owner: Owner = { id: await world.enrol(), hash: medium.hash }
    await dropUnfinished(owner, world)
    const decision = judge(medium, seen)
    if (decision.because.code === 'changed' && replaces === null) {
      await refresh(owner, await readRaw(medium, world, null), world)
      return
    }
    if (decision.action !== 'run' && replaces === null)
      throw new RefusedError(`nothing is replaced unasked: ${decision.because.text}`)
    const rows = new Rows(() => inOrder(world.hasher()))
    const tail = await fill(medium, owner, rows, world, seen.raw?.records ?? null)
    // A first load is looked at in its place. One that others have to give way to is looked at before.
    const again = async (mark: () => Mark): Promise<Rows> => (await remade(medium, world, mark)).rows
    if (seen.rows !== null) await checkBeside(owner, rows, again, world)
    await swap(owner, rows, tail, world, replaces !== null || decision.outgrown === true)
    justMade.set(medium, { tail, expected: rows.told() })
  },

  async verify(medium, world, depth) {
    const made = justMade.get(medium) ?? null
    justMade.delete(medium)
    return proveLoad(medium, world, depth, made)
  },
}

/** For the witness that looks right after a load; a later one makes the rows once more. */
const justMade = new WeakMap<Medium, Made>()

function judge({ name, target }: Pick<Medium, 'name' | 'target'>, { rows, raw, mayGrow }: Seen): Decision {
  const work = raw?.records === undefined || raw.records === null ? {} : { work: { entries: raw.records } }
  if (rows === null) return { action: 'run', because: { code: 'absent', text: 'no rows' }, ...work }
  const kept = parseLoadOrigin(rows.origin)
  if (rows.tables.length < loadTables.length) {
    const text = `${rows.tables.length} of ${loadTables.length} tables are there${detachedText(rows)}`
    return { action: 'run', because: { code: 'incomplete', text }, ...work }
  }
  if (kept === null) {
    const text = `tables are attached, and nothing tells what they were made from; \`ntt apply --redo ${name}/load\` puts new ones in their place`
    return { action: 'refuse', because: { code: 'foreign', text }, mayRedo: true }
  }
  const loaded = counted(kept.records, 'record')
  const follows = mayGrow ? { follows: true } : {}
  if (raw === null) return { action: 'keep', because: { code: 'present', text: loaded }, ...follows }
  // The same medium, of which more was read than when the rows were made: nothing that anybody would miss goes with them.
  const isOutgrown = kept.unread !== null && raw.unread !== null && kept.unread !== raw.unread
  const outgrown = isOutgrown ? ({ outgrown: true } as const) : {}
  if (raw.content === kept.content) {
    const text = `${loaded}; what became of a volume has changed since`
    return { action: 'run', because: { code: 'changed', text }, ...outgrown }
  }
  if (isOutgrown) {
    const text = `${loaded}; the image has been read further since, and enumerated again`
    return { action: 'run', because: { code: 'damaged', text }, outgrown: true, ...work }
  }
  // An archive of the old rows would only fail its proof: it is made anew with them.
  const redo = [`${name}/load`, ...(target === 'archived' ? [`${name}/archive`] : [])]
  const how = `ntt apply ${redo.map((one) => `--redo ${one}`).join(' ')}`
  const now = raw.records === null ? 'is of the older pipeline' : `has ${count(raw.records)}`
  return {
    action: 'refuse',
    because: {
      code: 'other-rows',
      text: `${loaded} of another enumeration are loaded; the one that is there now ${now}; \`${how}\` puts its rows in their place`,
    },
    mayRedo: true,
    ...work,
  }
}

/** One pass over the enumeration; its rows are on their way to the server while it is read. */
async function fill(
  medium: Medium,
  owner: Owner,
  rows: Rows,
  world: Writer,
  total: number | null,
): Promise<RawTail> {
  const leave = await atWork.take()
  const filling = new Filling(owner, rows, world)
  try {
    const tail = await readRaw(
      medium,
      world,
      total,
      (line) => rows.add(line),
      () => filling.pass(),
    )
    await filling.end()
    return tail
  } catch (error) {
    await filling.fail(error)
    throw error
  } finally {
    leave()
  }
}
