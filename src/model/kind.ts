// What differs between a hard disk and a floppy, as data; everything else is a stage's business.
import type { KindName, Source, StageName } from './medium.ts'

/** One way of reading a medium with ddrescue; a kind names them in order, the gentlest first. */
export interface Pass {
  /** One word, as it is logged. */
  readonly name: string
  /** What it does, as people are told. */
  readonly does: string
  /** Options of ddrescue, beside those that every pass has. */
  readonly options: readonly string[]
  /** It is given up when nothing could be read for so many seconds. */
  readonly patienceSec: number
  /** Wears the medium: only as long as less was read than the medium's policy asks for. */
  readonly stubborn: boolean
  /** After it the ladder ends if less than this share of the medium (percent) was read: more would not help. */
  readonly least: number
}

export interface Kind {
  readonly name: KindName
  /** In a few words, for people. */
  readonly label: string
  /** The stages that make sense here. A directory has nothing to image. */
  readonly stages: readonly StageName[]
  /** The sources that it can come from. */
  readonly sources: readonly Source['type'][]
  /** The unit in which the medium is read and fails, in bytes. */
  readonly sectorBytes: number
  /** Ways to read it, the gentlest first. */
  readonly passes: readonly Pass[]
  /** What is read is the drive itself: its model and serial are the medium's. A disc only lies in its drive. */
  readonly isDrive: boolean
}
