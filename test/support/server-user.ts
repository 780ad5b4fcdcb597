// A process that uses a server: joins it, asks it something, waits for the end of its stdin, leaves.
import { openDatabase } from '../../src/ports/postgres.ts'
import { openServer } from '../../src/ports/server/index.ts'

const [directory = '', packageRoot = ''] = process.argv.slice(2)
const server = await openServer({ directory, packageRoot, signal: new AbortController().signal })
const database = await openDatabase({ where: server, run: `pid ${process.pid}` })
await database.transaction(async (tx) => {
  await tx.query('select pg_advisory_xact_lock(1)')
  await tx.execute('create table if not exists visitor (pid int4)')
  await tx.execute('insert into visitor values ($1)', [process.pid])
})
process.stdout.write(`${JSON.stringify({ socket: server.socket })}\n`)
for await (const _ of process.stdin);
await database.close()
await server.leave()
