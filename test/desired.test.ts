// Declarations: what is accepted, and how everything that is wrong is told.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readDesired } from '../src/desired.ts'
import { DesiredError } from '../src/model/errors.ts'
import type { Problem } from '../src/model/errors.ts'
import { distance, nearest } from '../src/model/nearest.ts'
import { patternProblem } from '../src/model/pattern.ts'
import { parseSize } from '../src/model/size.ts'

const base = '/project'
const read = (text: string | Uint8Array, file = 'media.d/cd.yaml') => readDesired([{ file, text }], base)

function problems(files: Record<string, string | Uint8Array>): readonly Problem[] {
  try {
    readDesired(
      Object.entries(files).map(([file, text]) => ({ file: `media.d/${file}`, text })),
      base,
    )
  } catch (error) {
    if (error instanceof DesiredError) return error.problems
    throw error
  }
  return []
}

const told = (text: string | Uint8Array): readonly string[] =>
  problems({ 'cd.yaml': text }).map(
    ({ line, column, field, message }) => `${line}:${column} ${field}: ${message}`,
  )

const device = 'source: {device: /dev/sr0}\n'
const image = 'source: {image: a.iso}\n'

describe('what is accepted', () => {
  test('a source is enough; everything else has a default', () => {
    expect(read(image)).toEqual([
      {
        name: 'cd',
        file: 'media.d/cd.yaml',
        label: null,
        kind: null,
        source: { type: 'image', path: '/project/media.d/a.iso' },
        target: 'archived',
        hash: null,
        expect: {},
        exclude: [],
        policy: { rescued: 100, unreadableFiles: 'refuse', partitions: {} },
      },
    ])
  })

  test('the example of the documentation means what it says', () => {
    const [medium] = read(
      [
        'label: CEH report CD-ROM',
        'kind: optical',
        'source: {device: /dev/sr0}',
        'target: copied',
        'medium_hash: da69350a5b27adf013e02994611cebc3',
        'expect: {volume: CEH_REPORT, bytes: 477429760, serial: "12", model: X}',
        `exclude: [.Trashes/, '\\#draft#', '!keep']`,
        'policy: {rescued: 99.5%, unreadable_files: accept, partitions: {3: skip}, why: swap}',
      ].join('\n'),
    )
    expect(medium).toMatchObject({
      label: 'CEH report CD-ROM',
      kind: 'optical',
      source: { type: 'device', path: '/dev/sr0' },
      target: 'copied',
      hash: 'da69350a5b27adf013e02994611cebc3',
      expect: { volume: 'CEH_REPORT', bytes: 477429760, serial: '12', model: 'X' },
      exclude: ['.Trashes/', '\\#draft#', '!keep'],
      policy: { rescued: 99.5, unreadableFiles: 'accept', partitions: { 3: 'skip' }, why: 'swap' },
    })
  })

  test.each([
    ['images/a.iso', '/project/media.d/images/a.iso'],
    ['../a.iso', '/project/a.iso'],
    ['../../../../a.iso', '/a.iso'],
    ['/cold/./x//a.iso', '/cold/x/a.iso'],
    ['"a b: #c"', '/project/media.d/a b: #c'],
  ])('the source %s is %s', (written, path) => {
    expect(read(`source: {image: ${written}}`)[0]?.source.path).toBe(path)
  })

  test.each([
    ['100%', 100],
    ['99.99%', 99.99],
    ['"99 %"', 99],
    ['99.9', 99.9],
    ['0', 0],
  ])('policy.rescued %s is %d percent', (written, share) => {
    expect(read(`${image}policy: {rescued: ${written}}`)[0]?.policy.rescued).toBe(share)
  })

  test('sizes are whole bytes, in decimal and binary units', () => {
    expect(['512', '40GiB', '1.44MB', '1.5 KiB', '650 MB', '1B', '4TiB', '0.7GB'].map(parseSize)).toEqual([
      512, 42949672960, 1440000, 1536, 650000000, 1, 4398046511104, 700000000,
    ])
    expect(
      ['40G', '1.5B', '-1', '1e3', 'B', '', '40gib', '9999999TiB', '0x10', '1 constructor'].map(parseSize),
    ).toEqual(Array(10).fill(null))
    expect(read(`${device}expect: {bytes: 40GiB}`)[0]?.expect.bytes).toBe(42949672960)
  })

  test('a file name of 32 hex digits is the identity', () => {
    const name = 'DA69350A5B27ADF013E02994611CEBC3'
    expect(read(image, `media.d/${name}.yml`)[0]).toMatchObject({ name, hash: name.toLowerCase() })
  })

  test('a label is text, whatever it says', () => {
    const label = "${HOME} $(reboot) \u001b[31m <b> '; drop table medium; -- \u202e {{x}} %s"
    expect(read(`label: ${JSON.stringify(label)}\n${image}`)[0]?.label).toBe(label)
  })

  test('a byte order mark, CRLF, comments and an explicit document start are no problem', () => {
    expect(read(Buffer.from(`\uFEFF# a disc\r\n---\r\n${image.replace('\n', '\r\n')}...\r\n`))[0]?.name).toBe(
      'cd',
    )
  })

  test('a document of YAML 1.1 is read as 1.2: no is a word, and 0777 is 777', () => {
    expect(read(`%YAML 1.1\n---\nlabel: no\n${image}`)[0]?.label).toBe('no')
    expect(read(`%YAML 1.1\n---\n${device}expect: {bytes: 0777}`)[0]?.expect.bytes).toBe(777)
  })

  test('an alias stands for its value', () => {
    expect(read(`label: &name Box\nsource: {image: *name}`)[0]?.source.path).toBe('/project/media.d/Box')
  })

  test('declarations come in the order of their names', () => {
    const files = ['b.yaml', 'a.yml', 'B.yaml', 'é.yaml'].map((file) => ({
      file,
      text: `source: {image: ${file}}`,
    }))
    expect(readDesired(files, base).map(({ name }) => name)).toEqual(['B', 'a', 'b', 'é'])
  })

  test('no files are no media', () => {
    expect(readDesired([], base)).toEqual([])
  })
})

