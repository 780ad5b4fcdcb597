// What an event tells of a failure: all that is known of it, whichever verb it ended.
import { expect, test } from 'vitest'
import { InterruptedError, ObserveError, RunError, StoreError, survivable } from '../src/model/errors.ts'
import { failureOf } from '../src/model/event.ts'

const full = Object.assign(new Error('write'), { code: 'ENOSPC' })

test.each([
  [
    'a program that ended with a status and a word',
    new RunError('tar ended with 2', { status: 2, stderr: 'no space', hint: 'Free some.' }),
    { tag: 'run', message: 'tar ended with 2', status: 2, stderr: 'no space', hint: 'Free some.' },
  ],
  [
    'a system call that the system refused',
    new StoreError('cannot write raw:', { cause: full }),
    { tag: 'store', message: 'cannot write raw:', errno: 'ENOSPC' },
  ],
  ['a look that failed', new ObserveError('away'), { tag: 'observe', message: 'away' }],
  ['a bug', new TypeError('x is undefined'), { tag: 'bug', message: 'x is undefined' }],
])('of %s', (_name, error, told) => {
  expect(failureOf(error)).toEqual(told)
})

test('one medium that fails keeps no other from being looked at; a bug and an interruption do', () => {
  const away = new ObserveError('away')
  expect(survivable(away)).toBe(away)
  for (const error of [new TypeError('x is undefined'), new InterruptedError('stopped')])
    expect(() => survivable(error)).toThrow(error)
})
