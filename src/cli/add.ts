// ntt add: looks at a device, an image or a folder and writes its file in media.d. Never over one that is there.
import { basename, dirname, join, relative, resolve } from 'node:path'
import type { Config } from '../config.ts'
import { mediumName, nameProblem, readDesired } from '../desired.ts'
import { DesiredError, ObserveError, RefusedError, UsageError, errnoOf } from '../model/errors.ts'
import type { ExitCode } from '../model/errors.ts'
import {
  kindNames,
  type Declaration,
  type Identity,
  type KindName,
  type Source,
  type Target,
} from '../model/medium.ts'
import type { Reader } from '../model/world.ts'
import { writeYaml } from '../model/yaml.ts'
import type { Eyes } from '../observe.ts'
import type { FoundVolume } from '../readers/volumes/judging.ts'
import { count, counted } from '../model/counted.ts'
import { readable, size } from '../views/format.ts'
import { command, render, span } from '../views/paint.ts'
import type { Line, Manner } from '../views/paint.ts'
import { readMediaFolder } from './folder.ts'
import { nameOf } from './naming.ts'
import { writeNew } from './new-file.ts'
import { writeDocument } from './out.ts'
import type { Out } from './out.ts'
import { asText, sight } from './sighting.ts'
import type { Sighting } from './sighting.ts'

export interface AddArguments {
  /** A device, an image file or a folder. */
  readonly source: string
  /** The folder that a relative source begins at. */
  readonly folder: string
  readonly name?: string
  readonly label?: string
  readonly kind?: KindName
  readonly target?: Target
  readonly json?: boolean
}

export interface AddHands {
  readonly world: Reader
  readonly identify: Eyes['identify']
}

/** 0: written. Throws UsageError where the file exists or the source is none, DesiredError where it contradicts another file. */
export async function add(
  config: Pick<Config, 'media' | 'project' | 'roots'>,
  { source: typed, folder, json = false, ...wishes }: AddArguments,
  { world, identify }: AddHands,
  out: Out,
): Promise<ExitCode> {
  const sighting = await sight(resolve(folder, typed), world)
  refuseOwn(sighting.source, config)
  if (wishes.kind === undefined) refuseStrange(sighting)
  const name = chooseName(wishes.name, sighting)
  const file = relative(config.project, join(config.media, `${name}.yaml`))
  const label = wishes.label ?? sighting.volume ?? baseLabel(sighting)
  const draft = declare(name, file, label, sighting, wishes)
  const identity = await identify(draft, world)
  if (!('hash' in identity)) {
    const { action, because } = identity
    throw action === 'unknown' ? new ObserveError(because.text) : new RefusedError(because.text)
  }
  const text = yamlOf(draft, identity, sighting, config.media)
  await refuseContradictions(config, name, file, text)
  await writeNew(join(config.media, `${name}.yaml`), text)
  if (json) writeDocument(out, documentOf(draft, identity, sighting))
  else out.write(render(sayAdded(draft, identity, sighting, text, out.manner), out.manner))
  return 0
}

/** A folder that holds the products would be enumerated into itself. */
function refuseOwn({ type, path }: Source, { project, roots }: Pick<Config, 'project' | 'roots'>): void {
  if (type !== 'directory') return
  const own = [project, ...Object.values(roots)].find((root) => `${root}/`.startsWith(`${path}/`))
  if (own !== undefined)
    throw new UsageError(`${path} holds ${own}, where ntt itself works`, {
      hint: 'A medium must lie beside what ntt makes of it, not around it.',
    })
}

/** A file that shows nothing of a medium is likelier a file than a medium, unless a person says what it was. */
function refuseStrange({ source, volumes }: Sighting): void {
  const shows = volumes.some(({ type, scheme }) => type !== null || scheme !== 'whole')
  if (source.type !== 'image' || shows) return
  throw new UsageError(`${source.path} has no filesystem and no partition that is known`, {
    hint: `If it is the image of a medium all the same, say of which kind: --kind ${kindNames.filter((kind) => kind !== 'directory').join(', ')}.`,
  })
}

function chooseName(wanted: string | undefined, { source, volume }: Sighting): string {
  if (wanted !== undefined) {
    const problem = nameProblem(wanted)
    if (problem !== null) throw new UsageError(problem)
    return wanted
  }
  // A drive's name says nothing about the disc in it.
  const from =
    source.type === 'device'
      ? (volume ?? '')
      : basename(source.path).replace(source.type === 'image' ? /\.[a-z0-9]{1,5}$/i : '', '')
  const name = nameOf(from)
  if (name === '')
    throw new UsageError('nothing on the medium tells a name for it', {
      hint: 'Give it one with --name NAME.',
    })
  return name
}