describe('what is refused, and how it is told', () => {
  test('an unknown key is told with its place, a frame and the key that was meant', () => {
    const [problem] = problems({
      'cd.yaml': '# a disc\nsource:\n  device: /dev/sr0\nlable: "HOLIDAY 99"   # typo\n',
    })
    expect(problem).toEqual({
      file: 'media.d/cd.yaml',
      line: 4,
      column: 1,
      field: 'lable',
      message: 'unknown key — did you mean "label"?',
      frame: ['  3 |   device: /dev/sr0', '> 4 | lable: "HOLIDAY 99"   # typo', '    | ^^^^^'].join('\n'),
    })
  })

  test.each([
    ['source: {imgae: a.iso}', '1:10 source.imgae: unknown key — did you mean "image"?'],
    [
      `${image}zzz: 1`,
      '2:1 zzz: unknown key — known here: label, kind, source, target, medium_hash, expect, exclude, policy',
    ],
    [
      `${image}target: archive`,
      '2:9 target: must be one of imaged, enumerated, loaded, copied, archived — did you mean "archived"?',
    ],
    [`${image}target: done`, '2:9 target: must be one of imaged, enumerated, loaded, copied, archived'],
    [
      `${image}kind: flopy`,
      '2:7 kind: must be one of disk, optical, floppy, directory — did you mean "floppy"?',
    ],
    [`${image}label: 1998`, '2:8 label: must be text, not a number — quote it: "1998"'],
    [`${image}label: 0x1F`, '2:8 label: must be text, not a number — quote it: "0x1F"'],
    [`${image}label: true`, '2:8 label: must be text, not true or false — quote it: "true"'],
    [`${image}label:\n`, '2:1 label: must be text, not nothing: give it a value or leave the line out'],
    [`${image}label: [a]`, '2:8 label: must be text, not a list'],
    ['source: a.iso', '1:9 source: must be a map with exactly one of image, device or directory, not text'],
    ['source: {}', '1:9 source: must be a map with exactly one of image, device or directory'],
    [
      'source: {image: a, device: b}',
      '1:9 source: must be a map with exactly one of image, device or directory',
    ],
    ['label: x', '1:1 source: missing: it is needed here'],
    ['', '1:1 : must be a map with at least a source, not nothing: give it a value or leave the line out'],
    ['- a', '1:1 : must be a map with at least a source, not a list'],
    [
      `${image}medium_hash: 123`,
      '2:14 medium_hash: must be 32 hexadecimal digits in lower case, not a number — quote it: "123"',
    ],
    [
      `${image}medium_hash: 12345678901234567890123456789012`,
      '2:14 medium_hash: must be 32 hexadecimal digits in lower case, not a number — quote it: "12345678901234567890123456789012"',
    ],
    [`${image}medium_hash: da69350a`, '2:14 medium_hash: must be 32 hexadecimal digits in lower case'],
    [
      `${image}medium_hash: DA69350A5B27ADF013E02994611CEBC3`,
      '2:14 medium_hash: must be 32 hexadecimal digits in lower case',
    ],
    [
      `${device}expect: {bytes: 40G}`,
      '2:17 expect.bytes: must be a size in bytes, or one like 40GiB or 650MB',
    ],
    [`${device}expect: {bytes: 1.5B}`, '2:17 expect.bytes: must be a whole number of bytes'],
    [`${device}expect: {bytes: 0}`, '2:17 expect.bytes: must be a size in bytes, or one like 40GiB or 650MB'],
    [
      `${device}expect: {bytes: 1.5}`,
      '2:17 expect.bytes: must be a size in bytes, or one like 40GiB or 650MB, not a number',
    ],
    [`${image}policy: {rescued: 101%}`, '2:19 policy.rescued: must be a share from 0% to 100%'],
    [`${image}policy: {rescued: 100.5}`, '2:19 policy.rescued: must be a share from 0% to 100%'],
    [`${image}policy: {rescued: -1}`, '2:19 policy.rescued: must be a share from 0% to 100%'],
    [`${image}policy: {rescued: most}`, '2:19 policy.rescued: must be a share from 0% to 100%'],
    [`${image}policy: {rescued: .nan}`, '2:19 policy.rescued: must be a share from 0% to 100%, not a number'],
    [
      `${image}policy: {partitions: {three: skip}}`,
      '2:23 policy.partitions.three: must be the number of a partition',
    ],
    [
      `${image}policy: {partitions: {3: ski}}`,
      '2:26 policy.partitions[3]: must be one of skip, accept — did you mean "skip"?',
    ],
    [`${image}exclude: .Trashes/`, '2:10 exclude: must be a list of patterns, not text'],
    [`${image}exclude: [a, 7]`, '2:14 exclude[1]: must be a gitignore pattern, not a number — quote it: "7"'],
    [
      `${image}exclude:\n  - ok\n  - "[a"\n`,
      '4:5 exclude[1]: a "[" without its "]": write "\\[" for a name with a bracket in it',
    ],
    [
      'kind: floppy\nsource: {directory: x}',
      '2:10 source.directory: must be image or device: a medium of this kind has no other source',
    ],
    [
      'kind: directory\nsource: {device: x}',
      '2:10 source.device: must be directory: a medium of this kind has no other source',
    ],
    [
      'source: {directory: x}\nexpect: {volume: A}',
      '2:10 expect.volume: cannot be looked at: a directory has no volume',
    ],
    [`${image}expect: {serial: A}`, '2:10 expect.serial: cannot be looked at: an image file has no serial'],
    [`${image}---\n${image}`, '2:1 : a second document begins here: one file declares one medium'],
    [`${image}label: a\nlabel: b`, '3:1 : the same key is there twice'],
    [`${image}label: !!binary aGk=`, '2:8 : tags (`!name`) mean nothing here'],
    [`${image}label: *x`, '2:8 : *x stands for nothing: no &x comes before it, or it is inside of it'],
    ['source: &a {image: *a}', '1:20 : *a stands for nothing: no &a comes before it, or it is inside of it'],
    [`${image}? [a, b]\n: 1`, '2:3 : a key must be a plain word'],
    [
      `${image}__proto__: 1`,
      '2:1 __proto__: unknown key — known here: label, kind, source, target, medium_hash, expect, exclude, policy',
    ],
    [
      `<<: {label: a}\n${image}`,
      '1:1 <<: unknown key — known here: label, kind, source, target, medium_hash, expect, exclude, policy',
    ],
    ['source: {image: "a\\0b"}', '1:17 source.image: must be the path of a file'],
    ['source: {image: ""}', '1:17 source.image: must be the path of a file'],
  ])('%j', (text, sentence) => {
    expect(told(text)).toEqual([sentence])
  })

  test('text that is no YAML is told at its place', () => {
    expect(told(`${image}label: "open\n`)).toEqual([
      expect.stringMatching(/^\d+:\d+ : this is not YAML: Missing closing/),
    ])
    expect(told(`source:\n\timage: a`)).toEqual(['2:1 : a tab: indent with spaces'])
    expect(told(`${image}label: box: 7`)).toEqual([expect.stringContaining('is written in quotes')])
  })

  test('bytes that are no UTF-8 are told at the first of them', () => {
    const bytes = Buffer.concat([
      Buffer.from('label: Ni\uFFFD'),
      Buffer.from([0xf1]),
      Buffer.from(`o\n${image}`),
    ])
    expect(told(bytes)).toEqual(['1:11 : from here on it is not UTF-8: save the file as UTF-8'])
  })

  test.each([
    [
      'a bomb of aliases',
      `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\nexclude: [*d,*d,*d]\n`,
      /aliases .* stand for too much/,
    ],
    ['20,000 open brackets', '['.repeat(20_000), /nested more than 64 deep/],
    ['20,000 nested lists', '- '.repeat(20_000), /nested more than 64 deep/],
    ['2 MiB', `label: ${'x'.repeat(2 * 1024 * 1024)}`, /longer than 1048576 characters/],
  ])('%s ends in one sentence, at once', (_, text, sentence) => {
    const started = performance.now()
    expect(told(text).filter((line) => sentence.test(line))).toHaveLength(1)
    expect(performance.now() - started).toBeLessThan(1000)
  })

  test('a frame cannot move the cursor or hide text, and its carets stand below the place', () => {
    const [problem] = problems({ 'cd.yaml': `${image}lábel漢: "\u202e\u009b2J"\n` })
    // oxlint-disable-next-line no-control-regex -- control characters are what must not be there
    expect(problem?.frame).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
    expect(problem?.frame.split('\n').at(-1)).toBe('    | ^^^^^^^')
  })

  test('a frame of a very long line shows the part around the place', () => {
    const all = problems({ 'cd.yaml': `source: {image: ${'x'.repeat(5000)}, flop: 1}\n` })
    const problem = all.find(({ field }) => field === 'source.flop')
    expect(problem?.column).toBe(5019)
    for (const line of problem?.frame.split('\n') ?? []) expect(line.length).toBeLessThan(110)
    expect(problem?.frame).toContain('flop: 1')
  })

  test.each(['-x', '.hidden', 'a b', 'a/../b:c', 'x'.repeat(101), 'a\u202eb', '', 'a\nb'])(
    'a medium cannot be called %j',
    (name) => {
      expect(problems({ [`${name}.yaml`]: image })).toHaveLength(1)
    },
  )

  test('problems of all files come at once, by file and line, and are counted', () => {
    const files = { 'b.yaml': 'lable: a\ntarget: x\n', 'a.yaml': `${image}kind: tape\n` }
    expect(problems(files).map(({ file, line, field }) => `${file}:${line} ${field}`)).toEqual([
      'media.d/a.yaml:2 kind',
      'media.d/b.yaml:1 source',
      'media.d/b.yaml:1 lable',
      'media.d/b.yaml:2 target',
    ])
    const texts = Object.entries(files).map(([file, text]) => ({ file, text }))
    expect(() => readDesired(texts, base)).toThrow('4 problems in 2 files')
  })
})

