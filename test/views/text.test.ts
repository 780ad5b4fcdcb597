import { expect, test } from 'vitest'
import { estimate } from '../../src/model/estimate.ts'
import { DesiredError, RunError, VerifyError } from '../../src/model/errors.ts'
import type { Event } from '../../src/model/event.ts'
import { stageNames } from '../../src/model/medium.ts'
import { failureText } from '../../src/views/failure.ts'
import { emptyRun } from '../../src/model/run-view.ts'
import { fold } from '../../src/model/progress.ts'
import { command, plainManner, typed, type Manner } from '../../src/views/paint.ts'
import { openPlain } from '../../src/views/plain.ts'
import { heldText, planText } from '../../src/views/plan.ts'
import { statusText } from '../../src/views/status.ts'
import { summaryText } from '../../src/views/summary.ts'
import { at, lane, metLane, newLane, planOf, shortRun, stamped, step, tour } from './events.ts'

const narrow: Manner = { color: false, ascii: false, width: 100 }

function reported(
  events: readonly Event[],
  options: { verbose?: boolean; quiet?: boolean; manner?: Manner } = {},
): string {
  let text = ''
  const plain = openPlain({ manner: plainManner, ...options, write: (more) => (text += more) })
  for (const event of events) plain.read(event)
  return text
}

test('of a bad content three paths are named, and all its media are counted', () => {
  const media = Array.from({ length: 500 }, (_, number) => `cd-${number}`)
  const paths = media.slice(0, 100).map((name) => `${name}: SETUP.EXE`)
  const text = reported(
    stamped([{ type: 'store.bad', blob: 'ab'.repeat(32), text: 'is not in the store', media, paths }]),
  )
  expect(text).toContain('(of cd-0: SETUP.EXE, cd-1: SETUP.EXE, cd-2: SETUP.EXE, and 497 more media)')
})

test('a plan tells each step with its reason, in aligned columns, and what is met in one line', () => {
  const text = planText(tour, { manner: narrow, tookSec: 0.4, estimate: estimate(tour, [], 2) })
  expect(text).toMatchInlineSnapshot(`
    "Observed 5 media in 0.4 s. Nothing was written.

      ceh-001   floppy    1.5 MB   new          -> archived
         +  image       no image yet
         +  enumerate, load, copy, archive follow
      ceh-002   optical   43 MB    imaged       -> archived
         =  image       43,122,688 bytes, all rescued, blake3 9f2c61d0…
         +  enumerate   no enumeration
         +  load, copy, archive follow
      ceh-005   optical            not seen
         x  image       the disc in /dev/sr0 is HOLIDAY_98, declared CEH_005
         |  enumerate, load wait for image
      ceh-006   optical   67 MB    enumerated   -> archived
         ! the database claims copy_done (2025-10-10 15:41:05)
         =  image       67,108,864 bytes
         =  enumerate   1,161 records: 1,056 files, 105 others
         +  load        no rows
      !  +  copy        no outcomes; medium.copy_done is set, and is not believed
         v  archive     an archive of 2025-10-10; never verified
      =  ceh-004 is as declared

    = keep   v verify   + make   x refused, look at it   | waits   ! contradicts a proof or a claim
    Plan: 3 media to converge, 1 met, 1 needs you.
    about 225 MB to read, 158 MB to write, about 3 s (a guess: too little was measured yet)
    1 claim contradicted (ceh-006): ntt why ceh-006
    "
  `)
})

test('unfolded, a plan shows every step of every medium', () => {
  const text = planText(tour, { manner: narrow, verbose: true })
  const steps = tour.lanes.flatMap(({ steps }) => steps)
  for (const { stage, because } of steps) expect(text).toContain(`${stage.padEnd(9)}   ${because.text}`)
  expect(text).toContain('ceh-004')
  expect(text).not.toContain('follow')
})

test('a plan of media that are all as declared has no changes, and says how that is known', () => {
  expect(planText(planOf(metLane('a'), metLane('b')), { manner: narrow, tookSec: 0.12 })).toBe(
    'Observed 2 media in 0.1 s. Nothing was written.\n\n' +
      'No changes. 2 media are as declared (proofs at depth counts, the oldest of 2026-02-27 09:30:00 UTC).\n',
  )
})

