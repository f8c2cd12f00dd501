import { type ElementDefinition, isResourceType, isTypeName, type Shape, shapeOf, shapeOfElement } from '#fhir'
import { elementsAt, shapeNamed } from '../profiles/build.ts'
import { coreDefinition } from '../profiles/definition.ts'
import { typeIn } from '../profiles/profiles.ts'
import { isNode, type Node } from '../walk.ts'
import { type Check, listOf, type Tell } from './check.ts'

/** What R4 has at a path: several for a choice. */
interface Place {
  readonly elements: readonly ElementDefinition[]
  /** What it is in. */
  readonly shape: Shape
  /** Below the type, as R4 writes it: `component.value[x]`. */
  readonly path: string
}

/**
 * A profile says less than what it is of, never more: its paths exist there, cardinalities and types are within, bindings are as strong,
 * what tells slices apart can be found. Judged by the types of R4, whatever lies between.
 *
 * @see https://hl7.org/fhir/R4/profiling.html and https://hl7.org/fhir/R4/elementdefinition.html
 */
export const checkStructure: Check = ({ node, at }, tell) => {
  const { type, kind, derivation } = node
  if (derivation !== 'constraint' || kind === 'logical' || typeof type !== 'string') return
  checkBase(node, at, tell)
  const shape = shapeNamed(type)
  if (shape === undefined) return
  for (const view of ['differential', 'snapshot'])
    for (const [index, element] of elementsIn(node[view]).entries())
      checkElement(element, shape, `${at}/${view}/element/${index}`, tell)
  checkViews(node, shape, at, tell)
  if (isOfObligations(node)) checkObligations(node, at, tell)
  if (type === 'Extension') checkExtension(node, at, tell)
}

function elementsIn(view: unknown): readonly Node[] {
  return isNode(view) ? listOf(view.element).filter(isNode) : []
}

function checkBase({ baseDefinition, type }: Node, at: string, tell: Tell): void {
  if (typeof baseDefinition !== 'string') return
  const base = typeIn(baseDefinition) ?? coreDefinition(baseDefinition)?.type
  if (base !== undefined && base !== type) tell('designBase', `${at}/type`)
}

/** What the differential changes is in the snapshot. @see https://hl7.org/fhir/R4/profiling.html#snapshot */
function checkViews({ differential, snapshot }: Node, root: Shape, at: string, tell: Tell): void {
  const whole = new Set(elementsIn(snapshot).map(element => pathOf(element, root)))
  if (whole.size < 2) return
  for (const [index, element] of elementsIn(differential).entries()) {
    const path = pathOf(element, root)
    // What is within a choice is called by its type or not.
    if (path !== undefined && !path.includes('[x].') && !whole.has(path))
      tell('designSnapshot', `${at}/differential/element/${index}/path`)
  }
}

function pathOf({ path }: Node, root: Shape): string | undefined {
  const place = typeof path === 'string' ? placeAt(root, path.split('.').slice(1)) : 'untold'
  return typeof place === 'string' ? undefined : place.path
}

/** What guides of later versions call all definitions. */
const laterNames: ReadonlySet<string> = new Set([
  'CanonicalResource',
  'MetadataResource',
  'Base',
  'BackboneType',
  'DataType',
])

function checkExtension(node: Node, at: string, tell: Tell): void {
  for (const [index, element] of elementsIn(node.differential).entries())
    if (element.path === 'Extension.url' && element.fixedUri !== undefined && element.fixedUri !== node.url)
      tell('designUrl', `${at}/differential/element/${index}/fixedUri`)
  for (const [index, context] of listOf(node.context).entries()) {
    if (!isNode(context) || context.type !== 'element' || typeof context.expression !== 'string') continue
    const [head = ''] = context.expression.split('.')
    if (/^[A-Za-z]+$/.test(head) && !isTypeName(head) && !laterNames.has(head))
      tell('designContext', `${at}/context/${index}/expression`)
  }
}

function checkElement(element: Node, root: Shape, at: string, tell: Tell): void {
  const place = typeof element.path === 'string' ? placeAt(root, element.path.split('.').slice(1)) : 'untold'
  if (place === 'missing') tell('designPath', `${at}/path`)
  if (place === 'missing' || place === 'untold') return
  if (place !== 'root') {
    checkCardinality(element, place, at, tell)
    checkTypes(element, place, at, tell)
    // Snapshots of R4's own profiles have weaker ones where a binding has a maximum.
    if (at.includes('/differential/')) checkBinding(element, place, at, tell)
    checkValue(element, place, at, tell)
    checkSlicing(element, place, at, tell)
  }
}

