// How the rows and columns of the terminal are dealt out. Pure.
import type { RunView } from '../../model/run-view.ts'
import { columns, readable } from '../format.ts'
import type { Look } from './look.ts'

export interface Layout {
  readonly columns: number
  readonly rows: number
  /** Too small for rows and cells: a summary is shown. */
  readonly tiny: boolean
  /** Rows of the list or of the detail. */
  readonly list: number
  /** Lines about what waits for a person. */
  readonly persons: number
  readonly log: number
  readonly name: number
  /** 0: not shown. */
  readonly label: number
  /** 0: not shown. */
  readonly health: number
  /** Columns of one stage cell with its gap. */
  readonly cell: number
  /** What is left for the bar and the words behind it. */
  readonly rest: number
}

/** Columns in which a stage at work tells all of itself. */
const workRoom = 52

/** Top line, bar, heads of the columns, rule of the log, keys. */
const fixedRows = 5

export function layoutOf(
  view: RunView,
  look: Look,
  size: { readonly columns: number; readonly rows: number },
): Layout {
  const width = Math.max(1, size.columns)
  const rows = Math.max(1, size.rows)
  const persons = Math.min(3, view.media.filter(({ waitsFor }) => waitsFor !== null).length)
  const room = rows - fixedRows - persons
  // A short list leaves its room to the log; a long one is never smaller than two thirds.
  const log =
    look.pane === 'list'
      ? Math.max(3, Math.min(Math.floor(rows / 3), room - view.media.length), Math.floor(room / 4))
      : 3
  const longest = longestOf(view)
  const name = Math.min(Math.max(6, Math.floor(width / 4)), Math.max(6, longest.name))
  // Where there is little room it is taken only once there is something to show.
  const isWell = view.media.every(({ health }) => health === null || health === 'ok')
  const health = width < 90 || (width < 110 && isWell) ? 0 : 10
  const cell = width < 150 ? 3 : 6
  // What stands behind the cells needs its room first; a label of a few letters says nothing.
  const spare = width - (2 + name + 2 + 2 + (health === 0 ? 0 : health + 2) + 5 * cell + 1) - workRoom
  const label = spare < Math.min(12, longest.label) ? 0 : Math.min(longest.label, spare)
  const rest =
    width - (2 + name + 2 + (label === 0 ? 0 : label + 2) + (health === 0 ? 0 : health + 2) + 5 * cell + 1)
  return {
    columns: width,
    rows,
    tiny: width < 60 || rows < 15,
    list: Math.max(1, room - log),
    persons,
    log,
    name,
    label,
    health,
    cell,
    rest: Math.min(rest, 110),
  }
}

interface Longest {
  readonly name: number
  readonly label: number
}

const measured = new WeakMap<RunView['places'], Longest>()

/** The widest name and label; measured once for each set of media, not for each frame. */
function longestOf({ media, places }: RunView): Longest {
  const known = measured.get(places)
  if (known !== undefined) return known
  const longest = media.reduce(
    (most, { medium, label }) => ({
      name: Math.max(most.name, columns(readable(medium))),
      label: Math.max(most.label, columns(readable(label ?? ''))),
    }),
    { name: 0, label: 0 },
  )
  measured.set(places, longest)
  return longest
}
