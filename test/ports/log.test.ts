// The event log: a line that did not fit spoils no other.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { StoreError } from '../../src/model/errors.ts'
import { lineHash } from '../../src/model/log-chain.ts'
import { openLog } from '../../src/ports/log.ts'
import { scratch } from '../support/project.ts'

const page = 4096

test.skipIf(process.getuid?.() !== 0)(
  'a line that a full disk tore is ended, and the next one is chained',
  () => {
    const folder = join(scratch(), 'small')
    mkdirSync(folder)
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${16 * page}`, 'ntt-test', folder])
    onTestFinished(() => void execFileSync('umount', [folder]))
    writeFileSync(join(folder, 'filler'), Buffer.alloc(15 * page))
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
