// What carrying out a plan, or verifying, needs from outside; it names no stage, no port and no view.
import type { Medium, StageName } from '../model/medium.ts'
import type { Stage } from '../model/stage.ts'
import type { Writer } from '../model/world.ts'
import type { Eyes } from '../observe.ts'
import type { Witness } from '../prove.ts'

export interface Hands extends Eyes, Witness {
  writer(medium: Medium, stage: StageName, signal: AbortSignal): Writer
  /** One exclusive hold of a medium; its signal fires if the hold is lost. */
  hold(medium: Medium): Promise<{ readonly signal: AbortSignal; release(): Promise<void> }>
  /** Seconds on a clock that only goes forward. */
  seconds(): number
  /** Fires when nothing new may be started. */
  readonly stopping: AbortSignal
  /** Resolves when the person has not paused. */
  unpaused(): Promise<void>
}

export function stageNamed(stages: readonly Stage[], name: StageName): Stage {
  const found = stages.find((stage) => stage.name === name)
  if (found === undefined) throw new Error(`no stage is called ${name}`)
  return found
}
