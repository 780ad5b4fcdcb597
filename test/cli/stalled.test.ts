// A program that is frozen is seen to be: by the real command at a terminal, with a real ddrescue on a slow drive.
import { randomFillSync } from 'node:crypto'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { device } from '../support/devices.ts'
import { freshDatabase } from '../support/postgres.ts'
import { project } from '../support/project.ts'
import { sit } from '../support/seat.ts'

/** The process that has this word in its arguments and is called so. */
function pidOf(program: string, word: string): number {
  const found = readdirSync('/proc').find((pid) => {
    if (!/^\d+$/.test(pid)) return false
    try {
      return (
        readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === program &&
        readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(word)
      )
    } catch {
      // It has ended since the folder was read.
      return false
    }
  })
  if (found === undefined) throw new Error(`no ${program} is at work on ${word}`)
  return Number(found)
}

test(
  'a frozen ddrescue is told as stalled with its last sign of life, and its bar moves again when it goes on',
  { timeout: 300_000 },
  async () => {
    const database = await freshDatabase()
    const made = project({ database })
    writeFileSync(made.path('disk.bin'), randomFillSync(Buffer.alloc(24_000_000)))
    const { path } = await device(made.folder, made.path('disk.bin'), { delayMs: 100 })
    made.medium('slow', `kind: disk\nsource: {device: ${path}}\ntarget: imaged\n`)
    await using terminal = sit(made, 'ntt apply --yes', { database })
    const percent = (text: string): number => Number(/ slow .* image .* (\d+) %/.exec(text)?.[1] ?? 0)
    await terminal.until((text) => percent(text) > 2, 90_000)
    const pid = pidOf('ddrescue', made.folder)
    process.kill(pid, 'SIGSTOP')
    try {
      const told = / slow .* image .* %  stalled for 1 min/
      await terminal.until(told, 120_000)
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    const before = percent(terminal.screen().join('\n'))
    await terminal.until((text) => !text.includes('stalled') && percent(text) > before, 60_000)
    terminal.type('\x03\x03')
    await terminal.ended
    expect(terminal.mainScreen().join('\n')).toContain('ended with 130')
  },
)
