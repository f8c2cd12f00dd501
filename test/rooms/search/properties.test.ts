import fc from 'fast-check'
import type { Resource } from '#fhir'
import { atOnce } from '#kernel'
import { CompartmentIndex, evaluate as inSteps, matches, type Vision } from '#search'
import {
  includes,
  indexOf,
  newest,
  observation,
  patient,
  printed,
  resources,
  rowsOf,
  seed,
  times,
  typeAndCriteria,
} from './drawn.ts'
import { commonsHolder, patientHolder, queryOf, restricted, seesAll } from './household.ts'
import { fulfils, sortValue } from './naive.ts'

const evaluate = (...asked: Parameters<typeof inSteps>) => atOnce(inSteps(...asked))

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

  it('matches one resource as the naive evaluator does', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(observation, patient) as fc.Arbitrary<Resource>,
        typeAndCriteria('alone'),
        async (resource, { type, criteria }) => {
          fc.pre(resource.resourceType === type)
          const query = queryOf(`${type}?${printed(criteria)}`)
          expect(await matches(resource, query.criteria)).toBe(criteria.every(each => fulfils(resource, each, [])))
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
