// Configuration: what goes before what, where each value comes from, and how a bad one is told.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readConfig, variables } from '../src/config.ts'
import type { Config, Flags } from '../src/config.ts'
import { DesiredError, UsageError } from '../src/model/errors.ts'

let project: string
beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), 'ntt-config-'))
  mkdirSync(join(project, 'media.d'))
})
afterEach(() => rmSync(project, { recursive: true }))

const terminal = { TERM: 'xterm', LANG: 'en_US.UTF-8' }
const config = (
  flags: Flags = {},
  environment: Record<string, string> = terminal,
  folder = project,
  anywhere = false,
): Config => readConfig(flags, { environment, folder, cores: 4, isTerminal: true }, anywhere)

function told(flags: Flags, environment: Record<string, string> = terminal): readonly string[] {
  try {
    config(flags, environment)
  } catch (error) {
    if (!(error instanceof DesiredError)) throw error
    return error.problems.map(
      ({ file, line, column, field, message }) => `${file}:${line}:${column} ${field}: ${message}`,
    )
  }
  return []
}

describe('where values come from', () => {
  test('without a word from anybody everything lies below .ntt beside media.d', () => {
    const { roots, log, database, jobs, from } = config()
    expect(roots).toEqual({
      image: join(project, '.ntt/img'),
      raw: join(project, '.ntt/raw'),
      'by-hash': join(project, '.ntt/by-hash'),
      archive: join(project, '.ntt/archive'),
      state: join(project, '.ntt'),
      log: join(project, '.ntt/log'),
      postgres: join(project, '.ntt/postgres'),
    })
    expect([log, database, jobs]).toEqual([join(project, '.ntt/log/events.jsonl'), null, 4])
    expect(from['roots.image']).toBe('default')
  })

  test('flags go before the environment, the environment before ntt.yaml, ntt.yaml before the default', () => {
    writeFileSync(
      join(project, 'ntt.yaml'),
      'jobs: 3\ndatabase: postgres:///doc\nroots:\n  image: doc-img\n  raw: doc-raw\n',
    )
    const environment = {
      ...terminal,
      NTT_JOBS: '5',
      NTT_IMAGE_ROOT: 'env-img',
      NTT_DB_URL: 'postgres:///env',
    }
    const { roots, jobs, database, from } = config({ jobs: '7', root: ['archive=flag-cold'] }, environment)
    expect({ jobs, database, image: roots.image, raw: roots.raw, archive: roots.archive }).toEqual({
      jobs: 7,
      database: 'postgres:///env',
      image: join(project, 'env-img'),
      raw: join(project, 'doc-raw'),
      archive: join(project, 'flag-cold'),
    })
    expect(from).toMatchObject({
      jobs: '--jobs',
      database: 'NTT_DB_URL',
      'roots.image': 'NTT_IMAGE_ROOT',
      'roots.raw': 'ntt.yaml:5',
      'roots.archive': '--root archive',
      'roots.by-hash': 'default',
    })
  })

  test.each(Object.entries(variables))('%s sets %s', (variable, name) => {
    const value = name === 'jobs' ? '9' : name === 'database' ? 'postgres:///x' : '/elsewhere'
    const { from } = config({}, { ...terminal, [variable]: value })
    expect(Object.entries(from).filter(([, source]) => source === variable)).toEqual([[name, variable]])
  })

  test('a relative folder begins where it was written: beside ntt.yaml, or where one stands', () => {
    const below = join(project, 'a/b')
    mkdirSync(below, { recursive: true })
    writeFileSync(join(project, 'ntt.yaml'), 'roots: {image: img}')
    const { roots } = config({}, { ...terminal, NTT_RAW_ROOT: 'raw' }, below)
    expect([roots.image, roots.raw]).toEqual([join(project, 'img'), join(below, 'raw')])
  })

  test('one variable moves everything that has no place of its own', () => {
    const { roots } = config({ root: ['archive=/cold'] }, { ...terminal, NTT_STATE_ROOT: '/fast' })
    expect([roots.image, roots.archive, roots.postgres]).toEqual(['/fast/img', '/cold', '/fast/postgres'])
  })

  test('a variable that is set to nothing is not set', () => {
    expect(config({}, { ...terminal, NTT_JOBS: '', NTT_IMAGE_ROOT: '' }).from['jobs']).toBe('default')
  })

  test('nobody can change a configuration', () => {
    const one = config()
    expect(Object.isFrozen(one) && Object.isFrozen(one.roots) && Object.isFrozen(one.display)).toBe(true)
  })

  test('an empty ntt.yaml is one that sets nothing', () => {
    writeFileSync(join(project, 'ntt.yaml'), '# nothing yet\n')
    expect(config().jobs).toBe(4)
  })

  test('--config names another document', () => {
    writeFileSync(join(project, 'other.yaml'), 'jobs: 6')
    expect(config({ config: 'other.yaml' })).toMatchObject({ jobs: 6, document: join(project, 'other.yaml') })
    expect(() => config({ config: 'none.yaml' })).toThrow(UsageError)
  })

  test('programs of the system are found by ordinary users', () => {
    expect(config({}, { ...terminal, PATH: '/a:/usr/sbin' }).path).toBe('/a:/usr/sbin:/usr/local/sbin:/sbin')
  })
})

