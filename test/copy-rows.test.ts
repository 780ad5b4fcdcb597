// Rows out of what COPY sends, however it is cut into chunks.
import { expect, test } from 'vitest'
import { numberOrNull, rowsOf } from '../src/model/copy-rows.ts'
import { each } from '../src/model/each.ts'
import { ObserveError } from '../src/model/errors.ts'

const pattern = /^([a-z]+)\t(\d+|\\N)$/

async function read(...chunks: readonly string[]): Promise<unknown> {
  const all: unknown[] = []
  for await (const rows of rowsOf(each(chunks.map((text) => Buffer.from(text))), pattern))
    all.push(...rows.map(([, name, size]) => [name, numberOrNull(size)]))
  return all
}

test('a row may be cut anywhere', async () => {
  const text = 'one\t1\nnobody\t\\N\nthree\t33\n'
  const rows = [
    ['one', 1],
    ['nobody', null],
    ['three', 33],
  ]
  for (let at = 0; at <= text.length; at += 1)
    expect(await read(text.slice(0, at), text.slice(at))).toEqual(rows)
  expect(await read()).toEqual([])
})

test.each([
  ['a row of another shape', ['one\t1\n2\tone\n']],
  ['a row without an end', ['one\t1\ntwo\t2']],
])('%s means that it could not be looked at', async (_, chunks) => {
  await expect(read(...chunks)).rejects.toThrow(ObserveError)
})
