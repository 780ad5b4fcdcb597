// The declarations and their sources: what is wrong, what may not be read, and what is away that nothing stands in for.
import { access, constants, stat } from 'node:fs/promises'
import type { Config } from '../../config.ts'
import { readDesired } from '../../desired.ts'
import { DesiredError, NttError, errnoOf } from '../../model/errors.ts'
import type { Declaration } from '../../model/medium.ts'
import type { Finding } from '../../views/doctor.ts'
import { counted } from '../../model/counted.ts'
import { readMediaFolder } from '../folder.ts'
import { look } from '../look.ts'
import { openSession } from '../session.ts'

export interface Media {
  readonly findings: readonly Finding[]
  readonly isWrong: boolean
  /** Media whose image or directory is not where it is declared. */
  readonly away: readonly Declaration[]
}

/** The declarations, and whether the drives and files that they name may be read. */
export async function lookAtMedia(config: Config): Promise<Media> {
  const base = { area: 'media', name: 'media.d' } as const
  if (!config.hasMedia) {
    const fix = 'To declare a first medium, run:\n    ntt add SOURCE'
    return {
      findings: [{ ...base, condition: 'note', text: 'there is none yet', fix }],
      isWrong: false,
      away: [],
    }
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
    const findings = [
      { ...base, condition: 'good', text } as const,
      ...passed,
      ...sources.flatMap((one) => (one === 'away' ? [] : one)),
    ]
    return { findings, isWrong: false, away: declared.filter((_, place) => sources[place] === 'away') }
  } catch (error) {
    if (!(error instanceof NttError)) throw error
    const isWrong = error instanceof DesiredError
    const fix = isWrong ? 'To see each with its place, run:\n    ntt validate' : error.hint
    const condition = isWrong ? 'problem' : 'unknown'
    return {
      findings: [{ ...base, condition, text: error.message, ...(fix !== undefined && { fix }) }],
      isWrong,
      away: [],
    }
  }
}

/** A drive that is away is nothing to worry about; a source that is there and may not be read is. */
async function lookAtSource({ name, source }: Declaration): Promise<readonly Finding[] | 'away'> {
  const base = { area: 'media', name } as const
  try {
    await stat(source.path)
    await access(source.path, constants.R_OK)
    return []
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    if (errno === 'ENOENT')
      return source.type === 'device'
        ? [{ ...base, condition: 'note', text: `${source.path} is not there now` }]
        : 'away'
    const fix =
      source.type === 'device'
        ? 'Run ntt as root, or as a user in the group that owns the device (ls -l tells it; often cdrom or disk).'
        : 'Give this user the permission to read it, or run ntt as one who may.'
    return [{ ...base, condition: 'problem', text: `${source.path} may not be read (${errno})`, fix }]
  }
}

/**
 * An image or a directory that is away is missed only where a plan would miss it: its archive may stand in for it. `asking`: null
 * where the database, which knows that, does not answer.
 */
export async function lookAtAway(
  away: readonly Declaration[],
  asking: { readonly config: Config; readonly signal: AbortSignal } | null,
): Promise<readonly Finding[]> {
  if (away.length === 0) return []
  if (asking === null)
    return away.map((one) => missing(one, 'unknown', 'the database cannot tell what stands in for it'))
  await using session = await openSession({ ...asking, declarations: away, writes: false })
  const { plan } = await look(session, away)
  return away.map((one): Finding => {
    const steps = plan.lanes.find(({ medium }) => medium === one.name)?.steps ?? []
    const held = steps.find(({ action }) => action === 'unknown' || action === 'refuse')
    if (held !== undefined)
      return missing(
        one,
        held.action === 'unknown' ? 'unknown' : 'problem',
        `${held.stage}: ${held.because.text}`,
      )
    const text = `${one.source.path} is not there now, and is not needed for what is declared`
    return { area: 'media', name: one.name, condition: 'note', text }
  })
}

const missing = ({ name, source }: Declaration, condition: 'unknown' | 'problem', why: string): Finding => ({
  area: 'media',
  name,
  condition,
  text: why.includes(source.path) ? why : `${source.path} is not there now; ${why}`,
  fix: `Bring it back, or write into its file in media.d where it is now. To see what is known of it, run:\n    ntt why ${name}`,
})
