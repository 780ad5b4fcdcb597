// The evidence: whoever alters, drops, moves or puts in anything of the record or the log is found, and the place is named.
import {
  copyFileSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  appendFileSync,
  existsSync,
} from 'node:fs'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { lineHash } from '../src/model/log-chain.ts'
import { documentOf } from './support/outs.ts'
import { ask, freshDatabase } from './support/postgres.ts'
import { sampleProject, type Project } from './support/project.ts'

let database: string
let made: Project
let log: string
let lines: readonly string[]
let runs: readonly string[]
const tables = ['proof', 'proof_head', 'run'] as const

interface Told {
  readonly flaws: readonly { readonly where: string; readonly text: string }[]
  readonly open: readonly string[]
  readonly head: string
  readonly proofs: number
  readonly log: {
    readonly files: readonly string[]
    readonly lines: number
    readonly torn: readonly string[]
  }
}

const look = async (): Promise<{ readonly code: number; readonly told: Told }> => {
  const { code, out, err } = await made.ntt('verify', '--log', '--json')
  if (out === '') throw new Error(err)
  return { code, told: documentOf('evidence', out) as Told }
}

const flaws = async (): Promise<string> => {
  const { code, told } = await look()
  expect(code).toBe(told.flaws.length > 0 ? 3 : 0)
  return told.flaws.map(({ where, text }) => `${where}: ${text}`).join('\n')
}

const write = (some: readonly string[]): void => writeFileSync(log, some.map((line) => `${line}\n`).join(''))
const runOf = (line: string): string => String(JSON.parse(line).run)

beforeAll(async () => {
  database = await freshDatabase()
  made = sampleProject(['floppy.img'], { database })
  log = made.path('.ntt/log/events.jsonl')
  for (const args of [['apply', '--yes'], ['verify'], ['verify', '--depth', 'hash']]) {
    const { code, out, err } = await made.ntt(...args)
    if (code !== 0) throw new Error(out + err)
  }
  copyFileSync(log, `${log.slice(0, -'events.jsonl'.length)}kept`)
  lines = readFileSync(log, 'utf8').trimEnd().split('\n')
  runs = [...new Set(lines.map(runOf))]
  for (const table of tables) await ask(database, `create table kept_${table} as table ${table}`)
})

afterEach(async () => {
  for (const table of tables) {
    await ask(database, `delete from ${table}`)
    await ask(database, `insert into ${table} select * from kept_${table}`)
  }
  for (const name of ['events.jsonl.0', 'events.jsonl.1', 'events.jsonl.2.gz', 'events.jsonl-20261123.zst'])
    rmSync(made.path('.ntt/log', name), { force: true })
  copyFileSync(made.path('.ntt/log/kept'), log)
})

test('an untouched installation holds, and the head is the one that the last run printed', async () => {
  const { code, told } = await look()
  expect([code, told.flaws, told.open, told.log.torn]).toEqual([0, [], [], []])
  expect(told.log.lines).toBe(lines.length)
  expect(told.head).toBe(JSON.parse(lines.at(-1) ?? '').evidence)
  expect((await made.ntt('verify', '--log')).out).toContain('Nothing was altered, dropped, moved or put in.')
  const { out } = await made.ntt('verify')
  expect(out).toContain(`Evidence ${(await look()).told.head}`)
})

