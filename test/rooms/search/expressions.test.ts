import { resourceTypes } from '#fhir'
import { isProblem } from '#kernel'
import { searchParameter, searchParametersOf } from '#search'
import { parseExpression } from '../../../src/search/expressions/parse.ts'
import { elementPaths, statementOf } from '../../../src/search/expressions/paths.ts'
import { planOf } from '../../../src/search/extraction/plan.ts'
import { componentsOf, type SearchParameter } from '../../../src/search/parameters.ts'

/** Parameters that R4 defines without an expression, or that are no values of a resource. */
const beyondExpressions: ReadonlySet<string> = new Set(['_text', '_content', '_query', '_list', '_filter', 'near'])

/** Element types from which each kind takes values. */
const readable: Readonly<Record<string, readonly string[]>> = {
  string: ['string', 'markdown', 'HumanName', 'Address'],
  token: [
    'CodeableConcept',
    'Coding',
    'Identifier',
    'ContactPoint',
    'code',
    'id',
    'string',
    'uri',
    'boolean',
    'canonical',
  ],
  reference: ['Reference', 'canonical', 'uri', 'Resource'],
  date: ['date', 'dateTime', 'instant', 'Period', 'Timing'],
  number: ['decimal', 'integer', 'Range'],
  quantity: ['Quantity', 'Age', 'Duration', 'Money', 'Range', 'SampledData'],
  uri: ['uri', 'url', 'canonical'],
}

/**
 * Choices of types of which R4 names some that a kind cannot compare (a date that may be a text); their other types are read.
 */
const unreadable: readonly string[] = [
  'CarePlan.activity-date string',
  'Consent.source-reference Attachment',
  'Immunization.date string',
  'Procedure.date string',
  'Procedure.date Age',
  'Procedure.date Range',
]

function* everyParameter(): Iterable<readonly [string, SearchParameter]> {
  for (const type of resourceTypes) {
    for (const parameter of searchParametersOf(type)) {
      if (!beyondExpressions.has(parameter.name)) yield [type, parameter]
    }
  }
}

describe('expressions – https://hl7.org/fhir/R4/searchparameter-registry.html', () => {
  it('compiles every search parameter of every type, and none falls back to anything', () => {
    const fallbacks: string[] = []
    let compiled = 0
    for (const [type, parameter] of everyParameter()) {
      const { uses, composites } = planOf(type)
      const isOwn = parameter.name === '_id' || parameter.name === '_lastUpdated'
      const sources = composites.get(parameter.name)?.length ?? uses.get(parameter.name)?.length ?? (isOwn ? 1 : 0)
      if (sources === 0) fallbacks.push(`${type}.${parameter.name}`)
      compiled++
    }
    expect(fallbacks).toEqual([])
    expect(compiled).toBeGreaterThan(2_000)
  })

  it('reads every element type that a parameter may meet, but for those that R4 itself cannot compare', () => {
    const unread = new Set<string>()
    for (const [type, parameter] of everyParameter()) {
      if (parameter.type === 'composite' || parameter.expression === undefined) continue
      const tree = parseExpression(parameter.expression)
      if (statementOf(tree, type) !== undefined) continue
      for (const path of elementPaths(tree, type)) {
        for (const place of path.steps.at(-1)?.places ?? []) {
          if (!readable[parameter.type]?.includes(place.type)) unread.add(`${type}.${parameter.name} ${place.type}`)
        }
      }
    }
    expect([...unread].sort()).toEqual([...unreadable].sort())
  })

  it('finds values of the right kind for every component of every composite', () => {
    for (const [type, parameter] of everyParameter()) {
      if (parameter.type !== 'composite' || parameter.expression === undefined) continue
      const components = componentsOf(parameter)
      expect(components).toHaveLength(parameter.component?.length ?? 0)
      for (const focus of elementPaths(parseExpression(parameter.expression), type)) {
        for (const { parameter: part, expression } of components) {
          const places = elementPaths(parseExpression(expression), type, focus).flatMap(
            path => path.steps.at(-1)?.places ?? [],
          )
          const kinds = places.map(place => place.type)
          expect(kinds.some(kind => readable[part.type]?.includes(kind))).toBe(true)
        }
      }
    }
  })

  it.each([
    ['Observation.code', 1],
    ['(Observation.value as Quantity) | (Observation.value as SampledData)', 2],
    ['Observation.component.value.ofType(Quantity)', 1],
    ["Observation.extension('http://x.org/e').value.as(string)", 1],
    ['Observation.subject.where(resolve() is Patient)', 1],
    ['Patient.name', 0],
  ])('%s has %d paths in an Observation', (expression, count) => {
    expect(elementPaths(parseExpression(expression), 'Observation')).toHaveLength(count)
  })

  it.each(['Observation.code.first()', 'Observation.code[', 'a b', '"x"', 'Observation.nonsense'])(
    'refuses %p',
    expression => {
      let code = ''
      try {
        elementPaths(parseExpression(expression), 'Observation')
      } catch (error) {
        if (isProblem(error)) code = error.code
      }
      expect(code).toBe('search.expression-unknown')
    },
  )

  it('knows parameters by type and name', () => {
    expect(searchParameter('Observation', 'code')?.type).toBe('token')
    expect(searchParameter('Observation', 'birthdate')).toBeUndefined()
    expect(searchParameter('Observation', '_tag')?.type).toBe('token')
  })

  it.each([
    ['ConceptMap', 'source-uri', ['reference:sourceUri/sourceCanonical']],
    ['ConceptMap', 'source', ['reference:sourceCanonical']],
    ['Observation', 'value-quantity', ['quantity:valueQuantity', 'quantity:valueSampledData']],
  ])(
    '%s?%s keeps what specializes the type after as – http://hl7.org/fhirpath/N1/#as-type-specifier',
    (type, name, keys) => {
      const { sources, uses } = planOf(type)
      expect(uses.get(name)?.map(({ index }) => sources[index]?.key)).toEqual(keys)
    },
  )
})
