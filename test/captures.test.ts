// The README's pictures and its recorded session: there, and made by a script that still works on the real command.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import xterm from '@xterm/headless'
import { expect, test } from 'vitest'
import { repository, scratch } from './support/project.ts'

const docs = join(repository, 'docs')

test('what the README shows is there, small, and shown', () => {
  const readme = readFileSync(join(repository, 'README.md'), 'utf8')
  const shown = [...readme.matchAll(/docs\/[\w.-]+/g)].map(([path]) => path)
  expect(shown.filter((path) => !existsSync(join(repository, path)))).toEqual([])
  const kept = readdirSync(docs).filter((name) => /\.(svg|cast)$/.test(name))
  expect(kept.filter((name) => !shown.includes(`docs/${name}`))).toEqual([])
  expect(kept.filter((name) => statSync(join(docs, name)).size > 150_000)).toEqual([])
})

test('the script makes the same files from the real command', { timeout: 400_000 }, async () => {
  const made = scratch('ntt-captures-')
  execFileSync('npm', ['run', '--silent', 'captures', '--', '--short', made], { cwd: repository })
  const names = readdirSync(made).toSorted()
  expect(names).toEqual(
    readdirSync(docs)
      .filter((name) => /\.(svg|cast)$/.test(name))
      .toSorted(),
  )
  for (const name of names.filter((one) => one.endsWith('.svg'))) {
    const svg = readFileSync(join(made, name), 'utf8')
    expect(svg).toMatch(/^<svg [^]*<\/svg>\n$/)
    // No markup but ours: text from a terminal is escaped.
    expect(svg.replaceAll(/<\/?(svg|rect|g|text)( [a-zA-Z:-]+="[^"<>]*")*\/?>/g, '')).not.toMatch(/[<>]/)
    expect(svg).toContain(name.startsWith('screen') ? '>box-7<' : 'software/ntt/LICENSE')
  }
  const [header = '', ...events] = readFileSync(join(made, 'tour.cast'), 'utf8').trim().split('\n')
  const { version, width, height }: Readonly<Record<string, number>> = JSON.parse(header)
  expect(version).toBe(2)
  const told = events.map((line): readonly [number, string, string] => JSON.parse(line))
  expect(told.map(([at]) => at)).toEqual(told.map(([at]) => at).toSorted((a, b) => a - b))
  // Played, it ends with what a person would have seen.
  const terminal = new xterm.Terminal({ cols: width ?? 0, rows: height ?? 0, allowProposedApi: true })
  for (const [, , text] of told) await new Promise<void>((done) => terminal.write(text, done))
  const page = Array.from(
    { length: terminal.buffer.normal.length },
    (_, row) => terminal.buffer.normal.getLine(row)?.translateToString(true) ?? '',
  ).join('\n')
  expect(page).toMatch(/^\$ ntt -C ntt-demo plan$/m)
  expect(page).toContain('2 claims contradicted (ceh-006)')
  terminal.dispose()
})
