// The pictures and the recorded session of the README, made from the real command at a real terminal: npm run captures -- [--short] [FOLDER]
import { randomFillSync } from 'node:crypto'
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { openTerminal, type Terminal, type TerminalOptions } from '../test/support/terminal.ts'
import { picture, type Ground } from './picture.ts'

const root = resolve(import.meta.dirname, '..')
const size = { columns: 118, rows: 28 }
const patienceMs = 300_000

/** What a person sees who types this line at a shell. */
const typed = (line: string, folder: string, options: TerminalOptions = {}): Terminal =>
  openTerminal('/bin/sh', ['-c', line], {
    ...size,
    cwd: folder,
    env: { PATH: `${join(root, 'bin')}${delimiter}${process.env['PATH'] ?? ''}`, LANG: 'C.UTF-8' },
    ...options,
  })

async function run(line: string, folder: string): Promise<void> {
  await using terminal = typed(line, folder)
  const { exitCode } = await terminal.ended
  if (exitCode > 5) throw new Error(`${line} ended with ${exitCode}:\n${terminal.mainScreen().join('\n')}`)
}

/** The tour as an asciicast, version 2: a header, then `[seconds, "o", what was written]` line by line. */
async function record(folder: string, lines: readonly string[]): Promise<string> {
  const header = { version: 2, width: size.columns, height: size.rows, title: 'ntt: five minutes' }
  const told = [JSON.stringify(header)]
  let seconds = 0
  const tell = (after: number, text: string): void => {
    seconds += after
    told.push(JSON.stringify([Number(seconds.toFixed(3)), 'o', text]))
  }
  for (const line of lines) {
    tell(1.5, '$ ')
    for (const letter of line) tell(0.03, letter)
    tell(0.4, '\r\n')
    let last = performance.now()
    const heard = (chunk: string): void => {
      const now = performance.now()
      // Nobody wants to wait for a database to be made.
      tell(Math.min(1, (now - last) / 1000), chunk)
      last = now
    }
    await using terminal = typed(line, folder, { heard })
    await terminal.ended
  }
  tell(3, '$ ')
  return `${told.join('\n')}\n`
}

/** The demonstration with its losses accepted, and beside it a box of files that take a while. */
async function prepare(folder: string, files: number): Promise<void> {
  await run('ntt demo pictures', folder)
  const project = join(folder, 'pictures')
  appendFileSync(join(project, 'media.d/ceh-004.yaml'), 'policy: {rescued: 99%, unreadable_files: accept}\n')
  const box = join(project, 'images/box-7')
  mkdirSync(box)
  for (let file = 0; file < files; file += 1) {
    const name = `scan-${String(file).padStart(4, '0')}.tif`
    writeFileSync(join(box, name), randomFillSync(Buffer.alloc(1 << 20)))
  }
  writeFileSync(
    join(project, 'media.d/box-7.yaml'),
    'label: Box 7, scans of 1997\nkind: directory\nsource:\n  directory: ../images/box-7\ntarget: archived\n',
  )
}

/** The screen in the middle of a run, and, of the same run once more, the scratched disc in full. */
async function pictures(
  folder: string,
  middle: RegExp,
  keep: (name: string, terminal: Terminal) => void,
): Promise<void> {
  const seeing =
    (terminal: Terminal) =>
    (what: RegExp): Promise<void> =>
      terminal.until((text) => terminal.onAlternate() && what.test(text), patienceMs)
  await using live = typed('ntt -C pictures apply --yes --jobs 3', folder)
  await seeing(live)(middle)
  keep('screen', live)
  await live.ended

  const log = readFileSync(join(folder, 'pictures/.ntt/log/events.jsonl'), 'utf8')
  const run = /"run":"([^"]+)"/.exec(log)?.[1] ?? ''
  await using again = typed(`ntt -C pictures log --replay ${run} --speed 10000`, folder, {
    ...size,
    rows: 40,
  })
  const see = seeing(again)
  await see(/6 of 7 done/)
  again.type('/ceh-004\r')
  await see(/1–1 of 1/)
  again.type('\x1b[B\r')
  await see(/arrows scroll/)
  again.type('\x1b[F')
  await see(/in whole or in part/)
  keep('detail', again)
  again.type('q')
  await again.ended
}

const grounds: readonly Ground[] = ['dark', 'light']

async function main(args: readonly string[]): Promise<void> {
  const isShort = args.includes('--short')
  const docs = resolve(args.find((one) => !one.startsWith('--')) ?? join(root, 'docs'))
  mkdirSync(docs, { recursive: true })
  const folder = mkdtempSync(join(tmpdir(), 'ntt-captures-'))
  try {
    const tour = [
      'ntt demo',
      'ntt -C ntt-demo plan',
      'ntt -C ntt-demo apply --yes',
      "echo 'policy: {rescued: 99%, unreadable_files: accept}' >> ntt-demo/media.d/ceh-004.yaml",
      'ntt -C ntt-demo apply --yes ceh-004',
      'ntt -C ntt-demo plan',
    ]
    writeFileSync(join(docs, 'tour.cast'), await record(folder, isShort ? tour.slice(0, 2) : tour))
    await prepare(folder, isShort ? 100 : 1000)
    // A small box is soon copied: then any moment of it will do.
    const middle = isShort ? /box-7 .*(load|copy|archive) / : /box-7 .*copy .* \d+ % .*\d [kMG]B\/s .*left/
    await pictures(folder, middle, (name, terminal) => {
      for (const ground of grounds) {
        const drawn = picture(terminal.shown(), { ground, from: 0, rows: terminal.screen().length })
        writeFileSync(join(docs, `${name}-${ground}.svg`), drawn)
      }
    })
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

await main(process.argv.slice(2))