describe('what two files cannot both say', () => {
  const hash = 'da69350a5b27adf013e02994611cebc3'
  test.each([
    [
      'one identity twice',
      { 'a.yaml': `${image}medium_hash: ${hash}`, 'b.yaml': `source: {image: b}\nmedium_hash: ${hash}` },
      'media.d/b.yaml:2:14 the same identity twice: one medium has one file (also media.d/a.yaml:2)',
    ],
    [
      'one identity, once as the file name',
      { [`${hash}.yaml`]: image, 'x.yaml': `source: {image: b}\nmedium_hash: ${hash}` },
      `media.d/x.yaml:2:14 the same identity twice: one medium has one file (also media.d/${hash}.yaml:1)`,
    ],
    [
      'one image twice',
      { 'a.yaml': image, 'b.yaml': 'label: x\nsource: {image: ../media.d/./a.iso}' },
      'media.d/b.yaml:2:17 the same source twice: one medium has one file (also media.d/a.yaml:1)',
    ],
    [
      'one name twice',
      { 'a.yaml': image, 'a.yml': 'source: {image: b}' },
      'media.d/a.yml:1:1 a second file for the medium a (also media.d/a.yaml:1)',
    ],
    [
      'two unknown discs in one drive',
      { 'a.yaml': device, 'b.yaml': device },
      'media.d/b.yaml:1:18 two media in one drive: tell them apart with `expect` (also media.d/a.yaml:1)',
    ],
  ])('%s', (_, files, sentence) => {
    expect(
      problems(files).map(({ file, line, column, message }) => `${file}:${line}:${column} ${message}`),
    ).toEqual([sentence])
  })

  test('a file name and a medium_hash that differ contradict each other', () => {
    expect(problems({ [`${hash}.yaml`]: `${image}medium_hash: ${'0a'.repeat(16)}` })).toHaveLength(1)
  })

  test('two discs in one drive are two media if each says how it is known', () => {
    const files = { 'a.yaml': `${device}expect: {volume: A}`, 'b.yaml': `${device}medium_hash: ${hash}` }
    expect(problems(files)).toEqual([])
  })
})