test('a long list folds, but never what a person must look at', () => {
  const lanes = Array.from({ length: 300 }, (_, place) => newLane(`m${String(place).padStart(3, '0')}`))
  const refused = lane('m150x', 'disk', 1e9, 'enumerate', [
    step('m150x', 'load', 'refuse', 'other-rows', '2,346,982 rows of another enumeration are loaded'),
  ])
  const text = planText(planOf(...lanes.slice(0, 150), refused, ...lanes.slice(150)), { manner: narrow })
  expect(text.split('\n').length).toBeLessThan(140)
  expect(text).toContain('… and 261 more media, new -> archived')
  expect(text).toContain('x  load        2,346,982 rows of another enumeration are loaded')
  expect(text).toContain('Plan: 300 media to converge, 1 needs you.')
})

test('no line of a plan is wider than the terminal, names and reasons of any length included', () => {
  const long = lane(`box-${'n'.repeat(70)}`, 'disk', 3e11, null, [
    step(
      'a',
      'image',
      'unknown',
      'unobserved',
      `cannot read ${'deep/'.repeat(30)}\u001b[2Jfile: permission denied`,
    ),
  ])
  for (const width of [60, 80, 120]) {
    const text = planText(planOf(long, ...tour.lanes), { manner: { color: false, ascii: false, width } })
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(width)
    expect(text).not.toContain('\u001b')
  }
})

test('the legend names the glyphs that occur and no others', () => {
  const text = planText(planOf(newLane('a')), { manner: narrow })
  expect(text).toContain('+ make')
  for (const word of ['= keep', 'v verify', 'x refused', '? could', '| waits', '! contra']) {
    expect(text).not.toContain(word)
  }
})

test('the estimate is a guess until this installation has a history', () => {
  const plan = planOf(newLane('a', 'disk', 4e9))
  const past = (['image', 'enumerate', 'load', 'copy', 'archive'] as const).map(
    (stage) => ({ stage, action: 'run', bytes: 1e9, durationSec: 100.3 }) as const,
  )
  expect(estimate(plan, [], 1).measured).toBe(false)
  const known = estimate(plan, past, 1)
  expect(known.measured).toBe(true)
  expect(known.seconds).toBeCloseTo(5 * 400.3, 0)
  // Two media side by side take as long as the longer one.
  expect(estimate(planOf(newLane('a', 'disk', 4e9), newLane('b', 'disk', 4e9)), past, 2).seconds).toBeCloseTo(
    2001.5,
    0,
  )
})

test('a run is told in lines, and ends with what converged, what did not, what was lost, and one line', () => {
  expect(reported(stamped(shortRun))).toMatchInlineSnapshot(`
    "[0:02] ceh-001  image      starts: no image yet
    [0:08] ceh-001  image      done and proven in 6.3 s: bytes 1.5 MB
    [0:09] ceh-006  load       starts: no rows
    [0:12] ceh-006  load       contradicted: paths: expected 1161, found 0
    [0:13] ceh-006  load       failed: verification failed: paths: expected 1161, found 0   next: ntt why ceh-006 load
    [0:14] ceh-005  image      refused: the disc in /dev/sr0 is HOLIDAY_98, declared CEH_005
    [0:15] ceh-005             waiting: insert the disc labelled CEH_005 into sr0
    [0:16] ceh-001  enumerate  starts: no enumerate yet
    [0:18] ceh-001  enumerate  done and proven in 1.0 s: bytes 700 kB
    [0:19] ceh-001  load       starts: no load yet
    [0:21] ceh-001  load       done and proven in 1.0 s: records 18, inodes 18
    [0:22] ceh-001  copy       starts: no copy yet
    [0:24] ceh-001  copy       12 files lost in whole or in part, 41 kB
    [0:25] ceh-001  copy       done and proven in 1.0 s: files 18, bytes 90 kB
    [0:26] ceh-001  archive    starts: no archive yet
    [0:28] ceh-001  archive    done and proven in 1.0 s: bytes 700 kB
    [0:29] ceh-002  enumerate  failed: bsdtar ended with exit code 1
    [0:30] store: 1,200 contents, 3.4 MB read back
    [0:31] store: abababababababababababababababababababababababababababababababab is not in the store (of ceh-001: LETTERS/M\\xfcLLER.DOC)
    [0:32] stopping after the running steps

      =  ceh-001   new -> archived   10 s   18 records, 18 files, archive of 700 kB
      x  ceh-002   enumerate   bsdtar ended with exit code 1
                               next: ntt log ceh-002
      x  ceh-005   image       the disc in /dev/sr0 is HOLIDAY_98, declared CEH_005
                               next: ntt why ceh-005 image
      !  ceh-006   load        verification failed: paths: expected 1161, found 0
                               next: ntt why ceh-006 load
      -  ceh-001: 12 files lost in whole or in part, 41 kB
            LETTERS/M\\xfcLLER.DOC
            A\\x1b[31m.TXT
            and 10 more: ntt why ceh-001 copy

    Finished in 32 s: 1 converged, 1 met before, 2 failed, 1 needs you, 1 with losses.
    Evidence e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5
    "
  `)
})