describe('the project', () => {
  test('it is the nearest folder upward with a media.d', () => {
    const below = join(project, 'x/y/z')
    mkdirSync(below, { recursive: true })
    expect(config({}, terminal, below).project).toBe(project)
    expect(config({ directory: '../..' }, terminal, join(project, 'x/y')).media).toBe(
      join(project, 'media.d'),
    )
  })

  test('a folder that is named by -C is the one that is meant, and none above it', () => {
    mkdirSync(join(project, 'x/y'), { recursive: true })
    expect(() => config({ directory: 'x/y' }, terminal, project)).toThrow(/^no media\.d in .*x\/y$/)
    expect(() => config({ directory: 'mistyped' }, terminal, project)).toThrow(/^no media\.d in .*mistyped$/)
    // Where a first medium is declared, that folder becomes the project.
    expect(config({ directory: 'x/y' }, terminal, project, true).project).toBe(join(project, 'x/y'))
  })

  test('without one the way on is told', () => {
    rmSync(join(project, 'media.d'), { recursive: true })
    expect(() => config()).toThrow(/^no media\.d in .* or any folder above it$/)
    try {
      config()
    } catch (error) {
      expect(error).toMatchObject({ exitCode: 1, hint: expect.stringMatching(/ntt add SOURCE[^]*ntt demo/) })
    }
    expect(config({}, terminal, project, true)).toMatchObject({ project, hasMedia: false })
  })

  test('a media.d that is no folder is told, not passed over', () => {
    rmSync(join(project, 'media.d'), { recursive: true })
    writeFileSync(join(project, 'media.d'), '')
    expect(() => config()).toThrow(/media\.d is not a folder/)
  })
})

describe('bad values', () => {
  test('all of them at once, each with where it came from', () => {
    writeFileSync(join(project, 'ntt.yaml'), 'job: 3\nroots:\n  image: ~/img\n')
    const environment = { ...terminal, NTT_JOBS: 'many', NTT_DB_URL: 'mysql://x' }
    expect(told({ jobs: '0', root: ['imge=/x', 'raw'] }, environment)).toEqual([
      'command line:0:0 --root: must be NAME=FOLDER, with one of image, raw, by-hash, archive, state, log, postgres — did you mean "image"?',
      'command line:0:0 --root: must be NAME=FOLDER, with one of image, raw, by-hash, archive, state, log, postgres',
      'command line:0:0 --jobs: must be a whole number from 1 to 256',
      'environment:0:0 NTT_DB_URL: must be a PostgreSQL URL like postgres://user@host/name',
      'environment:0:0 NTT_JOBS: must be a whole number from 1 to 256, not text',
      `${'ntt.yaml'}:1:1 job: unknown key — did you mean "jobs"?`,
      'ntt.yaml:3:10 roots.image: must be the path of a folder',
    ])
  })

  test('a password is not shown, even in a URL that is wrong', () => {
    writeFileSync(join(project, 'ntt.yaml'), 'database: mysql://me:s3cret@host/x\n')
    try {
      config()
      expect.unreachable()
    } catch (error) {
      expect(JSON.stringify((error as DesiredError).problems)).not.toContain('s3cret')
    }
  })

  test('variables that nobody reads are noted, with the one that was meant', () => {
    const { notes } = config({}, { ...terminal, NTT_IMG_ROOT: '/x', NTT_RAMDISK: '/y' })
    expect(notes).toEqual([
      'NTT_IMG_ROOT is set and is not read: did you mean NTT_IMAGE_ROOT?',
      'NTT_RAMDISK is set and is not read',
    ])
    writeFileSync(join(project, 'ntt.yml'), '')
    expect(config().notes).toEqual(['ntt.yml is not read: call it ntt.yaml'])
  })
})

describe('the display', () => {
  const display = (environment: Record<string, string>, flags: Flags = {}, isTerminal = true) =>
    readConfig(flags, { environment, folder: project, cores: 1, isTerminal }).display

  test('a terminal gets a screen in colour', () => {
    expect(display(terminal)).toEqual({ leading: [], plain: false, color: true, ascii: false })
  })

  test('words that lead to a place are kept as they were typed, without a password', () => {
    const db = 'postgres://ann:secret@archive/ntt?password=secret'
    expect(display(terminal, { db, root: ['archive=/cold'] }).leading).toEqual([
      '--db',
      'postgres://ann:…@archive/ntt?password=…',
      '--root',
      'archive=/cold',
    ])
  })

  test.each([
    ['NO_COLOR', { ...terminal, NO_COLOR: '1' }],
    ['CI', { ...terminal, CI: 'true' }],
    ['TERM=dumb', { ...terminal, TERM: 'dumb' }],
  ])('%s: lines only, not one escape', (_, environment) => {
    expect(display(environment)).toMatchObject({ plain: true, color: false })
  })

  test('no terminal, or --plain: lines only', () => {
    expect(display(terminal, {}, false)).toMatchObject({ plain: true, color: false })
    expect(display(terminal, { plain: true })).toMatchObject({ plain: true, color: false })
  })

  test('CI=false is no CI, and --no-color takes the colours alone', () => {
    expect(display({ ...terminal, CI: 'false' })).toMatchObject({ plain: false, color: true })
    expect(display(terminal, { color: false })).toMatchObject({ plain: false, color: false })
  })

  test.each([
    [{ LANG: 'C' }, true],
    [{}, true],
    [{ LANG: 'de_DE.UTF-8' }, false],
    [{ LANG: 'de_DE.UTF-8', LC_ALL: 'C' }, true],
    [{ LANG: 'C', LC_CTYPE: 'C.utf8' }, false],
  ])('the locale %j: ascii %s', (environment, ascii) => {
    expect(display(environment).ascii).toBe(ascii)
    expect(display(environment, { ascii: true }).ascii).toBe(true)
  })
})
