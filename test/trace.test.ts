// What strace tells of a run, read call by call: which write point it comes to, before it and after it, in whichever thread.
import { expect, test } from 'vitest'
import { callOf, openTrace } from './torture/trace.ts'

const sightsOf = (lines: readonly string[], begun = ''): readonly string[] => {
  const read = openTrace('/tmp/made')
  return [...lines.flatMap((line) => read(line, true)), ...(begun === '' ? [] : read(begun, false))].map(
    ({ side, pid, point }) => `${pid} ${side} ${point}`,
  )
}
const ntt = '10    execve("/usr/bin/node", ["node", "cli.mjs"], 0x1 /* 9 vars */) = 0'

test('a call is seen before and after, also where another thread speaks in between; one that failed is not seen after', () => {
  expect(
    sightsOf([
      ntt,
      '10    mkdir("/tmp/made/.ntt/raw", 0777) = 0',
      '10    mkdir("/tmp/made/.ntt/raw", 0777) = -1 EEXIST (File exists)',
      '11    fsync(7</tmp/made/.ntt/raw> <unfinished ...>',
      String.raw`10    write(23<socket:[8]>, "Q\0\0\0\vcommit\0", 12) = 12`,
      '11    <... fsync resumed>) = 0 (DELAYED)',
      '12    openat(AT_FDCWD, "/tmp/made/media.d", O_RDONLY) = 8</tmp/made/media.d>',
    ]),
  ).toEqual([
    '10 before mkdir /.ntt/raw',
    '10 after mkdir /.ntt/raw',
    '10 before mkdir /.ntt/raw',
    '11 before fsync /.ntt/raw',
    '10 before commit',
    '10 after commit',
    '11 after fsync /.ntt/raw',
  ])
})

test('a call that is being made is seen before, and again when it is told in whole', () => {
  const [from, to] = ['/tmp/made/.ntt/raw/a.part', '/tmp/made/.ntt/raw/a']
  expect(sightsOf([ntt], `10    rename("${from}", "${to}"`)).toEqual([
    '10 before rename /.ntt/raw/a.part /.ntt/raw/a',
  ])
})

test('a start is the first search for its program, and its begin; whoever only starts it is not its name', () => {
  const guards =
    '"setpriv", "--pdeathsig", "KILL", "--", "/bin/sh", "-c", "[ ]", "10", "prlimit", "--as=8", "--"'
  expect(
    sightsOf([
      ntt,
      `13    execve("/usr/local/bin/setpriv", [${guards}, "/usr/bin/zstd", "-d"], 0x1 /* 4 vars */) = -1 ENOENT (No such file or directory)`,
      `13    execve("/usr/bin/setpriv", [${guards}, "/usr/bin/zstd", "-d"], 0x1 /* 4 vars */ <detached ...>`,
    ]),
  ).toEqual(['13 before start zstd', '13 after start zstd'])
  expect(['start zstd', 'create /a', 'commit', 'fsync /a'].map(callOf)).toEqual([
    'execve',
    'openat',
    'write',
    'fsync',
  ])
})
