import type { ErrorObject } from 'ajv'
import {
  type ElementDefinition,
  isResourceType,
  parseReference,
  type Resource,
  type Shape,
  shapeOf,
  shapeOfElement,
} from '#fhir'
import { faultAt } from './faults.ts'

interface Node {
  readonly [element: string]: unknown
}

/** The resource in which `#id` is looked for, and the Bundle whose entries `urn:uuid:` may name. */
interface Surroundings {
  readonly container: Node
  readonly bundle: Node | undefined
}

type Report = (error: ErrorObject) => void

/**
 * Faults of a resource's references: a fragment that names no contained resource (ref-1), a target of a type that the element
 * does not allow, a `type` that says otherwise than the reference. What is only an identifier, and what leads to where
 * types cannot be told, is left alone.
 *
 * @see https://hl7.org/fhir/R4/references.html and https://hl7.org/fhir/R4/references-definitions.html#Reference.type
 */
export function referenceFaults(resource: Resource): readonly ErrorObject[] {
  const faults: ErrorObject[] = []
  walkResource(resource, '', { container: resource, bundle: undefined }, error => faults.push(error))
  return faults
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function walkResource(node: Node, at: string, around: Surroundings, report: Report): void {
  const { resourceType } = node
  if (typeof resourceType !== 'string' || !isResourceType(resourceType)) return
  walkNode(node, shapeOf(resourceType), at, around, report)
}

function walkNode(node: Node, shape: Shape, at: string, around: Surroundings, report: Report): void {
  for (const name in node) {
    const value = node[name]
    if (typeof value !== 'object' || value === null) continue
    if (name.charCodeAt(0) === 0x5f)
      walkEach(value, `${at}/${name}`, twin => walkTwin(twin.item, twin.at, around, report))
    else {
      const element = shape.elements.get(name)
      if (element !== undefined) walkElement(value, shape, element, { at: `${at}/${name}`, around, report })
    }
  }
}

function walkTwin(item: Node, at: string, around: Surroundings, report: Report): void {
  walkNode(item, shapeOf('Element'), at, around, report)
}

interface Walk {
  readonly at: string
  readonly around: Surroundings
  readonly report: Report
}

function walkElement(value: object, shape: Shape, element: ElementDefinition, { at, around, report }: Walk): void {
  const within = shapeOfElement(shape, element)
  if (within === undefined) {
    if (element.type === 'Resource')
      walkEach(value, at, inner =>
        walkResource(inner.item, inner.at, surroundingsOf(inner.item, shape, element, around), report),
      )
    return
  }
  walkEach(value, at, inner => {
    if (within.type === 'Reference') checkReference(inner.item, element, inner.at, around, report)
    walkNode(inner.item, within, inner.at, around, report)
  })
}

/** Contained resources share their container; resources in a Bundle or Parameters are containers of their own. */
function surroundingsOf(item: Node, shape: Shape, element: ElementDefinition, around: Surroundings): Surroundings {
  if (element.name === 'contained') return around
  return { container: item, bundle: shape.type === 'Bundle' ? (around.bundle ?? around.container) : around.bundle }
}

function walkEach(value: object, at: string, use: (inner: { readonly item: Node; readonly at: string }) => void): void {
  if (!Array.isArray(value)) {
    if (isNode(value)) use({ item: value, at })
    return
  }
  for (let i = 0; i < value.length; i++) if (isNode(value[i])) use({ item: value[i], at: `${at}/${i}` })
}

function checkReference(
  node: Node,
  { targets }: ElementDefinition,
  at: string,
  around: Surroundings,
  report: Report,
): void {
  const fault = faultOf(node, targets, around)
  if (fault !== undefined) report(faultAt(fault, fault === 'referenceType' ? `${at}/type` : at))
}

type ReferenceFault = 'fragment' | 'referenceType' | 'referenceTarget'

function faultOf(
  { reference, type }: Node,
  targets: readonly string[] | undefined,
  around: Surroundings,
): ReferenceFault | undefined {
  const leadsTo = typeof reference === 'string' ? targetOf(reference, around) : undefined
  if (leadsTo === nowhere) return 'fragment'
  const said = typeof type === 'string' ? type.replace('http://hl7.org/fhir/StructureDefinition/', '') : undefined
  if (said !== undefined && leadsTo !== undefined && said !== leadsTo) return 'referenceType'
  const target = leadsTo ?? said
  // A type of another specification, or of none, is not ours to judge.
  if (target === undefined || targets === undefined || !isResourceType(target)) return undefined
  return targets.includes(target) ? undefined : 'referenceTarget'
}

const nowhere = Symbol('nowhere')

/** The type of resource that a reference leads to; undefined when its text does not tell. */
function targetOf(reference: string, { container, bundle }: Surroundings): string | undefined | typeof nowhere {
  const parsed = parseReference(reference)
  if (parsed.kind === 'fragment')
    return parsed.id === '' ? typeOf(container) : typeOfContained(container, parsed.id ?? '')
  if (bundle !== undefined && parsed.url === reference) return typeOfEntry(bundle, reference) ?? parsed.type
  return parsed.type
}

function typeOf({ resourceType }: Node): string | undefined {
  return typeof resourceType === 'string' ? resourceType : undefined
}

function typeOfContained({ contained }: Node, id: string): string | undefined | typeof nowhere {
  const inner = Array.isArray(contained) ? contained.find(each => isNode(each) && each.id === id) : undefined
  return isNode(inner) ? typeOf(inner) : nowhere
}

const entryTypes = new WeakMap<Node, ReadonlyMap<string, string>>()

function typeOfEntry(bundle: Node, fullUrl: string): string | undefined {
  const known = entryTypes.get(bundle) ?? typesByFullUrl(bundle)
  entryTypes.set(bundle, known)
  return known.get(fullUrl)
}

function typesByFullUrl({ entry }: Node): ReadonlyMap<string, string> {
  const types = new Map<string, string>()
  for (const each of Array.isArray(entry) ? entry : []) {
    const type = isNode(each) && isNode(each.resource) ? typeOf(each.resource) : undefined
    if (type !== undefined && typeof each.fullUrl === 'string') types.set(each.fullUrl, type)
  }
  return types
}
