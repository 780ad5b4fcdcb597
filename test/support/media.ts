// Media for tests, with the defaults that a file of media.d has.
import type { Medium } from '../../src/model/medium.ts'

export const testHash = 'da69350a5b27adf013e02994611cebc3'

export const medium = (parts: Partial<Medium> & Pick<Medium, 'source'>): Medium => ({
  name: 'ceh',
  file: 'media.d/ceh.yaml',
  label: null,
  kind: parts.source.type === 'directory' ? 'directory' : 'optical',
  target: 'archived',
  hash: testHash,
  version: 'declared',
  bytes: null,
  expect: {},
  exclude: [],
  policy: { rescued: 100, unreadableFiles: 'refuse', partitions: {} },
  ...parts,
})
