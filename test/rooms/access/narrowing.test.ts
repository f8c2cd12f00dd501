import fc from 'fast-check'
import { intersectScopes, isNarrower, printScope, type Term, type Verb } from '#access'
import { anyTerm, someTerms, terms } from './terms.ts'

const vitals = 'patient/Observation.rs?category=vital-signs'

describe('isNarrower', () => {
  const cases: readonly (readonly [term: string, than: readonly string[], answer: boolean])[] = [
    ['patient/Observation.rs', ['patient/Observation.rs'], true],
    ['patient/Observation.r', ['patient/Observation.rs'], true],
    ['patient/Observation.rs', ['patient/Observation.r'], false],
    ['patient/Observation.rs', ['patient/Observation.r', 'patient/*.s'], true],
    ['patient/Observation.rs', ['patient/*.read'], true],
    ['patient/*.rs', ['patient/Observation.rs'], false],
    [vitals, ['patient/Observation.rs'], true],
    ['patient/Observation.rs', [vitals], false],
    [`${vitals}&code=a`, [vitals], true],
    [vitals, [`${vitals}&code=a`], false],
    [vitals, ['patient/Observation.rs?category=laboratory'], false],
    ['patient/Observation.rs', ['user/Observation.rs'], false],
    ['patient/Observation.rs', ['system/*.cruds'], false],
    ['patient/Observation.rs?_tag=a', ['patient/*.rs?_tag=a'], true],
    ['patient/Observation.rs', [], false],
  ]
  it.each(cases)('%s than %j: %p', (term, than, answer) => {
    const [one] = terms(term)
    expect(one === undefined ? undefined : isNarrower(one, terms(...than))).toBe(answer)
  })
})

describe('intersectScopes', () => {
  const cases: readonly (readonly [
    requested: readonly string[],
    allowed: readonly string[],
    common: readonly string[],
  ])[] = [
    [['patient/*.rs'], [vitals], [vitals]],
    [[vitals], ['patient/*.cruds'], [vitals]],
    [['patient/Observation.read'], ['patient/*.cruds'], ['patient/Observation.read']],
    [['patient/Observation.rs'], ['patient/Observation.r', 'patient/Observation.s'], ['patient/Observation.rs']],
    [['patient/Observation.cruds'], ['patient/*.rs'], ['patient/Observation.rs']],
    [['patient/Observation.*'], ['patient/*.read'], ['patient/Observation.rs']],
    [['patient/Observation.r'], ['patient/Observation.s'], []],
    [['patient/Observation.rs'], ['user/Observation.rs'], []],
    [['patient/Observation.rs'], ['patient/Condition.rs'], []],
    [['patient/Observation.rs?code=a'], ['patient/*.rs?_tag=b'], ['patient/Observation.rs?code=a&_tag=b']],
    [
      [vitals],
      ['patient/Observation.rs?category=laboratory'],
      ['patient/Observation.rs?category=vital-signs&category=laboratory'],
    ],
    [['patient/*.rs', 'patient/Observation.rs'], ['patient/*.rs'], ['patient/*.rs']],
    [['patient/*.rs'], [], []],
    [[], ['patient/*.rs'], []],
  ]
  it.each(cases)('%j ∩ %j = %j', (requested, allowed, common) => {
    expect(intersectScopes(terms(...requested), terms(...allowed)).map(printScope)).toEqual(common)
  })

  it('keeps every right that terms share, though each of them is covered by the others', () => {
    const round = terms('patient/Observation.cr', 'patient/Observation.ru', 'patient/Observation.cu')
    const common = intersectScopes(round, round)
    expect(new Set(common.flatMap(term => [...term.verbs]))).toEqual(new Set(['c', 'r', 'u']))
  })

  /** Rights, point by point: a verb on a row of a type that carries a set of facts. */
  const allows = (all: readonly Term[], level: string, verb: Verb, type: string, facts: ReadonlySet<string>) =>
    all.some(
      term =>
        term.level === level &&
        term.verbs.has(verb) &&
        (term.type === '*' || term.type === type) &&
        term.params.every(({ name, value }) => facts.has(`${name}=${value}`)),
    )

  it('is exactly what both sides allow: never wider, and nothing shared is lost', () => {
    const facts = fc.subarray([
      ...new Set(['category', 'code', '_tag', '_security'].flatMap(name => [`${name}=a`, `${name}=b`])),
    ])
    const point = fc.record({
      level: fc.constantFrom('patient', 'user', 'system'),
      verb: fc.constantFrom<Verb>('c', 'r', 'u', 'd', 's'),
      type: fc.constantFrom('Observation', 'Condition', 'Patient'),
      facts: facts.map(some => new Set(some)),
    })
    fc.assert(
      fc.property(someTerms, someTerms, fc.array(point, { minLength: 20, maxLength: 20 }), (one, other, points) => {
        const common = intersectScopes(one, other)
        for (const { level, verb, type, facts: row } of points)
          expect(allows(common, level, verb, type, row)).toBe(
            allows(one, level, verb, type, row) && allows(other, level, verb, type, row),
          )
      }),
      { numRuns: 500 },
    )
  })

  it('is narrower than either side, term by term', () => {
    fc.assert(
      fc.property(someTerms, someTerms, (one, other) => {
        for (const term of intersectScopes(one, other)) {
          expect(isNarrower(term, one)).toBe(true)
          expect(isNarrower(term, other)).toBe(true)
        }
      }),
    )
  })

  it('gives a term back untouched when it is allowed wholly', () => {
    fc.assert(
      fc.property(anyTerm, someTerms, (term, others) => {
        expect(intersectScopes([term], [...others, term])).toEqual([term])
      }),
    )
  })
})
