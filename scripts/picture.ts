// What a terminal shows as an SVG: text in rows, one span for each run of one colour, on a light or a dark ground.
import type { IBuffer, IBufferCell } from '@xterm/headless'

export type Ground = 'dark' | 'light'

interface Theme {
  readonly paper: string
  readonly ink: string
  readonly dim: string
  /** The eight basic colours, then their bright ones. */
  readonly palette: readonly string[]
}

/** Colours like those that common terminals come with. */
const themes: Readonly<Record<Ground, Theme>> = {
  dark: {
    paper: '#16181d',
    ink: '#d7dae0',
    dim: '#868b95',
    palette: ['#16181d', '#ef6b73', '#8cc570', '#d9b25f', '#6aaef0', '#c583dc', '#4fbfc9', '#d7dae0'],
  },
  light: {
    paper: '#ffffff',
    ink: '#24292f',
    dim: '#7d848c',
    palette: ['#24292f', '#c0262d', '#1f7a33', '#8a6300', '#0b5fc4', '#8a30a8', '#0d7682', '#ffffff'],
  },
}

/** Width of a cell and height of a row in pixels at 14 px; `textLength` holds every run to it, whatever the font. */
const [cellWidth, rowHeight, margin] = [8.4, 18, 12]

interface Run {
  readonly column: number
  readonly text: string
  readonly columns: number
  readonly color: string
  readonly bold: boolean
}

/** The rows in sight (`rows` of them from `from` on) as one picture. */
export function picture(
  buffer: IBuffer,
  { ground, from, rows }: { ground: Ground; from: number; rows: number },
): string {
  const theme = themes[ground]
  const columns = buffer.getLine(from)?.length ?? 80
  const [width, height] = [Math.ceil(columns * cellWidth + 2 * margin), rows * rowHeight + 2 * margin]
  const lines = Array.from({ length: rows }, (_, row) =>
    runsOf(buffer, from + row, theme)
      .map((run) => drawn(run, row, theme))
      .join(''),
  ).filter((line) => line !== '')
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    `<rect width="${width}" height="${height}" rx="8" fill="${theme.paper}"/>`,
    `<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="14" fill="${theme.ink}" xml:space="preserve">`,
    ...lines,
    '</g>',
    '</svg>',
    '',
  ].join('\n')
}

function drawn({ column, text, columns, color, bold }: Run, row: number, { ink }: Theme): string {
  const x = (margin + column * cellWidth).toFixed(1)
  const y = margin + row * rowHeight + 13
  const look = `${color === ink ? '' : ` fill="${color}"`}${bold ? ' font-weight="bold"' : ''}`
  return `<text x="${x}" y="${y}" textLength="${(columns * cellWidth).toFixed(1)}"${look}>${escaped(text)}</text>`
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** Cells of one look, one after the other; blanks between two of them part runs, so that each stays in its column. */
function runsOf(buffer: IBuffer, row: number, theme: Theme): readonly Run[] {
  const line = buffer.getLine(row)
  if (line === undefined) return []
  const runs: Run[] = []
  for (let column = 0; column < line.length; column += 1) {
    const cell = line.getCell(column)
    const text = cell?.getChars() ?? ''
    if (cell === undefined || text.trim() === '') continue
    const [color, bold, columns] = [colorOf(cell, theme), cell.isBold() !== 0, cell.getWidth()]
    const last = runs.at(-1)
    const gap = last === undefined ? 0 : column - last.column - last.columns
    if (last !== undefined && gap <= 1 && last.color === color && last.bold === bold) {
      runs[runs.length - 1] = {
        ...last,
        text: `${last.text}${' '.repeat(gap)}${text}`,
        columns: last.columns + gap + columns,
      }
    } else runs.push({ column, text, columns, color, bold })
  }
  return runs
}

function colorOf(cell: IBufferCell, { ink, dim, palette }: Theme): string {
  const color = cell.isFgPalette() ? (palette[cell.getFgColor() % 8] ?? ink) : ink
  return cell.isDim() !== 0 && color === ink ? dim : color
}
