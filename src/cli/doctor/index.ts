// ntt doctor: tools, database, roots, declarations, rights and settings; each problem with its fix. Changes nothing.
import { access, constants, stat } from 'node:fs/promises'
import type { Config } from '../../config.ts'
import { readDesired } from '../../desired.ts'
import { DesiredError, NttError, errnoOf, mostSerious } from '../../model/errors.ts'
import type { ExitCode } from '../../model/errors.ts'
import type { Declaration } from '../../model/medium.ts'
import { nameOf } from '../../ports/postgres-errors.ts'
import { doctorText } from '../../views/doctor.ts'
import type { Finding } from '../../views/doctor.ts'
import { counted } from '../../views/format.ts'
import type { Flags } from '../flags.ts'
import { readMediaFolder } from '../folder.ts'
import { writeDocument } from '../out.ts'
import type { Out } from '../out.ts'
import { packageRoot, version } from '../root.ts'
import { configOf, outOf } from '../verb.ts'
import { lookAtDatabase } from './database.ts'
import { lookAtRoots } from './roots.ts'
import { lookAtTools } from './tools.ts'

export interface DoctorArguments {
  readonly json?: boolean
  readonly signal: AbortSignal
}

export async function doctorVerb(_named: readonly string[], flags: Flags): Promise<ExitCode> {
  const config = configOf(flags, true)
  return doctor(config, { json: flags.json === true, signal: new AbortController().signal }, outOf(config))
}

/** 0: nothing stands in the way. 1: a declaration is wrong. 2: there is something to put right. 5: could not look at something. */
export async function doctor(
  config: Config,
  { json = false, signal }: DoctorArguments,
  out: Out,
): Promise<ExitCode> {
  const uid = process.getuid?.() ?? 0
  const [tools, database, roots, media] = await Promise.all([
    lookAtTools(config.path, uid === 0, signal),
    lookAtDatabase(config, packageRoot, signal),
    lookAtRoots(config),
    lookAtMedia(config),
  ])
  const findings = [
    self(config),
    ...tools,
    ...database,
    ...roots,
    ...media.findings,
    rights(uid),
    ...settings(config),
  ]
  if (json) writeDocument(out, { version, node: process.versions.node, project: config.project, findings })
  else out.write(doctorText(findings, out.manner))
  const codes = findings.map(({ condition }): ExitCode =>
    condition === 'unknown' ? 5 : condition === 'problem' ? 2 : 0,
  )
  return mostSerious([...codes, ...(media.isWrong ? ([1] as const) : [])])
}

const self = ({ project }: Config): Finding => ({
  area: 'ntt',
  name: version,
  condition: 'good',
  text: `on Node ${process.versions.node}; the project is ${project}`,
})

/** The declarations, and the drives and files that they name. */
async function lookAtMedia(config: Config): Promise<{ findings: readonly Finding[]; isWrong: boolean }> {
  const base = { area: 'media', name: 'media.d' } as const
  if (!config.hasMedia) {
    const fix = 'To declare a first medium, run:\n    ntt add SOURCE'
    return { findings: [{ ...base, condition: 'note', text: 'there is none yet', fix }], isWrong: false }
  }
  try {
    const { files, ignored } = await readMediaFolder(config.media, config.project)
    const passed = ignored.map(({ file, reason }): Finding => ({
      area: 'media',
      name: file,
      condition: 'note',
      text: `passed over: ${reason}`,
    }))
    const declared = readDesired(files, config.project)
    const sources = await Promise.all(declared.map(lookAtSource))
    const text = `${counted(declared.length, 'medium', 'media')} well declared`
    return { findings: [{ ...base, condition: 'good', text }, ...passed, ...sources.flat()], isWrong: false }
  } catch (error) {
    if (!(error instanceof NttError)) throw error
    const isWrong = error instanceof DesiredError
    const fix = isWrong ? 'To see each with its place, run:\n    ntt validate' : error.hint
    const condition = isWrong ? 'problem' : 'unknown'
    return {
      findings: [{ ...base, condition, text: error.message, ...(fix !== undefined && { fix }) }],
      isWrong,
    }
  }
}

/** A source that is away is nothing to worry about; one that is there and may not be read is. */
async function lookAtSource({ name, source }: Declaration): Promise<readonly Finding[]> {
  const base = { area: 'media', name } as const
  try {
    await stat(source.path)
    await access(source.path, constants.R_OK)
    return []
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    if (errno === 'ENOENT') return [{ ...base, condition: 'note', text: `${source.path} is not there now` }]
    const fix =
      source.type === 'device'
        ? 'Run ntt as root, or as a user in the group that owns the device (ls -l tells it; often cdrom or disk).'
        : 'Give this user the permission to read it, or run ntt as one who may.'
    return [{ ...base, condition: 'problem', text: `${source.path} may not be read (${errno})`, fix }]
  }
}

const rights = (uid: number): Finding => ({
  area: 'rights',
  name: uid === 0 ? 'root' : `user ${uid}`,
  condition: 'good',
  text:
    uid === 0
      ? 'may read every drive; the private database runs as another user'
      : 'image files and folders need no more; drives need a group that may read them',
})

function settings(config: Config): readonly Finding[] {
  const values: Readonly<Record<string, unknown>> = {
    document: config.document ?? 'none',
    database: config.database === null ? 'private' : nameOf(config.database),
    jobs: config.jobs,
    ...Object.fromEntries(
      Object.entries(config.display).map(([name, on]) => [`display.${name}`, on ? 'yes' : 'no']),
    ),
  }
  const shown = Object.entries(values).map(([name, value]): Finding => ({
    area: 'settings',
    name,
    condition: 'good',
    text: config.from[name] === undefined ? String(value) : `${String(value)} (${config.from[name]})`,
  }))
  const notes = config.notes.map((text): Finding => ({
    area: 'settings',
    name: 'unread',
    condition: 'note',
    text,
  }))
  return [...shown, ...notes]
}