test('what somebody else has done meanwhile is met before, and not unfinished', () => {
  const text = reported(
    stamped([
      { type: 'run.started', verb: 'apply', version: '0.1.0', arguments: ['apply', '--yes', '--wait'] },
      { type: 'plan.ready', lanes: [newLane('ceh-001')] },
      ...stageNames.map((stage) => ({
        type: 'step.held' as const,
        ...at('ceh-001', stage),
        action: 'keep' as const,
        because: { code: 'present' as const, text: `${stage} is there` },
      })),
      { type: 'run.finished', exitCode: 0, durationSec: 6, converged: 1, failed: 0, evidence: null },
    ]),
  )
  expect(text).toContain('ceh-001  load       met meanwhile: load is there')
  expect(text).toContain('Finished in 6.0 s: 0 converged, 1 met before.')
})

test('progress is told at most every ten seconds, with its rate and a range for the rest', () => {
  const events = stamped([
    { type: 'plan.ready', lanes: [newLane('a')] },
    {
      type: 'step.started',
      ...at('a', 'copy'),
      action: 'run',
      because: { code: 'absent', text: 'no outcomes' },
    },
    ...Array.from(
      { length: 60 },
      (_, second) =>
        ({
          type: 'step.progress',
          ...at('a', 'copy'),
          done: (second + 1) * 1e6,
          total: 100e6,
          unit: 'bytes',
        }) as const,
    ),
  ])
  const lines = reported(events).trim().split('\n')
  expect(lines).toHaveLength(7)
  expect(lines[3]).toBe('[0:31] a  copy       30 % of 100 MB, 1.0 MB/s, 1 min to 1 min 20 s left')
})

test('what stands still for a minute is told as stalled, though no event arrives', () => {
  let text = ''
  const plain = openPlain({ manner: plainManner, write: (more) => (text += more) })
  const events = stamped(shortRun).slice(0, 5)
  for (const event of events) plain.read(event)
  const last = Date.parse(events.at(-1)?.ts ?? '')
  plain.tick(last + 59_000)
  expect(text).not.toContain('stalled')
  plain.tick(last + 75_000)
  plain.tick(last + 85_000)
  expect(text.match(/stalled/g)).toHaveLength(1)
  expect(text).toContain('ceh-001  image      50 % of 1.5 MB, stalled: no movement for 1 min 15 s')
})

test('without colours not one escape byte is written', () => {
  expect(reported(stamped(shortRun), { verbose: true })).not.toContain('\x1b')
  expect(reported(stamped(shortRun), { manner: { ...narrow, color: true } })).toContain('\x1b[32m')
})

test('in ASCII mode not one other character is written', () => {
  const manner = { ...plainManner, ascii: true }
  expect(reported(stamped(shortRun), { manner, verbose: true })).toMatch(/^[\n -~]*$/)
  expect(planText(tour, { manner })).toMatch(/^[\n -~]*$/)
})

test('a failure reads: sentence, what was seen, what it means, a command alone on its line', () => {
  const error = new VerifyError('verification failed: members: expected img/a.img, found nothing', {
    hint: 'ntt why a archive',
  })
  expect(failureText(error, narrow)).toBe(
    'error: verification failed\n\nmembers: expected img/a.img, found nothing\n\nTo see more, run:\n    ntt why a archive',
  )
})

test('a sentence that begins with a command is no command to be run', () => {
  const hint = 'ntt plan --out FILE makes a new one.'
  const text = failureText(new VerifyError('it moved', { hint }), narrow)
  expect(text).toContain(`\n\n${hint}`)
  expect(text).not.toContain('To see more')
})

