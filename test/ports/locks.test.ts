// Holds: one holder for a medium, told by name, freed when it dies, and fenced off when it has lost it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LockedError } from '../../src/model/errors.ts'
import { type HoldOptions, holdMedium } from '../../src/ports/locks.ts'
import { type Database, openDatabase } from '../../src/ports/postgres.ts'
import { ask, freshDatabase, packageRoot } from '../support/postgres.ts'

let url: string
let database: Database

beforeEach(async () => {
  url = await freshDatabase()
  database = await openDatabase({ where: url, run: 'r1' })
})
afterEach(() => database.close())

const hash = 'da69350a5b27adf013e02994611cebc3'
const hold = (parts: Partial<HoldOptions> = {}) => {
  const signal = new AbortController().signal
  return holdMedium(database, { hash, name: 'ceh', run: 'r1', host: 'h1', pid: 42, signal, ...parts })
}

/** Another process that takes the medium and then does what `script` says. */
async function holder(script: string) {
  const program = `
    import { holdMedium } from '${join(packageRoot, 'src/ports/locks.ts')}'
    import { openDatabase } from '${join(packageRoot, 'src/ports/postgres.ts')}'
    const database = await openDatabase({ where: process.env.URL, run: 'r0' })
    const signal = new AbortController().signal
    const hold = await holdMedium(database, { hash: '${hash}', name: 'ceh', run: 'r0', host: 'h0', pid: 7, signal })
    process.stdout.write('held')
    ${script}`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    env: { ...process.env, URL: url },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  return child
}

test('a medium that is held is refused, with who holds it and since when', async () => {
  const first = await hold()
  const second = hold({ run: 'r2' })
  await expect(second).rejects.toThrow(LockedError)
  await expect(second).rejects.toThrow(
    /^ceh is held by run r1 of host h1, pid 42, since 2\d{3}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/,
  )
  await first.release()
  await (await hold({ run: 'r2' })).release()
})

test('media are held apart from each other', async () => {
  const [one, other] = [await hold(), await hold({ hash: 'another-medium' })]
  await Promise.all([one.release(), other.release()])
})

test('who waits is told for whom, and is next', async () => {
  const first = await hold()
  const told: string[] = []
  const second = hold({ run: 'r2', wait: (holder) => told.push(holder) })
  await expect.poll(() => told).toEqual([expect.stringContaining('held by run r1')])
  await first.release()
  await (await second).release()
})

test('waiting ends when it is interrupted', async () => {
  const first = await hold()
  const stop = new AbortController()
  const second = hold({ wait: () => stop.abort(), signal: stop.signal })
  await expect(second).rejects.toMatchObject({ tag: 'interrupted' })
  await first.release()
  await (await hold()).release()
})

test('a holder that is killed gives the medium up within a second', async () => {
  const child = await holder('setInterval(() => {}, 1000)')
  await expect(hold()).rejects.toThrow('held by run r0 of host h0, pid 7')
  const second = hold({ wait: () => child.kill('SIGKILL') })
  const began = performance.now()
  await (await second).release()
  expect(performance.now() - began).toBeLessThan(1000)
})

test('a holder that is killed inside a long query gives the medium up within two seconds', async () => {
  const child = await holder(`await database.transaction(async (tx) => {
    await hold.fence(tx)
    await tx.query('select pg_sleep(60)')
  })`)
  const second = hold({ wait: () => setTimeout(() => child.kill('SIGKILL'), 200) })
  const began = performance.now()
  await (await second).release()
  expect(performance.now() - began).toBeLessThan(2500)
})

test('a holder whose connection breaks is told, and can write no more once another has the medium', async () => {
  const first = await hold()
  await database.transaction((tx) => first.fence(tx))
  expect(first.signal.aborted).toBe(false)
  await ask(
    url,
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'ntt r1 lock'",
  )
  await expect.poll(() => first.signal.aborted).toBe(true)
  const second = await hold({ run: 'r2' })
  await expect(database.transaction((tx) => first.fence(tx))).rejects.toThrow(LockedError)
  await database.transaction((tx) => second.fence(tx))
  await second.release()
})

test('nobody takes over a medium in the middle of a fenced transaction', async () => {
  const first = await hold()
  const order: string[] = []
  let second: Promise<unknown> | undefined
  await database.transaction(async (tx) => {
    await first.fence(tx)
    await first.release()
    second = hold({ run: 'r2' }).then((held) => {
      order.push('taken')
      return held.release()
    })
    await tx.query('select pg_sleep(0.3)')
    order.push('written')
  })
  await second
  expect(order).toEqual(['written', 'taken'])
})
