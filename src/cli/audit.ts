// ntt audit: all that database, stores and claims say against each other; believes no flag, writes nothing.
import { audit, auditExit } from '../audit.ts'
import { ObserveError, type ExitCode } from '../model/errors.ts'
import type { Declaration } from '../model/medium.ts'
import { readCatalogue } from '../ports/catalogue.ts'
import { readProofs } from '../record.ts'
import { auditText } from '../views/audit.ts'
import { duration } from '../views/format.ts'
import type { Flags } from './flags.ts'
import { openVerb } from './verb.ts'

export async function auditVerb(_named: readonly string[], flags: Flags): Promise<ExitCode> {
  await using verb = await openVerb(flags, { writes: false })
  const { database, eyes } = verb.session
  if (database === null)
    throw new ObserveError('there is no database to audit', {
      hint: 'ntt apply makes one; NTT_DB_URL names another',
    })
  const began = performance.now()
  const rows = await readCatalogue((sql, params) => database.query(sql, params), null)
  const isUnloaded = ({ target }: Declaration): boolean => target === 'imaged' || target === 'enumerated'
  const unloaded = new Set(verb.declarations.filter(isUnloaded).map(({ name }) => name))
  const media = [...rows.values()]
  const proofs = await readProofs(
    (sql, params) => database.query(sql, params),
    media.map(({ hash }) => hash),
  )
  const findings = await audit(media, proofs, unloaded, eyes.reader('audit'))
  const seconds = duration((performance.now() - began) / 1000)
  if (flags.json === true) verb.write(`${JSON.stringify(findings)}\n`)
  else
    verb.write(
      auditText(findings, { media: rows.size, seconds }, { ...verb.manner, verbose: flags.verbose === true }),
    )
  return auditExit(findings)
}
