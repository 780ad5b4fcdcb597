// --quiet: nothing where all is well, the whole of it where not, and never an end that nobody told the reason of.
import { expect, test } from 'vitest'
import { freshDatabase } from '../support/postgres.ts'
import { sampleProject } from '../support/project.ts'

const lookers = [
  ['plan'],
  ['status'],
  ['audit'],
  ['losses'],
  ['validate'],
  ['doctor'],
  ['verify', '--log'],
] as const

test('who only looks says nothing where all is well, and as much as ever where not; apply tells why it could do nothing', async () => {
  const made = sampleProject(['floppy.img'], { database: await freshDatabase() })
  expect((await made.ntt('apply', '--yes', '-q')).out).toContain('1 converged')
  for (const verb of lookers) {
    const loud = await made.ntt(...verb)
    expect([verb, loud.out === '']).toEqual([verb, false])
    // Only of this machine may a doctor have something to tell.
    if (verb[0] !== 'doctor') expect([verb, loud.code]).toEqual([verb, 0])
    const { code, out, err } = await made.ntt(...verb, '-q')
    expect([verb, code, out === '', err]).toEqual([verb, loud.code, loud.code === 0, ''])
  }
  expect((await made.ntt('plan', '--json', '-q')).out).toContain('"lanes"')
  expect(await made.ntt('apply', '--yes', '-q')).toEqual({ code: 0, out: '', err: '' })

  made.medium('floppy', 'source: {image: floppy.img}\ntarget: archived\nexpect: {volume: OTHER}\n')
  for (const [verb, exit] of [
    ['plan', 2],
    ['status', 2],
    ['audit', 2],
    ['losses', 5],
  ] as const) {
    const { code, out } = await made.ntt(verb, '-q')
    expect([verb, code, out.replaceAll(/\s+/g, ' ')]).toEqual([
      verb,
      exit,
      expect.stringContaining('declared OTHER'),
    ])
  }
  for (const way of ['-q', '--json'])
    expect([way, await made.ntt('apply', '--yes', way)]).toEqual([
      way,
      { code: 4, out: '', err: expect.stringMatching(/^floppy image: .* declared OTHER; .*\n$/) },
    ])
})

test('it is refused where nothing would be left', async () => {
  const made = sampleProject(['floppy.img'], { database: await freshDatabase() })
  for (const words of [
    ['why', 'floppy'],
    ['log'],
    ['add', 'media.d/floppy.img'],
    ['demo'],
    ['completion', 'bash'],
    ['status', '--watch'],
  ]) {
    const { code, out, err } = await made.ntt(...words, '--quiet')
    expect([code, out, err]).toEqual([1, '', expect.stringContaining('--quiet would leave nothing of')])
  }
})
