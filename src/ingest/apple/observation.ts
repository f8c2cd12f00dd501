import type { Resource } from '#fhir'
import type { CodeableConcept } from '../codes.ts'
import { type Outcome, type Reason, rowName } from '../outcome.ts'
import type { AppleContext } from './context.ts'
import type { AppleInstant } from './dates.ts'
import { parseAppleDate } from './dates.ts'
import { type Component, componentsOf, type Detail, detailsOf, extensionsOf } from './details.ts'
import { type AppleElement, zoneOf } from './element.ts'

export type MappedResource = Resource & { id: string }

export interface Span {
  readonly start: AppleInstant
  readonly end: AppleInstant
}

/** What every Observation of an export has in common. */
export interface ObservationFacts {
  readonly id: string
  readonly category: readonly CodeableConcept[]
  readonly code: CodeableConcept
  readonly span: Span
  readonly components?: readonly Component[]
  /** What is known beside the value, where that is more than the metadata of the element. */
  readonly details?: readonly Detail[]
}

type Rejected = Extract<Outcome, { kind: 'rejected' }>

export function rejected(row: string, reason: Reason, expression?: string): Rejected {
  return expression === undefined ? { kind: 'rejected', row, reason } : { kind: 'rejected', row, reason, expression }
}

/** Start and end of an element; undefined when either is missing or malformed, or they stand the wrong way round. */
export function spanOf(element: AppleElement): Span | undefined {
  const zone = zoneOf(element)
  const start = parseAppleDate(element.attributes.startDate, zone)
  const end = parseAppleDate(element.attributes.endDate ?? element.attributes.startDate, zone)
  return start === undefined || end === undefined || end.ms < start.ms ? undefined : { start, end }
}

/** An Observation without its value: who, what, when, by which device, and what its metadata tell. */
export function observation(element: AppleElement, facts: ObservationFacts, context: AppleContext): MappedResource {
  const { start, end } = facts.span
  const resource: MappedResource = {
    resourceType: 'Observation',
    id: facts.id,
    meta: { source: context.source },
    status: 'final',
    category: facts.category,
    code: facts.code,
    subject: context.subject,
  }
  if (start.ms === end.ms) resource.effectiveDateTime = start.text
  else resource.effectivePeriod = { start: start.text, end: end.text }
  const issued = parseAppleDate(element.attributes.creationDate, zoneOf(element))
  if (issued !== undefined) resource.issued = issued.text
  const device = context.sources.of(element)
  if (device !== undefined) resource.device = device
  describe(resource, facts, facts.details ?? detailsOf(element.metadata))
  return resource
}

/**
 * Lays details where they belong. The components of a vital sign are vital signs too, in the units of vital signs
 * (https://hl7.org/fhir/R4/vitalsigns.html), so what else is known of one stands in extensions.
 */
function describe(resource: MappedResource, facts: ObservationFacts, details: readonly Detail[]): void {
  const loose = details.filter(({ place }) => place === undefined)
  const isVital = facts.category[0]?.coding?.[0]?.code === 'vital-signs'
  const component = [...(facts.components ?? []), ...(isVital ? [] : componentsOf(loose))]
  if (component.length > 0) resource.component = component
  if (isVital && loose.length > 0) resource.extension = extensionsOf(loose)
  if (loose.length === details.length) return
  const { bodySite, method, identifier } = Object.groupBy(details, ({ place }) => place ?? 'loose')
  if (bodySite !== undefined) resource.bodySite = bodySite[0]?.value.valueCodeableConcept
  if (method !== undefined) resource.method = method[0]?.code
  if (identifier !== undefined) resource.identifier = identifier.map(({ value }) => value)
}

/** The parts of an element's identity that every kind shares. What changes from export to export is not among them. */
export function identityOf(element: AppleElement, span: Span): [string, string, string, string] {
  const { type, workoutActivityType, sourceName } = element.attributes
  return [type ?? workoutActivityType ?? '', sourceName ?? '', String(span.start.ms), String(span.end.ms)]
}

/**
 * The children of an element that nothing reads, each by the name of what it stands in.
 *
 * @param read  names of children that the caller reads
 */
export function unreadChildren(element: AppleElement, read: ReadonlySet<string>): Outcome[] {
  const unread = (element.children ?? []).filter(({ name }) => !read.has(name)).map(({ name }) => name)
  const beyond = [...(element.beyond ?? [])].flatMap(([name, count]) => Array.from({ length: count }, () => name))
  return [...unread, ...beyond].map(name => ({ kind: 'unmapped', row: rowName(`${element.name}.${name}`) }))
}

/** What was eaten, and at which meal, as apps write it beside a nutrient and a meal: part of the identity of both. */
export function foodOf({ metadata }: AppleElement): readonly string[] {
  if (metadata === undefined) return []
  const said = [...metadata].filter(([key]) => /^HKFood|^meal$/i.test(key))
  return said.flatMap(([key, value]) => [key.toLowerCase(), value.trim()])
}
