import { Problem } from '#kernel'
import { factsOf, inWords } from '../../../src/commands/import-progress.ts'
import { naming } from '../../../src/commands/naming.ts'
import { places } from '../../../src/commands/places.ts'
import { reportLines } from '../../../src/commands/report.ts'

const home = new URL('../../../', import.meta.url).pathname

describe('where relative paths begin', () => {
  it('is where npm was called, for the scripts that start Kinhold', () => {
    for (const script of ['kinhold', 'start', 'demo']) {
      const env = { INIT_CWD: '/srv/anna/exports', npm_lifecycle_event: script }
      expect(places(env, home)).toEqual({ cwd: '/srv/anna/exports', home })
    }
  })

  it('is the working folder where npm did not start it, or was asked for something else', () => {
    expect(places({}, '/srv/anna').cwd).toBe('/srv/anna')
    expect(places({ INIT_CWD: '/elsewhere', npm_lifecycle_event: 'test' }, home).cwd).toBe(home)
    expect(places({ INIT_CWD: '/elsewhere', npm_lifecycle_event: 'start' }, '/another/package').cwd).toBe(
      '/another/package',
    )
    expect(places({ npm_lifecycle_event: 'start' }, home).cwd).toBe(home)
  })
})

describe('how far an import is', () => {
  it.each([
    [0, '0 s'],
    [59.4, '59 s'],
    [61, '1 min'],
    [3_599, '1 h 0 min'],
    [7_500, '2 h 5 min'],
  ])('says %d seconds as %s', (seconds, words) => {
    expect(inWords(seconds)).toBe(words)
  })

  it('says what was read, how fast, and how long it will take', () => {
    const progress = { bytesRead: 25_000_000, bytesTotal: 100_000_000, rows: 7 }
    expect(factsOf(progress, 5_000)).toEqual({
      read: '25.0 MB',
      whole: '100.0 MB',
      rows: 7,
      rate: '5.0 MB/s',
      left: '15 s left',
    })
  })

  it('promises nothing before anything was read, and says what it does when all was', () => {
    expect(factsOf({ bytesRead: 0, bytesTotal: 9, rows: 0 }, 0).left).toBe('beginning')
    expect(factsOf({ bytesRead: 9, bytesTotal: 9, rows: 3 }, 10).left).toBe('writing what was read')
  })
})

describe('what became of an import, in words', () => {
  const report = {
    state: 'done',
    format: 'fhir-bundle',
    digest: 'ab',
    rows: 6,
    mapped: 2,
    folded: 1,
    created: 2,
    updated: 0,
    duplicate: 1,
    unmapped: [{ row: 'Claim', count: 1 }],
    rejected: [
      { row: 'Observation', reason: 'not-valid', text: 'Not valid.', expression: 'Observation.status', count: 2 },
    ],
    warnings: ['Times without a zone are taken as local.'],
    provenance: 'Provenance/1',
  } as const

  it('says how it ended, and what was left out and why', () => {
    expect(reportLines(report)).toEqual([
      'Imported: 6 rows of fhir-bundle: 2 taken in (2 created, 0 updated), 1 there already (1 said twice in the file), 1 not taken in, 2 rejected.',
      'Rejected 2 × Observation: Not valid. (Observation.status)',
      'Not taken in 1 × Claim: no mapping for it.',
      'Note: Times without a zone are taken as local.',
      'Where it came from is kept as Provenance/1.',
    ])
  })

  it('says that it broke off, and why', () => {
    const problem = { code: 'ingest.truncated', type: 'invalid', text: 'The file ends too early.' }
    const lines = reportLines({ ...report, state: 'failed', problem })
    expect(lines.slice(0, 2)).toEqual([
      'Broke off: 6 rows of fhir-bundle: 2 taken in (2 created, 0 updated), 1 there already (1 said twice in the file), 1 not taken in, 2 rejected.',
      'It broke off because: The file ends too early. (ingest.truncated)',
    ])
  })
})

describe('a refusal names what was typed', () => {
  const refuse = (code: string) => () => Promise.reject(new Problem('not-found', code, 'There is none.'))

  it('when that is the reason of it', async () => {
    const refused = naming('export.zip', /^ingest\./, refuse('ingest.file-unreadable'))
    await expect(refused).rejects.toMatchObject({ code: 'ingest.file-unreadable', text: 'There is none: export.zip' })
  })

  it('and not when it is another', async () => {
    const refused = naming('export.zip', /^ingest\./, refuse('store.failed'))
    await expect(refused).rejects.toMatchObject({ text: 'There is none.' })
    await expect(naming('x', /./, () => Promise.reject(new RangeError('y')))).rejects.toThrow('y')
  })
})
