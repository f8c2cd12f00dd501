import fc from 'fast-check'
import { isProblem } from '#kernel'
import { appleExport, type Piece, pieces } from './generated-apple.ts'
import { documentEntries, entriesOf } from './generated-ccda.ts'
import { damaged } from './generated-damage.ts'
import {
  bundleOf,
  datasetOf,
  entries,
  type GeneratedRow,
  lines,
  messageFile,
  messages,
  ndjsonOf,
  points,
} from './generated-files.ts'
import {
  type countsOf,
  createPatient,
  everything,
  found,
  ingested,
  ofPatient,
  openHouse,
  type TestHouse,
} from './house.ts'
import { zipOfMany } from './zips.ts'

const types = ['Observation', 'VisionPrescription', 'Device', 'DocumentReference', 'Condition', 'AllergyIntolerance']

/** All that is kept of a patient, as text. */
async function recorded(house: TestHouse, patient: string): Promise<string> {
  const resources = await Promise.all(types.map(type => found(house.record, type, '', ofPatient(patient))))
  return JSON.stringify(resources.flat())
}

type Counts = ReturnType<typeof countsOf>

const told = ({ unmapped, rejected }: Counts): number =>
  [...unmapped, ...rejected].reduce((sum, { count }) => sum + Number(count), 0)

const sum = (of: readonly Piece[], what: 'rows' | 'left') => of.reduce((all, piece) => all + (piece[what] ?? 0), 0)

let house: TestHouse
beforeAll(async () => {
  house = await openHouse()
})

/** A file, imported for somebody of whom nothing is known; undefined when it is not recognised, or refused as a whole. */
async function taken(file: string | Buffer, patient?: string) {
  const whom = patient ?? (await createPatient(house.record, {}))
  const ended = await ingested(house, whom, everything(), file).catch(error => {
    if (isProblem(error) && error.kind !== 'fault') return undefined
    throw error
  })
  return ended && { ...ended, whom, record: await recorded(house, whom) }
}

describe('every row of an Apple Health export is one of mapped, duplicate, unmapped and rejected', () => {
  it('whatever stands in it, in any order, the first time and the second', async () => {
    await fc.assert(
      fc.asyncProperty(pieces, async of => {
        const file = appleExport(of)
        const first = await taken(file)
        const { state, counts, record, whom } = first ?? fail()
        const missing = of.flatMap(({ said }) => said).filter(word => !record.includes(word))
        const lost = of.filter(({ said, left }) => left === 0 && said.some(word => missing.includes(word)))
        expect({ state, rows: counts.rows, lost }).toEqual({ state: 'done', rows: sum(of, 'rows'), lost: [] })
        expect(told(counts) + Number(counts.duplicate)).toBe(sum(of, 'left'))
        expect(told(counts)).toBeGreaterThanOrEqual(missing.length)
        const again = await taken(file, whom)
        const { mapped, duplicate } = counts
        expect(again?.counts).toMatchObject({
          rows: counts.rows,
          mapped: 0,
          duplicate: Number(mapped) + Number(duplicate),
        })
      }),
      { numRuns: 20 },
    )
  })

  it('whatever happened to the file on its way: what is missing is told', async () => {
    await fc.assert(
      fc.asyncProperty(pieces, damaged, async (of, damage) => {
        const file = damage(appleExport(of))
        const sent = await taken(file)
        if (sent === undefined) return
        const { state, counts, record } = sent
        expect(counts.problem?.code).not.toBe('ingest.failed')
        const whole = of.filter(({ xml, left }) => left === 0 && file.includes(xml))
        const missing = whole.filter(({ said }) => said.some(word => !record.includes(word)))
        if (state === 'done') expect(missing.length).toBeLessThanOrEqual(told(counts) + Number(counts.duplicate))
      }),
      { numRuns: 30 },
    )
  })
})

function fail(): never {
  throw new Error('the file was refused')
}

type FileOf = (of: readonly GeneratedRow[]) => string | Buffer

const zipped = (name: string, file: (of: readonly GeneratedRow[]) => string): FileOf => {
  return of =>
    zipOfMany([
      { name, data: Buffer.from(file(of)) },
      { name: 'read.me', data: Buffer.from('hello') },
    ])
}

const formats: readonly [name: string, rows: fc.Arbitrary<readonly GeneratedRow[]>, file: FileOf, beside: number][] = [
  ['a Bundle', entries, bundleOf, 0],
  ['a history', entries, of => bundleOf(of, 'history'), 0],
  ['a collection', entries, of => bundleOf(of, 'collection'), 0],
  ['NDJSON', lines, ndjsonOf, 0],
  ['a dataset of Google Fit', points, datasetOf, 1],
  ['a file of HL7 v2', messages, messageFile, 0],
  ['a C-CDA document', documentEntries, entriesOf, 2],
  ['a packed C-CDA document', documentEntries, zipped('a.xml', entriesOf), 3],
  ['a packed Bundle', entries, zipped('a.json', bundleOf), 1],
  ['packed NDJSON', lines, zipped('a.ndjson', ndjsonOf), 1],
  ['a packed dataset', points, zipped('a.json', datasetOf), 2],
  ['packed HL7 v2', messages, zipped('a.hl7', messageFile), 1],
]

describe.each(formats)(
  'every row of %s is one of mapped, duplicate, unmapped and rejected',
  (_, rows, fileOf, beside) => {
    it('whatever stands in it, in any order, the first time and the second', async () => {
      await fc.assert(
        fc.asyncProperty(rows, async of => {
          const file = fileOf(of)
          const { state, counts, record, whom } = (await taken(file)) ?? fail()
          const lost = of.filter(({ said }) => said !== undefined && !record.includes(said))
          expect({ state, rows: counts.rows, lost }).toEqual({ state: 'done', rows: rowsOf(of) + beside, lost: [] })
          const again = await taken(file, whom)
          expect(again?.counts).toMatchObject({ rows: counts.rows, mapped: 0, created: 0, updated: 0 })
          expect(told(again?.counts ?? fail())).toBe(told(counts))
        }),
        { numRuns: 10 },
      )
    })

    it('whatever happened to the file on its way: what is missing is told', async () => {
      await fc.assert(
        fc.asyncProperty(rows, damaged, async (of, damage) => {
          const file = damage(fileOf(of).toString('latin1'))
          const sent = await taken(file)
          if (sent === undefined) return
          const { state, counts, record } = sent
          expect(counts.problem?.code).not.toBe('ingest.failed')
          const missing = of.filter(
            ({ text, said }) => said !== undefined && file.includes(text) && !record.includes(said),
          )
          // What stands in the list that is none is told as one.
          const isNoList = [...counts.unmapped, ...counts.rejected].some(({ row }) => /^Bundle\./.test(String(row)))
          if (state === 'done' && !isNoList)
            expect(missing.length).toBeLessThanOrEqual(told(counts) + Number(counts.duplicate))
        }),
        { numRuns: 20 },
      )
    })
  },
)

const rowsOf = (of: readonly (GeneratedRow & { readonly rows?: number })[]) =>
  of.reduce((sum, { rows = 1 }) => sum + rows, 0)
