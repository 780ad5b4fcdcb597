// zstd as a program: how it is asked, and what it means by failing.
import type { Command } from './command.ts'
import { ObserveError, RunError } from './errors.ts'
import { PackError } from './seekable.ts'
import type { Place, Reader } from './world.ts'

const day = 24 * 3_600_000

/** Unpacks to stdout and compares every checksum; `--long` accepts what was packed with windows up to 2 GiB. */
const zstdcat = (path: string): Command => ({
  file: 'zstd',
  args: ['--decompress', '--stdout', '--quiet', '--long=31', '--', path],
  timeoutMs: 7 * day,
  idleMs: 3_600_000,
})

/** What zstd says of a file that is damaged; anything else that ends it means that nobody looked. */
const damage = /premature end|unexpected end of file|unsupported format|Decoding error(?!.*memory)/

/** The content of a file as the zstd program unpacks it. Throws PackError where the file is damaged. */
export async function* unpackedBy(
  world: Pick<Reader, 'path' | 'stream'>,
  place: Place,
): AsyncGenerator<Buffer> {
  try {
    yield* world.stream(zstdcat(world.path(place)))
  } catch (error) {
    const cause = error instanceof ObserveError ? error.cause : error
    if (!(cause instanceof RunError) || cause.status !== 1) throw error
    const said = cause.stderr.split('\n').find((line) => damage.test(line))
    if (said === undefined) throw error
    throw new PackError(said.replace(/^.* : (?=\S)/, 'zstd: '), { cause: error })
  }
}
