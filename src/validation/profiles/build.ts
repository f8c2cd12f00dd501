import {
  type ElementDefinition,
  invariantsOf,
  isPrimitiveType,
  isTypeName,
  type Shape,
  shapeOf,
  shapeOfElement,
} from '#fhir'
import { type ConstraintText, type ElementText, type StructureDefinition, type TypeText, urlOf } from './definition.ts'
import { tooLarge } from './refusals.ts'
import type { BindingRule, Constraint, Rules } from './rules.ts'

/** Larger ones than any guide has. */
const mostElements = 10_000

/**
 * Applies what a profile says, element by element, to what its base said.
 *
 * @param base      is changed
 * @param profiled  what a profile says that an element's type names; undefined for what is not held
 * @throws Problem `too-costly` · `validation.profile-too-large`
 */
export function applyElements(base: Rules, type: string, elements: readonly ElementText[], profiled: Profiled): Rules {
  if (elements.length > mostElements) throw tooLarge()
  const steps = new Steps()
  for (const element of elements) {
    const place = placeOf({ rules: base, shape: shapeNamed(type) }, steps.of(element), profiled)
    applyElement(place, element)
  }
  return base
}

/** A name of a path, and the slice that is meant. */
interface Step {
  readonly name: string
  readonly slice: string | undefined
}

/** Reads where each element stands: from its id, or else from its path and the slices that were named before it. */
class Steps {
  readonly #current = new Map<string, string>()