describe('the log', () => {
  test('a letter of any line that is altered', async () => {
    for (const at of [0, 7, lines.length - 1]) {
      write(lines.map((line, index) => (index === at ? line.replace(/"ts":"2/, '"ts":"1') : line)))
      expect(await flaws(), `line ${at}`).toContain(`events.jsonl:${at + 1}: `)
    }
  })

  test('a line that is altered into no line', async () => {
    write(lines.map((line, index) => (index === 9 ? `x${line}` : line)))
    expect(await flaws()).toContain('events.jsonl:10: it is no line of ntt')
  })

  test('a line that is dropped, at the beginning, in the middle, and the last one', async () => {
    for (const at of [0, 12, lines.length - 1]) {
      write(lines.filter((_line, index) => index !== at))
      expect(await flaws(), `line ${at}`).toMatch(
        /1 line is missing before it of run \S+|and 1 of its \d+ lines is missing/,
      )
    }
  })

  test('two neighbours that are exchanged', async () => {
    const [one = '', other = ''] = lines.slice(12, 14)
    write(lines.with(12, other).with(13, one))
    expect(await flaws()).toContain('out of its order')
  })

  test('a line that is put in: a copy, a forged one with the right chain, one of a run that never was', async () => {
    write(lines.toSpliced(14, 0, lines[5] ?? ''))
    expect(await flaws()).toContain('events.jsonl:15: line 6 of run')
    const forged = JSON.stringify({
      ...JSON.parse(lines[14] ?? ''),
      text: 'forged',
      prev: lineHash(lines[13] ?? ''),
    })
    write(lines.toSpliced(14, 0, forged))
    expect(await flaws()).toContain('events.jsonl:16: line 15 of run')
    write([...lines, JSON.stringify({ ...JSON.parse(lines[0] ?? ''), run: '20260101-000000-abcdef' })])
    expect(await flaws()).toContain('1 line of run 20260101-000000-abcdef, which the database does not know')
    const last = JSON.parse(lines.at(-1) ?? '')
    write([...lines, JSON.stringify({ ...last, seq: last.seq + 1, prev: lineHash(lines.at(-1) ?? '') })])
    expect(await flaws()).toContain('put in')
  })

  test('a line that is altered with all that follow it in its run chained anew', async () => {
    let prev = ''
    write(
      lines.map((line) => {
        if (runOf(line) !== runs[1]) return line
        const parts = JSON.parse(line)
        const text = JSON.stringify({
          ...parts,
          ...(parts.seq === 3 ? { text: 'forged' } : {}),
          prev: prev === '' ? parts.prev : prev,
        })
        prev = lineHash(text)
        return text
      }),
    )
    expect(await flaws()).toContain('is not the one that the database remembers')
  })

  test('a run that is taken out whole, and two that are exchanged', async () => {
    write(lines.filter((line) => runOf(line) !== runs[1]))
    expect(await flaws()).toMatch(new RegExp(`run ${runs[1]}: all its \\d+ lines are missing`))
    const of = (run?: string) => lines.filter((line) => runOf(line) === run)
    write([...of(runs[0]), ...of(runs[2]), ...of(runs[1])])
    expect(await flaws()).toContain('began behind a line that is not before it')
  })

  test('a log that is cut at its end, emptied, or gone', async () => {
    write(lines.slice(0, -5))
    expect(await flaws()).toContain('5 of its')
    write([])
    expect(await flaws()).toMatch(/lines? (is|are) missing/)
    rmSync(log)
    expect((await flaws()).split('\n')).toHaveLength(runs.length)
  })

  test('logs that were turned over and packed belong to it; one that is missing, cut or altered is found', async () => {
    const [one, two] = [20, lines.length - 10]
    const part = (from: number, to?: number) => `${lines.slice(from, to).join('\n')}\n`
    const turn = (): void => {
      writeFileSync(made.path('.ntt/log/events.jsonl.2.gz'), gzipSync(part(0, one)))
      writeFileSync(made.path('.ntt/log/events.jsonl.1'), part(one, two))
      writeFileSync(log, part(two))
    }
    turn()
    const { code, told } = await look()
    expect([code, told.log.files]).toEqual([0, ['events.jsonl.2.gz', 'events.jsonl.1', 'events.jsonl']])
    rmSync(made.path('.ntt/log/events.jsonl.1'))
    expect(await flaws()).toMatch(/lines? (is|are) missing before it/)
    turn()
    const packed = readFileSync(made.path('.ntt/log/events.jsonl.2.gz'))
    writeFileSync(made.path('.ntt/log/events.jsonl.2.gz'), packed.subarray(0, packed.length >> 1))
    expect(await flaws()).toContain('events.jsonl.2.gz: it cannot be unpacked to its end')
    rmSync(made.path('.ntt/log/events.jsonl.2.gz'))
    writeFileSync(
      made.path('.ntt/log/events.jsonl-20261123.zst'),
      zstdCompressSync(part(0, one).replace('image', 'imagE')),
    )
    expect(await flaws()).toMatch(/events\.jsonl-20261123\.zst:\d+: altered/)
    rmSync(made.path('.ntt/log/events.jsonl-20261123.zst'))
    // The next run begins in a log that is new.
    turn()
    renameSync(log, made.path('.ntt/log/events.jsonl.0'))
    expect((await made.ntt('verify')).code).toBe(0)
    expect(await flaws()).toBe('')
  })

  test('a last line that a power cut tore is told and no tampering; the next run spoils nothing by it', async () => {
    appendFileSync(log, (lines[3] ?? '').slice(0, 40))
    const first = await look()
    expect([first.code, first.told.log.torn]).toEqual([0, [`events.jsonl:${lines.length + 1}`]])
    expect((await made.ntt('verify')).code).toBe(0)
    const then = await look()
    expect([then.code, then.told.log.torn]).toEqual([0, [`events.jsonl:${lines.length + 1}`]])
    // But a line that was whole when its proof was stored may not be torn.
    writeFileSync(log, `${lines.slice(0, -1).join('\n')}\n${(lines.at(-1) ?? '').slice(0, 40)}`)
    expect(await flaws()).toContain('1 of its')
  })

  test('half a line that is put in is told where its run, or another that was at work, went on behind it', async () => {
    const whole = lines[12] ?? ''
    const seq = Number(JSON.parse(whole).seq)
    const named = whole.slice(0, whole.indexOf('"medium"'))
    for (const [at, half, told] of [
      [12, whole.slice(0, 40), `events.jsonl:13: half a line, and run ${runOf(whole)} went on behind it`],
      [
        9,
        named,
        `events.jsonl:10: half of line ${seq} of run ${runOf(whole)}, which is not its next one here`,
      ],
      [lines.length, named, `events.jsonl:${lines.length + 1}: half of line ${seq} of run`],
    ] as const) {
      write(lines.toSpliced(at, 0, half))
      expect(await flaws()).toContain(told)
      expect((await look()).told.log.torn).toEqual([])
    }
    // In the place of a line it hides nothing either.
    write(lines.with(12, named))
    expect(await flaws()).toContain('1 line is missing before it')
  })

  test('runs of an older ntt, which sealed none and chained each to nothing, are no tampering', async () => {
    const older = ['20250101-000000-aaaaaa', '20250102-000000-bbbbbb'].flatMap((run) =>
      ['run_started', 'run_finished'].map((event, index) => ({
        ts: `${run.slice(0, 4)}`,
        run,
        seq: index + 1,
        event,
      })),
    )
    const text: string[] = []
    for (const line of older) {
      const prev = line.seq === 1 ? '0'.repeat(64) : lineHash(text.at(-1) ?? '')
      text.push(JSON.stringify({ ...line, prev }))
      if (line.seq === 2)
        await ask(
          database,
          `insert into run (run, verb, host, pid, version, started_at, ended_at, exit_code, events, head)
           select $1, 'apply', host, 1, '0', '2025-01-01', '2025-01-02', 0, 2, $2 from run where sealed_no = 1`,
          [line.run, lineHash(text.at(-1) ?? '')],
        )
    }
    const [first = '', ...rest] = lines
    // What began behind them is chained to them no more than it was; only its own first line tells, and is left out here.
    write([...text, first, ...rest])
    expect(await flaws()).toMatch(
      /^events\.jsonl:5: run \S+ began behind a line that is not before it[^\n]*$/,
    )
    write([...text.slice(0, 3), first, ...rest])
    expect(await flaws()).toContain('1 of its 2 lines is missing')
  })

  test('a run that was killed is told and is no tampering; its lines up to its last proof must be there', async () => {
    const running = made.start(['verify', '--verbose', '--plain', '--depth', 'hash'])
    await running.printed(/copy +verifying/)
    running.kill('SIGKILL')
    await running.ended
    const { code, told } = await look()
    expect([code, told.open.length]).toEqual([0, 1])
    const all = readFileSync(log, 'utf8').trimEnd().split('\n')
    write(all.filter((line) => runOf(line) !== told.open[0]))
    expect(await flaws()).toContain(`run ${told.open[0]}: all its`)
  })
})

describe('the record', () => {
  const sql: readonly (readonly [string, string, RegExp])[] = [
    ['a proof altered', `update proof set ok = not ok where proof_id = 4`, /^proof 4: altered$/m],
    ['a proof dropped', `delete from proof where proof_id = 4`, /^proof 5: 1 before it missing$/m],
    ['the first proof dropped', `delete from proof where proof_id = 1`, /^proof 2: 1 before it missing$/m],
    [
      'the last proof dropped',
      `delete from proof where proof_id = (select max(proof_id) from proof)`,
      /the last proof should be/,
    ],
    [
      'the last proof dropped and the head set back',
      `with gone as (delete from proof where proof_id = (select max(proof_id) from proof) returning proof_id, prev)
       update proof_head set proof_id = gone.proof_id - 1, hash = gone.prev from gone`,
      /missing: run \S+ ended with it/,
    ],
    [
      'two proofs exchanged',
      `update proof set proof_id = case proof_id when 4 then -5 else -4 end where proof_id in (4, 5);
       update proof set proof_id = -proof_id where proof_id < 0`,
      /^proof 4: (altered|does not follow)/m,
    ],
    [
      'a proof put in behind the last',
      `insert into proof select proof_id + 1, medium_hash, stage, of, depth, true, checks, figures, facts, content, run, host, at, hash, hash
         from proof order by proof_id desc limit 1`,
      /put in behind the last proof/,
    ],
    [
      'a proof put in before the first',
      `insert into proof select -1, medium_hash, stage, of, depth, true, checks, figures, facts, content, run, host, at, prev, hash from proof where proof_id = 1`,
      /^proof -1: put in before the first proof$/m,
    ],
    [
      'the head of the record set back',
      `update proof_head set proof_id = proof_id - 1`,
      /the last proof should be/,
    ],
    [
      'a run altered',
      `update run set host = 'elsewhere' where sealed_no = 2`,
      /^run \S+: its row in the table of runs .* altered$/m,
    ],
    [
      'an exit code whitewashed',
      `update run set exit_code = 3 where sealed_no = 3`,
      /its row in the table of runs/,
    ],
    ['a run dropped', `delete from run where sealed_no = 2`, /1 runs sealed before it are missing/],
    ['the last run dropped', `delete from run where sealed_no = 3`, /3 runs were sealed, and 2 are there/],
    [
      'the last run dropped and the seal set back',
      `delete from run where sealed_no = 3;
       update proof_head set sealed_no = 2, seal = (select seal from run where sealed_no = 2)`,
      /which the database does not know/,
    ],
    [
      'the log of a run forgotten',
      `update run set events = events - 1 where sealed_no = 3`,
      /put in|not the one that the database remembers/,
    ],
    [
      'a run put in',
      `insert into run (run, verb, host, pid, version, started_at, ended_at, exit_code) values ('20260101-000000-ffffff', 'verify', 'h', 1, '0', now(), now(), 0)`,
      /run 20260101-000000-ffffff: it is not among the sealed ones/,
    ],
    [
      'proofs of a run that is gone',
      `update run set run = run || 'x' where sealed_no = 1`,
      /^proof 1: \d+ proofs of run \S+, which is not in the table of runs$/m,
    ],
  ]
  test.each(sql)('%s', async (_what, statement, expected) => {
    for (const one of statement.split(';')) await ask(database, one)
    expect(await flaws()).toMatch(expected)
  })
})

test('what cannot be looked at is unknown: exit 5', async () => {
  expect((await made.ntt('verify', '--log', '--db', 'postgres://nobody@127.0.0.1:1/none')).code).toBe(5)
  const folder = made.path('.ntt/log')
  renameSync(folder, `${folder}-away`)
  writeFileSync(folder, 'not a folder')
  try {
    const { code, err } = await made.ntt('verify', '--log')
    expect([code, err]).toEqual([5, expect.stringContaining('ENOTDIR')])
  } finally {
    rmSync(folder)
    renameSync(`${folder}-away`, folder)
  }
  expect(existsSync(log)).toBe(true)
})
