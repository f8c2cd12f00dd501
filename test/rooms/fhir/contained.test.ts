import { containedIn } from '#fhir'
import { referenceFaults } from '../../../src/validation/references.ts'

/** Contained resources that count how often somebody asks for their ids. */
function counted(count: number) {
  const asked = { times: 0 }
  const contained = Array.from({ length: count }, (_, at) => ({
    resourceType: 'Observation',
    status: 'final',
    code: { text: 'x' },
    get id() {
      asked.times++
      return `o${at}`
    },
  }))
  return { asked, contained }
}

describe('a contained resource', () => {
  it('is the first of its id, and none that is no object', () => {
    const first = { resourceType: 'Device', id: 'a' }
    const contained = ['a', null, [first], first, { resourceType: 'Patient', id: 'a' }]
    expect(containedIn({ contained }, 'a')).toBe(first)
    expect([containedIn({ contained }, 'b'), containedIn({}, 'a'), containedIn({ contained: first }, 'a')]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })

  it.each([
    ['that are there', (at: number) => `#o${at}`],
    ['that are not there', (at: number) => `#x${at}`],
  ])('is not looked for once more for each reference: to resources %s', (_, reference) => {
    const many = 1_000
    const { asked, contained } = counted(many)
    const hasMember = contained.map((_each, at) => ({ reference: reference(at) }))
    referenceFaults({ resourceType: 'Observation', contained, hasMember })
    expect(asked.times).toBeLessThan(20 * many)
  })
})