function placeAt(root: Shape, names: readonly string[]): Place | 'missing' | 'untold' | 'root' {
  let shape: Shape | undefined = root
  let last: Pick<Place, 'elements' | 'shape'> | undefined
  const path: string[] = []
  for (const text of names) {
    if (shape === undefined) return 'untold'
    const [name = ''] = text.split(':', 1)
    const elements = elementsCalled(shape, name)
    // What a primitive holds is listed in snapshots as its value; no resource has it as an element.
    if (elements.length === 0) return name === 'value' && shape === shapeOf('Element') ? 'untold' : 'missing'
    last = { elements, shape }
    path.push(lastOf(elements))
    shape = insideOf(last)
  }
  return last === undefined ? 'root' : { ...last, path: path.join('.') }
}

function lastOf([first]: readonly ElementDefinition[]): string {
  return first?.path.split('.').at(-1) ?? ''
}

function elementsCalled(shape: Shape, name: string): readonly ElementDefinition[] {
  const known = elementsAt(shape, name)
  if (known.length > 0) return known
  const typed = shape.elements.get(name)
  return typed === undefined ? [] : [typed]
}

/** What one element has within; undefined for a choice, and for any resource. */
function insideOf({ elements: [only, ...others], shape }: Pick<Place, 'elements' | 'shape'>): Shape | undefined {
  if (only === undefined || others.length > 0 || only.type === 'Resource') return undefined
  return shapeOfElement(shape, only) ?? shapeOf('Element')
}

const obligationFlags: ReadonlySet<unknown> = new Set([
  'http://hl7.org/fhir/StructureDefinition/obligation-profile-flag',
  'http://hl7.org/fhir/tools/StructureDefinition/obligation-profile',
])

/** Whether a profile says that it is of obligations. */
export function isOfObligations({ extension }: Node): boolean {
  return listOf(extension).some(each => isNode(each) && obligationFlags.has(each.url) && each.valueBoolean === true)
}

const limiting =
  /^(?:min|max|maxLength|slicing|sliceName|binding|constraint|fixed[A-Z].*|pattern[A-Z].*|minValue[A-Z].*|maxValue[A-Z].*)$/

/** Whoever applies it to a profile counts on that nothing else becomes of that. @see https://hl7.org/fhir/extensions/StructureDefinition-obligation-profile-flag.html */
function checkObligations({ differential }: Node, at: string, tell: Tell): void {
  for (const [index, element] of elementsIn(differential).entries())
    for (const name in element)
      if (limiting.test(name)) tell('designObligation', `${at}/differential/element/${index}/${name}`)
}

function isSlice({ id, sliceName }: Node): boolean {
  return sliceName !== undefined || (typeof id === 'string' && id.slice(id.lastIndexOf('.') + 1).includes(':'))
}

function checkCardinality(element: Node, { elements: [base] }: Place, at: string, tell: Tell): void {
  const { min, max } = element
  if (base === undefined) return
  if (typeof min === 'number' && min < base.min && !isSlice(element) && max !== '0') tell('designMin', `${at}/min`)
  const most = max === '*' ? Number.POSITIVE_INFINITY : Number(max)
  if (typeof max === 'string' && !base.isList && most > 1) tell('designMax', `${at}/max`)
}

/** What says nothing of its own. */
const ofAll: ReadonlySet<string> = new Set(['Resource', 'DomainResource', 'Element', 'BackboneElement'])
const alias: Readonly<Record<string, string>> = { SimpleQuantity: 'Quantity', MoneyQuantity: 'Quantity' }
const kinds: ReadonlySet<string> = new Set(['Age', 'Count', 'Distance', 'Duration'])
const referring: ReadonlySet<unknown> = new Set(['Reference', 'canonical', 'CodeableReference'])

function checkTypes(element: Node, { elements }: Place, at: string, tell: Tell): void {
  const allowed = new Set(elements.map(({ type }) => type))
  for (const [index, type] of listOf(element.type).entries()) {
    if (!isNode(type) || typeof type.code !== 'string') continue
    const place = `${at}/type/${index}`
    const code = alias[type.code] ?? type.code
    if (!isAmong(code, allowed)) tell('designType', `${place}/code`)
    checkProfiles(type.profile, code, `${place}/profile`, tell)
    if (referring.has(code)) checkTargets(type.targetProfile, elements, `${place}/targetProfile`, tell)
  }
}

function isAmong(code: string, allowed: ReadonlySet<string>): boolean {
  if (allowed.has(code) || ofAll.has(code) || code.includes('/')) return true
  return (allowed.has('Resource') && isResourceType(code)) || (kinds.has(code) && allowed.has('Quantity'))
}

