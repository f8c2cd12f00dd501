import type { Resource } from '#fhir'
import { anyMayMatch, conditionNames, extractRow, parseQuery } from '#search'

const names = (text: string, type = 'Patient') =>
  conditionNames(parseQuery(type, new URLSearchParams(text), { baseUrl: 'http://127.0.0.1/fhir' }))

describe('what a condition is known by', () => {
  it.each([
    'identifier=urn:a|7',
    'identifier=7',
    'identifier=urn:b|7',
    'identifier=7&family=Amsel',
    'family=Amsel&identifier=urn:a|7',
    'identifier=7&_count=3&_sort=family',
  ])('is the value of the identifier for which it asks: %s', text => {
    expect(names(text)).toEqual(names('identifier=7'))
  })

  it('is each of several values, whatever their case', () => {
    expect(new Set(names('identifier=urn:a|A1,urn:b|b2'))).toEqual(
      new Set([...names('identifier=a1'), ...names('identifier=B2')]),
    )
    expect(names('identifier=1', 'Observation')).not.toEqual(names('identifier=1'))
  })

  it.each([
    ['family=Amsel&given=Ada', 'given=Ada&family=Amsel'],
    ['gender=male,female', 'gender=female,male'],
    ['family=Amsel', 'family=Amsel&_sort=birthdate&_count=1'],
    ['identifier:not=7&family=Amsel', 'family=Amsel&identifier:not=7'],
    ['identifier=urn:a|', 'identifier=urn:a|&_count=1'],
  ])('is else all that it asks, in whatever order: %s', (one, other) => {
    expect(names(one)).toEqual(names(other))
    expect(names(one)).toHaveLength(1)
    expect(names(one)).not.toEqual(names('identifier=7'))
  })

  it('tells different questions apart', () => {
    const texts = [
      'family=Amsel',
      'family=Drossel',
      'given=Amsel',
      'family:exact=Amsel',
      'identifier=1',
      'identifier=2',
    ]
    expect(new Set(texts.flatMap(text => names(text))).size).toBe(texts.length)
  })
})

describe('a row that is written beside a condition', () => {
  const mayMatch = (resource: Resource, text: string) => {
    const row = extractRow(resource, { seq: 1, version: 1, lastUpdatedMs: 0, deleted: false })
    const { criteria } = parseQuery(row.type, new URLSearchParams(text), { baseUrl: 'http://127.0.0.1/fhir' })
    return anyMayMatch(row.type, [row], criteria)
  }
  const partOf = { reference: 'Location/house' }
  const ward: Resource = { resourceType: 'Location', id: 'ward', status: 'active', partOf }

  it.each([
    ['partof=Location/house', true],
    ['partof=Location/site', false],
    ['partof:below=Location/site', true],
    ['partof:above=Location/site', true],
    ['partof:below=Location/site&status=active', true],
    ['partof:below=Location/site&status=inactive', false],
    ['organization.name=x', true],
    ['_filter=partof eq Location/house and status eq active', true],
    ['_filter=partof eq Location/site', false],
    ['_filter=not(partof eq Location/house)', false],
    ['_filter=not(organization.name eq x)', true],
    ['_filter=organization.name eq x and status eq inactive', true],
  ])('may fulfil it where others decide, and where it does: %s → %s', (text, expected) => {
    expect(mayMatch(ward, text)).toBe(expected)
  })
})
