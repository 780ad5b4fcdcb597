// copy: every distinct content of the medium once, under its hash; an outcome for every file.
import { count, counted } from '../../model/counted.ts'
import { detachedText } from '../../model/detached.ts'
import { RunError, StoreError } from '../../model/errors.ts'
import { parseLoadOrigin } from '../../model/load-origin.ts'
import type { Medium } from '../../model/medium.ts'
import type { Decision, Stage } from '../../model/stage.ts'
import { knownRootId, markedRootId, needKnownRoot, otherRootHint, type RootIds } from '../../model/store.ts'
import { unreadPrint } from '../../model/unread.ts'
import type { Reader, TableLook, Writer } from '../../model/world.ts'
import { copyFiles } from './run.ts'
import { exclusionsPrint } from '../../model/exclusions.ts'
import { parseOrigin, type Tally } from './origin.ts'
import { lookAtDamage } from './source.ts'
import { verifyCopy } from './verify.ts'

export interface Seen {
  readonly outcomes: TableLook | null
  /** Digest of the enumeration that the loaded rows are made from; null: no rows. */
  readonly rows: string | null
  /** More or less of the image is read now than when it was copied. */
  readonly otherDamage: boolean
  readonly store: RootIds
  /** Contents were copied, and the store has none at all. */
  readonly isEmpty?: true
}

export const copy: Stage<Seen> = {
  name: 'copy',
  claim: 'copy_done',
  depths: { run: 'counts', prove: 'hash' },

  async observe(medium, world) {
    const catalogue = await world.catalogue(medium.hash)
    const outcomes = catalogue?.outcome ?? null
    const store =
      catalogue === null
        ? { known: null, found: null }
        : await needKnownRoot('by-hash', catalogue.rootIds['by-hash'] ?? null, world)
    const made = parseOrigin(outcomes?.origin ?? '')
    const damage = made === null ? null : await lookAtDamage(medium, world)
    return {
      outcomes,
      rows: contentOf(catalogue?.load ?? null),
      otherDamage: made !== null && damage !== null && unreadPrint(damage) !== made.damage,
      store,
      ...((made?.tally?.blobs ?? 0) > 0 && (await isEmpty(world)) ? { isEmpty: true as const } : {}),
    }
  },

  plan(medium, seen) {
    const decision = judge(medium, seen)
    const made = parseOrigin(seen.outcomes?.origin ?? '')
    return made === null ? decision : { ...decision, madeOf: made.image }
  },

  async run(medium, seen, world, replaces) {
    await needStore(world)
    const rows = contentOf((await world.catalogue(medium.hash))?.load ?? null)
    if (rows === null) throw new RunError('no rows are loaded')
    const made = parseOrigin(seen.outcomes?.origin ?? '')
    const before = (seen.outcomes?.tables.length ?? 0) > 0 ? made : null
    // Of another image nothing is mended: all of it is read anew.
    const replace = replaces !== null && replaces !== 'other-image'
    await copyFiles(medium, { rows, before, replace }, world)
  },

  verify: verifyCopy,
}

/** Whether no content has a place in it: one folder is looked into, whatever it holds. */
const isEmpty = async (world: Reader): Promise<boolean> =>
  !((await world.names('by-hash:')) ?? []).some((name) => /^[0-9a-f]{2}$/.test(name))

function judge(medium: Medium, { outcomes, rows, otherDamage, isEmpty: hasNone }: Seen): Decision {
  if (outcomes === null) return { action: 'run', because: { code: 'absent', text: 'nothing is copied' } }
  const made = parseOrigin(outcomes.origin)
  if (made === null) {
    const text = `outcomes are there, and nothing tells what they were decided by; \`ntt apply --redo ${medium.name}/copy\` decides them anew`
    return { action: 'refuse', because: { code: 'foreign', text }, mayRedo: true }
  }
  if (hasNone === true)
    return { action: 'run', because: { code: 'failed-proof', text: 'the store has no content at all' } }
  const outgrown = otherDamage ? ({ outgrown: true } as const) : {}
  if (rows !== null && made.rows !== rows) {
    const text = 'the outcomes are of another enumeration'
    return { action: 'run', because: { code: 'other-rows', text }, ...outgrown }
  }
  if (made.tally === null || outcomes.tables.length === 0)
    return { action: 'run', because: { code: 'incomplete', text: `copied in part${detachedText(outcomes)}` } }
  if (made.exclude !== exclusionsPrint(medium.exclude))
    return {
      action: 'run',
      because: {
        code: 'exclusions',
        text: 'the exclusions have changed since; what was copied stays, whatever they say of it now',
      },
      byPolicy: true,
    }
  if (otherDamage) {
    const text = 'the image has been read further since'
    return { action: 'run', because: { code: 'damaged', text }, ...outgrown }
  }
  const follows = made.damage === unreadPrint([]) ? {} : { follows: true }
  const { failed, damaged, again } = made.tally
  const text = tallyText(made.tally)
  if (failed + damaged === 0 || medium.policy.unreadableFiles === 'accept')
    return { action: 'keep', because: { code: 'present', text }, ...follows }
  if (again > 0)
    return { action: 'run', because: { code: 'failed', text: `${text}; ${again} are tried again` } }
  const way = `${damaged > 0 ? 'read the medium further (another drive: --device), or ' : ''}accept the loss`
  const because = {
    code: 'failed',
    text: `${text}; ${way}: \`policy: {unreadable_files: accept}\``,
  } as const
  return { action: 'refuse', because, mayRedo: true, byPolicy: true, ...follows }
}

/** `1,056 files: 1,050 copied, 4 excluded, 2 unreadable`. */
function tallyText({ files, blobs, excluded, damaged, failed }: Tally): string {
  const parts = [
    `${count(blobs)} copied`,
    ...(excluded > 0 ? [`${count(excluded)} excluded`] : []),
    ...(damaged > 0 ? [`${count(damaged)} damaged`] : []),
    ...(failed > 0 ? [`${count(failed)} unreadable`] : []),
  ]
  return `${counted(files, 'file')}: ${parts.join(', ')}`
}

const contentOf = (load: TableLook | null): string | null =>
  parseLoadOrigin(load?.origin ?? '')?.content ?? null

const lookAtStore = async (world: Reader): Promise<RootIds> => ({
  known: await knownRootId('by-hash', (sql, params) => world.query(sql, params)),
  found: await markedRootId('by-hash', world),
})

/** A root that is suddenly another filesystem, or empty, must not be taken for the store. */
async function needStore(world: Writer): Promise<void> {
  let ids = await lookAtStore(world)
  if (ids.known === null || ids.known === ids.found) {
    const id = await world.storeId()
    await world.transaction((tx) =>
      tx.execute('insert into store (root, store_id) values ($1, $2) on conflict do nothing', [
        'by-hash',
        id,
      ]),
    )
    ids = await lookAtStore(world)
    if (ids.known === ids.found) return
  }
  throw new StoreError(`by-hash: (${world.path('by-hash:')}) is not the store that the database knows`, {
    hint: otherRootHint('by-hash', world.path('by-hash:'), ids),
  })
}
