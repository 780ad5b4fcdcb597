// What it was measured on: a ratio means little without it.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { together } from './cores.ts'

export interface Machine {
  readonly cores: number
  /** How many times the work of one thread all cores do at once. */
  readonly together: number
  readonly processor: string
  readonly memoryBytes: number
  readonly kernel: string
  /** Load of the last minute when the run began: what else was going on. */
  readonly loadAtStart: number
  readonly node: string
  readonly commit: string
  /** Type and options of the filesystem that each folder lies on. */
  readonly filesystems: Readonly<Record<string, string>>
  readonly peers: Readonly<Record<string, string>>
}

/** How each peer tells its version. */
const versions: Readonly<Record<string, readonly string[]>> = {
  restic: ['restic', 'version'],
  borg: ['borg', '--version'],
  rsync: ['rsync', '--version'],
  b3sum: ['b3sum', '--version'],
  zstd: ['zstd', '--version'],
  tar: ['tar', '--version'],
  bsdtar: ['bsdtar', '--version'],
  fiwalk: ['fiwalk', '-V'],
  find: ['find', '--version'],
  cp: ['cp', '--version'],
  xorriso: ['xorriso', '-version'],
}

export async function describeMachine(
  folders: Readonly<Record<string, string>>,
  repository: string,
): Promise<Machine> {
  const git = said(['git', '-C', repository, 'rev-parse', '--short=12', 'HEAD'])
  const changed = said(['git', '-C', repository, 'status', '--porcelain', 'src']) !== ''
  return {
    cores: cpus().length,
    together: await together(cpus().length),
    processor: cpus()[0]?.model ?? 'unknown',
    memoryBytes: totalmem(),
    kernel: release(),
    loadAtStart: loadavg()[0] ?? Number.NaN,
    node: process.version,
    commit: changed ? `${git} and changes` : git,
    filesystems: Object.fromEntries(
      Object.entries(folders).map(([name, folder]) => [name, filesystemOf(folder)]),
    ),
    peers: Object.fromEntries(Object.entries(versions).map(([name, argv]) => [name, said(argv)])),
  }
}

/** The first line that a program says; `not installed` where there is none. */
function said([file = '', ...args]: readonly string[]): string {
  try {
    const text = execFileSync(file, [...args], { stdio: ['ignore', 'pipe', 'pipe'] }).toString()
    return text.trim().split('\n')[0] ?? ''
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    return isMissing ? 'not installed' : 'installed'
  }
}

/** Type and options of the mount that holds a folder. */
function filesystemOf(folder: string): string {
  const mounts = readFileSync('/proc/self/mountinfo', 'latin1')
    .split('\n')
    .flatMap((line) => {
      const [, , , , at = '', ...rest] = line.split(' ')
      const dash = rest.indexOf('-')
      const holds = at === '/' || folder === at || folder.startsWith(`${at}/`)
      return holds
        ? [{ at, type: rest[dash + 1] ?? '', device: rest[dash + 2] ?? '', options: rest[dash + 3] ?? '' }]
        : []
    })
  const [mount] = mounts.toSorted((a, b) => b.at.length - a.at.length)
  if (mount === undefined) return 'unknown'
  return `${mount.type}${mount.type === 'ext4' ? journalOf(mount.device) : ''} (${mount.options})`
}

/** Without one, making files costs another price; only root may ask. */
function journalOf(device: string): string {
  try {
    const told = execFileSync('dumpe2fs', ['-h', device], { stdio: ['ignore', 'pipe', 'ignore'] }).toString()
    return told.includes('has_journal') ? ', journaled' : ', without a journal'
  } catch {
    return ''
  }
}
