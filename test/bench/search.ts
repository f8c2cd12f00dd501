/**
 * How fast the room search is on one patient with a million Observations.
 *
 *   node test/bench/search.ts [observations]
 *
 * The data are drawn from a seeded generator: heart rates, steps, energy, weights and blood pressures of ten years, with UUID ids,
 * in the shape that the importers write. Prints machine, dataset, median and 95th percentile, and the CPU time of a query, which a busy
 * machine does not change.
 */
import { createHash } from 'node:crypto'
import { cpus } from 'node:os'
import type { Resource } from '#fhir'
import { atOnce } from '#kernel'
import {
  CompartmentIndex,
  encodeSegment,
  extractRow,
  type IndexRow,
  evaluate as inSteps,
  parseQuery,
  type Query,
  type Restricted,
  type Vision,
} from '#search'

const evaluate = (...asked: Parameters<typeof inSteps>) => atOnce(inSteps(...asked))

const observations = Number(process.argv[2] ?? 1_000_000)
const rowsPerSegment = 4_096
const repetitions = 40
const baseUrl = 'https://kinhold.example/fhir'
const startMs = Date.UTC(2016, 0, 1)
const spanMs = 10 * 365 * 86_400_000

/** A small generator with a seed, so that each run has the same data. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 0x1_0000_0000
  }
}

const random = generator(20260101)

interface Kind {
  readonly share: number
  readonly category: string
  readonly code: string
  readonly display: string
  readonly unit: string
  readonly ucum: string
  value(): number
}

const kinds: readonly Kind[] = [
  {
    share: 0.55,
    category: 'vital-signs',
    code: '8867-4',
    display: 'Heart rate',
    unit: 'beats/minute',
    ucum: '/min',
    value: () => Math.round(50 + random() * 120),
  },
  {
    share: 0.2,
    category: 'activity',
    code: '55423-8',
    display: 'Number of steps',
    unit: 'steps',
    ucum: '{steps}',
    value: () => Math.round(random() * 900),
  },
  {
    share: 0.2,
    category: 'activity',
    code: '41981-2',
    display: 'Calories burned',
    unit: 'kcal',
    ucum: 'kcal',
    value: () => Math.round(random() * 9000) / 1000,
  },
  {
    share: 0.03,
    category: 'vital-signs',
    code: '29463-7',
    display: 'Body weight',
    unit: 'kg',
    ucum: 'kg',
    value: () => Math.round(600 + random() * 300) / 10,
  },
  {
    share: 0.02,
    category: 'vital-signs',
    code: '85354-9',
    display: 'Blood pressure',
    unit: '',
    ucum: '',
    value: () => 0,
  },
]

function pick(): Kind {
  let left = random()
  for (const kind of kinds) {
    left -= kind.share
    if (left < 0) return kind
  }
  return kinds[0] as Kind
}

function concept(code: string, display: string): object {
  return { coding: [{ system: 'http://loinc.org', code, display }], text: display }
}

function pressure(code: string, display: string, value: number): object {
  return {
    code: concept(code, display),
    valueQuantity: { value, unit: 'mmHg', system: 'http://unitsofmeasure.org', code: 'mm[Hg]' },
  }
}

function measured(kind: Kind): object {
  if (kind.code === '85354-9') {
    const systolic = Math.round(95 + random() * 70)
    return { component: [pressure('8480-6', 'Systolic', systolic), pressure('8462-4', 'Diastolic', systolic - 40)] }
  }
  const { unit, ucum } = kind
  return { valueQuantity: { value: kind.value(), unit, system: 'http://unitsofmeasure.org', code: ucum } }
}

function idOf(number: number): string {
  const hex = createHash('sha256').update(`o${number}`).digest('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  )
}

function observation(number: number): Resource {
  const kind = pick()
  const seconds = Math.floor((startMs + (number / observations) * spanMs + random() * 3_600_000) / 1000)
  return {
    resourceType: 'Observation',
    id: idOf(number),
    status: 'final',
    category: [
      { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: kind.category }] },
    ],
    code: concept(kind.code, kind.display) as never,
    subject: { reference: 'Patient/p' },
    effectiveDateTime: new Date(seconds * 1000).toISOString().replace('.000Z', '+00:00'),
    ...measured(kind),
  }
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

function report(name: string, times: readonly number[], note = ''): void {
  const median = percentile(times, 0.5).toFixed(2)
  const p95 = percentile(times, 0.95).toFixed(2)
  process.stdout.write(`${name.padEnd(74)} median ${median.padStart(8)} ms   p95 ${p95.padStart(8)} ms   ${note}\n`)
}

function timed(work: () => void): number {
  const start = performance.now()
  work()
  return performance.now() - start
}

function makeSegments(): Uint8Array[] {
  const segments: Uint8Array[] = []
  const extracting: number[] = []
  const encoding: number[] = []
  for (let from = 0; from < observations; from += rowsPerSegment) {
    const resources = Array.from({ length: Math.min(rowsPerSegment, observations - from) }, (_, i) =>
      observation(from + i),
    )
    const rows: IndexRow[] = []
    const spent = timed(() => {
      resources.forEach((resource, i) => {
        const seq = from + i + 1
        const lastUpdatedMs = Date.UTC(2026, 0, 1) + Math.floor(seq / 500) * 40
        rows.push(extractRow(resource, { seq, version: 1, lastUpdatedMs, deleted: false }))
      })
    })
    extracting.push((spent / resources.length) * 1000)
    encoding.push(timed(() => segments.push(encodeSegment(rows))))
  }
  const bytes = segments.reduce((sum, segment) => sum + segment.length, 0)
  process.stdout.write(`extract: median ${percentile(extracting, 0.5).toFixed(2)} µs per Observation\n`)
  process.stdout.write(`segments: ${segments.length}, ${(bytes / observations).toFixed(1)} bytes per Observation\n`)
  report(`encode a segment of ${rowsPerSegment}`, encoding)
  return segments
}

function openIndex(segments: readonly Uint8Array[]): CompartmentIndex {
  const index = new CompartmentIndex({ compartment: '0'.repeat(32), kind: 'patient', patient: 'p' })
  for (const segment of segments) index.addSegment(segment)
  return index
}

const all: Vision = () => ({ kind: 'all' })

function queryOf(text: string): Restricted<Query> {
  return {
    ...parseQuery('Observation', new URLSearchParams(text), { baseUrl }),
    vision: all,
    includeVision: all,
  } as Restricted<Query>
}

const questions: readonly string[] = [
  'patient=p&code=http://loinc.org|8867-4&_sort=-date&_count=50',
  'patient=p&code=http://loinc.org|29463-7&_sort=-date&_count=50',
  'patient=p&_sort=-date&_count=50',
  'code=8867-4&date=ge2020-02-01&date=lt2020-03-01&value-quantity=gt100',
  'date=ge2019-06-15&value-quantity=lt60|http://unitsofmeasure.org|/min',
  'combo-code-value-quantity=http://loinc.org|8480-6$gt150|http://unitsofmeasure.org|mm[Hg]&_sort=-date',
  'category=vital-signs&date=2024&_sort=value-quantity',
  'code:not=8867-4&value-quantity:missing=false&_total=accurate',
  'patient.name=none',
]

process.stdout.write(`${cpus()[0]?.model ?? ''}, ${cpus().length} cores, Node ${process.version}\n`)
process.stdout.write(`${observations} Observations of one patient, seed 20260101\n`)
const segments = makeSegments()
const openings = Array.from({ length: 3 }, () => timed(() => openIndex(segments)))
report(`open ${segments.length} segments`, openings)
const index = openIndex(segments)
process.stdout.write(`in memory: ${(index.sizeBytes / observations).toFixed(0)} bytes per Observation\n`)
for (const text of questions) {
  const query = queryOf(text)
  let found = 0
  const before = process.cpuUsage()
  const times = Array.from({ length: repetitions }, () =>
    timed(() => {
      found = evaluate({ ...query, total: 'accurate' }, [index], { offset: 0 }).total ?? 0
    }),
  )
  const { user, system } = process.cpuUsage(before)
  report(text, times.slice(2), `CPU ${((user + system) / 1000 / repetitions).toFixed(1)} ms   ${found} found`)
}
