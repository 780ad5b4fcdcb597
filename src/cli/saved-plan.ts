// A plan in a file: what was looked at, what was asked for, and what was declared. Carried out as it is, or refused.
import { readFile, writeFile } from 'node:fs/promises'
import { fingerprint } from '../model/canonical.ts'
import { RefusedError, UsageError, errnoOf } from '../model/errors.ts'
import { stageNames, type Declaration, type StageName } from '../model/medium.ts'
import type { Plan } from '../model/stage.ts'
import { moved } from '../plan.ts'

/** What else a person said when the plan was made. */
export interface Asked {
  /** `medium/stage` pairs that are to be made again. */
  readonly redo?: readonly string[]
  /** Another drive than the declared one. */
  readonly device?: string
}

/** A plan as `--json` and `--out` write it. */
export interface SavedPlan extends Plan {
  readonly asked: { readonly redo: readonly string[]; readonly device: string | null }
  /** Fingerprint of what each medium's file says of how it is read and what is kept of it. */
  readonly declared: Readonly<Record<string, string>>
}

/** `chosen`: the media of the plan, from the drive that was asked for. */
export const savedPlan = (
  plan: Plan,
  chosen: readonly Declaration[],
  { redo = [], device }: Asked,
): SavedPlan => ({ ...plan, asked: { redo, device: device ?? null }, declared: declaredBy(chosen) })

/** Its name does not count, and its target stands in the lanes. */
const declaredBy = (chosen: readonly Declaration[]): Readonly<Record<string, string>> =>
  Object.fromEntries(
    chosen.map(({ name, kind, source, hash, expect, exclude, policy }) => [
      name,
      fingerprint({ kind, source, hash, expect, exclude, policy }),
    ]),
  )

/** A word of `ntt apply` that is taken for a file and not for the name of a medium. */
const isFile = (word: string): boolean => /[/.]/.test(word) && !/\.ya?ml$/.test(word)

/** Throws UsageError where `ntt apply` would take a file of this name for a medium. */
export function needFileName(file: string): void {
  if (isFile(file)) return
  throw new UsageError(`ntt apply would take ${file} for a medium, not for a saved plan`, {
    hint: `Call it ${file.replace(/\.ya?ml$/, '')}.plan`,
  })
}

/** Throws UsageError where there is a file of this name. */
export async function writePlan(file: string, plan: SavedPlan): Promise<void> {
  await writeFile(file, `${JSON.stringify(plan, null, 2)}\n`, { flag: 'wx' }).catch((error: unknown) => {
    throw new UsageError(`cannot save the plan as ${file} (${errnoOf(error) ?? 'unknown'})`, { cause: error })
  })
}

/** The one word that names a file which holds a plan; null: the words are names of media. */
export async function readPlan(named: readonly string[]): Promise<SavedPlan | null> {
  const [file] = named
  if (file === undefined || named.length !== 1 || !isFile(file)) return null
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new UsageError(`cannot read the plan ${file} (${errnoOf(error) ?? 'unknown'})`, {
      hint: 'A name with a dot or a slash is taken for a plan that was saved: ntt plan --out FILE makes one.',
    })
  })
  const { plan: validate } = await import('../generated/validators.js')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new UsageError(`${file} is not a plan: ${String(error)}`, {
      hint: 'ntt plan --out FILE makes one.',
    })
  }
  if (!isPlan(value, validate))
    throw new UsageError(`${file} is not a plan of this ntt`, { hint: 'ntt plan --out FILE makes one.' })
  return value
}

const isPlan = (value: unknown, validate: (value: unknown) => boolean): value is SavedPlan => validate(value)

/** A saved plan was looked at as it is; what would widen it was not. */
export function needNothingElse(
  flags: Readonly<Record<'only' | 'redo' | 'target' | 'device', string | readonly string[] | undefined>>,
): void {
  const given = Object.entries(flags).flatMap(([name, value]) =>
    value === undefined || value.length === 0 ? [] : [`--${name}`],
  )
  if (given.length > 0)
    throw new UsageError(`${given.join(' and ')} cannot be given beside a saved plan`, {
      hint: 'ntt plan takes them with --out FILE; ntt apply FILE then does what was planned.',
    })
}

/** Its media, those that are declared no longer left out: that they moved is told with what else did. */
export const declaredStill = (
  saved: SavedPlan,
  declarations: readonly Declaration[],
): readonly Declaration[] =>
  declarations.filter(({ name }) => saved.lanes.some(({ medium }) => medium === name))

/** The highest stage that a saved plan speaks of: nothing above it is done. */
export const topStage = (saved: SavedPlan): StageName | undefined =>
  stageNames.findLast((name) => saved.lanes.some(({ steps }) => steps.some(({ stage }) => stage === name)))

/** Throws RefusedError where anything is not as it was when the plan was made. */
export function needUnmoved(saved: SavedPlan, now: Plan, chosen: readonly Declaration[]): void {
  const declared = declaredBy(chosen)
  const edited = Object.entries(saved.declared).flatMap(([name, before]) =>
    declared[name] === undefined || declared[name] === before
      ? []
      : [`${name}: its file says something else of it`],
  )
  const facts = [...edited, ...moved(saved, now)]
  if (facts.length > 0) throw movedSince(facts)
}

export const movedSince = (facts: readonly string[]): RefusedError =>
  new RefusedError(`reality moved since the plan was made: ${facts.join('; ')}`, {
    hint: 'ntt plan --out FILE makes a new one.',
  })
