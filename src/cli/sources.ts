// Where a bug is, in the files that somebody wrote: places in the bundle, by the maps that lie beside it.
import { readFileSync } from 'node:fs'
import { SourceMap, type SourceMapPayload } from 'node:module'
import { fileURLToPath } from 'node:url'

const place = /(file:\/\/[^\s()]+\.mjs):(\d+):(\d+)/g

/**
 * A stack with the places of the sources. The engine does that as well (`--enable-source-maps`), and reads all maps at each start for it,
 * which is a sixth of what a start takes.
 */
export function inSources(stack: string): string {
  const maps = new Map<string, SourceMap | null>()
  return stack.replace(place, (whole, url: string, line: string, column: string) => {
    let map = maps.get(url)
    if (map === undefined) maps.set(url, (map = mapOf(url)))
    const found = map?.findEntry(Number(line) - 1, Number(column) - 1)
    if (found === undefined || !('originalSource' in found)) return whole
    const { originalSource, originalLine, originalColumn } = found
    return `${fileURLToPath(new URL(originalSource, url))}:${originalLine + 1}:${originalColumn + 1}`
  })
}

function mapOf(url: string): SourceMap | null {
  try {
    return new SourceMap(JSON.parse(readFileSync(fileURLToPath(`${url}.map`), 'utf8')) as SourceMapPayload)
  } catch {
    // Without a map the place in the bundle has to do.
    return null
  }
}
