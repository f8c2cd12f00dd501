import type { ElementDefinition, Shape } from '#fhir'
import { isMember } from '#terminology'
import { isNode } from '../walk.ts'
import { type Check, listOf } from './check.ts'

type Standing = ReturnType<typeof isMember>

/** https://hl7.org/fhir/R4/http.html#mime-type has short names for the formats of FHIR. */
const shortNames: ReadonlySet<unknown> = new Set(['xml', 'json', 'ttl'])
const mediaTypes = 'http://hl7.org/fhir/ValueSet/mimetypes'

/** Whether what a binding is about has a code of the set: of a CodeableConcept one coding is enough, and text alone is left alone. */
export function isInSet(valueSet: string, value: unknown, ask: typeof isMember = isMember): Standing {
  if (typeof value === 'string') return valueSet === mediaTypes ? isMediaType(value) : ask(valueSet, undefined, value)
  if (!isNode(value)) return 'unknown'
  if (!Array.isArray(value.coding)) return standingOf(valueSet, value, ask)
  const found = value.coding.filter(isNode).map(coding => standingOf(valueSet, coding, ask))
  return (
    found.find(each => each === 'in') ?? (found.length > 0 && found.every(each => each === 'out') ? 'out' : 'unknown')
  )
}

/** R4's own examples have parameters that no grammar allows. */
function isMediaType(value: string): Standing {
  return shortNames.has(value) || /^[\w.+!#$&^-]+\/[\w.+!#$&^*-]+\s*(?:;|$)/.test(value) ? 'in' : 'out'
}

function standingOf(
  valueSet: string,
  { system, code }: { readonly system?: unknown; readonly code?: unknown },
  ask: typeof isMember,
): Standing {
  if (typeof code !== 'string') return 'unknown'
  return ask(valueSet, typeof system === 'string' ? system : '', code)
}

type Kind = 'mustBeIn' | 'shouldBeIn'

function checkOf(kind: Kind, keyword: string): Check {
  const bound = new WeakMap<Shape, readonly ElementDefinition[]>()
  return ({ node, shape, at }, tell) => {
    const elements = bound.get(shape) ?? [...shape.elements.values()].filter(element => element[kind] !== undefined)
    bound.set(shape, elements)
    for (const { name, [kind]: valueSet = '', isList } of elements) {
      if (node[name] === undefined) continue
      for (const [index, value] of listOf(node[name]).entries())
        if (isInSet(valueSet, value) === 'out') tell(keyword, `${at}/${name}${isList ? `/${index}` : ''}`)
    }
  }
}

/** Required bindings whose codes cannot be listed: media types, currencies, languages. @see https://hl7.org/fhir/R4/terminologies.html#required */
export const checkBindings = checkOf('mustBeIn', 'fhirCodes')
/** @see https://hl7.org/fhir/R4/terminologies.html#extensible */
export const warnOfBindings = checkOf('shouldBeIn', 'extensible')

/** Whether any element of a shape is bound so. */
export function hasBinding({ elements }: Shape, kind: Kind): boolean {
  return elements.values().some(element => element[kind] !== undefined)
}
