// ntt log --runs: the runs that the event log tells of, the last ones where nobody asks for all.
import type { Config } from '../config.ts'
import { UsageError, type ExitCode } from '../model/errors.ts'
import { runsText, type ToldRun } from '../views/runs.ts'
import { readLog } from './read-log.ts'
import { writeDocument, type Out } from './out.ts'

const lastRuns = 20

export interface RunsWanted {
  /** Only runs that tell of this medium. */
  readonly medium: string | undefined
  readonly all: boolean
  readonly json: boolean
}

export async function runs({ log }: Config, { medium, all, json }: RunsWanted, out: Out): Promise<ExitCode> {
  const told = new Map<string, ToldRun>()
  const about = new Set<string>()
  const reached = await readLog(log, 0, {
    event(event) {
      const { run, host, ts } = event
      if ('medium' in event && event.medium === medium) about.add(run)
      if (event.type === 'run.started')
        told.set(run, {
          run,
          host,
          started_at: ts,
          verb: event.verb,
          arguments: event.arguments,
          ended: null,
        })
      const known = told.get(run)
      if (event.type !== 'run.finished' || known === undefined) return
      const { exitCode, durationSec, converged, failed } = event
      const ended = { exit_code: exitCode, duration_sec: durationSec, converged, failed }
      told.set(run, { ...known, ended })
    },
  })
  if (reached === null)
    throw new UsageError(`there is no event log at ${log}`, { hint: 'ntt apply writes it.' })
  const wanted = [...told.values()].filter(({ run }) => medium === undefined || about.has(run))
  const shown = all || json ? wanted : wanted.slice(-lastRuns)
  if (json) writeDocument(out, shown)
  else out.write(runsText(shown, wanted.length - shown.length, out.manner))
  return 0
}
