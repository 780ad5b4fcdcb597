// ntt doctor: tools, database, roots, declarations, rights and settings; each problem with its fix. Changes nothing.
import type { Config } from '../../config.ts'
import { mostSerious } from '../../model/errors.ts'
import type { ExitCode } from '../../model/errors.ts'
import { nameOf } from '../../ports/postgres/errors.ts'
import { doctorText } from '../../views/doctor.ts'
import type { Finding } from '../../views/doctor.ts'
import { isHushed, type Flags } from '../flags.ts'
import { writeDocument } from '../out.ts'
import type { Out } from '../out.ts'
import { packageRoot, version } from '../root.ts'
import { configOf, outOf } from '../verb.ts'
import { lookAtDatabase } from './database.ts'
import { lookAtAway, lookAtMedia } from './media.ts'
import { lookAtRoots } from './roots.ts'
import { lookAtTools } from './tools.ts'

export interface DoctorArguments {
  readonly json?: boolean
  readonly quiet?: boolean
  readonly signal: AbortSignal
}

export async function doctorVerb(_named: readonly string[], flags: Flags): Promise<ExitCode> {
  const config = configOf(flags, true)
  const { json = false, quiet = false } = flags
  return doctor(config, { json, quiet, signal: new AbortController().signal }, outOf(config))
}

/** 0: nothing stands in the way. 1: a declaration is wrong. 2: there is something to put right. 5: could not look at something. */
export async function doctor(
  config: Config,
  { json = false, quiet = false, signal }: DoctorArguments,
  out: Out,
): Promise<ExitCode> {
  const uid = process.getuid?.() ?? 0
  const [tools, database, roots, media] = await Promise.all([
    lookAtTools(config.path, uid === 0, signal),
    lookAtDatabase(config, packageRoot, signal),
    lookAtRoots(config),
    lookAtMedia(config),
  ])
  const isAnswering = database.every(({ condition }) => condition === 'good' || condition === 'note')
  const away = await lookAtAway(media.away, isAnswering ? { config, signal } : null)
  const findings = [
    self(config),
    ...tools,
    ...database,
    ...roots,
    ...media.findings,
    ...away,
    rights(uid),
    ...settings(config),
  ]
  const codes = findings.map(({ condition }): ExitCode =>
    condition === 'unknown' ? 5 : condition === 'problem' ? 2 : 0,
  )
  const exit = mostSerious([...codes, ...(media.isWrong ? ([1] as const) : [])])
  if (json) writeDocument(out, { version, node: process.versions.node, project: config.project, findings })
  else if (!isHushed({ quiet }, exit)) out.write(doctorText(findings, out.manner))
  return exit
}

const self = ({ project }: Config): Finding => ({
  area: 'ntt',
  name: version,
  condition: 'good',
  text: `on Node ${process.versions.node}; the project is ${project}`,
})

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
      (['plain', 'color', 'ascii'] as const).map((name) => [
        `display.${name}`,
        config.display[name] ? 'yes' : 'no',
      ]),
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
