// What a file of media.d says of a medium, against the medium: every verb gives one verdict.
import { copyFileSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { freshDatabase } from '../support/postgres.ts'
import { sampleImages, sampleProject, type Project } from '../support/project.ts'

const hash = '1e2c89eb5f2062bfa0e0714d327b3538'
let made: Project

const declare = (more = ''): void => made.medium('cd', `source: {image: disc.iso}\ntarget: copied\n${more}`)
const disc = (): string => made.path('media.d/disc.iso')

/** The exit codes of all that look, and whether each of them says so. */
async function verdicts(said: string): Promise<readonly (number | string)[]> {
  const codes: (number | string)[] = []
  for (const verb of ['plan', 'status', 'verify', 'audit']) {
    const { code, out, err } = await made.ntt(verb)
    const text = out.replaceAll(/\s+/g, ' ')
    codes.push(text.includes(said) ? code : `${verb} ends with ${code}: ${out}${err}`)
  }
  return codes
}

beforeAll(async () => {
  made = sampleProject([], { database: await freshDatabase() })
  copyFileSync(join(sampleImages, 'ceh-report.iso'), disc())
  declare('expect: {volume: CEH_REPORT}\n')
  const { code, out, err } = await made.ntt('apply', '--yes')
  if (code !== 0) throw new Error(out + err)
})

test('an expectation that was edited, and that the very medium does not meet, is work for a person and contradicts no proof', async () => {
  for (const [edited, surprise] of [
    ['volume: CEH_APPENDIX', 'the volume label is CEH_REPORT, declared CEH_APPENDIX'],
    ['bytes: 4096', 'the size in bytes is 3186688, declared 4096'],
  ] as const) {
    declare(`expect: {${edited}}\n`)
    const said = `is the medium ${hash}, and media.d/cd.yaml expects another: ${surprise}; correct \`expect\` there`
    expect(await verdicts(said)).toEqual([2, 2, 2, 2])
    expect((await made.ntt('apply', '--yes')).code).toBe(4)
    const found: { code: string }[] = JSON.parse((await made.ntt('audit', '--json')).out)
    expect(found.map(({ code }) => code)).toEqual(['unexpected'])
  }
  declare('expect: {volume: CEH_REPORT}\n')
  expect(await verdicts('')).toEqual([0, 0, 0, 0])
})

test('what lies where an image was proven, and is another, contradicts that proof', async () => {
  for (const [more, said, other] of [
    [
      '',
      `is not the medium that cd was (${hash})`,
      () => copyFileSync(join(sampleImages, 'floppy.img'), disc()),
    ],
    [
      'expect: {volume: CEH_REPORT}\n',
      'is another medium: the volume label is ',
      () => copyFileSync(join(sampleImages, 'floppy.img'), disc()),
    ],
    ['', 'has 0 bytes', () => truncateSync(disc(), 0)],
    ['expect: {volume: CEH_REPORT}\n', 'the volume label is none', () => truncateSync(disc(), 0)],
    ['', 'is a directory', () => mkdirSync(disc())],
  ] as const) {
    declare(more)
    writeFileSync(disc(), '')
    if (said === 'is a directory') rmSync(disc())
    other()
    expect([more, await verdicts(said)]).toEqual([more, [3, 3, 3, 3]])
    const apply = await made.ntt('apply', '--yes')
    expect([apply.code, apply.out]).toEqual([3, expect.stringContaining('1 proof contradicted (cd)')])
    const found: { code: string; hash: string }[] = JSON.parse((await made.ntt('audit', '--json')).out)
    expect(found.map((one) => [one.code, one.hash])).toEqual([['displaced', hash]])
  }
})
