/** What is seen of versions as more of them come: https://hl7.org/fhir/R4/http.html#vread */
import fc from 'fast-check'
import type { Resource } from '#fhir'
import { atOnce } from '#kernel'
import { type Looking, parseCriterion, type Sight, seqsUnseen, type Vision, versionsSeen } from '#search'
import { matches } from '../../../src/search/evaluation/matches.ts'
import { Household, patientHolder } from './household.ts'

const codes = ['a', 'b', 'c', 'd'] as const
const code = fc.constantFrom(...codes)
const quantity = fc.record({
  value: fc.integer({ min: 0, max: 5 }),
  code: fc.constantFrom('kg', 'g', 'mm'),
})

/** Of an element there may be none, one or many, so that columns become what they are while rows come. */
const observation = fc
  .record({
    id: fc.constantFrom('x', 'y', 'z'),
    codes: fc.array(code, { maxLength: 3 }),
    tags: fc.array(code, { maxLength: 2 }),
    text: fc.option(fc.constantFrom('Aorta', 'Bone', 'Calf'), { nil: undefined }),
    day: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
    quantity: fc.option(quantity, { nil: undefined }),
    components: fc.array(fc.record({ code, quantity }), { maxLength: 2 }),
    inner: fc.option(code, { nil: undefined }),
  })
  .map(({ id, codes: own, tags, text, day, quantity: value, components, inner }): Resource => {
    const of = ({ value: size, code: unit }: { value: number; code: string }) => ({
      valueQuantity: { value: size, system: 'http://unitsofmeasure.org', code: unit },
    })
    return {
      resourceType: 'Observation',
      id,
      status: 'final',
      meta: { tag: tags.map(tag => ({ system: 'urn:t', code: tag })) },
      code: { coding: own.map(each => ({ system: 'urn:c', code: each })) },
      ...(text === undefined ? {} : { valueString: text }),
      ...(day === undefined ? {} : { effectiveDateTime: `2026-01-0${day}` }),
      ...(value === undefined || text !== undefined ? {} : of(value)),
      component: components.map(each => ({ code: { coding: [{ code: each.code }] }, ...of(each.quantity) })),
      ...(inner === undefined
        ? {}
        : { contained: [{ resourceType: 'Observation', id: 'in', code: { coding: [{ code: inner }] } }] }),
    }
  })

const asked = [
  ['code', 'urn:c|a'],
  ['code', 'urn:c|a,urn:c|d'],
  ['code:not', 'urn:c|b'],
  ['_tag', 'urn:t|a'],
  ['value-string', 'aor'],
  ['date', 'gt2026-01-04'],
  ['date:missing', 'true'],
  ['value-quantity', 'gt2'],
  ['value-quantity', '3||kg'],
  ['component-value-quantity', 'lt3'],
  ['component-code-value-quantity', 'a$gt2'],
  ['combo-code', 'c'],
  ['_id', 'x'],
] as const

const criterion = fc.constantFrom(...asked).map(([name, value]) => parseCriterion('Observation', name, value, ''))
const criteria = fc.array(fc.array(criterion, { minLength: 1, maxLength: 2 }), { minLength: 1, maxLength: 3 })

describe('what is seen of versions', () => {
  it('is what each says, however many come at once, and as if all had been there before', async () => {
    const rounds = fc.array(fc.array(observation, { maxLength: 4 }), { minLength: 1, maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(rounds, criteria, async (drawn, anyOf) => {
        const sight: Sight = { kind: 'some', anyOf }
        const looking: Looking = { vision: () => sight }
        const growing = new Household(patientHolder('a'), [])
        const written: { readonly id: string | undefined; readonly isSeen: boolean }[] = []
        for (const round of drawn) {
          for (const resource of round) {
            growing.write(resource)
            let isSeen = false
            for (const all of anyOf) isSeen ||= await matches(resource, all)
            written.push({ id: resource.id, isSeen })
          }
          for (const id of ['x', 'y', 'z', 'nobody']) {
            const named = { type: 'Observation', id }
            const own = written.flatMap((each, at) => (each.id === id ? [{ seq: at + 1, ...each }] : []))
            const seen = atOnce(versionsSeen(growing.index, named, looking, growing.index.head))
            expect(seen).toEqual({
              seqs: own.flatMap(({ seq, isSeen }) => (isSeen ? [seq] : [])).reverse(),
              isThere: own.length > 0,
              isLastSeen: own.at(-1)?.isSeen ?? false,
              hasLeft: false,
              current: own.at(-1)?.isSeen === true ? own.at(-1)?.seq : undefined,
            })
          }
          const [unseen] = atOnce(seqsUnseen([growing.index], looking))
          expect([...(unseen ?? [])].slice(1)).toEqual(written.map(({ isSeen }) => (isSeen ? 0 : 1)))
        }
      }),
      { numRuns: 300 },
    )
  })

  const observations = (count: number): Resource[] =>
    Array.from({ length: count }, (_, at) => ({
      resourceType: 'Observation',
      id: `o${at}`,
      status: 'final',
      code: { coding: [{ system: 'urn:c', code: codes[at % codes.length] ?? '' }] },
    }))

  it('is remembered for few, and counted in what an index takes', () => {
    const [many, few] = [20_000, 4]
    const { index } = new Household(patientHolder('a'), observations(many))
    // Nobody may be forgotten because the garbage collector came by.
    const visions = Array.from({ length: 3 * few }, (): Vision => {
      const sight: Sight = { kind: 'some', anyOf: [[parseCriterion('Observation', 'code', 'urn:c|a', '')]] }
      return () => sight
    })
    const sizes = visions.map(vision => {
      atOnce(versionsSeen(index, { type: 'Observation', id: 'o1' }, { vision }, index.head))
      return index.sizeBytes
    })
    const [first = 0] = sizes
    expect(sizes.map(size => (size - first) / many)).toEqual(visions.map((_, at) => Math.min(at, few - 1)))
  })
})
