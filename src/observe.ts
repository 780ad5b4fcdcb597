// Ask every stage about every medium, side by side. A failure to look is `unknown`, never an answer.
import { fingerprint } from './model/canonical.ts'
import { ownerOf } from './model/declared.ts'
import { survivable, type NttError } from './model/errors.ts'
import { sideBySide } from './model/lanes.ts'
import type { Declaration, Identity, Medium, StageName } from './model/medium.ts'
import type { OlderRecord } from './model/older.ts'
import type { Claim, Observation, Observed, Proof, Stage, Unidentified } from './model/stage.ts'
import { needKnownRoot } from './model/store.ts'
import type { CatalogueRow, Reader } from './model/world.ts'

/** What the flow needs of the outside; it imports no stage and no port. */
export interface Eyes {
  readonly stages: readonly Stage[]
  /** All files of media.d, whichever of them are looked at. */
  readonly declared: readonly Declaration[]
  reader(name: string): Reader
  identify(
    declaration: Declaration,
    world: Reader,
  ): Promise<Identity | Pick<Unidentified, 'because' | 'action' | 'displaced'>>
  /** The latest proofs of these media, from one query. */
  proofs(hashes: readonly string[]): Promise<ReadonlyMap<string, readonly Proof[]>>
  stagesOf(kind: Medium['kind']): readonly StageName[]
}

/** Looks at all of them, a few at a time. */
export async function observe(
  declarations: readonly Declaration[],
  eyes: Eyes,
  width = 8,
): Promise<readonly Observed[]> {
  const media = oneEach(await sideBySide(declarations, width, (declaration) => identified(declaration, eyes)))
  const hashes = media.flatMap((medium) => provenAs(medium) ?? [])
  let proofs: ReadonlyMap<string, readonly Proof[]> = new Map()
  let blind: NttError | null = null
  try {
    proofs = await eyes.proofs(hashes)
  } catch (error) {
    blind = survivable(error)
  }
  return sideBySide(media, width, async (medium) => {
    const known = proofs.get(provenAs(medium) ?? '') ?? []
    // Without the record nothing can be called proven or unproven.
    const unknown = { code: 'unobserved', text: blind?.message ?? '' } as const
    if (medium.hash === null) {
      const isDoubtful = blind !== null && medium.displaced !== undefined
      const told = isDoubtful ? { ...medium, action: 'unknown' as const, because: unknown } : medium
      return { medium: told, observations: [], proofs: known, claims: [] }
    }
    const observed = await observeMedium(medium, known, eyes)
    if (blind === null) return observed
    return { ...observed, observations: observed.observations.map(({ stage }) => ({ stage, unknown })) }
  })
}

/** Whose proofs tell of it: its own, or of the medium that was here before. */
const provenAs = (medium: Medium | Unidentified): string | undefined =>
  medium.hash ?? ('displaced' in medium ? medium.displaced : undefined)

/** Sticks and floppies may begin and end alike. */
const ifAnother =
  'if it is another one that begins and ends alike, give it a `medium_hash` of 32 hex digits of your own'

/** Two declarations of one medium, neither of which says so: the first in order keeps it, the others are refused and told whose it is. */
export function oneEach(media: readonly (Medium | Unidentified)[]): readonly (Medium | Unidentified)[] {
  const owners = new Map<string, string>()
  return media.map((medium) => {
    if (medium.hash === null) return medium
    const { name, file, label, kind, target, hash } = medium
    const owner = owners.get(hash)
    if (owner === undefined) {
      owners.set(hash, name)
      return medium
    }
    const text = `it is the same medium as ${owner} (${hash}), by size, first and last MiB; ${ifAnother}`
    const because = { code: 'foreign', text } as const
    return { name, file, label, kind, target, hash: null, because, action: 'refuse' }
  })
}

