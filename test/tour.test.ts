// The README's five minutes, as typed: every command of the tour, with the exit code that the README promises.
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { repository, scratch } from './support/project.ts'

const readme = readFileSync(join(repository, 'README.md'), 'utf8')
const tour = readme.split('<!-- tour -->')[1]?.split('<!-- /tour -->')[0] ?? ''
const commands = tour
  .split('\n')
  .filter((line) => line.startsWith('$ '))
  .map((line) => {
    const [typed = '', told = ''] = line.slice(2).split(/ +# /)
    return { typed, exit: Number(/^exit (\d+)/.exec(told)?.[1] ?? 0) }
  })

test(
  'the tour reaches an empty plan, and every command of it ends as the README says',
  { timeout: 600_000 },
  () => {
    expect(commands.length).toBeGreaterThan(8)
    // A clone after `npm start`: the command, the sample media, and what they have converged to.
    const clone = scratch()
    mkdirSync(join(clone, 'bin'))
    symlinkSync(join(repository, 'bin/ntt'), join(clone, 'bin/ntt'))
    cpSync(join(repository, 'media.d'), join(clone, 'media.d'), { recursive: true })
    cpSync(join(repository, 'test/images'), join(clone, 'test/images'), { recursive: true })
    const env = { ...process.env, CI: 'true' }
    execFileSync(join(clone, 'bin/ntt'), ['apply', '--yes'], { cwd: clone, env })
    for (const { typed, exit } of commands) {
      const { status, stdout, stderr } = spawnSync('sh', ['-c', typed], { cwd: clone, env, encoding: 'utf8' })
      expect([typed, status], stdout + stderr).toEqual([typed, exit])
    }
  },
)
