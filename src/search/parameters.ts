import { readFileSync } from 'node:fs'

export type ParameterType =
  | 'string'
  | 'token'
  | 'reference'
  | 'date'
  | 'number'
  | 'quantity'
  | 'uri'
  | 'composite'
  | 'special'

/** A search parameter as HL7 defines it for one or more resource types. */
export interface SearchParameter {
  readonly name: string
  readonly url: string
  readonly type: ParameterType
  /** Resource types it is defined for; `Resource` and `DomainResource` mean all. */
  readonly base: readonly string[]
  /** FHIRPath; absent for `_text`, `_content`, `_query`. */
  readonly expression?: string
  /** Resource types that a reference may point to. */
  readonly target?: readonly string[]
  readonly component?: readonly { readonly definition: string; readonly expression: string }[]
}

const fileUrl = new URL('../../profiles/search-parameters.json', import.meta.url)
/** Defined by R4 for every resource but by names that are no elements; see search.html#all. */
const beyondElements: readonly SearchParameter[] = ['_list', '_filter'].map(name => ({
  name,
  url: '',
  type: 'special',
  base: ['Resource'],
}))

let byUrl: Map<string, SearchParameter> | undefined
let byBase: Map<string, Map<string, SearchParameter>> | undefined
const byType = new Map<string, ReadonlyMap<string, SearchParameter>>()

function load(): Map<string, Map<string, SearchParameter>> {
  const all = [...(JSON.parse(readFileSync(fileUrl, 'utf8')) as SearchParameter[]), ...beyondElements]
  const bases = new Map<string, Map<string, SearchParameter>>()
  byUrl = new Map()
  for (const parameter of all) {
    byUrl.set(parameter.url, parameter)
    for (const base of parameter.base) {
      const named = bases.get(base) ?? new Map<string, SearchParameter>()
      bases.set(base, named.set(parameter.name, parameter))
    }
  }
  return bases
}

function named(type: string): ReadonlyMap<string, SearchParameter> {
  let parameters = byType.get(type)
  if (parameters !== undefined) return parameters
  byBase ??= load()
  const own = byBase.get(type) ?? new Map()
  parameters = new Map([...(byBase.get('Resource') ?? []), ...(byBase.get('DomainResource') ?? []), ...own])
  byType.set(type, parameters)
  return parameters
}

/** The parameter of that name for a resource type, those of `Resource` (`_id`, `_tag` …) included. */
export function searchParameter(type: string, name: string): SearchParameter | undefined {
  return named(type).get(name)
}

/** All parameters of a resource type, those of `Resource` included. */
export function searchParametersOf(type: string): readonly SearchParameter[] {
  return [...named(type).values()]
}

/** One part of a composite: the parameter that gives its kind, and where its values lie from the composite's focus. */
export interface Component {
  readonly parameter: SearchParameter
  readonly expression: string
}

/** R4 published these with the definitions of their two components in each other's place. */
const swapped: ReadonlySet<string> = new Set(['http://hl7.org/fhir/SearchParameter/DocumentReference-relationship'])

/** The components of a composite, in the order of its value's parts. */
export function componentsOf({ url, component = [] }: SearchParameter): readonly Component[] {
  byBase ??= load()
  const definitions = component.map(each => each.definition)
  if (swapped.has(url)) definitions.reverse()
  return component.flatMap(({ expression }, i) => {
    const parameter = byUrl?.get(definitions[i] ?? '')
    return parameter === undefined ? [] : [{ parameter, expression }]
  })
}

const partNames: ReadonlySet<string> = new Set(['part-of', 'partof', 'parent'])

/**
 * The parameter by which resources of a type name the one of their type that they are a part of.
 *
 * @see https://hl7.org/fhir/R4/search.html#recursive
 */
export function hierarchyOf(type: string): SearchParameter | undefined {
  for (const name of partNames) {
    const parameter = searchParameter(type, name)
    if (parameter?.type === 'reference' && parameter.target?.includes(type)) return parameter
  }
  return undefined
}
