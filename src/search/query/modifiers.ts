import { hierarchyOf, type ParameterType, type SearchParameter, searchParameter } from '../parameters.ts'
import type { Modifier } from './types.ts'

const byKind: Readonly<Record<ParameterType, readonly Modifier[]>> = {
  string: ['exact', 'contains', 'text'],
  token: ['not', 'text', 'of-type', 'in', 'not-in', 'above', 'below'],
  reference: ['identifier', 'text', 'above', 'below'],
  uri: ['above', 'below'],
  date: [],
  number: [],
  quantity: [],
  composite: [],
  special: [],
}

/** A resource's own id is neither a code nor an identifier. */
const byName: Readonly<Record<string, readonly Modifier[]>> = { _id: ['not'], _text: [], _content: [] }

/** Whether a parameter seeks words in all of a resource: https://hl7.org/fhir/R4/search.html#text */
export function isTextParameter(name: string): boolean {
  return name === '_text' || name === '_content'
}

/**
 * The modifiers that a parameter may have, beside `:missing`, and a type for references.
 *
 * @see https://hl7.org/fhir/R4/search.html#modifiers
 */
export function modifiersOf(parameter: SearchParameter): readonly Modifier[] {
  const { name, type, target } = parameter
  const known = byName[name] ?? byKind[type]
  if (type !== 'reference' || target === undefined) return known
  const refused = lineages.filter(({ fits }) => !target.some(fits)).map(({ modifier }) => modifier)
  return known.filter(modifier => !refused.includes(modifier))
}

const isPart = (type: string) => hierarchyOf(type) !== undefined
const isCanonical = (type: string) => searchParameter(type, 'url')?.type === 'uri'

/** References are followed to what they are a part of, and to versions of canonicals: where there is such a thing. */
const lineages: readonly { readonly modifier: Modifier; readonly fits: (type: string) => boolean }[] = [
  { modifier: 'above', fits: isPart },
  { modifier: 'below', fits: type => isPart(type) || isCanonical(type) },
]
