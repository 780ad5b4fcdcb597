import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fileInBytes, past, recentLines } from '../src/cli/history.ts'
import { readLog } from '../src/cli/read-log.ts'
import type { Happening } from '../src/model/event.ts'
import { fold } from '../src/model/progress.ts'
import { emptyRun } from '../src/model/run-view.ts'
import { watched } from '../src/model/watch.ts'
import { lineText } from '../src/views/jsonl.ts'
import { openPlain } from '../src/views/plain.ts'
import { plainManner } from '../src/views/paint.ts'
import { hashOf, newLane, planOf, shortRun, stamped, tour } from './views/events.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ntt-log-'))
})
afterAll(() => rm(folder, { recursive: true }))

const lines = stamped(shortRun).map(lineText)
const cells = (stages: readonly { readonly cell: string }[]): string =>
  stages.map(({ cell }) => cell).join(' ')

test('who watches sees the cells of the run that holds a medium, and what is observed of all others', () => {
  const live = stamped(shortRun).slice(0, 5).reduce(fold, emptyRun)
  const holder = { hash: hashOf('ceh-001'), run: live.run, host: 'lab', pid: 1 }
  const view = watched(tour.lanes, new Map([[live.run, live]]), [holder], 0)
  expect(cells(view.media[0]?.stages ?? [])).toBe('running waiting waiting waiting waiting')
  expect(cells(view.media[1]?.stages ?? [])).toBe('proven waiting waiting waiting waiting')
  // A run that no longer holds the medium has nothing to say of it.
  const after = watched(tour.lanes, new Map([[live.run, live]]), [], 0)
  expect(cells(after.media[0]?.stages ?? [])).toBe('waiting waiting waiting waiting waiting')
})

test('a medium that a run on another host holds is told with whose it is', () => {
  const holder = { hash: hashOf('ceh-001'), run: 'r9', host: 'other', pid: 12 }
  const view = watched(tour.lanes, new Map(), [holder], 0)
  expect(view.media[0]?.heldBy).toBe('run r9 on other, pid 12')
})

test('a log is read whole line by whole line: a torn one is counted, what is still being written waits', async () => {
  const log = join(folder, 'torn.jsonl')
  const torn = lines[2]?.slice(0, 40) ?? ''
  await writeFile(log, `${lines[0] ?? ''}\n${torn}\n${lines[3] ?? ''}\n${lines[4]?.slice(0, 30) ?? ''}`)
  const told: string[] = []
  const reader = {
    event: ({ type }: { readonly type: string }) => told.push(type),
    damaged: (line: string) => told.push(`damaged ${line.length}`),
  }
  const reached = await readLog(log, 0, reader)
  expect(told).toEqual(['run.started', 'damaged 40', 'step.progress'])
  await writeFile(log, `${lines[4]?.slice(30) ?? ''}\n`, { flag: 'a' })
  await readLog(log, reached ?? 0, reader)
  expect(told.at(-1)).toBe('step.progress')
  expect(await readLog(join(folder, 'none.jsonl'), 0, reader)).toBe(null)
})

test('the history is the steps that ended well, with the sizes of their media', async () => {
  expect(past(lines.join('\n'))).toEqual([
    { stage: 'image', action: 'run', bytes: 1_474_560, durationSec: 6.25 },
    { stage: 'enumerate', action: 'run', bytes: 1_474_560, durationSec: 1 },
    { stage: 'load', action: 'run', bytes: 1_474_560, durationSec: 1 },
    { stage: 'copy', action: 'run', bytes: 1_474_560, durationSec: 1 },
    { stage: 'archive', action: 'run', bytes: 1_474_560, durationSec: 1 },
  ])
  expect(await recentLines(join(folder, 'none.jsonl'))).toBe('')
})

/** The lines of a copy in which a byte costs 10 ns and a file so many: large files first, small ones then. */
function copyLines(filePrice: number): string {
  const at = { medium: 'a', hash: hashOf('a'), stage: 'copy' } as const
  let [bytes, files, sec] = [0, 0, 0]
  const told = Array.from({ length: 20 }, (_, place): readonly [number, Happening][] => {
    const [moreBytes, moreFiles] = place < 10 ? [4e7, 2] : [4e6, 2000]
    bytes += moreBytes
    files += moreFiles
    sec += moreBytes * 1e-8 + moreFiles * 1e-8 * filePrice
    return [
      [sec, { type: 'step.progress', ...at, unit: 'files', done: files, total: 20_020 }],
      [sec, { type: 'step.progress', ...at, unit: 'bytes', done: bytes, total: 44e7 }],
    ]
  }).flat()
  const all: readonly [number, Happening][] = [
    ...told,
    [sec + 1, { type: 'step.verifying', ...at, depth: 'counts' }],
  ]
  return all
    .map(([sec, happening], seq) =>
      lineText({ ...happening, ts: new Date(sec * 1000).toISOString(), run: 'r', host: 'h', pid: 1, seq }),
    )
    .join('\n')
}

test('the history tells what a file of a copy costs beside its bytes, by what ten copies took; none where nothing was copied', () => {
  for (const price of [20_000, 200_000]) {
    const ten = Array.from({ length: 10 }, () => copyLines(price)).join('\n')
    const found = fileInBytes(ten) ?? 0
    // One copy is not believed that far.
    expect(Math.abs(Math.log((fileInBytes(copyLines(price)) ?? 0) / price))).toBeGreaterThan(0.3)
    expect(found / price).toBeGreaterThan(0.55)
    expect(found / price).toBeLessThan(1.4)
  }
  expect(fileInBytes(lines.join('\n'))).toBe(null)
})

test('two runs that write into one log at the same time are told each with its own media and times', () => {
  const other = stamped([
    { type: 'plan.ready', lanes: planOf(newLane('a-much-longer-name')).lanes },
    { type: 'run.stopping', text: 'stopping' },
  ]).map((event) => ({ ...event, run: 'other' }))
  let text = ''
  const plain = openPlain({ manner: plainManner, dated: true, write: (more) => (text += more) })
  const events = stamped(shortRun)
  for (const event of [...events.slice(0, 3), ...other, ...events.slice(3, 16)]) plain.read(event)
  expect(text).toContain('2026-03-01 12:00:00 run 01JTESTRUN on lab: ntt apply --yes\n')
  expect(text).toContain('2026-03-01 12:00:08 ceh-001  image      done and proven')
})
