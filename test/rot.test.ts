// Rot on the disk below what memory still has right: what verifies reads the disk.
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { sampleProject, scratch } from './support/project.ts'

const obstacle = (): string | null => {
  if (process.getuid?.() !== 0) return 'needs root'
  return existsSync('/dev/loop-control') ? null : 'needs loop devices'
}

/** A project whose state lies on a filesystem of its own, and a hand that alters the disk below it. */
function onDisk() {
  const project = sampleProject(['ceh-report.iso'])
  const disk = join(scratch(), 'disk')
  closeSync(openSync(disk, 'w'))
  truncateSync(disk, 600 << 20)
  execFileSync('mkfs.ext4', ['-q', '-F', '-b', '4096', disk])
  mkdirSync(project.path('.ntt'))
  execFileSync('mount', ['-o', 'loop', disk, project.path('.ntt')])
  onTestFinished(() => void execFileSync('umount', ['--lazy', project.path('.ntt')]))
  return {
    project,
    rot: (path: string): void => {
      execFileSync('sync', ['--file-system', project.path('.ntt')])
      const extents = execFileSync('filefrag', ['-v', '-b4096', path], { encoding: 'utf8' })
      const block = Number(/^ *0: +0\.\. *\d+: +(\d+)\.\./m.exec(extents)?.[1])
      const before = readFileSync(path)
      const below = openSync(disk, 'r+')
      const byte = Buffer.alloc(1)
      readSync(below, byte, 0, 1, block * 4096 + 20)
      expect(byte[0]).toBe(before[20])
      writeSync(below, Buffer.from([(byte[0] ?? 0) ^ 0xff]), 0, 1, block * 4096 + 20)
      closeSync(below)
      // Memory has it as it was: who reads there finds nothing.
      expect(readFileSync(path).equals(before)).toBe(true)
    },
  }
}

const why = obstacle()
describe.skipIf(why !== null)(`rot below memory${why === null ? '' : ` (${why})`}`, () => {
  test('of a content, of the enumeration and of the archive is seen by verify, though the file system still gives what was written', async () => {
    const { project, rot } = onDisk()
    const made = await project.ntt('apply', '--yes')
    expect(made.code, made.out + made.err).toBe(0)
    const good = await project.ntt('verify', '--depth', 'hash')
    expect(good.code, good.out + good.err).toBe(0)
    const failed: unknown[] = []
    for (const [root, stage] of [
      ['by-hash', 'copy'],
      ['raw', 'enumerate'],
      ['archive', 'archive'],
      ['archive', 'image'],
    ] as const) {
      // An image that is gone lives in the archive, and is read there.
      if (stage === 'image') rmSync(project.path('media.d/ceh-report.iso'))
      const [path = ''] = filesBelow(project.path('.ntt', root))
      rot(path)
      const bad = await project.ntt('verify', '--depth', 'hash', '--json')
      expect(bad.code, bad.out + bad.err).toBe(3)
      failed.push([stage, bad.out.split('\n').some((line) => isFailure(line, stage))])
      // As it was, in memory too.
      rot(path)
      execFileSync('dd', [`if=${path}`, 'iflag=nocache', 'count=0', 'status=none'])
    }
    expect(failed).toEqual([
      ['copy', true],
      ['enumerate', true],
      ['archive', true],
      ['image', true],
    ])
  })
})

const filesBelow = (folder: string): readonly string[] =>
  execFileSync('find', [folder, '-type', 'f', '-size', '+0', '-not', '-name', '.*'], { encoding: 'utf8' })
    .split('\n')
    .filter((path) => path !== '')
    .toSorted()

function isFailure(line: string, stage: string): boolean {
  if (line === '') return false
  const { event, stage: own } = JSON.parse(line)
  return own === stage && String(event).endsWith('_verification_failed')
}