describe('the parts', () => {
  test('a swap of neighbours is one slip', () => {
    expect(distance('archvie', 'archive')).toBe(1)
    expect(distance('', 'abc')).toBe(3)
    expect(distance('kitten', 'sitting')).toBe(3)
  })

  test('distance is symmetric, zero only for equals, and at most the longer length', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
        const far = distance(a, b)
        expect(far).toBe(distance(b, a))
        expect(far === 0).toBe(a === b)
        expect(far).toBeLessThanOrEqual(Math.max(a.length, b.length))
      }),
    )
  })

  test('what is too far off is not suggested', () => {
    expect(nearest('banana', ['label', 'kind'])).toBeNull()
    expect(nearest('Target', ['label', 'target'])).toBe('target')
    expect(nearest('x'.repeat(1e6), ['label'])).toBeNull()
  })

  test('sound patterns are sound', () => {
    const sound = [
      '.Trashes/',
      '*.tmp',
      '!keep',
      '\\#draft#',
      'a\\ ',
      'a\\\\',
      '/top',
      '**/x',
      '[!a-z]x',
      '[]a]',
      '[[:alpha:]]',
      '\\[x',
      'a b',
      'x.',
      '...',
      "it's",
    ]
    expect(sound.map(patternProblem)).toEqual(sound.map(() => null))
  })

  test('patterns that would silently exclude nothing are refused', () => {
    const unsound = [
      '#draft',
      'a\\',
      'a ',
      '   ',
      '!',
      '/',
      '[a',
      '[z-a]',
      './x',
      '../x',
      'a//b',
      'a/./b',
      'a\nb',
      '\\\\\\',
      '..',
    ]
    expect(unsound.filter((pattern) => patternProblem(pattern) === null)).toEqual([])
  })

  test('no text at all makes the reader throw anything but DesiredError', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string({ unit: fc.constantFrom(...'-:{}[]&*!|>\'"%@`#,? \n\ta1'.split('')) }),
        ),
        (text) => {
          try {
            read(text)
          } catch (error) {
            expect(error).toBeInstanceOf(DesiredError)
          }
        },
      ),
      { numRuns: 2000 },
    )
  })
})