/** Looks at all stages of one medium. */
export async function observeMedium(medium: Medium, proofs: readonly Proof[], eyes: Eyes): Promise<Observed> {
  const world = eyes.reader(medium.name)
  const wanted = eyes.stagesOf(medium.kind)
  const stages = eyes.stages.filter(({ name }) => wanted.includes(name))
  const observations = await Promise.all(stages.map((stage) => observeStage(stage, medium, world)))
  return { medium, observations, proofs, claims: await claims(medium, world) }
}

/** One look at one product, with what its stage makes of it. */
export async function observeStage(stage: Stage, medium: Medium, world: Reader): Promise<Observation> {
  try {
    const seen = await stage.observe(medium, world)
    const decision = stage.plan(medium, seen)
    // What is not on another filesystem, or on none, is not gone; whatever lies in a drive, or stands in for it.
    const isHere = decision.action === 'keep' && decision.elsewhere !== true
    if (stage.root !== undefined && !isHere)
      await needKnownRoot(
        stage.root,
        (await world.catalogue(medium.hash))?.rootIds[stage.root] ?? null,
        world,
      )
    return { stage: stage.name, seen, decision, of: fingerprint(seen) }
  } catch (error) {
    const { message, hint } = survivable(error)
    const text = hint === undefined ? message : `${message}. ${hint}`
    return { stage: stage.name, unknown: { code: 'unobserved', text } }
  }
}

/** A medium with its identity; or why it has none. */
export async function identified(declaration: Declaration, eyes: Eyes): Promise<Medium | Unidentified> {
  const { name, file, label, kind, target } = declaration
  const none = { name, file, label, kind, target, hash: null } as const
  try {
    const identity = await eyes.identify(declaration, eyes.reader(name))
    if ('because' in identity) return { ...none, ...identity }
    const { hash, version, kind: found, bytes } = identity
    const owner = ownerOf(hash, eyes.declared)
    if (owner !== null && owner.name !== name) {
      const text = `it is the same medium as ${owner.name}, of which ${owner.file} says so (${hash}): one medium has one file; ${ifAnother}`
      return { ...none, because: { code: 'foreign', text }, action: 'refuse' }
    }
    return { ...declaration, hash, version, kind: found, bytes }
  } catch (error) {
    return { ...none, because: { code: 'unobserved', text: survivable(error).message }, action: 'unknown' }
  }
}

/** What the database claims of a medium: shown and compared, never used. */
async function claims(medium: Medium, world: Reader): Promise<readonly Claim[]> {
  let row: CatalogueRow | null
  try {
    row = await world.catalogue(medium.hash)
  } catch (error) {
    survivable(error)
    return []
  }
  if (row === null) return []
  const claim = (stage: StageName, column: string, at: string | null): readonly Claim[] =>
    at === null ? [] : [{ stage, text: `the database claims ${column} (${at})` }]
  return [
    ...claim('load', 'enum_done', row.enumDone),
    ...claim('copy', 'copy_done', row.copyDone),
    ...(row.load === null && row.older !== null ? falseClaims(row.older) : []),
  ]
}

/** What the older pipeline claims and its own rows and store deny. */
function falseClaims({
  sorting,
  claims: { enumDone, copyDone },
  files,
  lost,
}: OlderRecord): readonly Claim[] {
  const claim = (stage: StageName, column: string, at: string | null, instead: string): readonly Claim[] =>
    at === null ? [] : [{ stage, text: `the older pipeline claims ${column} (${at}), and ${instead}` }]
  switch (sorting) {
    case 'never-loaded':
      return [
        ...claim('load', 'enum_done', enumDone, 'loaded nothing'),
        ...claim('copy', 'copy_done', copyDone, 'loaded nothing'),
      ]
    case 'loaded-in-part':
      return [
        ...claim('load', 'enum_done', enumDone, 'loaded a part'),
        ...claim('copy', 'copy_done', copyDone, 'loaded a part'),
      ]
    case 'copied-in-part':
      return claim('copy', 'copy_done', copyDone, `${lost} of ${files} files have no content and no reason`)
    case 'complete':
      return []
    default:
      return sorting satisfies never
  }
}
