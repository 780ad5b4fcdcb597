// The event log: a line that did not fit spoils no other.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { StoreError } from '../../src/model/errors.ts'
import { LogChain, lineHash } from '../../src/model/log-chain.ts'
import { openStream } from '../../src/cli/stream.ts'
import { logLine } from '../../src/views/jsonl.ts'
import { openLog } from '../../src/ports/log.ts'
import { scratch } from '../support/project.ts'

const page = 4096

/** A disk with room for one page. */
function smallDisk(): string {
  const folder = join(scratch(), 'small')
  mkdirSync(folder)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${16 * page}`, 'ntt-test', folder])
  onTestFinished(() => void execFileSync('umount', [folder]))
  writeFileSync(join(folder, 'filler'), Buffer.alloc(15 * page))
  return folder
}

test.skipIf(process.getuid?.() !== 0)(
  'a line that a full disk tore is ended, and the next one is chained',
  () => {
    const folder = smallDisk()
    const path = join(folder, 'events.jsonl')
    const log = openLog(path)
    onTestFinished(() => log.close())
    log.append({ event: 'first' }, true)
    expect(() => log.append({ event: 'second', text: 'x'.repeat(2 * page) }, true)).toThrow(StoreError)
    rmSync(join(folder, 'filler'))
    log.append({ event: 'third' }, true)
    const [first = '', torn = '', third = '', ...rest] = readFileSync(path, 'utf8').split('\n')
    expect(rest).toEqual([''])
    expect(torn).toMatch(/^\{"event":"second","text":"x+$/)
    expect(JSON.parse(third)).toEqual({ event: 'third', prev: lineHash(first) })
  },
)

test.skipIf(process.getuid?.() !== 0)('a run that goes on after a full disk has altered nothing', () => {
  const folder = smallDisk()
  const path = join(folder, 'events.jsonl')
  const log = openLog(path)
  onTestFinished(() => log.close())
  const emit = openStream({
    run: 'r1',
    host: 'h1',
    pid: 7,
    now: () => new Date(0),
    taken: () => log.lines,
    readers: [(event) => log.append(logLine(event), true)],
  })
  const stopping = (text: string) => (): void => emit({ type: 'run.stopping', text })
  stopping('one')()
  // The first is torn, and of the other not a byte is taken.
  for (const _ of [1, 2]) expect(stopping('x'.repeat(2 * page))).toThrow(StoreError)
  rmSync(join(folder, 'filler'))
  stopping('two')()
  const anchor = { host: 'h1', events: log.lines, head: log.head, ended: true, isOlder: false }
  const chain = new LogChain(new Map([['r1', anchor]]), 'h1')
  for (const [at, line] of readFileSync(path, 'utf8').trimEnd().split('\n').entries())
    chain.line(String(at + 1), Buffer.from(line))
  chain.end()
  expect([chain.flaws, chain.torn, chain.lines]).toEqual([[], ['2'], 2])
})
