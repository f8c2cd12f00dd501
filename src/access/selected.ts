/** What a row fulfils that a provision of a Consent selects: criteria of search, so that a search, a count, a chain and a read decide alike. */
import { isProblem } from '#kernel'
import { type Criterion, parseCriterion, type RangeOperand, searchParametersOf } from '#search'
import { dateOfCare } from './clinical-dates.ts'
import type { Selection } from './consent-rule.ts'
import { codedAs } from './sensitivities.ts'

const criteriaBySelection = new WeakMap<Selection, Map<string, readonly Criterion[] | undefined>>()

/** Whether a resource lies by itself, or within another one, where its id says nothing. */
export type Place = 'by itself' | 'within another'

/** Of which rows criteria are asked, and whether what fulfils them is withheld or, of what is, permitted. */
interface Asked {
  readonly type: string
  readonly place: Place
  readonly isWithheld: boolean
}

/** What a row of a type fulfils that is selected: all of these. Undefined where none can be. */
export function criteriaOf(selection: Selection, asked: Asked): readonly Criterion[] | undefined {
  const known = criteriaBySelection.get(selection) ?? new Map<string, readonly Criterion[] | undefined>()
  criteriaBySelection.set(selection, known)
  const key = `${asked.type} ${asked.place} ${asked.isWithheld}`
  if (!known.has(key)) known.set(key, lookForCriteria(selection, asked))
  return known.get(key)
}

function lookForCriteria(selection: Selection, asked: Asked): readonly Criterion[] | undefined {
  const { types, codes, labels, instances, dated } = selection
  if (types !== undefined && !types.includes(asked.type)) return undefined
  const each = [
    ...(instances === undefined ? [] : [instanceCriterion(instances, asked)]),
    ...(dated === undefined ? [] : [datedCriterion(dated, asked)]),
    ...(codes === undefined ? [] : [codeCriterion(codes, asked)]),
    ...(labels === undefined ? [] : [labelCriterion(labels, asked)]),
  ]
  const criteria = each.filter(criterion => criterion !== undefined)
  return criteria.length < each.length ? undefined : criteria
}

function instanceCriterion(instances: readonly string[], { type, place }: Asked): Criterion | undefined {
  if (place === 'within another') return undefined
  const ids = instances.filter(each => each.startsWith(`${type}/`)).map(each => each.slice(type.length + 1))
  return criterionOf(type, '_id', ids)
}

/** What may be of the time is withheld, also where it says nothing of that; permitted is what is wholly of it. */
function datedCriterion(
  { fromMs = Number.NEGATIVE_INFINITY, untilMs = Number.POSITIVE_INFINITY, unzoned = [] }: Dated,
  { type, isWithheld }: Asked,
): Criterion | undefined {
  const name = dateOfCare(type)
  if (name === undefined) return undefined
  const is = (prefix: RangeOperand['prefix'], low: number, high: number): Criterion => {
    const operands = [{ kind: 'range', prefix, low, high, exact: low }] as const
    return { kind: 'value', name, parameter: 'date', modifier: undefined, operands, baseUrl: noBaseUrl }
  }
  const endsBefore = (ms: number) => [is('gt', ms - eastMs, ms - eastMs), is('eb', ms - 1, ms - 1)]
  const beginsBehind = (ms: number) => [is('sa', ms + 1, ms + 1), is('lt', ms + westMs, ms + westMs)]
  const [atFrom, atUntil] = isWithheld ? [endsBefore, beginsBehind] : [beginsBehind, endsBefore]
  const anyOf = [
    [{ kind: 'missing', name, missing: true } as const],
    [is(isWithheld ? 'po' : 'ne', fromMs, untilMs)],
    ...(unzoned.includes('from') ? [atFrom(fromMs)] : []),
    ...(unzoned.includes('until') ? [atUntil(untilMs)] : []),
  ]
  const beyond: Criterion = { kind: 'any', anyOf }
  return isWithheld ? beyond : { kind: 'not', criterion: beyond }
}

type Dated = NonNullable<Selection['dated']>

/**
 * A date without a zone begins somewhere between these before and behind midnight of UTC. What is dated without one too begins and ends at
 * that very midnight, and is compared day by day.
 */
const [eastMs, westMs] = [14 * 3_600_000, 12 * 3_600_000]

function codeCriterion(codes: readonly string[], { type }: Asked): Criterion | undefined {
  const anyOf = codeParametersOf(type).flatMap(name => {
    const criterion = criterionOf(type, name, codes)
    return criterion === undefined ? [] : [[criterion]]
  })
  return anyOf.length === 0 ? undefined : { kind: 'any', anyOf }
}

/** What is withheld is what is labelled, or coded as if it were; what is permitted only what is labelled. */
function labelCriterion(labels: readonly string[], { type, isWithheld }: Asked): Criterion | undefined {
  const criterion = criterionOf(type, '_security', labels)
  if (criterion === undefined) return undefined
  const coded = isWithheld ? codedCriteria(type, labels) : []
  return coded.length === 0 ? criterion : { kind: 'any', anyOf: [[criterion], ...coded] }
}

/** That a code of a resource stands for one of the labels; nothing where none does. */
function codedCriteria(type: string, labels: readonly string[]): readonly (readonly Criterion[])[] {
  const means = codedAs(labels)
  if (means === undefined) return []
  const operand = { kind: 'token', system: undefined, code: undefined, means } as const
  const shared = { kind: 'value', parameter: 'token', modifier: 'in', operands: [operand], baseUrl: noBaseUrl } as const
  return codeParametersOf(type).map(name => [{ ...shared, name }])
}

/** Rules are read before any request, so an absolute URL in a value is never taken for one of ours. */
const noBaseUrl = 'urn:kinhold:no-base-url'

function criterionOf(type: string, name: string, values: readonly string[]): Criterion | undefined {
  try {
    return values.length === 0 ? undefined : parseCriterion(type, name, values.join(','), noBaseUrl)
  } catch (error) {
    if (isProblem(error)) return undefined
    throw error
  }
}

const codeParameters = new Map<string, readonly string[]>()

/** Wherever R4 looks for a code: "if this code is found in an instance". https://hl7.org/fhir/R4/consent-definitions.html#Consent.provision.code */
function codeParametersOf(type: string): readonly string[] {
  const known = codeParameters.get(type)
  if (known !== undefined) return known
  const found = searchParametersOf(type)
    .filter(({ name, type: kind, expression }) => kind === 'token' && expression !== undefined && !name.startsWith('_'))
    .map(({ name }) => name)
  codeParameters.set(type, found)
  return found
}
