// As whom the database server runs. PostgreSQL refuses root, so root lends it another account.
import { readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ObserveError } from '../../model/errors.ts'

/** An account, and what its programs are started through. */
export interface Account {
  readonly uid: number
  readonly gid: number
  /** Whether what root makes here must be handed to it: a person's account, who may come without root the next time. */
  readonly inherits: boolean
  /** argv before the program; empty when we already are that account. */
  readonly prefix: readonly string[]
}

/** Name, uid and gid of each line of passwd(5). */
function parsePasswd(text: string): readonly { name: string; uid: number; gid: number }[] {
  return text
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields.length >= 7)
    .map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }))
}

/** A path and everything above it, up to the root. */
function upward(path: string): readonly string[] {
  const parent = dirname(path)
  return parent === path ? [path] : [path, ...upward(parent)]
}

/** Whether `account` may pass through (or run) all of these, by their permission bits. */
function reaches({ uid, gid }: { uid: number; gid: number }, path: string): boolean {
  return upward(path).every((at) => {
    const { mode, uid: owner, gid: group } = statSync(at)
    return ((owner === uid ? mode >> 6 : group === gid ? mode >> 3 : mode) & 1) === 1
  })
}

/** Capabilities by which a server passes folders that are closed to it, the narrower first; with their bits. */
const passes = [
  { name: 'dac_read_search', bit: 2n },
  { name: 'dac_override', bit: 1n },
]

/** setpriv's words for a capability that outlives the change of account; '' where none is needed. */
function passage(closed: string | undefined, name: string): readonly string[] {
  if (closed === undefined) return []
  const bounds = /^CapBnd:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0'
  const pass = passes.find(({ bit }) => (BigInt(`0x${bounds}`) >> bit) & 1n)
  if (!pass)
    throw new ObserveError(`the database server runs as ${name}, who cannot reach ${closed}`, {
      hint: 'Run ntt as an ordinary user, keep the project where others may pass, or set NTT_DB_URL.',
    })
  // PostgreSQL asks access(2) about its own program, and access forgets capabilities unless this bit is set.
  const keep = ['--securebits', '+no_setuid_fixup']
  return ['--inh-caps', `+${pass.name}`, '--ambient-caps', `+${pass.name}`, ...keep]
}

/**
 * Who runs the server: we ourselves; for root the owner of the data, else of the nearest folder above it that is not
 * root's (so that `sudo ntt` and `ntt` share one database), else `postgres`, else `nobody`.
 * @param directory the server's folder, which is there
 * @param owner uid of the data directory, null if there is none yet
 * @param needs paths that the server must reach
 */
export function accountFor(directory: string, owner: number | null, needs: readonly string[]): Account {
  const [self, group] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0]
  if (self !== 0) {
    if (owner === null || owner === self) return { uid: self, gid: group, inherits: false, prefix: [] }
    throw new ObserveError(`the database in ${directory} belongs to another user (uid ${owner})`, {
      hint: 'Run ntt as that user or as root.',
    })
  }
  const known = parsePasswd(readFileSync('/etc/passwd', 'latin1')).filter(({ uid }) => uid !== 0)
  const people = upward(directory).map((at) => statSync(at).uid)
  const first = <T>(keys: readonly T[], is: (key: T, entry: (typeof known)[number]) => boolean) =>
    keys.map((key) => known.find((entry) => is(key, entry))).find((entry) => entry !== undefined)
  const account =
    owner === null || owner === 0
      ? (first(people, (uid, entry) => entry.uid === uid) ??
        first(['postgres', 'nobody'], (name, entry) => entry.name === name))
      : (known.find(({ uid }) => uid === owner) ?? { name: `uid ${owner}`, uid: owner, gid: owner })
  if (!account)
    throw new ObserveError('PostgreSQL refuses to run as root, and there is no user postgres or nobody')
  // `cp -r` by root gives root what it copies; `cp -a` leaves it to its owner.
  if (owner === 0)
    throw new ObserveError(
      `the database in ${directory} belongs to root, and PostgreSQL refuses to run as root`,
      {
        hint: `A copy that was made without owners (cp -r) is like that. To give it to an account that may run it, run:\n    chown -R ${account.name}: '${join(directory, 'data')}'`,
      },
    )
  const { uid, gid, name } = account
  const closed = needs.find((path) => !reaches(account, path))
  const become = ['setpriv', '--reuid', String(uid), '--regid', String(gid), '--clear-groups']
  return { uid, gid, inherits: people.includes(uid), prefix: [...become, ...passage(closed, name), '--'] }
}
