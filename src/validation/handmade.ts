import { type Json, printJson, type Resource } from '#fhir'
import { narrativeOf } from './narrative.ts'
import { targetOf } from './references.ts'
import { isNode, type Node, type Surroundings, walk } from './walk.ts'

/** As `Predicate`: undefined leaves it to the library. */
type Handmade = (node: Node, around: Surroundings) => boolean | undefined

/**
 * Invariants that are told without the library: what it answers wrongly, what it could only answer by comparing each with each, and
 * the commonest. `test/rooms/validation/invariants.test.ts` compares them with the library where that is right.
 */
export const handmade: Readonly<Record<string, Handmade>> = {
  // As HL7 writes it, nothing breaks it; this is what its text says.
  'eld-11': ({ binding, type }) =>
    binding === undefined || type === undefined || textsOf(type, 'code').some(code => bindable.has(code)),
  // The library takes their escapes for faults.
  'eld-16': ({ sliceName }) => typeof sliceName !== 'string' || /^[a-zA-Z0-9/\-_[\]@]+$/.test(sliceName),
  'eld-19': ({ path }) => typeof path !== 'string' || pathGrammar.test(path),
  // It has no resolve() without a server; what the reference says of its type is enough.
  'ctm-1': ({ onBehalfOf, member }, around) => onBehalfOf === undefined || mayBePractitioner(member, around),
  'dom-3': container => isEachMentioned(container as Resource),
  'ig-1': ({ grouping, resource }) => isIncluded(textsOf(resource, 'groupingId'), textsOf(grouping, 'id')),
  'ig-2': ({ fhirVersion, definition }) =>
    !isNode(definition) || isIncluded(textsOf(definition.resource, 'fhirVersion'), listOf(fhirVersion)),
  'obs-7': ({ component, code }) => {
    const own = new Set(codingsOf(code).map(orderless))
    return !nodesOf(component).some(each => codingsOf(each.code).some(coding => own.has(orderless(coding))))
  },
  'org-2': ({ use }) => use !== 'home',
  'org-3': ({ use }) => use !== 'home',
  'per-1': ({ start, end }) => (isPlainlyInOrder(start, end) ? true : undefined),
  // For it a boolean of FHIR is none of FHIRPath's.
  'que-7': ({ operator, answerBoolean, _answerBoolean }) =>
    operator !== 'exists' || answerBoolean !== undefined || _answerBoolean !== undefined,
  // As HL7 writes it, two of them need none; this is what its text says.
  'que-12': ({ enableWhen, enableBehavior }) => listOf(enableWhen).length < 2 || enableBehavior !== undefined,
  // What has no unit, it does not compare.
  'rng-2': ({ low, high }) =>
    isNode(low) && isNode(high) && isSameUnit(low, high) ? !(Number(low.value) > Number(high.value)) : undefined,
  'sdf-8': ({ element }, { resource: { kind, type } }) => {
    const [first, ...rest] = textsOf(element, 'path')
    return (kind === 'logical' || first === type) && rest.every(path => path.startsWith(`${first}.`))
  },
  'sdf-8a': ({ element }, { resource: { kind, type } }) => {
    const [first = '', ...rest] = textsOf(element, 'path')
    const root = first.replace(/\..*/, '')
    return (kind === 'logical' || first.startsWith(String(type))) && rest.every(path => path.startsWith(`${root}.`))
  },
}

/** The same, of a primitive. The library's htmlChecks() refuses attributes that R4 allows, and what says which it is of the two. */
export const handmadeOfText: Readonly<Record<string, (value: unknown) => boolean>> = {
  // A number is no range.
  'ras-1': () => true,
  'txt-1': div => typeof div !== 'string' || narrativeOf(div).isAllowed,
  'txt-2': div => typeof div !== 'string' || narrativeOf(div).isFilled,
}

const bindable: ReadonlySet<string> = new Set(['code', 'Coding', 'CodeableConcept', 'Quantity', 'string', 'uri'])
// Each part begins with a point, which no name has: it cannot go back for more.
const pathGrammar =
  /^[^\s.,:;'"/|?!@#$%&*()[\]{}]{1,64}(?:\.[^\s.,:;'"/|?!@#$%&*()[\]{}]{1,64}(?:\[x\])?(?::[^\s.]+)?)*$/

function isSameUnit(one: Node, other: Node): boolean {
  return one.system === other.system && one.code === other.code && one.unit === other.unit
}

function mayBePractitioner(member: unknown, around: Surroundings): boolean {
  if (!isNode(member) || typeof member.reference !== 'string') return true
  const target = targetOf(member.reference, around)
  return typeof target !== 'string' || target === 'Practitioner'
}

function isIncluded(some: readonly string[], among: readonly unknown[]): boolean {
  const known = new Set(among)
  return some.every(text => known.has(text))
}

/** All texts of an element, single or listed, in a list of objects. */
function textsOf(list: unknown, name: string): readonly string[] {
  return nodesOf(list).flatMap(node => {
    const value = node[name]
    return (Array.isArray(value) ? value : [value]).filter(text => typeof text === 'string')
  })
}

function nodesOf(list: unknown): readonly Node[] {
  return listOf(list).filter(isNode)
}

function listOf(list: unknown): readonly unknown[] {
  return Array.isArray(list) ? list : []
}

function codingsOf(concept: unknown): readonly Node[] {
  return isNode(concept) ? nodesOf(concept.coding) : []
}

/** The same text for the same content, in whatever order its elements stand. */
function orderless(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(orderless).join()}]`
  if (!isNode(value)) return printJson(value as Json)
  const names = Object.keys(value).sort()
  return `{${names.map(name => `${JSON.stringify(name)}:${orderless(value[name])}`).join()}}`
}

/** Texts of one form and one zone are in the order of their letters. */
function isPlainlyInOrder(start: unknown, end: unknown): boolean {
  if (typeof start !== 'string' || typeof end !== 'string' || start.length !== end.length) return false
  return start <= end && zoneOf(start) === zoneOf(end)
}

/** What stands behind the seconds: `Z`, `+01:00`; nothing in a date. */
function zoneOf(text: string): string {
  return text.length < 20 ? '' : text.endsWith('Z') ? 'Z' : text.slice(-6)
}

const addressTypes: ReadonlySet<string> = new Set(['uri', 'url', 'canonical'])

/** Something in the resource leads to each contained one, or that leads back. @see https://hl7.org/fhir/R4/references.html#contained */
function isEachMentioned(container: Resource): boolean {
  const mentioned = new Set<unknown>()
  walk(container, (node, shape, _element, _at, { resource }) => {
    for (const name in node) {
      const element = shape.elements.get(name)
      if (element === undefined || !(name === 'reference' || addressTypes.has(element.type))) continue
      for (const text of textsOf([node], name))
        if (text.startsWith('#')) mentioned.add(text === '#' ? resource : text.slice(1))
    }
  })
  return nodesOf(container.contained).every(inner => mentioned.has(inner.id) || mentioned.has(inner))
}
