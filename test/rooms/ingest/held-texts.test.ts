import { readAppleExport } from '../../../src/ingest/apple/read-export.ts'
import { readAutoExport } from '../../../src/ingest/auto-export/read-auto-export.ts'
import { importFhir } from '../../../src/ingest/fhir/import-fhir.ts'
import type { Outcome } from '../../../src/ingest/outcome.ts'
import { collectGarbage } from '../../garbage.ts'
import { ccdaContext } from './ccda-documents.ts'

const mebibyte = 1024 * 1024
const context = ccdaContext({ isValid: async () => true })

async function heldBytes(): Promise<number> {
  await collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** A file of so many rows, and what is held of it more when the last one is read than when the first ones were. */
class Measured {
  readonly #row: (n: number) => string
  readonly #ends: readonly [head: string, foot: string]
  readonly #rows: number
  more: number | undefined

  constructor(rows: number, row: (n: number) => string, ends: readonly [head: string, foot: string]) {
    this.#rows = rows
    this.#row = row
    this.#ends = ends
  }

  async *open(): AsyncGenerator<Uint8Array, void, void> {
    yield Buffer.from(this.#ends[0])
    let before: number | undefined
    for (let n = 0; n < this.#rows; n++) {
      yield Buffer.from(this.#row(n))
      if (n === Math.ceil(this.#rows / 10)) before = await heldBytes()
    }
    // It may be read several times: the first one learns what is in it.
    if (before !== undefined) this.more ??= (await heldBytes()) - before
    yield Buffer.from(this.#ends[1])
  }
}

const letters = 40_000
const rows = 600
/** Nobody asks for it again once the row is read. */
const ballast = (n: number) => `${n}`.padEnd(letters, '.')
const separated = (n: number, text: string) => (n === 0 ? text : `,${text}`)

const entry = (n: number, resource: object) =>
  separated(
    n,
    JSON.stringify({
      fullUrl: `http://hospital.example/fhir/Any/a-long-name-${n}`,
      resource: {
        ...resource,
        meta: { lastUpdated: '2026-01-01T10:00:00.000Z', versionId: `a-long-version-${n}` },
        implicitRules: ballast(n),
      },
    }),
  )
const bundle = ['{"resourceType":"Bundle","type":"collection","entry":[', ']}'] as const

async function through(source: Promise<AsyncIterable<readonly Outcome[]>> | AsyncIterable<readonly Outcome[]>) {
  for await (const _ of await source);
}

const fhir = (form: 'bundle' | 'ndjson') => (file: Measured) =>
  through(importFhir([{ form, open: () => file.open() }], context))

interface Way {
  readonly title: string
  readonly ends: readonly [string, string]
  row(n: number): string
  read(file: Measured): Promise<unknown>
}

const observation = (n: number) => ({
  resourceType: 'Observation',
  id: `observation-number-${n}`,
  subject: { reference: `urn:uuid:00000000-0000-4000-8000-000000000001` },
})

const ways: readonly Way[] = [
  {
    title: 'the resources of a Bundle',
    ends: bundle,
    row: n => entry(n, observation(n)),
    read: fhir('bundle'),
  },
  {
    title: 'the lines of NDJSON',
    ends: ['', ''],
    row: n => `${JSON.stringify({ ...observation(n), implicitRules: ballast(n) })}\n`,
    read: fhir('ndjson'),
  },
  {
    title: 'who and what is nobody’s',
    ends: bundle,
    row: n =>
      entry(n, {
        resourceType: n % 2 === 0 ? 'Practitioner' : 'Medication',
        id: `somebody-of-number-${n}`,
        identifier: [{ system: 'http://hospital.example/numbers', value: `number-of-many-digits-${n}` }],
        name: [{ family: `Family-of-number-${n}`, given: [`Given-of-number-${n}`] }],
        code: { text: `Medicine-of-number-${n}` },
      }),
    read: fhir('bundle'),
  },
  {
    title: 'the Patients of a Bundle',
    ends: bundle,
    row: n =>
      entry(n, {
        resourceType: 'Patient',
        id: `patient-of-number-${n}`,
        identifier: [{ system: 'http://hospital.example/numbers', value: `number-of-many-digits-${n}` }],
        name: [{ family: `Family-of-number-${n}`, given: [`Given-of-number-${n}`] }],
      }),
    // It is about several people, and refused when that is known.
    read: file => expect(fhir('bundle')(file)).rejects.toMatchObject({ code: 'ingest.several-patients' }),
  },
  {
    title: 'the deletions of a history',
    ends: ['{"resourceType":"Bundle","type":"history","entry":[', ']}'],
    row: n =>
      separated(
        n,
        JSON.stringify({
          fullUrl: `http://hospital.example/fhir/Observation/observation-number-${n}`,
          request: { method: 'DELETE', url: `Observation/observation-number-${n}` },
          response: { status: ballast(n), etag: `W/"a-long-version-${n}"`, lastModified: '2026-01-01T10:00:00.000Z' },
        }),
      ),
    read: fhir('bundle'),
  },
  {
    title: 'halves of blood pressures of an Apple export',
    ends: ['<HealthData>', '</HealthData>'],
    row: n => {
      const at = new Date(Date.UTC(2026, 0, 1) + n * 60_000).toISOString().slice(0, 19).replace('T', ' ')
      const half = `<Record type="HKQuantityTypeIdentifierBloodPressureSystolic" sourceName="A cuff of a long name" unit="mmHg" startDate="${at} +0000" endDate="${at} +0000" value="120"><MetadataEntry key="HKWasUserEnteredOfALongName" value="a long value, too"/></Record>`
      return `${half}<Unheard of="${ballast(n)}"/>`
    },
    read: file => through(readAppleExport(file.open(), context, context.limits)),
  },
  {
    title: 'the sources of an Apple export',
    ends: ['<HealthData>', '</HealthData>'],
    row: n =>
      `<Record type="HKQuantityTypeIdentifierBodyMass" sourceName="A balance of a long name, number ${n}" sourceVersion="a long version ${n}" unit="kg" startDate="2026-01-01 10:00:00 +0000" endDate="2026-01-01 10:00:00 +0000" value="70"/><Unheard of="${ballast(n)}"/>`,
    read: file => through(readAppleExport(file.open(), context, context.limits)),
  },
  {
    title: 'the metrics of Health Auto Export',
    ends: ['{"data":{"metrics":[', ']}}'],
    row: n =>
      separated(
        n,
        JSON.stringify({ name: `a_metric_of_a_long_name_${n}`, units: `units of a long name ${n}`, rest: ballast(n) }),
      ),
    read: file => through(readAutoExport(() => file.open(), context)),
  },
]

describe('what is remembered of a row does not keep the file that it came in', () => {
  it.each(ways)('$title', async ({ ends, row, read }) => {
    const file = new Measured(rows, row, ends)
    await read(file)
    // The file has 24 million letters.
    expect(file.more).toBeLessThan(6 * mebibyte)
  })
})
