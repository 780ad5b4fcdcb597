// The programs that ntt asks: which are there, in which version, and what each missing one would add.
import type { Command } from '../../model/command.ts'
import { RunError } from '../../model/errors.ts'
import { runProgram, whereIs } from '../../ports/exec.ts'
import type { Finding } from '../../views/doctor.ts'

interface Tool {
  readonly program: string
  /** The Debian package that it comes in. */
  readonly from: string
  /** How it tells its version. */
  readonly args: readonly string[]
  /** Without it nothing works. */
  readonly always: boolean
  readonly does: string
}

const tool = (program: string, from: string, does: string, more: Partial<Tool> = {}): Tool => ({
  program,
  from,
  does,
  args: ['--version'],
  always: false,
  ...more,
})

export const tools: readonly Tool[] = [
  tool('blkid', 'util-linux', 'tells filesystems apart', { always: true }),
  tool('partx', 'util-linux', 'reads partition tables', { always: true }),
  tool('setpriv', 'util-linux', 'ends every program with ntt', { always: true }),
  tool('zstd', 'zstd', 'packs archives, and proves them', { always: true }),
  tool('ddrescue', 'gddrescue', 'reads drives, damaged ones too'),
  tool('bsdtar', 'libarchive-tools', 'reads ISO 9660 (CD, DVD)'),
  tool('7zz', '7zip', 'unpacks images that came in an archive (7-Zip, RAR)', { args: [] }),
  tool('fiwalk', 'sleuthkit', 'reads FAT and exFAT where the reader of ntt cannot', { args: ['-V'] }),
  tool('icat', 'sleuthkit', 'unpacks files that Mac OS has compressed', { args: ['-V'] }),
  tool('sqfs2tar', 'squashfs-tools-ng', 'reads squashfs without root'),
  tool('lsblk', 'util-linux', 'tells the model and serial number of a drive'),
  tool('tar', 'tar', 'unpacks archives without ntt'),
  tool('dd', 'coreutils', 'reads a sector again, past every cache'),
  tool('id', 'coreutils', 'tells who reads'),
  tool('mount', 'mount', 'reads what only a driver of the kernel reads, as root'),
  tool('modprobe', 'kmod', 'tells which drivers the kernel can load'),
]

const patienceMs = 10_000

/** Asks all of them at once. One that does not answer is unknown, not missing. */
export async function lookAtTools(
  path: string,
  isRoot: boolean,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const found = await Promise.all(
    tools.map(async (one) => ({ one, where: await whereIs(one.program, path) })),
  )
  const packages = [
    ...new Set(found.flatMap(({ one, where }) => (where === null ? [one.from] : []))),
  ].toSorted()
  const install = `    ${isRoot ? '' : 'sudo '}apt-get install ${packages.join(' ')}`
  return Promise.all(
    found.map(async ({ one, where }): Promise<Finding> => {
      const base = { area: 'tools', name: one.program } as const
      if (where === null)
        return {
          ...base,
          condition: one.always ? 'problem' : 'note',
          text: `not installed; it ${one.does}`,
          fix: install,
        }
      const command: Command = { file: one.program, args: one.args, timeoutMs: patienceMs, maxBytes: 65_536 }
      try {
        const { stdout, stderr } = await runProgram(command, { signal, path, line: () => {} })
        const version = parseVersion(`${stdout.toString('utf8')}\n${stderr}`)
        return { ...base, condition: 'good', text: `${version ?? 'version not told'}; ${one.does}` }
      } catch (error) {
        if (!(error instanceof RunError)) throw error
        return { ...base, condition: 'unknown', text: error.message, fix: `Is ${where} what it should be?` }
      }
    }),
  )
}

/** The first version number that a program prints: `bsdtar 3.6.2 - libarchive 3.6.2` is 3.6.2. */
export const parseVersion = (text: string): string | null => {
  const [, dotted, plain] = /(?<![\w.])v?(\d+(?:\.\d+)+)|\bversion (\d+)\b/.exec(text) ?? []
  return dotted ?? plain ?? null
}
