import type { ErrorObject } from 'ajv'
import { containedIn, type ElementDefinition, isResourceType, parseReference, type Resource } from '#fhir'
import { isAbsolute } from './content/check.ts'
import { faultAt } from './faults.ts'
import { isNode, type Meet, type Node, type Surroundings, walk } from './walk.ts'

type Report = (error: ErrorObject) => void

/**
 * Faults of a resource's references: a fragment that names no contained resource (ref-1), what is no address, a target of a type
 * that the element does not allow, a `type` that says otherwise than the reference. What is only an identifier, and what leads to where
 * types cannot be told, is left alone.
 *
 * @see https://hl7.org/fhir/R4/references.html and https://hl7.org/fhir/R4/references-definitions.html#Reference.type
 */
export function referenceFaults(resource: Resource): readonly ErrorObject[] {
  const faults: ErrorObject[] = []
  const check = referenceCheck(error => faults.push(error))
  walk(resource, check)
  return faults
}

/** `referenceFaults` of each object that a walk meets. */
export function referenceCheck(report: Report): Meet {
  return (node, shape, element, at, around) => {
    if (shape.type === 'Reference' && shape.path === '' && element !== undefined)
      checkReference(node, element, at, around, report)
  }
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

type ReferenceFault = 'fragment' | 'referenceForm' | 'referenceType' | 'referenceTarget'

function faultOf(
  { reference, type }: Node,
  targets: readonly string[] | undefined,
  around: Surroundings,
): ReferenceFault | undefined {
  const leadsTo = typeof reference === 'string' ? targetOf(reference, around) : undefined
  if (leadsTo === nowhere) return 'fragment'
  // What has no scheme is a place of a resource.
  if (leadsTo === undefined && typeof reference === 'string' && !isAbsolute(reference)) return 'referenceForm'
  if (typeof reference === 'string' && isBadCondition(reference)) return 'referenceForm'
  const said = typeof type === 'string' ? type.replace('http://hl7.org/fhir/StructureDefinition/', '') : undefined
  if (said !== undefined && leadsTo !== undefined && said !== leadsTo) return 'referenceType'
  const target = leadsTo ?? said
  // A type of another specification, or of none, is not ours to judge.
  if (target === undefined || targets === undefined || !isResourceType(target)) return undefined
  return targets.includes(target) ? undefined : 'referenceTarget'
}

const condition = /^[A-Za-z_][A-Za-z0-9_.:-]*=[^&]+(?:&[A-Za-z_][A-Za-z0-9_.:-]*=[^&]+)*$/

/** `Patient?` and no search behind it. @see https://hl7.org/fhir/R4/http.html#trules */
function isBadCondition(reference: string): boolean {
  const [type = '', ...query] = reference.split('?')
  return query.length > 0 && isResourceType(type) && !condition.test(query.join('?'))
}

/** A fragment that names no contained resource. */
const nowhere = Symbol('nowhere')

/** The type of resource that a reference leads to; undefined when its text does not tell. */
export function targetOf(reference: string, { container, bundle }: Surroundings): string | undefined | typeof nowhere {
  const parsed = parseReference(reference)
  if (parsed.kind === 'fragment')
    return parsed.id === '' ? typeOf(container) : typeOfContained(container, parsed.id ?? '')
  if (bundle !== undefined && parsed.url === reference) return typeOfEntry(bundle, reference) ?? parsed.type
  return parsed.type
}

function typeOf({ resourceType }: Node): string | undefined {
  return typeof resourceType === 'string' ? resourceType : undefined
}

function typeOfContained(container: Node, id: string): string | undefined | typeof nowhere {
  const inner = containedIn(container, id)
  return inner === undefined ? nowhere : typeOf(inner)
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

/** The resource that a reference leads to, if it lies in the same resource or Bundle. @see https://hl7.org/fhir/R4/bundle.html#references */
export function resourceAt(reference: string, { container, bundle }: Surroundings): Node | undefined {
  if (reference.startsWith('#')) return reference === '#' ? container : containedIn(container, reference.slice(1))
  return bundle === undefined ? undefined : entryIn(bundle, reference, container)
}

/** Entries of a Bundle by what may lead to them. */
interface Entries {
  readonly byUrl: ReadonlyMap<string, Node>
  readonly urlOf: ReadonlyMap<Node, string>
  /** By the end of their addresses: `Patient/1`. */
  readonly byPlace: ReadonlyMap<string, readonly Node[]>
}

const entries = new WeakMap<Node, Entries>()

/** A relative reference is read against the address of the entry that it stands in. */
function entryIn(bundle: Node, reference: string, container: Node): Node | undefined {
  const { byUrl, urlOf, byPlace } = entries.get(bundle) ?? entriesOf(bundle)
  const plain = reference.replace(/\/_history\/[^/]+$/, '')
  if (isAbsolute(plain)) return byUrl.get(plain)
  const base = urlOf.get(container)?.match(restful)?.[1]
  if (base !== undefined) return byUrl.get(base + plain)
  const [found, ...others] = byPlace.get(plain) ?? []
  return others.length === 0 ? found : undefined
}

const restful = /^(.*\/)[A-Za-z]+\/[A-Za-z0-9\-.]{1,64}$/

function entriesOf(bundle: Node): Entries {
  const { entry } = bundle
  const found = (Array.isArray(entry) ? entry.filter(isNode) : []).flatMap(({ fullUrl, resource }) =>
    isNode(resource) && typeof fullUrl === 'string' ? [{ fullUrl, resource }] : [],
  )
  const places = Map.groupBy(found, ({ fullUrl }) => fullUrl.split('/').slice(-2).join('/'))
  const made = {
    byUrl: new Map(found.map(({ fullUrl, resource }) => [fullUrl, resource])),
    urlOf: new Map(found.map(({ fullUrl, resource }) => [resource, fullUrl])),
    byPlace: new Map([...places].map(([place, list]) => [place, list.map(({ resource }) => resource)])),
  }
  entries.set(bundle, made)
  return made
}
