import { readFileSync } from 'node:fs'
import { Problem } from '#kernel'

/** One element as its JSON property: a choice `value[x]` gives one for each of its types. */
export interface ElementDefinition {
  /** JSON property name, e.g. `valueQuantity`. */
  readonly name: string
  /** Path below the type as the specification writes it, e.g. `component.value[x]`. */
  readonly path: string
  /** Type code: a primitive, a data type, `BackboneElement`, `Element` or `Resource`. */
  readonly type: string
  readonly min: number
  readonly isList: boolean
  /** Value set of a required binding whose codes are known; see `requiredCodes`. */
  readonly valueSet?: string
  /** Value set of a required binding whose codes cannot be listed: media types, units. */
  readonly mustBeIn?: string
  /** Value set of an extensible binding. */
  readonly shouldBeIn?: string
  /** Resource types that a Reference or a canonical may lead to, where that is not any. */
  readonly targets?: readonly string[]
  /** Where the children of a nested element are defined within the type, e.g. `referenceRange`. */
  readonly nested?: string
}

/** The elements of a type, or of one nested element of it, by JSON property name. */
export interface Shape {
  readonly type: string
  /** Empty for the type itself. */
  readonly path: string
  readonly elements: ReadonlyMap<string, ElementDefinition>
}

interface TypeFacts {
  readonly summary: readonly string[]
  readonly mandatory: readonly string[]
  /** path → `min..max types[ @value-set][ !value-set][ ~value-set][ >targets][ ^targets]`, see profiles/README.md */
  readonly elements: Readonly<Record<string, string>>
}
interface Facts {
  readonly primitive: readonly string[]
  readonly open: readonly string[]
  readonly types: Readonly<Record<string, TypeFacts>>
}
type CodesBySystem = Readonly<Record<string, readonly string[]>>

export function readProfile<T>(file: string): T {
  return JSON.parse(readFileSync(new URL(`../../profiles/${file}`, import.meta.url), 'utf8')) as T
}

export function lazy<T>(make: () => T): () => T {
  let made: T | undefined
  return () => {
    made ??= make()
    return made
  }
}

/** All concrete resource types of R4, sorted. */
export const resourceTypes: readonly string[] = Object.freeze(readProfile<string[]>('resource-types.json'))

const knownResourceTypes: ReadonlySet<string> = new Set(resourceTypes)
const facts = lazy(() => readProfile<Facts>('elements.json'))
const codes = lazy(() => readProfile<Readonly<Record<string, CodesBySystem>>>('required-codes.json'))
const primitives = lazy(() => new Set(facts().primitive))

/** Whether R4 has a concrete resource type of this name; case matters. */
export function isResourceType(name: string): boolean {
  return knownResourceTypes.has(name)
}

/** Whether a type code names a primitive type such as `dateTime`. */
export function isPrimitiveType(name: string): boolean {
  return primitives().has(name)
}

/** Whether R4 has a type of this name: a resource, a data type, a primitive, or what those are kinds of. */
export function isTypeName(name: string): boolean {
  return isPrimitiveType(name) || Object.hasOwn(facts().types, name)
}

/** System → codes of a required binding, e.g. `administrative-gender`; undefined where R4 cannot list them (MIME types). */
export function requiredCodes(valueSet: string): CodesBySystem | undefined {
  return codes()[valueSet]
}

const summaries = new Map<string, ReadonlySet<string>>()
const mandatories = new Map<string, ReadonlySet<string>>()

/**
 * JSON names of the top-level elements that `_summary=true` keeps; choices are spelled out (`valueQuantity`).
 * Neither `resourceType` nor the `_`-twins of primitives are listed.
 *
 * @throws Problem `invalid` · `fhir.type-unknown`
 */
export function summaryElements(type: string): ReadonlySet<string> {
  return setOf(type, 'summary', summaries)
}

/**
 * JSON names of the top-level elements with a minimum of one; choices are spelled out.
 *
 * @throws Problem `invalid` · `fhir.type-unknown`
 */
