import { Problem } from '#kernel'
import type { ParameterType } from '../parameters.ts'
import type { Filter, FilterOperator, FilterTest } from './filter-syntax.ts'
import type { Comparison, Criterion, Modifier, Prefix } from './types.ts'

/** How an operator compares the values of one kind of parameter. */
export interface Comparing {
  /** Of dates, numbers and quantities. */
  readonly prefix?: Prefix
  readonly modifier?: Modifier | Comparison
}

const comparisons = [
  'is',
  'is-not',
  'ends',
  'after',
  'before',
  'from',
  'until',
] as const satisfies readonly Comparison[]

export function isComparison(modifier: Modifier | Comparison): modifier is Comparison {
  return comparisons.some(each => each === modifier)
}

const byPrefix = (prefix: Prefix) => ({ date: { prefix }, number: { prefix }, quantity: { prefix } })
const byMeaning = (modifier: Modifier) => ({ token: { modifier } })

/** What an operator is for each kind of parameter; where nothing is said the operator does not fit. */
const operators: Readonly<Record<FilterOperator, Readonly<Partial<Record<ParameterType, Comparing>>>>> = {
  eq: { ...byPrefix('eq'), string: { modifier: 'is' }, token: {}, reference: {}, uri: {}, composite: {} },
  ne: {
    ...byPrefix('ne'),
    string: { modifier: 'is-not' },
    token: { modifier: 'is-not' },
    reference: { modifier: 'is-not' },
    uri: { modifier: 'is-not' },
  },
  co: { date: { prefix: 'co' }, number: { prefix: 'co' }, string: { modifier: 'contains' } },
  sw: { string: {} },
  ew: { string: { modifier: 'ends' } },
  gt: { ...byPrefix('gt'), string: { modifier: 'after' } },
  lt: { ...byPrefix('lt'), string: { modifier: 'before' } },
  ge: { ...byPrefix('ge'), string: { modifier: 'from' } },
  le: { ...byPrefix('le'), string: { modifier: 'until' } },
  ap: byPrefix('ap'),
  sa: byPrefix('sa'),
  eb: byPrefix('eb'),
  po: { date: { prefix: 'po' } },
  // Presence is not compared.
  pr: {},
  ss: byMeaning('below'),
  sb: byMeaning('above'),
  in: byMeaning('in'),
  ni: byMeaning('not-in'),
  re: { reference: {} },
}

/** @throws Problem `invalid` · `search.filter-operator-unfit` */
export function comparingBy(operator: FilterOperator, kind: ParameterType): Comparing {
  const comparing = operators[operator][kind]
  if (comparing !== undefined) return comparing
  throw operatorUnfit(operator, `of type ${kind}`)
}

/** @returns a Problem `invalid` · `search.filter-operator-unfit` */
export function operatorUnfit(operator: FilterOperator, kind: string): Problem {
  const text = `The operator ${operator} does not fit a parameter ${kind}.`
  return new Problem('invalid', 'search.filter-operator-unfit', text, { expression: '_filter' })
}

/** @see https://hl7.org/fhir/R4/search_filter.html#ops "For convenience, the codes …" */
const shortSystems: Readonly<Record<string, string>> = {
  loinc: 'http://loinc.org',
  snomed: 'http://snomed.info/sct',
  rxnorm: 'http://www.nlm.nih.gov/research/umls/rxnorm',
  ucum: 'http://unitsofmeasure.org',
}

/** The value of a filter as a search parameter would have it: backslashes protect nothing there, and systems may be short. */
export function operandText(value: string): string {
  const text = value.replaceAll('\\', '\\\\')
  return text.replace(/(^|\|)(loinc|snomed|rxnorm|ucum)(?=\|)/, (_, before, short) => before + shortSystems[short])
}

/** Of what a filter is asked: of resources of a type, so many steps away from those that are searched. */
export interface FilterPlace {
  readonly type: string
  readonly depth: number
}

/** What makes criteria of the tests of a filter. */
export interface FilterParts {
  test(place: FilterPlace, name: string, test: FilterTest): Criterion
  /** Through a reference, whose target must fulfil the criterion. */
  chain(place: FilterPlace, name: string, target: (place: FilterPlace) => Criterion): Criterion
}

/** The criterion that a filter is, asked of resources of one type. */
export function criterionOf(filter: Filter, place: FilterPlace, parts: FilterParts): Criterion {
  if (filter.kind === 'test') return alongPath(filter, 0, place, parts)
  if (filter.kind === 'not') return { kind: 'not', criterion: criterionOf(filter.part, place, parts) }
  const criteria = filter.parts.map(part => criterionOf(part, place, parts))
  return { kind: 'any', anyOf: filter.kind === 'and' ? [criteria] : criteria.map(criterion => [criterion]) }
}

function alongPath(test: FilterTest, at: number, place: FilterPlace, parts: FilterParts): Criterion {
  const { name = '', filter } = test.path[at] ?? {}
  if (at === test.path.length - 1) return parts.test(place, name, test)
  return parts.chain(place, name, target => {
    const rest = alongPath(test, at + 1, target, parts)
    return filter === undefined ? rest : { kind: 'any', anyOf: [[criterionOf(filter, target, parts), rest]] }
  })
}