  of({ id, path = '', sliceName }: ElementText): readonly Step[] {
    const names = path.split('.')
    if (id !== undefined && id.replace(/:[^.]*/g, '') === path && (sliceName === undefined || id.includes(':')))
      return id.split('.').map(stepOf)
    for (const known of this.#current.keys())
      if (known === path || !`${path}.`.startsWith(`${known}.`)) this.#current.delete(known)
    if (sliceName !== undefined) this.#current.set(path, sliceName)
    return names.map((name, at) => ({ name, slice: this.#current.get(names.slice(0, at + 1).join('.')) }))
  }
}

function stepOf(text: string): Step {
  const colon = text.indexOf(':')
  return colon < 0 ? { name: text, slice: undefined } : { name: text.slice(0, colon), slice: text.slice(colon + 1) }
}

/** How far a path has been followed, and what lies there, as long as that can be told. */
interface Place {
  readonly rules: Rules
  readonly shape: Shape | undefined
}

/** @see applyElements */
export type Profiled = (canonical: string) => Rules | undefined

function placeOf(root: Place, [, ...steps]: readonly Step[], profiled: Profiled): Rules {
  let place = root
  for (const step of steps) {
    expand(place.rules, profiled)
    place = placeIn(place, step)
  }
  return place.rules
}

/** Whoever says something of what is within an element says it of what the profile of its type has there, slices and all. */
function expand(rules: Rules, profiled: Profiled): void {
  const [only, ...others] = rules.types.flatMap(({ profile = [] }) => profile)
  if (rules.isExpanded || only === undefined || others.length > 0) return
  rules.isExpanded = true
  const within = profiled(only)
  if (within !== undefined) rules.expand(within)
}

function placeIn({ rules, shape }: Place, { name, slice }: Step): Place {
  const known = elementsAt(shape, name)
  const [choice] = known.length > 0 || shape === undefined ? [] : elementsCalled(shape, name)
  if (choice !== undefined) return typedPlace(rules.child(lastOf(choice.path)), name, choice, shape)
  const child = rules.child(name)
  const place = slice === undefined ? child : slicePlace(child, slice)
  const [only, ...others] = known.filter(({ type }) =>
    isAmong(type, place.types.length > 0 ? place.types : child.types),
  )
  const named = only === undefined || others.length > 0 ? known.find(each => each.name === slice) : only
  if (named !== undefined && known.length > 1) ofType(place, named)
  return {
    rules: place,
    shape: shape === undefined || named === undefined ? undefined : innerShape(shape, named, place),
  }
}

/** `valueQuantity` in a path is the slice of `value[x]` that has this type. */
function typedPlace(child: Rules, name: string, choice: ElementDefinition, shape: Shape | undefined): Place {
  const rules = child.slice(name)
  ofType(rules, choice)
  return { rules, shape: shape && shapeOfElement(shape, choice) }
}

function ofType(rules: Rules, { type }: ElementDefinition): void {
  if (rules.types.length === 0) rules.types = [{ code: type }]
}

/** `a/b` slices again what is in the slice a. */
function slicePlace(child: Rules, slice: string): Rules {
  return slice.split('/').reduce((rules, _, at, names) => rules.slice(names.slice(0, at + 1).join('/')), child)
}

function isAmong(type: string, types: readonly TypeText[]): boolean {
  return types.length === 0 || types.some(({ code }) => code === type)
}

function innerShape(shape: Shape, element: ElementDefinition, { types }: Rules): Shape | undefined {
  const [only, ...others] = types
  if (element.type === 'Resource') return others.length === 0 ? shapeNamed(only?.code) : undefined
  return shapeOfElement(shape, element)
}

/** The elements of a type; of a primitive those that each element has. */
export function shapeNamed(type: string | undefined): Shape | undefined {
  if (type === undefined || !isTypeName(type)) return undefined
  return shapeOf(isPrimitiveType(type) ? 'Element' : type)
}

/** The elements that a name in a path means: several for a choice. */
export function elementsAt(shape: Shape | undefined, name: string): readonly ElementDefinition[] {
  return shape === undefined ? [] : (namesOf(shape).get(name) ?? [])
}

function elementsCalled(shape: Shape, name: string): readonly ElementDefinition[] {
  const element = shape.elements.get(name)
  return element === undefined ? [] : [element]
}

const byName = new WeakMap<Shape, ReadonlyMap<string, readonly ElementDefinition[]>>()

function namesOf(shape: Shape): ReadonlyMap<string, readonly ElementDefinition[]> {
  const known = byName.get(shape)
  if (known !== undefined) return known
  const made = Map.groupBy(shape.elements.values(), ({ path }) => lastOf(path))
  byName.set(shape, made)
  return made
}

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1)
}

function applyElement(rules: Rules, element: ElementText): void {
  if (typeof element.min === 'number') rules.min = element.min
  if (element.max !== undefined) rules.max = element.max === '*' ? Number.POSITIVE_INFINITY : Number(element.max)
  const types = (element.type ?? []).filter(
    ({ code = '' }) => code !== '' && !code.startsWith('http://hl7.org/fhirpath/'),
  )
  if (types.length > 0) rules.types = types
  rules.maxLength = element.maxLength ?? rules.maxLength
  rules.minLength = minLengthOf(element) ?? rules.minLength
  rules.withoutValue = withoutValue(element) ?? rules.withoutValue
  rules.isModifier = element.isModifier ?? rules.isModifier
  rules.bindings = [...rules.bindings, ...bindingsOf(element)]
  rules.constraints = [...rules.constraints, ...(element.constraint ?? []).flatMap(constraintOf)]
  applyValues(rules, element)
  const { slicing } = element
  if (slicing !== undefined)
    rules.slicing = {
      discriminators: slicing.discriminator ?? rules.slicing?.discriminators ?? [],
      isOrdered: slicing.ordered ?? false,
      rules: slicing.rules ?? 'open',
    }
}

function applyValues(rules: Rules, element: ElementText): void {
  for (const name in element) {
    const value = element[name]
    if (/^fixed[A-Z]/.test(name)) rules.fixed = [...rules.fixed, value]
    else if (/^pattern[A-Z]/.test(name)) rules.patterns = [...rules.patterns, value]
    else if (/^minValue[A-Z]/.test(name)) rules.least = value
    else if (/^maxValue[A-Z]/.test(name)) rules.most = value
  }
}

/** @see https://hl7.org/fhir/R4/extension-minlength.html */
function minLengthOf({ extension = [] }: ElementText): number | undefined {
  return extension.find(({ url }) => url === 'http://hl7.org/fhir/StructureDefinition/minLength')?.valueInteger
}

const laterElements = 'http://hl7.org/fhir/5.0/StructureDefinition/extension-ElementDefinition.'

/** What R5 says of values, in profiles for R4. @see https://hl7.org/fhir/R5/elementdefinition-definitions.html#ElementDefinition.mustHaveValue */
function withoutValue({ extension = [] }: ElementText): Rules['withoutValue'] {
  if (extension.some(({ url, valueBoolean }) => url === `${laterElements}mustHaveValue` && valueBoolean === true))
    return false
  const instead = extension.flatMap(({ url, valueCanonical }) =>
    url === `${laterElements}valueAlternatives` && valueCanonical !== undefined ? [urlOf(valueCanonical)] : [],
  )
  return instead.length > 0 ? instead : undefined
}

const maxValueSet = 'http://hl7.org/fhir/StructureDefinition/elementdefinition-maxValueSet'

/** @see https://hl7.org/fhir/R4/terminologies.html#strength */
function bindingsOf({ binding }: ElementText): readonly BindingRule[] {
  if (binding === undefined) return []
  const { strength, valueSet, extension = [] } = binding
  const isJudged = strength === 'required' || strength === 'extensible'
  const own = valueSet === undefined || !isJudged ? [] : [{ isRequired: strength === 'required', valueSet }]
  const most = extension.flatMap(({ url, valueCanonical }) =>
    url === maxValueSet && valueCanonical !== undefined ? [{ isRequired: true, valueSet: valueCanonical }] : [],
  )
  return [...own, ...most]
}

/** Snapshots repeat what R4 states of its types, and that is asked anyway. */
const everywhere: ReadonlySet<string> = new Set([
  'ele-1',
  'ext-1',
  'dom-2',
  'dom-3',
  'dom-4',
  'dom-5',
  'dom-6',
  'ref-1',
])

function constraintOf({ key = '', severity, human = '', expression }: ConstraintText): readonly Constraint[] {
  if (expression === undefined || everywhere.has(key)) return []
  return [{ key, severity: severity === 'warning' ? 'warning' : 'error', human, expression }]
}

/** Whether R4 states this constraint of the type anyway. */
export function isOfCore({ key }: Constraint, place: string): boolean {
  return invariantsOf(place).some(invariant => invariant.key === key)
}

/** What a profile changes: its differential on its base, or its snapshot where either is missing. */
export function elementsOf(
  { differential, snapshot }: StructureDefinition,
  hasBase: boolean,
): readonly ElementText[] | undefined {
  return hasBase ? (differential?.element ?? snapshot?.element) : snapshot?.element
}
