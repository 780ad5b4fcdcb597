// A PostgreSQL as others run it: on TCP, with passwords, none of ours. For what a URL may meet.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDatabase } from '../../src/ports/postgres.ts'
import { accountFor } from '../../src/ports/server/account.ts'
import { findBinaries } from '../../src/ports/server/binaries.ts'
import { packageRoot } from './postgres.ts'

export interface External {
  /** URL of its database `postgres`; `password` or `database` may be given wrong. */
  url(parts?: { password?: string; database?: string }): string
  readonly password: string
  start(): Promise<void>
  /** Ends it the hard way. */
  kill(): Promise<void>
  /** It takes connections and answers none, until `resume`. */
  pause(): void
  resume(): void
  remove(): Promise<void>
}

async function freePort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const address = listener.address()
  listener.close()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** Makes and starts one. Its superuser is `archivist`. */
export async function externalServer(): Promise<External> {
  const folder = mkdtempSync(join(tmpdir(), 'ntt-external-'))
  chmodSync(folder, 0o755)
  const [data, secret] = [join(folder, 'data'), join(folder, 'secret')]
  const password = 'hunter2:@/?#'
  const binaries = await findBinaries(packageRoot, join(folder, 'lib'), null)
  const { uid, gid, prefix } = accountFor(folder, null, [join(binaries.bin, 'postgres')])
  mkdirSync(data, { mode: 0o700 })
  writeFileSync(secret, password)
  for (const path of [data, secret]) chownSync(path, uid, gid)
  const port = await freePort()
  const run = (program: string, ...args: readonly string[]) => {
    const [file = '', ...rest] = [...prefix, join(binaries.bin, program), ...args]
    return spawn(file, rest, {
      cwd: '/',
      env: { LC_ALL: 'C', PATH: process.env['PATH'], LD_LIBRARY_PATH: binaries.libraries.join(':') },
      stdio: 'ignore',
    })
  }
  const made = run(
    'initdb',
    '-D',
    data,
    '-U',
    'archivist',
    '--auth=scram-sha-256',
    `--pwfile=${secret}`,
    '-N',
  )
  await once(made, 'exit')

  const url: External['url'] = (parts = {}) =>
    `postgres://archivist:${encodeURIComponent(parts.password ?? password)}@127.0.0.1:${port}/${parts.database ?? 'postgres'}`
  let server: ReturnType<typeof run> | null = null
  const external: External = {
    url,
    password,
    async start() {
      server = run('postgres', '-D', data, '-k', '', '-c', 'listen_addresses=127.0.0.1', '-p', String(port))
      for (let tries = 0; ; tries += 1) {
        try {
          const database = await openDatabase({ where: url(), run: 'test' })
          return await database.close()
        } catch (error) {
          if (tries > 200) throw error
          await new Promise((resolve) => setTimeout(resolve, 50))
        }
      }
    },
    async kill() {
      if (server === null) return
      const ended = once(server, 'exit')
      server.kill('SIGKILL')
      await ended
      server = null
    },
    pause: () => void server?.kill('SIGSTOP'),
    resume: () => void server?.kill('SIGCONT'),
    async remove() {
      await external.kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
  await external.start()
  return external
}
