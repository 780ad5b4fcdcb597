// ntt verify --log: whether proofs, runs and the event log are as they were written; changes nothing.
import { join } from 'node:path'
import { checkRecord, readAnchors } from '../evidence.ts'
import { ObserveError, type ExitCode } from '../model/errors.ts'
import type { Evidence } from '../model/evidence.ts'
import { LogChain, type Anchor } from '../model/log-chain.ts'
import { evidenceText } from '../views/evidence.ts'
import { isHushed, type Flags } from './flags.ts'
import { BrokenPack, linesOf, logFiles } from './log-files.ts'
import { openVerb } from './verb.ts'

export async function verifyLog(flags: Flags): Promise<ExitCode> {
  await using verb = await openVerb(flags, { writes: false })
  const { database, host, config } = verb.session
  if (database === null)
    throw new ObserveError('there is no database to compare the log with', { hint: 'ntt doctor' })
  const query = <Row>(sql: string, params?: readonly unknown[]) => database.query<Row>(sql, params)
  const [sealing] = await query<{ there: boolean }>(
    "select exists (select from information_schema.columns where table_name = 'run' and column_name = 'seal') as there",
  )
  if (sealing?.there !== true)
    throw new ObserveError('the database was made by an older ntt, which sealed no runs', {
      hint: 'ntt apply brings it up; runs are sealed from then on.',
    })
  const anchors = await readAnchors(query)
  const record = await checkRecord(query, anchors)
  const log = await readLogs(config.roots.log, anchors, host)
  const evidence: Evidence = { ...record, ...log, flaws: [...record.flaws, ...log.flaws] }
  const exit = evidence.flaws.length > 0 ? 3 : 0
  if (!isHushed(flags, exit))
    verb.write(flags.json === true ? `${JSON.stringify(evidence)}\n` : evidenceText(evidence, verb.manner))
  return exit
}

async function readLogs(
  folder: string,
  anchors: ReadonlyMap<string, Anchor>,
  host: string,
): Promise<Pick<Evidence, 'open' | 'log' | 'flaws'>> {
  const chain = new LogChain(anchors, host)
  const files = await logFiles(folder)
  for (const file of files) {
    chain.file()
    try {
      for await (const { number, bytes, whole } of linesOf(join(folder, file)))
        chain.line(`${file}:${number}`, bytes, whole)
    } catch (error) {
      if (!(error instanceof BrokenPack)) throw error
      chain.flaws.push({ where: file, text: 'it cannot be unpacked to its end: altered, or cut' })
    }
  }
  chain.end()
  const elsewhere: Record<string, number> = {}
  for (const { host: other } of anchors.values())
    if (other !== host) elsewhere[other] = (elsewhere[other] ?? 0) + 1
  return {
    open: [...anchors].flatMap(([run, one]) => (one.host === host && !one.ended ? [run] : [])),
    log: { files, lines: chain.lines, torn: chain.torn, elsewhere },
    flaws: chain.flaws,
  }
}
