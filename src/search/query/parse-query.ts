import { isProblem, Problem } from '#kernel'
import { checkOrder, lookedWithin } from './contained.ts'
import { controls, type Draft, isInclude, readInclude, readTypes, repeated } from './controls.ts'
import { newContext, type ParseContext, parseCriterionWithin } from './criterion.ts'
import { inertParameters } from './inert.ts'
import { limits, tooCostly } from './limits.ts'
import type { Criterion, Query } from './types.ts'
import type { Words } from './words.ts'

/** Faults that lenient handling passes over: what is not known or not answered. A malformed value is a fault in any case. */
const forgivable: ReadonlySet<string> = new Set([
  'search.parameter-unknown',
  'search.parameter-unsupported',
  'search.modifier-unknown',
  'search.modifier-unsupported',
  'search.include-unknown',
  'search.sort-unknown',
  'search.value-missing',
  'search.chain-malformed',
  'search.has-malformed',
])

/** How the parameters of a search are to be read. */
export interface QueryOptions {
  /** `Prefer: handling=lenient`: what is not known is left out and named in `ignored`. */
  readonly lenient?: boolean
  /** Of the FHIR endpoint, without a slash at its end. */
  readonly baseUrl: string
  /** Now, for `ap` on dates; the machine's clock when not given. */
  readonly nowMs?: number
  /** What the modifiers of terminology are judged by; what R4 itself defines when not given. */
  readonly words?: Words
  /** Whether `_contained` may ask for what lies within others: the answer is of other types then. */
  readonly within?: boolean
}

interface Reading {
  readonly isSystem: boolean
  readonly draft: Draft
  readonly byType: Map<string, Criterion[]>
  readonly context: ParseContext
  /** What was understood, for the canonical text. */
  readonly criteria: (readonly [string, string])[]
  readonly includes: (readonly [string, string])[]
  readonly seen: Set<string>
}

/** Most of what is written may say nothing, so more may be written than asked. */
const mostWritten = 10_000
/** A character of a value is written with up to nine. */
const longestForm = 9 * limits.characters
const ampersand = 0x26

/**
 * Refuses the form of a search that is more than any search may ask before it is read, which is done in one go.
 *
 * @param bytes  as application/x-www-form-urlencoded
 * @throws Problem `too-costly` · `search.too-costly`
 */
export function checkForm(bytes: Uint8Array): void {
  if (bytes.length > longestForm) throw tooCostly('characters')
  let written = 0
  for (let at = bytes.indexOf(ampersand); at >= 0; at = bytes.indexOf(ampersand, at + 1))
    if (++written > mostWritten) throw tooCostly('parameters')
}

function checkSize(params: URLSearchParams): void {
  let characters = 0
  for (const [name, value] of params) characters += name.length + value.length
  if (params.size > limits.parameters) throw tooCostly('parameters')
  if (characters > limits.characters) throw tooCostly('characters')
}

function newReading(types: readonly string[], isSystem: boolean, options: QueryOptions): Reading {
  return {
    isSystem,
    draft: {
      types,
      includes: [],
      sort: [],
      count: undefined,
      offset: 0,
      total: 'none',
      summary: 'false',
      elements: [],
      contained: 'false',
      containedType: 'container',
    },
    byType: new Map(types.map(type => [type, []])),
    context: newContext(options.baseUrl, options.nowMs ?? Date.now(), options.words),
    criteria: [],
    includes: [],
    seen: new Set(),
  }
}

function readControl(reading: Reading, name: string, value: string): void {
  if (reading.seen.has(name)) throw repeated(name)
  reading.seen.add(name)
  controls[name]?.(reading.draft, value)
}

function readCriterion(reading: Reading, name: string, value: string): void {
  const { byType, context } = reading
  const parsed = parseForEach(
    [...byType.keys()],
    context,
    within => type => parseCriterionWithin(type, name, value, within),
  )
  let i = 0
  for (const list of byType.values()) list.push(parsed[i++] as Criterion)
  reading.criteria.push([name, value])
}

/** A row is of one type, so that what a criterion costs is what it costs for the type for which it unfolds the most. */
function parseForEach(
  types: readonly string[],
  context: ParseContext,
  parse: (within: ParseContext) => (type: string) => Criterion,
): readonly Criterion[] {
  const before = { ...context.budget }
  return types.map(type => {
    const budget = { ...before }
    const criterion = parse({ ...context, budget })(type)
    for (const kind of ['values', 'scanned', 'unfolded'] as const)
      context.budget[kind] = Math.min(context.budget[kind], budget[kind])
    return criterion
  })
}

