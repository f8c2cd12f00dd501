import fc from 'fast-check'
import type { Resource } from '#fhir'
import { atOnce } from '#kernel'
import {
  CompartmentIndex,
  encodeSegment,
  extractRow,
  type IndexRow,
  evaluate as inSteps,
  matches,
  type Vision,
} from '#search'
import { commonsHolder, patientHolder, queryOf, restricted, seesAll } from './household.ts'
import { fulfils, type NaiveCriterion, sortValue } from './naive.ts'

const evaluate = (...asked: Parameters<typeof inSteps>) => atOnce(inSteps(...asked))

const seed = Number(process.env.SEARCH_SEED ?? Date.now() % 1_000_000)
/** More of them: SEARCH_RUNS=20 */
const factor = Number(process.env.SEARCH_RUNS ?? 1)
const times = (numRuns: number): { seed: number; numRuns: number } => ({ seed, numRuns: numRuns * factor })

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

const observation = fc.record(
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
const patient = fc.record(
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
const resources = fc.array(fc.oneof({ weight: 3, arbitrary: observation }, patient), { maxLength: 25 }) as fc.Arbitrary<
  Resource[]
>

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

function printed(criteria: readonly NaiveCriterion[], more: Readonly<Record<string, string>> = {}): string {
  const params = new URLSearchParams()
  for (const { name, modifier, values } of criteria) {
    params.append(modifier === undefined ? name : `${name}:${modifier}`, values.join(','))
  }
  for (const [name, value] of Object.entries(more)) params.append(name, value)
  return params.toString()
}

/** What exists after writing these one after another: the same type and id again is a new version. */
function newest(written: readonly Resource[]): { resource: Resource; seq: number }[] {
  const byName = new Map<string, { resource: Resource; seq: number }>()
  written.forEach((resource, i) => {
    byName.set(`${resource.resourceType}/${resource.id}`, { resource, seq: i + 1 })
  })
  return [...byName.values()]
}

function rowsOf(written: readonly Resource[]): IndexRow[] {
  const places = new Map<string, number>()
  return written.map((resource, i) => {
    const name = `${resource.resourceType}/${resource.id}`
    const supersedes = places.get(name)
    places.set(name, i + 1)
    return extractRow(resource, { seq: i + 1, version: 1, lastUpdatedMs: (i + 1) * 1000, supersedes, deleted: false })
  })
}

/** The first rows through segments of the given sizes, the rest one by one. */
function indexOf(
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

const typeAndCriteria = (
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

describe(`columns against a second reading of the specification (SEARCH_SEED=${seed})`, () => {
  it('finds what the naive evaluator finds, in rows and in segments', () => {
    fc.assert(
      fc.property(
        resources,
        typeAndCriteria('all'),
        fc.array(fc.nat(9), { maxLength: 3 }),
        (written, { type, criteria }, sizes) => {
          const existing = newest(written)
          const all = existing.map(each => each.resource)
          const expected = existing
            .filter(
              ({ resource }) => resource.resourceType === type && criteria.every(each => fulfils(resource, each, all)),
            )
            .map(({ seq }) => seq)
            .sort((a, b) => b - a)
          const query = restricted(queryOf(`${type}?${printed(criteria, { _count: '1000' })}`), seesAll)
          const result = evaluate(query, [indexOf(written, sizes)], { offset: 0 })
          expect(result.matches.map(hit => hit.seq)).toEqual(expected)
          expect(result.total).toBe(expected.length)
        },
      ),
      times(500),
    )
  })

  it('matches one resource as the naive evaluator does', () => {
    fc.assert(
      fc.property(
        fc.oneof(observation, patient) as fc.Arbitrary<Resource>,
        typeAndCriteria('alone'),
        (resource, { type, criteria }) => {
          fc.pre(resource.resourceType === type)
          const query = queryOf(`${type}?${printed(criteria)}`)
          expect(matches(resource, query.criteria)).toBe(criteria.every(each => fulfils(resource, each, [])))
        },
      ),
      times(500),
    )
  })

  it('sorts as the naive evaluator does, and pages add up', () => {
    fc.assert(
      fc.property(
        resources,
        typeAndCriteria('alone'),
        fc.integer({ min: 1, max: 7 }),
        (written, { type, sort }, size) => {
          const expected = newest(written)
            .filter(({ resource }) => resource.resourceType === type)
            .sort((a, b) => {
              for (const key of sort) {
                const descending = key.startsWith('-')
                const [left, right] = [a, b].map(({ resource }) =>
                  sortValue(resource, key.replace(/^-/, ''), descending),
                )
                if (left === right) continue
                if (left === undefined) return 1
                if (right === undefined) return -1
                return left < right === descending ? 1 : -1
              }
              return b.seq - a.seq
            })
            .map(({ seq }) => seq)
          const more = { _count: String(size), ...(sort.length === 0 ? {} : { _sort: sort.join(',') }) }
          const query = restricted(queryOf(`${type}?${printed([], more)}`), seesAll)
          const index = indexOf(written, [4, 4])
          const seqs: number[] = []
          for (let offset = 0; offset <= expected.length; offset += size) {
            seqs.push(...evaluate(query, [index], { offset }).matches.map(hit => hit.seq))
          }
          expect(seqs).toEqual(expected)
        },
      ),
      times(300),
    )
  })

  it('shows at any seq what existed then', () => {
    fc.assert(
      fc.property(resources, typeAndCriteria('all'), fc.nat(25), (written, { type, criteria, sort }, seq) => {
        const more = { _total: 'accurate', ...(sort.length === 0 ? {} : { _sort: sort.join(',') }) }
        const query = restricted(queryOf(`${type}?${printed(criteria, more)}`), seesAll)
        const { compartment } = patientHolder('p')
        const then = evaluate(query, [indexOf(written.slice(0, seq))], { offset: 0 })
        const now = evaluate(query, [indexOf(written, [7])], { offset: 0, asOf: new Map([[compartment, seq]]) })
        expect(now).toEqual(then)
      }),
      times(200),
    )
  })
})

describe(`non-interference (SEARCH_SEED=${seed})`, () => {
  const includes = fc.subarray([
    '_include=*',
    '_include:iterate=*',
    '_revinclude=*',
    '_revinclude:iterate=Observation:has-member',
    '_include=Observation:subject:Patient',
    '_revinclude=Patient:link',
  ])
  const onlyFirst: Vision = (_type, holder) =>
    holder.kind === 'commons'
      ? { kind: 'all', referencedOnly: true }
      : holder.patient === 'p'
        ? { kind: 'all' }
        : { kind: 'none' }

  it('answers as if what may not be seen did not exist: other compartments, and unreferenced rows of the commons', () => {
    fc.assert(
      fc.property(
        resources,
        resources,
        resources,
        typeAndCriteria('all'),
        includes,
        (mine, theirs, shared, { type, criteria, sort }, more) => {
          const order: Readonly<Record<string, string>> = sort.length === 0 ? {} : { _sort: sort.join(',') }
          const search = [`${type}?${printed(criteria, { ...order, _total: 'accurate', _count: '5' })}`, ...more].join(
            '&',
          )
          const query = restricted(queryOf(search), onlyFirst)
          const own = indexOf(mine)
          const other = indexOf(theirs, [], patientHolder('q'))
          const commons = indexOf(shared, [], commonsHolder)
          const whole = evaluate(query, [other, own, commons], { offset: 0 })
          expect(evaluate(query, [own, commons], { offset: 0 })).toEqual(whole)
          const seen = new Set([...whole.matches, ...whole.included].map(hit => hit.compartment))
          expect(seen.has(other.holder.compartment)).toBe(false)
        },
      ),
      times(300),
    )
  })

  it('answers as if rows outside a granular sight did not exist', () => {
    const finalOnly = queryOf('Observation?status=final').criteria
    const some: Vision = type => (type === 'Observation' ? { kind: 'some', anyOf: [finalOnly] } : { kind: 'all' })
    fc.assert(
      fc.property(resources, typeAndCriteria('all'), includes, (written, { type, criteria, sort }, more) => {
        const order: Readonly<Record<string, string>> = sort.length === 0 ? {} : { _sort: sort.join(',') }
        const search = [`${type}?${printed(criteria, { ...order, _total: 'accurate' })}`, ...more].join('&')
        const query = queryOf(search)
        const existing = newest(written)
        const dead = new Set(existing.filter(({ resource }) => resource.status === 'amended').map(({ seq }) => seq))
        const removed = new CompartmentIndex(patientHolder('p'))
        for (const row of rowsOf(written)) {
          const hidden = dead.has(row.seq) ? { ...row, deleted: true } : row
          removed.addRow(hidden)
        }
        expect(evaluate(restricted(query, some), [indexOf(written)], { offset: 0 })).toEqual(
          evaluate(restricted(query, seesAll), [removed], { offset: 0 }),
        )
      }),
      times(300),
    )
  })
})
