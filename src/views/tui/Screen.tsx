// The screen: one picture of the store as rows of text. It has no state of its own.
import { Box, Text, useInput, type Key as InkKey } from 'ink'
import { memo, useSyncExternalStore, type ReactNode } from 'react'
import { isAtWork, type MediumView } from '../../model/run-view.ts'
import { written, type Line, type Manner, type Style } from '../paint.ts'
import { detailLines, helpLines } from './detail.ts'
import type { Layout } from './layout.ts'
import { listed, topOf, type Key } from './look.ts'
import { keysLine, logLines, personLines, tinyLines, topLine, totalLine } from './rows.ts'
import { fit } from './fitting.ts'
import { headLine, mediumLine } from './medium-row.ts'
import type { Picture, ScreenStore } from './store.ts'

export type ScreenManner = Pick<Manner, 'color' | 'ascii'>
/** The columns that a row has beside. */
type RowManner = ScreenManner & Pick<Manner, 'width'>

interface ScreenProps {
  readonly store: ScreenStore
  readonly manner: ScreenManner
}

export function Screen({ store, manner }: ScreenProps): ReactNode {
  const picture = useSyncExternalStore(store.subscribe, store.picture)
  useInput((input, key) => {
    const pressed = keyOf(input, key)
    if (pressed !== null) store.press(pressed)
  })
  const { layout } = picture
  const width = layout.columns
  const rows = { ...manner, width }
  return (
    <Box flexDirection="column" width={layout.columns} height={layout.rows} overflow="hidden">
      {layout.tiny ? (
        <Rows lines={tinyLines(picture, manner.ascii)} manner={rows} />
      ) : (
        <Panes picture={picture} manner={rows} />
      )}
    </Box>
  )
}

function Panes({ picture, manner }: { readonly picture: Picture; readonly manner: RowManner }): ReactNode {
  const { view, look, layout, nowMs } = picture
  const { ascii } = manner
  const medium = look.pane === 'detail' ? view.media[view.places.get(look.selected ?? '') ?? -1] : undefined
  const height = layout.list + 1
  const opened =
    medium === undefined
      ? undefined
      : filled(
          scrolled(detailLines(medium, nowMs, layout.columns, ascii), look.scrolled, height),
          height,
          layout.columns,
        )
  return (
    <>
      <Row line={topLine(picture)} manner={manner} />
      <Row line={totalLine(picture, ascii)} manner={manner} />
      {look.pane === 'help' ? (
        <Rows lines={filled(helpLines(ascii), layout.rows - 3, layout.columns)} manner={manner} />
      ) : (
        <>
          {opened === undefined ? (
            <List picture={picture} manner={manner} />
          ) : (
            <Rows lines={opened} manner={manner} />
          )}
          <Rows lines={personLines(picture)} manner={manner} />
          <Rows lines={logLines(picture, ascii)} manner={manner} />
        </>
      )}
      <Row line={keysLine(picture)} manner={manner} />
    </>
  )
}

/** Only the rows in sight exist: 500 media cost what 50 do. */
function List({ picture, manner }: { readonly picture: Picture; readonly manner: RowManner }): ReactNode {
  const { view, look, layout, nowMs } = picture
  const media = listed(view, look)
  const top = topOf(look, media, layout.list)
  const shown = media.slice(top, top + layout.list)
  const empty = Array.from({ length: layout.list - shown.length }, (): Line => [])
  return (
    <>
      <Row line={headLine(picture, top, shown.length, media.length)} manner={manner} />
      {shown.map((medium) => (
        <MediumRow
          key={medium.medium}
          medium={medium}
          marked={medium.medium === look.selected}
          // A row at rest does not depend on the time, and is not drawn again.
          nowMs={medium.stages.some(isAtWork) ? nowMs : 0}
          layout={layout}
          manner={manner}
        />
      ))}
      <Rows lines={empty} manner={manner} />
    </>
  )
}

interface MediumRowProps {
  readonly medium: MediumView
  readonly marked: boolean
  readonly nowMs: number
  readonly layout: Layout
  readonly manner: RowManner
}

const MediumRow = memo(
  ({ medium, marked, nowMs, layout, manner }: MediumRowProps) => (
    <Row line={mediumLine(medium, marked, nowMs, layout, manner.ascii)} manner={manner} />
  ),
  (before, after) =>
    before.medium === after.medium &&
    before.marked === after.marked &&
    before.nowMs === after.nowMs &&
    before.layout.rest === after.layout.rest &&
    before.manner.width === after.manner.width &&
    before.layout.health === after.layout.health &&
    before.layout.name === after.layout.name,
)
MediumRow.displayName = 'MediumRow'

const scrolled = (lines: readonly Line[], by: number, height: number): readonly Line[] => {
  const from = Math.max(0, Math.min(by, lines.length - height))
  return lines.slice(from, from + height)
}

const filled = (lines: readonly Line[], height: number, width: number): readonly Line[] =>
  Array.from({ length: height }, (_, place) => fit(lines[place] ?? [], width))

function Rows({ lines, manner }: { readonly lines: readonly Line[]; readonly manner: RowManner }): ReactNode {
  // Lines have no identity but their place.
  return lines.map((line, place) => <Row key={`line-${String(place)}`} line={line} manner={manner} />)
}

const colors: Readonly<
  Record<Style, { readonly color?: string; readonly dimColor?: true; readonly bold?: true }>
> = {
  good: { color: 'green' },
  busy: { color: 'cyan' },
  doubt: { color: 'magenta' },
  bad: { color: 'red' },
  dim: { dimColor: true },
  bold: { bold: true },
}

function Row({ line, manner }: { readonly line: Line; readonly manner: RowManner }): ReactNode {
  if (line.length === 0) return <Text> </Text>
  // Look-alikes and escapes may be longer than what they stand for.
  const shown = manner.ascii ? fit(line, manner.width, true) : line
  return (
    <Text wrap="truncate">
      {shown.map((part, place) => {
        if (typeof part === 'string') return written(part, manner)
        const text = written(part.text, manner)
        return manner.color ? (
          <Text key={`span-${String(place)}`} {...colors[part.style]}>
            {text}
          </Text>
        ) : (
          text
        )
      })}
    </Text>
  )
}

function keyOf(input: string, key: InkKey): Key | null {
  if (key.ctrl) return input === 'c' ? 'interrupt' : null
  if (key.upArrow) return 'up'
  if (key.downArrow) return 'down'
  if (key.pageUp) return 'pageUp'
  if (key.pageDown) return 'pageDown'
  if (key.home) return 'home'
  if (key.end) return 'end'
  if (key.return) return 'enter'
  if (key.escape) return 'escape'
  if (key.backspace || key.delete) return 'backspace'
  return input === '' || key.meta ? null : { typed: input }
}