/** The type that a definition of R4 is for; undefined for what R4 does not define. */
function typeOfCore(canonical: unknown): string | undefined {
  if (typeof canonical !== 'string') return undefined
  const type = typeIn(canonical) ?? coreDefinition(canonical)?.type
  return type === undefined ? undefined : (alias[type] ?? type)
}

function checkProfiles(profiles: unknown, code: string, at: string, tell: Tell): void {
  for (const [index, profile] of listOf(profiles).entries()) {
    const type = typeOfCore(profile)
    if (type !== undefined && type !== code && !ofAll.has(code) && !ofAll.has(type))
      tell('designProfile', `${at}/${index}`)
  }
}

function checkTargets(profiles: unknown, elements: readonly ElementDefinition[], at: string, tell: Tell): void {
  const targets = elements.flatMap(({ type, targets }) => (referring.has(type) ? [targets] : []))
  for (const [index, profile] of listOf(profiles).entries()) {
    const type = typeOfCore(profile)
    if (type === undefined || ofAll.has(type)) continue
    const isAllowed = targets.length === 0 || targets.some(each => each === undefined || each.includes(type))
    if (!isResourceType(type) || !isAllowed) tell('designTarget', `${at}/${index}`)
  }
}

/** A required binding stays required, an extensible one at least extensible. @see https://hl7.org/fhir/R4/profiling.html#binding-strength */
function checkBinding({ binding }: Node, { elements }: Place, at: string, tell: Tell): void {
  const strength = isNode(binding) ? binding.strength : undefined
  if (typeof strength !== 'string') return
  const isRequired = elements.some(({ valueSet }) => valueSet !== undefined)
  const isWeaker = strength === 'preferred' || strength === 'example'
  const isExtensible = elements.some(({ shouldBeIn }) => shouldBeIn !== undefined)
  if ((isRequired && strength !== 'required') || (isExtensible && isWeaker))
    tell('designBinding', `${at}/binding/strength`)
}

function checkValue(element: Node, { elements }: Place, at: string, tell: Tell): void {
  const codes = listOf(element.type)
    .filter(isNode)
    .map(({ code }) => String(code))
  const types = codes.length > 0 ? codes : elements.map(({ type }) => type)
  for (const name in element) {
    const [, suffix = ''] = /^(?:fixed|pattern)([A-Z].*)$/.exec(name) ?? []
    if (suffix !== '' && !types.some(type => namesOf(type).has(suffix))) tell('designValue', `${at}/${name}`)
  }
}

/** What a type is called in the name of a value. */
function namesOf(type: string): ReadonlySet<string> {
  const own = type.replace(/^http:\/\/hl7\.org\/fhirpath\/System\./, '')
  const named = alias[own] ?? own
  const capital = `${named.charAt(0).toUpperCase()}${named.slice(1)}`
  // Ids of elements are texts, and urls of extensions addresses.
  return new Set([capital, ...(own === type ? [] : ['Uri', 'Id']), ...(kinds.has(named) ? ['Quantity'] : [])])
}

function checkSlicing({ slicing }: Node, place: Place, at: string, tell: Tell): void {
  const discriminators = isNode(slicing) ? listOf(slicing.discriminator).filter(isNode) : []
  for (const [index, { path }] of discriminators.entries())
    if (typeof path === 'string' && !canLead(path, place))
      tell('designDiscriminator', `${at}/slicing/discriminator/${index}/path`)
}

/** Whether a discriminator's path leads anywhere. @see https://hl7.org/fhir/R4/profiling.html#discriminator */
function canLead(path: string, place: Place): boolean {
  let shapes: ReadonlySet<Shape | undefined> = new Set(insidesOf(place))
  for (const step of path.split('.')) {
    if (step === '$this' || step === '') continue
    // What is referred to may be anything, and what an extension holds, too.
    if (step.includes('(') || step.includes(')') || shapes.has(undefined)) return true
    const places = [...shapes].flatMap(shape => (shape === undefined ? [] : placesCalled(shape, step)))
    if (places.length === 0) return false
    // Each once: within all that an extension may hold are extensions.
    shapes = new Set(places.flatMap(insidesOf))
  }
  return true
}

function placesCalled(shape: Shape, name: string): readonly Place[] {
  const elements = [...elementsCalled(shape, name), ...elementsAt(shape, `${name}[x]`)]
  return elements.length === 0 ? [] : [{ elements, shape, path: name }]
}

function insidesOf({ elements, shape }: Place): readonly (Shape | undefined)[] {
  return elements.map(element => insideOf({ elements: [element], shape }))
}
