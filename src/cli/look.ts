// From flags to a plan: configuration, declarations, selection, observation, diff. What every verb that looks begins with.
import { basename, resolve } from 'node:path'
import type { Config } from '../config.ts'
import { readDesired } from '../desired.ts'
import { diff } from '../diff.ts'
import { kinds } from '../kinds/index.ts'
import { DesiredError, UsageError } from '../model/errors.ts'
import { stageNames, targets, type Declaration, type StageName, type Target } from '../model/medium.ts'
import { nearest } from '../model/nearest.ts'
import type { Observed, Plan } from '../model/stage.ts'
import { observe } from '../observe.ts'
import { lane, plan, wantedStages } from '../plan.ts'
import { readable } from '../views/format.ts'
import { readMediaFolder } from './folder.ts'
import type { Session } from './session.ts'

/** Whose files must be right: all; none, what is wrong is left out in silence; or those of these media, and what is wrong beside them is told. */
export type Needed = 'all' | 'none' | readonly string[]

/** The declared media. Throws DesiredError with all that is wrong, where a file that is needed is. */
export async function readDeclarations(
  config: Config,
  needed: Needed = 'all',
): Promise<readonly Declaration[]> {
  const { files } = await readMediaFolder(config.media, config.project)
  try {
    return readDesired(files, config.project)
  } catch (error) {
    if (!(error instanceof DesiredError) || needed === 'all') throw error
    const wrong = new Set(error.problems.map(({ file }) => file))
    if (needed !== 'none') {
      const told = error.problems.flatMap(({ file, other = file }) => [mediumOf(file), mediumOf(other)])
      if (told.some((name) => needed.includes(name))) throw error
      for (const { file, line, field, message } of error.problems)
        process.stderr.write(`${readable(`${file}:${line}: ${field} ${message}`)}; its medium is left out\n`)
    }
    return readDesired(
      files.filter(({ file }) => !wrong.has(file)),
      config.project,
    )
  }
}

const mediumOf = (file: string): string => basename(file).replace(/\.ya?ml$/, '')

/** Throws UsageError, with what may have been meant, where nothing is declared under this name. */
function needMedium(name: string, declarations: readonly Declaration[]): void {
  if (declarations.some((declaration) => declaration.name === name)) return
  throw new UsageError(`no medium is called ${name}`, {
    // What was typed may be its file.
    hint: meant(
      mediumOf(name),
      declarations.map((declaration) => declaration.name),
      'media.d has no file of that name: ntt status lists what it has.',
    ),
  })
}

/** `Did you mean`, or else what there is. */
export function meant(word: string, candidates: readonly string[], otherwise: string): string {
  const one = nearest(word, candidates)
  return one === null ? otherwise : `Did you mean ${one}?`
}

/** Those that a person named, or all where none was named. */
export function select(
  declarations: readonly Declaration[],
  named: readonly string[],
): readonly Declaration[] {
  for (const name of named) needMedium(name, declarations)
  return named.length === 0 ? declarations : declarations.filter(({ name }) => named.includes(name))
}

/** The one medium that was chosen, to be read from another drive than the declared one. */
export function fromDevice(
  chosen: readonly Declaration[],
  device: string | undefined,
): readonly Declaration[] {
  if (device === undefined) return chosen
  const [one, another] = chosen
  if (one === undefined || another !== undefined) {
    throw new UsageError('--device reads one medium', { hint: 'Name it: ntt apply --device /dev/sr1 MEDIUM' })
  }
  if (one.source.type !== 'device') {
    throw new UsageError(`${one.name} is not read from a drive: its source is ${one.source.path}`, {
      hint: `Declare \`source: {device: ${device}}\` in its file.`,
    })
  }
  return [{ ...one, source: { type: 'device', path: resolve(device) } }]
}

/** `medium/stage` pairs of --redo. */
export function parseRedo(
  pairs: readonly string[],
  declarations: readonly Declaration[],
): ReadonlyMap<string, ReadonlySet<StageName>> {
  const redo = new Map<string, Set<StageName>>()
  for (const pair of pairs) {
    const [name = '', word = ''] = pair.split('/')
    const stage = stageNames.find((one) => one === word)
    needMedium(name, declarations)
    if (stage === undefined) {
      throw new UsageError(`--redo takes medium/stage, and ${pair} names no stage`, {
        hint: meant(word, stageNames, `Stages: ${stageNames.join(', ')}.`),
      })
    }
    redo.set(name, (redo.get(name) ?? new Set()).add(stage))
  }
  return redo
}

export const stageOfTarget = (target: string | undefined): StageName | undefined =>
  target === undefined ? undefined : targets[target as Target]

export interface Look {
  readonly plan: Plan
  readonly observed: ReadonlyMap<string, Observed>
  readonly tookSec: number
}

export interface LookOptions {
  readonly only?: StageName | undefined
  readonly redo?: ReadonlyMap<string, ReadonlySet<StageName>>
}

/** Looks at these media and says what would be done. */
export async function look(
  session: Session,
  declarations: readonly Declaration[],
  options: LookOptions = {},
): Promise<Look> {
  const began = performance.now()
  const observed = await observe(declarations, session.eyes)
  const lanes = observed.map((one) => {
    const { medium } = one
    const stages = medium.kind === null ? stageNames : kinds[medium.kind].stages
    const wanted = wantedStages(medium, stages, options.only)
    const steps = diff(one, { wanted, run: session.run, redo: options.redo?.get(medium.name) ?? new Set() })
    const drive = medium.hash !== null && medium.source.type === 'device' ? medium.source.path : null
    return lane(one, steps, drive)
  })
  return {
    plan: plan(lanes, new Date().toISOString()),
    observed: new Map(observed.map((one) => [one.medium.name, one])),
    tookSec: (performance.now() - began) / 1000,
  }
}