function readParameter(reading: Reading, name: string, value: string): void {
  if (name === '_type' && !reading.isSystem)
    throw new Problem('invalid', 'search.parameter-unknown', '_type belongs to searches of the whole system.', {
      expression: '_type',
    })
  if (name === '_type' || Object.hasOwn(inertParameters, name)) return
  if (Object.hasOwn(controls, name)) readControl(reading, name, value)
  else if (isInclude(name)) {
    readInclude(reading.draft, name, value)
    reading.includes.push([name, value])
  } else readCriterion(reading, name, value)
}

function checkContradictions({ summary, elements }: Draft): void {
  if (summary !== 'false' && elements.length > 0)
    throw new Problem('invalid', 'search.parameters-contradict', '_summary and _elements exclude each other.', {
      expression: ['_summary', '_elements'],
    })
}

function readAll(reading: Reading, params: URLSearchParams, lenient: boolean): readonly string[] {
  const ignored: string[] = []
  for (const [name, value] of params) {
    try {
      readParameter(reading, name, value)
    } catch (error) {
      if (!lenient || !isProblem(error) || !forgivable.has(error.code)) throw error
      ignored.push(name)
    }
  }
  return ignored
}

function controlText({
  sort,
  count,
  offset,
  total,
  summary,
  elements,
  contained,
  containedType,
}: Draft): (readonly [string, string])[] {
  const order = sort.map(({ name, descending }) => (descending ? `-${name}` : name)).join(',')
  const pairs: (readonly [string, string])[] = [
    ['_sort', order],
    ['_count', count === undefined ? '' : String(count)],
    ['_offset', offset === 0 ? '' : String(offset)],
    ['_total', total === 'none' ? '' : total],
    ['_summary', summary === 'false' ? '' : summary],
    ['_elements', elements.join(',')],
    ['_contained', contained === 'false' ? '' : contained],
    ['_containedType', contained === 'false' || containedType === 'container' ? '' : containedType],
  ]
  return pairs.filter(([, value]) => value !== '')
}

function textOf({ criteria, includes, draft, isSystem }: Reading): string {
  const types: (readonly [string, string])[] = isSystem ? [['_type', draft.types.join(',')]] : []
  const pairs = [...types, ...criteria, ...includes, ...controlText(draft)]
  return new URLSearchParams(pairs.map(([name, value]) => [name, value])).toString()
}

/** Of which types what is asked. */
function askedOf(
  { byType, draft }: Reading,
  { within = false }: QueryOptions,
): Pick<Query, 'types' | 'criteria' | 'criteriaByType' | 'soughtWithin' | 'inner'> {
  if (draft.contained === 'false')
    return { types: draft.types, criteria: byType.get(draft.types[0] ?? '') ?? [], criteriaByType: byType }
  if (!within)
    throw new Problem('unsupported', 'search.parameter-unsupported', 'Contained resources are not sought here.', {
      expression: '_contained',
    })
  checkOrder(draft)
  const { criteriaByType, inner } = lookedWithin(byType, draft.contained)
  const types = [...criteriaByType.keys()]
  return {
    types,
    criteria: criteriaByType.get(types[0] ?? '') ?? [],
    criteriaByType,
    soughtWithin: draft.types,
    ...(draft.containedType === 'contained' ? { inner } : {}),
  }
}

/**
 * Reads the parameters of a search. Strict: what is unknown is a fault, since an ignored criterion would show too much.
 * The parameters of GET and POST may be merged beforehand; repeated criteria are joined by AND.
 *
 * @param type    undefined: a search of the whole system, which needs `_type`
 * @throws Problem `invalid` · `search.parameter-unknown` and the other codes of README.md; `expression` names the parameter
 * @see https://hl7.org/fhir/R4/search.html
 */
export function parseQuery(type: string | undefined, params: URLSearchParams, options: QueryOptions): Query {
  checkSize(params)
  const types = type === undefined ? readTypes(params.getAll('_type')) : [type]
  const reading = newReading(types, type === undefined, options)
  const ignored = readAll(reading, params, options.lenient ?? false)
  checkContradictions(reading.draft)
  const { count, contained: _, containedType: __, ...rest } = reading.draft
  return {
    ...rest,
    ...askedOf(reading, options),
    ...(count === undefined ? {} : { count }),
    summary: count === 0 ? 'count' : rest.summary,
    ignored,
    text: textOf(reading),
    baseUrl: options.baseUrl,
  }
}