const baseLabel = ({ source }: Sighting): string | null =>
  source.type === 'device' ? null : basename(source.path)

const declare = (
  name: string,
  file: string,
  label: string | null,
  { source, bytes, volume }: Sighting,
  { kind, target = 'archived' }: Pick<AddArguments, 'kind' | 'target'>,
): Declaration => ({
  name,
  file,
  label,
  kind: kind ?? null,
  source,
  target,
  hash: /^[0-9a-f]{32}$/.test(name) ? name : null,
  expect: { ...(volume !== null && { volume }), ...(bytes !== null && { bytes }) },
  exclude: [],
  policy: { rescued: 100, unreadableFiles: 'refuse', partitions: {} },
})

function yamlOf(
  { name, label, source, target, expect }: Declaration,
  { hash, version, kind }: Identity,
  { bytes }: Sighting,
  media: string,
): string {
  const told = relative(media, source.path)
  // Outside of the project a path is the same from wherever the project is moved to.
  const inside = source.type !== 'device' && source.path.startsWith(`${dirname(media)}/`)
  const document = {
    ...(label !== null && { label }),
    kind,
    source: { [source.type]: inside ? told : source.path },
    target,
    // A directory's identity is its name; a name of 32 hex digits is one already.
    ...(version !== 'directory' && hash !== name && { medium_hash: hash }),
    ...(bytes !== null && { expect }),
  }
  return writeYaml(document)
}

/** Reads the new document as the next `ntt plan` would, beside all others. */
async function refuseContradictions(
  config: Pick<Config, 'media' | 'project'>,
  name: string,
  file: string,
  text: string,
): Promise<void> {
  const others = await readMediaFolder(config.media, config.project).catch((error: unknown) => {
    if (error instanceof ObserveError && errnoOf(error.cause) === 'ENOENT') return { files: [] }
    throw error
  })
  const taken = others.files.find((other) => mediumName(other.file) === name)
  if (taken !== undefined)
    throw new UsageError(`${taken.file} exists already, and is left as it is`, {
      hint: 'Give the medium another name with --name NAME, or edit that file.',
    })
  try {
    readDesired([...others.files, { file, text }], config.project)
  } catch (error) {
    if (!(error instanceof DesiredError)) throw error
    // What is wrong elsewhere is for `ntt validate`; a contradiction is told at the later of the two files.
    const own = error.problems.filter((problem) => problem.file === file || problem.other === file)
    if (own.length > 0)
      throw new DesiredError('the medium is declared already', own, {
        hint: `Nothing was written, ${file} neither. If this is another copy of a medium that is declared, its one file may name the copy as its source. If it is another medium that begins and ends alike, write its file by hand, with a \`medium_hash\` of 32 hex digits of your own.`,
      })
  }
}

const documentOf = (
  draft: Declaration,
  { hash, version, kind }: Identity,
  { bytes, volumes }: Sighting,
): unknown => ({
  medium: draft.name,
  file: draft.file,
  label: draft.label,
  kind,
  source: draft.source,
  target: draft.target,
  medium_hash: hash,
  hash_version: version,
  bytes,
  volumes: volumes.map(({ fs, scheme, start, bytes: length, type, label, verdict }) => ({
    fs,
    scheme,
    start,
    bytes: length,
    type,
    label: asText(label),
    outcome: verdict?.outcome ?? null,
    reason: verdict?.reason ?? null,
  })),
})

function sayAdded(
  draft: Declaration,
  { hash, version, kind }: Identity,
  sighting: Sighting,
  text: string,
  manner: Manner,
): readonly Line[] {
  const { bytes, volumes, source } = sighting
  const what = bytes === null ? '' : `, ${count(bytes)} bytes`
  return [
    [`${readable(source.path)}: ${kind}${what}, identity ${hash} (${version})`],
    ...(bytes === null ? [] : [[`${counted(volumes.length, 'volume')}:`]]),
    ...volumes.map(sayVolume),
    [],
    [span('bold', `${readable(draft.file)}:`)],
    ...text
      .trimEnd()
      .split('\n')
      .map((line): Line => [`  ${readable(line)}`]),
    [],
    ['Nothing else was written. To see what ntt would do with it, run:'],
    [`    ${command(`plan ${draft.name}`, manner)}`],
  ]
}

function sayVolume({ fs, type, label, bytes, verdict }: FoundVolume): Line {
  const named = asText(label)
  const parts = [
    fs === 0 ? 'whole medium' : `partition ${fs}`,
    type ?? 'no filesystem that is known',
    ...(named === null ? [] : [`"${readable(named)}"`]),
    size(bytes),
    ...(verdict === null ? [] : [`${verdict.outcome}: ${readable(verdict.reason)}`]),
  ]
  return [`  ${parts.join(', ')}`]
}
