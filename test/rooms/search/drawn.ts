/** Random resources, and random questions about them, for the property tests. */
import fc from 'fast-check'
import type { Resource } from '#fhir'
import { CompartmentIndex, encodeSegment, extractRow, type IndexRow } from '#search'
import { patientHolder } from './household.ts'
import type { NaiveCriterion } from './naive.ts'

export const seed = Number(process.env.SEARCH_SEED ?? Date.now() % 1_000_000)
/** More of them: SEARCH_RUNS=20 */
const factor = Number(process.env.SEARCH_RUNS ?? 1)
export const times = (numRuns: number): { seed: number; numRuns: number } => ({ seed, numRuns: numRuns * factor })

const systems = ['http://loinc.org', 'http://snomed.info/sct']
const coding = fc.record(
  { system: fc.constantFrom(...systems), code: fc.constantFrom('a', 'b', 'A', 'c') },
  { requiredKeys: ['code'] },
)
const concept = fc.record({ coding: fc.array(coding, { minLength: 1, maxLength: 2 }) })
const ids = ['1', '2', '3', '4']
const someDate = fc.constantFrom(
  '2020',
  '2020-01',
  '2020-01-15',
  '2020-02-01',
  '2020-01-15T12:00:00Z',
  '2019-12-31',
  '2021',
)
const period = fc.oneof(
  fc.record({ start: someDate }),
  fc.record({ end: someDate }),
  fc.record({ start: fc.constantFrom('2019', '2020-01'), end: fc.constantFrom('2020-02-01', '2021') }),
)
const mass = fc.record(
  {
    value: fc.integer({ min: 0, max: 12 }).map(n => n * 250),
    system: fc.constant('http://unitsofmeasure.org'),
    code: fc.constantFrom('mg', 'g'),
  },
  { requiredKeys: ['value'] },
)
const link = (type: string): fc.Arbitrary<object> => fc.constantFrom(...ids).map(id => ({ reference: `${type}/${id}` }))
const identifier = fc.record(
  { system: fc.constantFrom('urn:a', 'urn:b'), value: fc.constantFrom('x', 'y') },
  { requiredKeys: ['value'] },
)

export const observation = fc.record(
  {
    resourceType: fc.constant('Observation'),
    id: fc.constantFrom(...ids),
    status: fc.constantFrom('final', 'amended'),
    code: concept,
    category: fc.array(concept, { minLength: 1, maxLength: 2 }),
    identifier: fc.array(identifier, { minLength: 1, maxLength: 2 }),
    subject: fc.oneof(link('Patient'), link('Group')),
    hasMember: fc.array(link('Observation'), { minLength: 1, maxLength: 2 }),
    effectiveDateTime: someDate,
    effectivePeriod: period,
    valueQuantity: mass,
    component: fc.array(fc.record({ code: concept, valueQuantity: mass }, { requiredKeys: ['code'] }), {
      minLength: 1,
      maxLength: 3,
    }),
  },
  { requiredKeys: ['resourceType', 'id', 'status', 'code'] },
)
const text = fc.constantFrom('Ann', 'anna', 'Änne', 'Bo', 'boé')
export const patient = fc.record(
  {
    resourceType: fc.constant('Patient'),
    id: fc.constantFrom(...ids),
    name: fc.array(
      fc.record({ family: text, given: fc.array(text, { minLength: 1, maxLength: 2 }) }, { requiredKeys: [] }),
      { minLength: 1, maxLength: 2 },
    ),
    gender: fc.constantFrom('male', 'female'),
    birthDate: fc.constantFrom('1980', '1980-05', '1980-05-05', '1990'),
    identifier: fc.array(identifier, { minLength: 1, maxLength: 2 }),
    link: fc.array(fc.record({ other: link('Patient') }), { minLength: 1, maxLength: 2 }),
  },
  { requiredKeys: ['resourceType', 'id'] },
)
export const resources = fc.array(fc.oneof({ weight: 3, arbitrary: observation }, patient), {
  maxLength: 25,
}) as fc.Arbitrary<Resource[]>

const tokens = fc.oneof(
  fc.constantFrom('a', 'b', 'c', 'x'),
  fc.tuple(fc.constantFrom(...systems, ''), fc.constantFrom('a', 'B', 'c')).map(pair => pair.join('|')),
  fc.constantFrom(...systems).map(system => `${system}|`),
)
const prefix = fc.constantFrom('', 'eq', 'ne', 'gt', 'lt', 'ge', 'le', 'sa', 'eb')
const dates = fc
  .tuple(prefix, fc.constantFrom('2020', '2020-01', '2020-01-15', '2020-02-01', '1980-05', '2020-01-15T12:00:00Z'))
  .map(pair => pair.join(''))
const masses = fc
  .tuple(
    prefix,
    fc.constantFrom('1', '500', '1000', '2', '3'),
    fc.constantFrom('', '|http://unitsofmeasure.org|mg', '|http://unitsofmeasure.org|g'),
  )
  .map(triple => triple.join(''))
const references = fc.oneof(
  fc.constantFrom(...ids),
  fc.constantFrom(...ids).map(id => `Patient/${id}`),
)
const words = fc.constantFrom('a', 'an', 'Ann', 'anne', 'b', 'bo', 'z')

function some(name: string, values: fc.Arbitrary<string>): fc.Arbitrary<NaiveCriterion> {
  return fc.array(values, { minLength: 1, maxLength: 3 }).map(list => ({ name, values: list }))
}
function none(name: string, values: fc.Arbitrary<string>): fc.Arbitrary<NaiveCriterion> {
  return fc.array(values, { minLength: 1, maxLength: 2 }).map(list => ({ name, modifier: 'not', values: list }))
}
function missing(name: string): fc.Arbitrary<NaiveCriterion> {
  return fc.constantFrom('true', 'false').map(value => ({ name, modifier: 'missing', values: [value] }))
}

