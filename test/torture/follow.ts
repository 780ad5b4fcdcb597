// A run that is followed while it writes its trace, and killed in the moment in which it comes to one point.
import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Project } from '../support/project.ts'
import { startApply, type Ended } from './run.ts'
import { callOf, openTrace, straceArguments, type Side, type Sight } from './trace.ts'

/** The `nth` time, from 1, that a run comes to a point, whichever thread does. */
export interface Target {
  readonly point: string
  readonly side: Side
  readonly nth: number
}

export interface Followed extends Ended {
  /** Where it was killed: there, or when it had gone on already; null: it never came there, and came to its own end. */
  readonly hit: 'there' | 'late' | null
  /** How often it has come to each point, `SIDE POINT`. */
  readonly times: ReadonlyMap<string, number>
}

export const keyOf = ({ side, point }: { readonly side: Side; readonly point: string }): string =>
  `${side} ${point}`

/** `patience`: each call of the target's kind is held so many times longer than it must be where nothing else runs. */
export async function follow(made: Project, target: Target | null, patience = 1): Promise<Followed> {
  const log = made.path('trace')
  const call = callOf(target?.point ?? '')
  // There are hundreds of writes, and few of anything else that one thread does.
  const us = (call === 'write' ? 5_000 : 20_000) * patience
  const held = target === null ? null : { call, side: target.side, us }
  const running = startApply(made, ['strace', ...straceArguments(log, held)])
  let isOver = false
  void running.ended.then(() => {
    isOver = true
  })
  const trace = openLog(log, made.folder)
  const times = new Map<string, number>()
  const wanted = target === null ? null : keyOf(target)
  const timesOf = (sight: Sight): number => times.get(keyOf(sight)) ?? 0
  const count = (sight: Sight): boolean => {
    times.set(keyOf(sight), timesOf(sight) + 1)
    return keyOf(sight) === wanted && timesOf(sight) === target?.nth
  }
  let victim: Sight | null = null
  let later: readonly Sight[] = []
  while (victim === null) {
    const isLast = isOver
    const { whole, begun } = trace.read()
    const at = whole.findIndex(count)
    if (at >= 0) {
      victim = whole[at] ?? null
      later = whole.slice(at + 1)
    } else if (begun !== null && keyOf(begun) === wanted && timesOf(begun) + 1 === target?.nth) victim = begun
    if (victim !== null) strike(trace.tracee())
    else if (isLast) break
    else await sleep(1)
  }
  later = [...later, ...trace.read().whole]
  const ended = await running.ended
  const last = trace.read().whole
  trace.close()
  if (victim === null) return { ...ended, hit: null, times }
  const { pid } = victim
  // The child whose start was the point is not killed, and may well begin its program later.
  if (!victim.point.startsWith('start ')) later = [...later, ...last]
  const hasGoneOn = later.some((one) => one.pid === pid && keyOf(one) !== wanted)
  return { ...ended, hit: ended.end !== 'SIGKILL' || hasGoneOn ? 'late' : 'there', times }
}

function strike(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself meanwhile.
  }
}

/** The trace as far as it is written: what was told since the last time, and the call that is being made. */
function openLog(log: string, folder: string) {
  const sight = openTrace(folder)
  const room = Buffer.alloc(1 << 20)
  let file = -1
  let rest = ''
  let first = ''
  return {
    read(): { readonly whole: readonly Sight[]; readonly begun: Sight | null } {
      if (file < 0 && existsSync(log)) file = openSync(log, 'r')
      for (let length = -1; file >= 0 && length !== 0;) {
        length = readSync(file, room, 0, room.length, null)
        rest += room.toString('latin1', 0, length)
      }
      const lines = rest.split('\n')
      rest = lines.pop() ?? ''
      if (first === '') first = lines[0] ?? ''
      return {
        whole: lines.flatMap((line) => sight(line, true)),
        begun: rest === '' ? null : (sight(rest, false)[0] ?? null),
      }
    },
    /** The process that is traced, which lives for as long as its tracer holds it. */
    tracee: (): number => Number.parseInt(first, 10),
    close(): void {
      if (file >= 0) closeSync(file)
    },
  }
}
