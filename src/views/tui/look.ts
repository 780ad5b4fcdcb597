// What the person at the keyboard is looking at, and how each key changes that. Pure: several keys may come before a frame.
import {
  current,
  isAtWork,
  isConverged,
  isIdle,
  isStuck,
  type MediumView,
  type RunView,
} from '../../model/run-view.ts'

export const filters = ['all', 'running', 'waiting', 'stuck'] as const
export type Filter = (typeof filters)[number]

export interface Look {
  /** The medium that is marked; null: the list follows the work. */
  readonly selected: string | null
  /** First row of the list, first line of the detail. */
  readonly top: number
  readonly filter: Filter
  readonly search: string
  /** Keys go into the search. */
  readonly searching: boolean
  readonly pane: 'list' | 'detail' | 'help'
  readonly scrolled: number
  readonly paused: boolean
  /** How often a stop was asked for. */
  readonly stops: number
}

export const firstLook: Look = {
  selected: null,
  top: 0,
  filter: 'all',
  search: '',
  searching: false,
  pane: 'list',
  scrolled: 0,
  paused: false,
  stops: 0,
}

/** A key by its name, or the characters that were typed. */
export type Key =
  | 'up'
  | 'down'
  | 'pageUp'
  | 'pageDown'
  | 'home'
  | 'end'
  | 'enter'
  | 'escape'
  | 'backspace'
  | 'interrupt'
  | { readonly typed: string }

const passes = (medium: MediumView, filter: Filter): boolean => {
  const isRunning = medium.stages.some(isAtWork)
  switch (filter) {
    case 'all':
      return true
    case 'running':
      return isRunning
    case 'waiting':
      return (
        medium.waitsFor !== null || !(isRunning || isConverged(medium) || isIdle(medium) || isStuck(medium))
      )
    case 'stuck':
      return isStuck(medium)
    default:
      return filter satisfies never
  }
}

/** The media of the list, in the order of the plan. */
export function listed({ media }: RunView, { filter, search }: Look): readonly MediumView[] {
  if (filter === 'all' && search === '') return media
  const wanted = search.toLowerCase()
  return media.filter(
    (one) =>
      passes(one, filter) &&
      (wanted === '' ||
        one.medium.toLowerCase().includes(wanted) ||
        (one.label ?? '').toLowerCase().includes(wanted)),
  )
}

/** First row to show: the marked one stays in sight; unmarked, the list keeps the work in sight. */
export function topOf(look: Look, rows: readonly MediumView[], height: number): number {
  const last = Math.max(0, rows.length - height)
  if (look.selected === null) {
    const working = rows.findIndex(({ stages }) => stages.some(isAtWork))
    const open =
      working === -1 ? rows.findIndex((medium) => !isConverged(medium) && !isIdle(medium)) : working
    // Where all of it fits, or the work is in sight already, nothing moves.
    if (open === -1 || (open >= look.top && open < look.top + height - 1)) return Math.min(look.top, last)
    return Math.max(0, Math.min(last, open - 2))
  }
  const marked = rows.findIndex(({ medium }) => medium === look.selected)
  if (marked === -1) return Math.min(look.top, last)
  return Math.max(0, Math.min(last, Math.max(marked - height + 1, Math.min(look.top, marked))))
}

/** What can be seen of the list at once, and how far the detail can be scrolled. */
export interface Extent {
  readonly list: number
  readonly scroll: number
}

const graphemes = new Intl.Segmenter()
/** Control characters that may come within a chunk of typed ones. */
const controls: Readonly<Record<string, Key>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\x7f': 'backspace',
  '\x03': 'interrupt',
}

/** The look after one key. */
export function pressed(look: Look, key: Key, view: RunView, extent: Extent): Look {
  if (typeof key !== 'string' && key.typed.length > 1) {
    // A fast typist or a paste: one after the other, each with what the ones before it changed.
    return [...graphemes.segment(key.typed)].reduce(
      (now, { segment }) => pressed(now, controls[segment] ?? { typed: segment }, view, extent),
      look,
    )
  }
  const height = extent.list
  if (key === 'interrupt') return { ...look, stops: look.stops + 1 }
  if (look.searching) return searchPressed(look, key)
  if (typeof key !== 'string') return typed(look, key.typed)
  if (look.pane === 'help') return { ...look, pane: 'list' }
  if (look.pane === 'detail') return detailPressed(look, key, extent)
  const rows = listed(view, look)
  const top = topOf(look, rows, height)
  const marked = rows.findIndex(({ medium }) => medium === look.selected)
  const mark = (place: number): Look => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, place))]
    const next = { ...look, top, selected: row?.medium ?? null }
    return { ...next, top: topOf(next, rows, height) }
  }
  // Unmarked, the first arrow marks what is in sight.
  const from = marked === -1 ? null : marked
  switch (key) {
    case 'up':
      return mark(from === null ? top : from - 1)
    case 'down':
      return mark(from === null ? top : from + 1)
    case 'pageUp':
      return mark((from ?? top) - height)
    case 'pageDown':
      return mark((from ?? top) + height)
    case 'home':
      return mark(0)
    case 'end':
      return mark(rows.length - 1)
    case 'enter': {
      const opened = from === null ? mark(firstOpen(rows, top)) : look
      return opened.selected === null ? look : { ...opened, pane: 'detail', scrolled: 0 }
    }
    case 'escape':
      return { ...look, selected: null, search: '', filter: 'all' }
    case 'backspace':
      return look
    default:
      return key satisfies never
  }
}

/** What a person most likely wants to see of the rows in sight: the first that is at work or in trouble. */
const firstOpen = (rows: readonly MediumView[], top: number): number => {
  const found = rows.findIndex((medium, place) => place >= top && current(medium) !== null)
  return found === -1 ? top : found
}

function typed(look: Look, text: string): Look {
  switch (text) {
    case 'q':
      // A second q does not stop harder; only ^C twice does.
      return { ...look, stops: Math.max(1, look.stops) }
    case 'p':
      return { ...look, paused: !look.paused }
    case '?':
      return { ...look, pane: look.pane === 'help' ? 'list' : 'help' }
    case 'f': {
      const next = filters[(filters.indexOf(look.filter) + 1) % filters.length] ?? 'all'
      return { ...look, pane: 'list', filter: next, selected: null, top: 0 }
    }
    case '/':
      return { ...look, pane: 'list', filter: 'all', searching: true, search: '', selected: null, top: 0 }
    default:
      return look
  }
}

function searchPressed(look: Look, key: Key): Look {
  if (key === 'enter') return { ...look, searching: false }
  if (key === 'escape') return { ...look, searching: false, search: '' }
  if (key === 'backspace') return { ...look, search: look.search.slice(0, -1) }
  if (typeof key === 'string') return look
  return { ...look, search: look.search + key.typed, top: 0 }
}

function detailPressed(look: Look, key: Exclude<Key, object | 'interrupt'>, extent: Extent): Look {
  const scroll = (lines: number): Look => ({
    ...look,
    scrolled: Math.max(0, Math.min(extent.scroll, look.scrolled + lines)),
  })
  switch (key) {
    case 'up':
      return scroll(-1)
    case 'down':
      return scroll(1)
    case 'pageUp':
      return scroll(-extent.list)
    case 'pageDown':
      return scroll(extent.list)
    case 'home':
      return scroll(-look.scrolled)
    case 'end':
      return scroll(extent.scroll)
    case 'enter':
    case 'escape':
    case 'backspace':
      return { ...look, pane: 'list', scrolled: 0 }
    default:
      return key satisfies never
  }
}
