import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect, test } from 'vitest'
import { jsonText, lineText, logLine } from '../../src/views/jsonl.ts'
import { parseLine } from '../../src/views/replay.ts'
import { at, shortRun, stamped } from './events.ts'

const schema = (name: string): object =>
  JSON.parse(readFileSync(join(import.meta.dirname, `../../schemas/${name}.schema.json`), 'utf8')) as object
const isEvent = new Ajv2020({
  allErrors: true,
  strict: true,
  allowUnionTypes: true,
  strictTypes: false,
  strictRequired: false,
  validateFormats: false,
})
  .addSchema(schema('plan'))
  .compile(schema('event'))
const events = stamped(shortRun)

test('every event of a run is a line of the published schema', () => {
  for (const event of events) expect(isEvent(logLine(event)) || [event.type, isEvent.errors]).toBe(true)
})

test('the example run tells every type of event there is', () => {
  const source = readFileSync(join(import.meta.dirname, '../../src/model/event.ts'), 'utf8')
  const declared = new Set([...source.matchAll(/type: '([a-z.]+)'/g)].map((match) => match[1]))
  expect(new Set(events.map(({ type }) => type))).toEqual(declared)
})

test('the schema refuses a member too much, a member too few, and a stage that is not the one of the event', () => {
  for (const event of events) {
    const line = logLine(event)
    if (!String(line['event']).endsWith('_success')) expect(isEvent({ ...line, stranger: 1 })).toBe(false)
    expect(isEvent({ ...line, stranger: 'text' })).toBe(false)
    for (const key of Object.keys(line)) {
      if (['hint', 'exit_status', 'errno', 'stderr_tail', 'health'].includes(key)) continue
      if (String(line['event']).endsWith('_success') && !isEnvelope(key)) continue
      const { [key]: _, ...rest } = line
      expect([event.type, key, isEvent(rest)]).toEqual([event.type, key, false])
    }
    if (line['stage'] !== null)
      expect(isEvent({ ...line, stage: line['stage'] === 'copy' ? 'load' : 'copy' })).toBe(false)
  }
})

const isEnvelope = (key: string): boolean =>
  [
    'ts',
    'run',
    'host',
    'pid',
    'seq',
    'medium',
    'medium_hash',
    'stage',
    'event',
    'action',
    'depth',
    'duration_sec',
  ].includes(key)

test('names of events are those of the field reports', () => {
  const told = new Set(events.map((event) => String(logLine(event)['event'])))
  for (const name of [
    'load_start',
    'load_progress',
    'load_success',
    'load_verification_failed',
    'load_error',
    'enum_start',
    'plan_ready',
    'run_finished',
  ]) {
    expect(told).toContain(name)
  }
})

test('a success carries its duration as a decimal, and its figures beside', () => {
  const line = logLine(events.find((event) => event.type === 'step.done' && event.stage === 'load')!)
  expect(line).toMatchObject({
    event: 'load_success',
    stage: 'load',
    duration_sec: 1,
    records: 18,
    inodes: 18,
  })
})

test('a line replays into the event that it was', () => {
  for (const event of events) expect(parseLine(lineText(event))).toEqual(event)
})

test('a torn line, a stranger and an unknown word are no events', () => {
  const [event] = events
  const line = lineText(event!)
  expect(() => parseLine(line.slice(0, -5))).toThrow('is not JSON')
  expect(() => parseLine('17')).toThrow('is no object')
  expect(() => parseLine(line.replace('run_started', 'tape_started'))).toThrow('knows no event')
  expect(() => parseLine(line.replace('run_started', 'load_tape'))).toThrow()
})

test('a figure cannot take the name of another member', () => {
  const [event] = stamped([
    {
      type: 'step.done',
      ...at('a', 'load'),
      action: 'run',
      depth: 'counts',
      durationSec: 1,
      figures: { pid: 1 },
    },
  ])
  expect(() => logLine(event!)).toThrow('a figure may not be called pid')
})

test('no control byte of any sort stands raw in a line', () => {
  const nasty = '\u0000\u0007\u001b[2J\u007f\u0085\u009b31m\u061c\u200e\u202e\u2066\u2028\ufeff'
  const text = jsonText({ nasty })
  expect(text).toMatch(/^[\x20-\x7e]*$/)
  expect(JSON.parse(text)).toEqual({ nasty })
})