export function mandatoryElements(type: string): ReadonlySet<string> {
  return setOf(type, 'mandatory', mandatories)
}

function setOf(
  type: string,
  kind: 'summary' | 'mandatory',
  made: Map<string, ReadonlySet<string>>,
): ReadonlySet<string> {
  const known = made.get(type)
  if (known !== undefined) return known
  const set = new Set(factsOf(type)[kind])
  made.set(type, set)
  return set
}

function factsOf(type: string): TypeFacts {
  const found = Object.hasOwn(facts().types, type) ? facts().types[type] : undefined
  if (found === undefined) throw new Problem('invalid', 'fhir.type-unknown', 'FHIR R4 has no such type.')
  return found
}

const shapes = new Map<string, Shape>()

/**
 * The elements of a resource type or data type (`Observation`, `Quantity`), or of a nested element of it (`component`).
 * Made at first use, then kept.
 *
 * @throws Problem `invalid` · `fhir.type-unknown`
 */
export function shapeOf(type: string, path = ''): Shape {
  const key = path === '' ? type : `${type}.${path}`
  const known = shapes.get(key)
  if (known !== undefined) return known
  const shape = { type, path, elements: new Map(elementsWithin(type, path).map(element => [element.name, element])) }
  shapes.set(key, shape)
  return shape
}

/** The shape of what an element holds; undefined for a primitive, and for `Resource`, whose type only the data tells. */
export function shapeOfElement(parent: Shape, element: ElementDefinition): Shape | undefined {
  if (element.nested !== undefined) return shapeOf(parent.type, element.nested)
  return element.type === 'Resource' || isPrimitiveType(element.type) ? undefined : shapeOf(element.type)
}

function elementsWithin(type: string, path: string): readonly ElementDefinition[] {
  const prefix = path === '' ? '' : `${path}.`
  const all = Object.entries(factsOf(type).elements)
  return all
    .filter(([name]) => name.startsWith(prefix) && !name.includes('.', prefix.length))
    .flatMap(([name, fact]) => elementsOfFact(name, name.slice(prefix.length), fact))
}

function elementsOfFact(path: string, name: string, fact: string): readonly ElementDefinition[] {
  const [cardinality = '', typeText = '', ...more] = fact.split(' ')
  const [min = '0', max = '1'] = cardinality.split('..')
  const shared = {
    path,
    min: Number(min),
    isList: max !== '1',
    ...bindingOf(more),
  }
  const targets: Readonly<Record<string, string | undefined>> = {
    Reference: markedIn(more, '>'),
    canonical: markedIn(more, '^'),
  }
  return typesOfFact(typeText).map(type => ({
    ...shared,
    name: name.endsWith('[x]') ? name.slice(0, -3) + capitalised(type) : name,
    type: type.startsWith('#') ? 'BackboneElement' : type,
    ...nestedPath(path, type),
    ...(targets[type] === undefined ? {} : { targets: targets[type].split('|') }),
  }))
}

type Binding = Pick<ElementDefinition, 'valueSet' | 'mustBeIn' | 'shouldBeIn'>

function bindingOf(facts: readonly string[]): Binding {
  const [valueSet, mustBeIn, shouldBeIn] = ['@', '!', '~'].map(mark => markedIn(facts, mark))
  return {
    ...(valueSet === undefined ? {} : { valueSet }),
    ...(mustBeIn === undefined ? {} : { mustBeIn }),
    ...(shouldBeIn === undefined ? {} : { shouldBeIn }),
  }
}

function markedIn(facts: readonly string[], mark: string): string | undefined {
  return facts.find(text => text.startsWith(mark))?.slice(1)
}

function typesOfFact(text: string): readonly string[] {
  return text === '*' ? facts().open : text.split('|')
}

function nestedPath(path: string, type: string): { readonly nested?: string } {
  if (type.startsWith('#')) return { nested: type.slice(1) }
  return type === 'BackboneElement' || type === 'Element' ? { nested: path } : {}
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
