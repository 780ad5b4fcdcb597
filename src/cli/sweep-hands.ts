// The hands of a run, with those for reading the store.
import type { Database } from '../ports/postgres.ts'
import { makeReader } from '../ports/world.ts'
import type { SweepHands } from '../sweep/hands.ts'
import type { Run } from './run.ts'
import type { Session } from './session.ts'

export const sweepHands = ({ hands }: Run, { signal, ports }: Session, database: Database): SweepHands => ({
  ...hands,
  query: (sql, params) => database.query(sql, params),
  transaction: (work) => database.transaction(work),
  store: (until, told = () => undefined) =>
    makeReader(ports, {
      signal: AbortSignal.any([signal, until]),
      progress: (done, _total, unit) => {
        if (unit === 'bytes') told(done)
      },
      line: () => undefined,
    }),
})
