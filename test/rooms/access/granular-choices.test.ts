import { granularChoices, isNarrower, parseScope, printScope, substitutesFor } from '#access'
import { parsed } from './terms.ts'

describe('granular selection – ONC § 170.315(g)(10), g10_smart_granular_scope_selection', () => {
  it.each([
    ['patient/Condition.rs', 3],
    ['patient/Observation.rs', 6],
    ['patient/Observation.read', 6],
    ['user/Observation.cruds', 6],
    ['patient/Patient.rs', 0],
    ['patient/*.rs', 0],
    ['patient/Observation.rs?category=survey', 0],
  ])('offers for %s %i narrower scopes', (text, count) => {
    const term = parsed(text)
    const offered = substitutesFor(term)
    expect(offered).toHaveLength(count)
    for (const { label, term: narrower } of offered) {
      expect(label).toMatch(/^[A-Z]/)
      expect(isNarrower(narrower, [term])).toBe(true)
      expect(isNarrower(term, [narrower])).toBe(false)
      expect(parseScope(printScope(narrower))).toEqual(narrower)
    }
  })

  it('spells the scopes as the test kits do', () => {
    expect(substitutesFor(parsed('patient/Condition.rs')).map(({ term }) => printScope(term))).toEqual([
      'patient/Condition.rs?category=http://terminology.hl7.org/CodeSystem/condition-category|encounter-diagnosis',
      'patient/Condition.rs?category=http://terminology.hl7.org/CodeSystem/condition-category|problem-list-item',
      'patient/Condition.rs?category=http://hl7.org/fhir/us/core/CodeSystem/condition-category|health-concern',
    ])
    const granted = /^patient\/Observation\.(\*|c?ru?d?s?)\?.+=.+/
    for (const { term } of substitutesFor(parsed('patient/Observation.rs'))) expect(printScope(term)).toMatch(granted)
  })

  it('labels every choice once', () => {
    for (const choices of Object.values(granularChoices))
      expect(new Set(choices.map(({ label }) => label)).size).toBe(choices.length)
  })
})
