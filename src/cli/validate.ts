// ntt validate: media.d against the schema, and every problem of every file at once. Looks at no medium.
import type { Config } from '../config.ts'
import { readDesired } from '../desired.ts'
import { DesiredError } from '../model/errors.ts'
import type { ExitCode } from '../model/errors.ts'
import type { Declaration } from '../model/medium.ts'
import { failureText } from '../views/failure.ts'
import { counted } from '../model/counted.ts'
import { pad, readable } from '../views/format.ts'
import { render, span } from '../views/paint.ts'
import type { Line } from '../views/paint.ts'
import { isHushed, type Flags } from './flags.ts'
import { readMediaFolder, readNamed } from './folder.ts'
import { writeDocument } from './out.ts'
import type { Out } from './out.ts'
import { configOf, outOf } from './verb.ts'

export interface ValidateArguments {
  /** Files or folders; all of media.d where there are none. */
  readonly files: readonly string[]
  /** The folder that relative names begin at. */
  readonly folder: string
  readonly json?: boolean
  readonly verbose?: boolean
  readonly quiet?: boolean
}

export async function validateVerb(files: readonly string[], flags: Flags): Promise<ExitCode> {
  const config = configOf(flags, files.length > 0)
  const { json = false, verbose = false, quiet = false } = flags
  return validate(config, { files, folder: process.cwd(), json, verbose, quiet }, outOf(config))
}

/** 0: well declared. 1: problems, all told. */
export async function validate(
  config: Pick<Config, 'media' | 'project'>,
  { files: named, folder, json = false, verbose = false, quiet = false }: ValidateArguments,
  out: Out,
): Promise<ExitCode> {
  const { files, ignored } =
    named.length === 0
      ? await readMediaFolder(config.media, config.project)
      : await readNamed(named, folder, config.project)
  let declared: readonly Declaration[] = []
  let refused: DesiredError | null = null
  try {
    declared = readDesired(files, config.project)
  } catch (error) {
    if (!(error instanceof DesiredError)) throw error
    refused = error
  }
  if (json) {
    const media = declared.map(({ name, file }) => ({ medium: name, file }))
    writeDocument(out, { ok: refused === null, media, ignored, problems: refused?.problems ?? [] })
  } else if (!isHushed({ quiet }, refused === null ? 0 : 1)) {
    const width = Math.max(0, ...ignored.map(({ file }) => readable(file).length))
    const passed = ignored.map(({ file, reason }): Line => [
      span('dim', `passed over: ${pad(readable(file), width)}  ${reason}`),
    ])
    const each = verbose ? declared.map(({ name, target }): Line => [`  ${readable(name)} -> ${target}`]) : []
    const hint: readonly Line[] =
      files.length === 0 ? [['To declare a first one, run:'], ['    ntt add SOURCE']] : []
    if (refused === null)
      out.write(
        render(
          [...passed, ...each, [`${counted(declared.length, 'medium', 'media')} well declared.`], ...hint],
          out.manner,
        ),
      )
    else out.write(`${render(passed, out.manner)}${failureText(refused, out.manner)}\n`)
  }
  return refused === null ? 0 : 1
}