const ofObservation: readonly fc.Arbitrary<NaiveCriterion>[] = [
  ...['code', 'category', 'component-code', 'combo-code', 'identifier'].flatMap(name => [
    some(name, tokens),
    none(name, tokens),
    missing(name),
  ]),
  some('status', fc.constantFrom('final', 'amended', 'FINAL', 'http://hl7.org/fhir/observation-status|final')),
  some('date', dates),
  missing('date'),
  some('value-quantity', masses),
  missing('value-quantity'),
  some('component-value-quantity', masses),
  some(
    'component-code-value-quantity',
    fc.tuple(tokens, masses).map(pair => pair.join('$')),
  ),
  some('subject', references),
  some('patient', references),
  missing('patient'),
  some('has-member', references),
  some('_id', fc.constantFrom(...ids, 'nobody')),
]
const ofPatient: readonly fc.Arbitrary<NaiveCriterion>[] = [
  some('name', words),
  some('given', words),
  some('family', words),
  missing('family'),
  some('gender', fc.constantFrom('male', 'female')),
  none('gender', fc.constantFrom('male', 'female')),
  some('birthdate', dates),
  some('identifier', tokens),
  missing('link'),
  some('link', references),
]
const chains: Readonly<Record<string, readonly fc.Arbitrary<NaiveCriterion>[]>> = {
  Observation: [
    some('patient.name', words),
    some('patient.gender', fc.constantFrom('male', 'female')),
    some('subject.identifier', tokens),
    some('has-member.code', tokens),
    some('patient.link.birthdate', dates),
    some('_has:Observation:has-member:code', tokens),
  ],
  Patient: [
    some('_has:Observation:patient:code', tokens),
    some('_has:Observation:subject:value-quantity', masses),
    some('_has:Observation:patient:_has:Observation:has-member:status', fc.constantFrom('final', 'amended')),
    some('_has:Patient:link:gender', fc.constantFrom('male', 'female')),
    some('link.name', words),
  ],
}
const alone: Readonly<Record<string, readonly fc.Arbitrary<NaiveCriterion>[]>> = {
  Observation: ofObservation,
  Patient: ofPatient,
}
const sortNames: Readonly<Record<string, readonly string[]>> = {
  Observation: ['code', 'date', 'value-quantity', 'subject', 'combo-code', 'component-value-quantity', 'identifier'],
  Patient: ['family', 'given', 'gender', 'birthdate'],
}
const order = (type: string): fc.Arbitrary<readonly string[]> =>
  fc.uniqueArray(
    fc.tuple(fc.constantFrom('', '-'), fc.constantFrom(...(sortNames[type] ?? []))).map(pair => pair.join('')),
    { maxLength: 3 },
  )

export function printed(criteria: readonly NaiveCriterion[], more: Readonly<Record<string, string>> = {}): string {
  const params = new URLSearchParams()
  for (const { name, modifier, values } of criteria) {
    params.append(modifier === undefined ? name : `${name}:${modifier}`, values.join(','))
  }
  for (const [name, value] of Object.entries(more)) params.append(name, value)
  return params.toString()
}

/** What exists after writing these one after another: the same type and id again is a new version. */
export function newest(written: readonly Resource[]): { resource: Resource; seq: number }[] {
  const byName = new Map<string, { resource: Resource; seq: number }>()
  written.forEach((resource, i) => {
    byName.set(`${resource.resourceType}/${resource.id}`, { resource, seq: i + 1 })
  })
  return [...byName.values()]
}

export function rowsOf(written: readonly Resource[]): IndexRow[] {
  const places = new Map<string, number>()
  return written.map((resource, i) => {
    const name = `${resource.resourceType}/${resource.id}`
    const supersedes = places.get(name)
    places.set(name, i + 1)
    return extractRow(resource, { seq: i + 1, version: 1, lastUpdatedMs: (i + 1) * 1000, supersedes, deleted: false })
  })
}

/** The first rows through segments of the given sizes, the rest one by one. */
export function indexOf(
  written: readonly Resource[],
  segmentSizes: readonly number[] = [],
  holder = patientHolder('p'),
): CompartmentIndex {
  const index = new CompartmentIndex(holder)
  const rows = rowsOf(written)
  for (const size of segmentSizes) {
    const part = rows.splice(0, size)
    if (part.length > 0) index.addSegment(encodeSegment(part))
  }
  for (const row of rows) index.addRow(row)
  return index
}

export const typeAndCriteria = (
  which: 'alone' | 'all',
): fc.Arbitrary<{ type: string; criteria: NaiveCriterion[]; sort: readonly string[] }> =>
  fc.constantFrom('Observation', 'Patient').chain(type =>
    fc.record({
      type: fc.constant(type),
      criteria: fc.array(fc.oneof(...(alone[type] ?? []), ...(which === 'all' ? (chains[type] ?? []) : [])), {
        maxLength: 3,
      }),
      sort: order(type),
    }),
  )

/** Some of the ways in which a search shows what is beside its matches. */
export const includes = fc.subarray([
  '_include=*',
  '_include:iterate=*',
  '_revinclude=*',
  '_revinclude:iterate=Observation:has-member',
  '_include=Observation:subject:Patient',
  '_include=QuestionnaireResponse:questionnaire',
  '_revinclude=Patient:link',
])
