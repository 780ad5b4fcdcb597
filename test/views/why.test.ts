// The facts behind a verdict as people read them: no JSON, no null, numbers in groups, times as times.
import { expect, test } from 'vitest'
import type { Observed } from '../../src/model/stage.ts'
import { plainManner } from '../../src/views/paint.ts'
import { whyText } from '../../src/views/why.ts'
import { metLane } from './events.ts'

const nowMs = Date.parse('2026-11-26T12:00:00Z')

const observed: Observed = {
  medium: {
    name: 'ceh-003',
    file: 'media.d/ceh-003.yaml',
    label: null,
    kind: null,
    target: 'imaged',
    hash: null,
    because: { code: 'absent', text: '' },
    action: 'unknown',
  },
  observations: [
    {
      stage: 'image',
      of: 'x',
      decision: { action: 'keep', because: { code: 'present', text: '' } },
      seen: {
        image: { bytes: 4194304, mtimeNs: '1795701261909372535', ino: 2155137 },
        map: null,
        whole: true,
      },
    },
  ],
  proofs: [
    {
      stage: 'image',
      of: 'x',
      depth: 'hash',
      ok: true,
      checks: [],
      figures: { bytes: 4194304 },
      facts: {
        volumes: [
          { fs: 1, label: 'MORNING', start: 1048576, reason: '' },
          { fs: 2, label: null, start: 2097152 },
        ],
        tree: null,
        list: ['a: lost', 'b: lost'],
      },
      content: null,
      run: 'r',
      host: 'h',
      at: '2026-11-26T11:55:00Z',
    },
  ],
  claims: [],
}

test('facts are told one by one, in words: what is not there is none, and nothing is JSON', () => {
  const text = whyText({ lane: metLane('ceh-003'), observed }, nowMs, plainManner)
  expect(text).not.toMatch(/[{}[\]"]|null|undefined/)
  const lines = text.split('\n').map((line) => line.trim())
  for (const line of [
    'seen         image.bytes 4,194,304',
    'image.mtimeNs 2026-11-26 13:54:21',
    'image.ino 2155137',
    'map none',
    'whole yes',
    'volumes      fs 1, label MORNING, start 1,048,576',
    'fs 2, start 2,097,152',
    'tree         none',
    'list         a: lost',
    'b: lost',
  ])
    expect(lines).toContain(line)
})