test('a program that failed is told with its last lines and what lies behind, without its escape bytes', () => {
  const error = new RunError('bsdtar ended with exit code 1', {
    status: 1,
    stderr: 'reading\nTruncated \u001b[31minput',
    cause: new Error('read failed (EIO)'),
    hint: 'The image may be cut.',
  })
  expect(failureText(error, narrow)).toBe(
    'error: a step failed\n\nbsdtar ended with exit code 1\nbecause: read failed (EIO)\n\n' +
      '  | reading\n  | Truncated \\x1b[31minput\n\nThe image may be cut.',
  )
})

test('all problems of all documents are told, each with its place and its frame', () => {
  const problem = {
    file: 'media.d/a.yaml',
    line: 3,
    column: 3,
    field: 'source.imge',
    message: 'unknown key; did you mean image?',
    frame: '> 3 |   imge: a.iso\n    |   ^^^^',
  }
  const text = failureText(
    new DesiredError('media.d', [problem, { ...problem, file: 'media.d/b.yaml', frame: '' }]),
    narrow,
  )
  expect(text).toContain(
    'media.d/a.yaml:3:3 source.imge: unknown key; did you mean image?\n  > 3 |   imge: a.iso\n      |   ^^^^\n',
  )
  expect(text).toContain('2 problems in 2 files.')
})

test('a bug prints its stack', () => {
  const text = failureText(new TypeError('x is not a function'), narrow)
  expect(text).toMatch(/TypeError: x is not a function\n\s+at .*text\.test\.ts/)
})

test('a command that is told can be typed where the reader is: with what was typed to lead there', () => {
  expect(command('why a', plainManner)).toBe('ntt why a')
  expect(command('why a', { ...plainManner, leading: ['-C', '../box'] })).toBe('ntt -C ../box why a')
  expect(command('why a', { ...plainManner, leading: ['-C', "mum's box"] })).toBe(
    "ntt -C 'mum'\\''s box' why a",
  )
  const leading = ['--config', 'two.yaml', '--root', 'archive=/mnt/cold']
  expect(command('plan', { ...plainManner, leading })).toBe(
    'ntt --config two.yaml --root archive=/mnt/cold plan',
  )
  const view = stamped([{ type: 'plan.ready', lanes: tour.lanes }], 1000).reduce(fold, emptyRun)
  const told = (manner: Manner): string =>
    /next: (.*ceh-005.*)/.exec(summaryText(view, manner))?.[1] ?? 'nothing'
  expect(told(plainManner)).toBe('ntt why ceh-005 image')
  expect(told({ ...plainManner, leading: ['-C', 'box'] })).toBe('ntt -C box why ceh-005 image')
})

test('a command within a sentence names the folder after -C; other words that begin alike do not', () => {
  const manner = { color: false, ascii: false, width: 100, leading: ['-C', 'box'] }
  expect(typed('x; `ntt apply --redo a/load` goes on', manner)).toBe(
    'x; `ntt -C box apply --redo a/load` goes on',
  )
  expect(typed('ntt why a load', manner)).toBe('ntt -C box why a load')
  expect(typed('`ntt -C box plan` of ntt itself', manner)).toBe('`ntt -C box plan` of ntt itself')
})

test('a long reason that media share is told in full with the first that shows it, and not with one that does not', () => {
  const away = `raw: (/mnt/raw) is not there, or has no marker, ${'and more of it '.repeat(8)}`.trim()
  const media = [
    lane('one', 'floppy', 1, null, [
      step('one', 'image', 'refuse', 'wrong-medium', 'another disc'),
      step('one', 'enumerate', 'unknown', 'unobserved', away),
    ]),
    ...['two', 'three'].map((name) =>
      lane(name, 'floppy', 1, null, [step(name, 'enumerate', 'unknown', 'unobserved', away)]),
    ),
  ]
  const standings = media.map((of) => ({ lane: of, health: null, proven: null }))
  for (const text of [statusText(standings, 0, plainManner), heldText(planOf(...media), plainManner)]) {
    expect(text.split(away)).toHaveLength(2)
    expect(text).toMatch(/two .*raw: [^]*three .*the same as of two/)
  }
  // A plan shows every step that is held.
  const plan = planText(planOf(...media), { manner: plainManner })
  expect([plan.split(away).length, plan.match(/the same as of one/g)?.length]).toEqual([2, 2])
})
