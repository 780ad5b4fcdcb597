// ntt audit: all that database, stores and claims say against each other; believes no flag, writes nothing.
import { audit, auditExit, type Declared } from '../audit.ts'
import { ObserveError, survivable, type ExitCode } from '../model/errors.ts'
import { sideBySide } from '../model/lanes.ts'
import type { Declaration } from '../model/medium.ts'
import type { Reader } from '../model/world.ts'
import type { Eyes } from '../observe.ts'
import { readCatalogue } from '../ports/catalogue.ts'
import { readProofs } from '../record.ts'
import { auditText } from '../views/audit.ts'
import { duration } from '../views/format.ts'
import { isHushed, type Flags } from './flags.ts'
import { openVerb } from './verb.ts'

export async function auditVerb(_named: readonly string[], flags: Flags): Promise<ExitCode> {
  await using verb = await openVerb(flags, { writes: false })
  const { database, eyes } = verb.session
  if (database === null)
    throw new ObserveError('there is no database to audit', {
      hint: 'ntt apply makes one; NTT_DB_URL names another.',
    })
  const began = performance.now()
  const rows = await readCatalogue((sql, params) => database.query(sql, params), null)
  const media = [...rows.values()]
  const proofs = await readProofs(
    (sql, params) => database.query(sql, params),
    media.map(({ hash }) => hash),
  )
  const world = eyes.reader('audit')
  const declared = await sideBySide(verb.declarations, verb.config.jobs, (one) => known(one, eyes, world))
  const met = new Set([...rows.keys(), ...declared.map(({ name, is }) => is ?? name)])
  const findings = await audit(declared, media, proofs, world)
  const seconds = duration((performance.now() - began) / 1000)
  if (flags.json === true) verb.write(`${JSON.stringify(findings)}\n`)
  else if (!isHushed(flags, auditExit(findings)))
    verb.write(
      auditText(findings, { media: met.size, seconds }, { ...verb.manner, verbose: flags.verbose === true }),
    )
  return auditExit(findings)
}

/** A declaration with the medium that it is about; what cannot be looked at now is known by its name alone. */
async function known(declaration: Declaration, eyes: Eyes, world: Reader): Promise<Declared> {
  try {
    const identity = await eyes.identify(declaration, world)
    if ('hash' in identity) return { ...declaration, is: identity.hash, refused: null }
    return {
      ...declaration,
      is: declaration.hash,
      refused: identity.action === 'refuse' ? identity : null,
    }
  } catch (error) {
    survivable(error)
    return { ...declaration, is: declaration.hash, refused: null }
  }
}
