import type { Resource } from '#fhir'
import { type CodeableConcept, systems } from '../codes.ts'
import type { MapContext, Outcome, Reason } from '../outcome.ts'
import { frozen } from '../tables.ts'
import type { AppleInstant } from './dates.ts'
import { parseAppleDate } from './dates.ts'
import { type AppleElement, zoneOf } from './element.ts'
import { appleTables, type Component } from './tables.ts'

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
}

const enteredByHand = frozen({
  coding: [{ system: systems.healthKit, code: 'HKWasUserEntered' }],
  text: 'Entered by hand',
})

export function rejected(row: string, reason: Reason, expression?: string): Outcome {
  return expression === undefined ? { kind: 'rejected', row, reason } : { kind: 'rejected', row, reason, expression }
}

/** Start and end of an element; undefined when either is missing or malformed, or they stand the wrong way round. */
export function spanOf(element: AppleElement): Span | undefined {
  const zone = zoneOf(element)
  const start = parseAppleDate(element.attributes.startDate, zone)
  const end = parseAppleDate(element.attributes.endDate ?? element.attributes.startDate, zone)
  return start === undefined || end === undefined || end.ms < start.ms ? undefined : { start, end }
}

/** `<<HKDevice: 0x2834ef0c0>, name:Apple Watch, …, hardware:Watch6,7, …>` → `Watch6,7`. The pointer changes each time. */
export function hardwareOf(device: string | undefined): string | undefined {
  if (device === undefined) return undefined
  const at = device.indexOf('hardware:')
  if (at < 0) return undefined
  const until = device.indexOf(', software:', at)
  const text = device.slice(at + 9, until < 0 ? device.length : until).replace(/[>\s]+$/, '')
  return /^[\w.,\- ]{1,40}$/.test(text) ? text : undefined
}

const devices = new Map<string, { readonly display: string }>()

/** The app or watch that wrote the record, as a reference that has only a name. */
function deviceOf(element: AppleElement): { readonly display: string } | undefined {
  const source = element.attributes.sourceName?.trim()
  if (source === undefined || source === '') return undefined
  const device = element.attributes.device ?? ''
  const key = `${source}\n${device}`
  let shared = devices.get(key)
  if (shared === undefined) {
    const hardware = hardwareOf(device)
    shared = Object.freeze({ display: hardware === undefined ? source : `${source} (${hardware})` })
    // @NOTE the pointer in the device string makes every export's strings new; the memo starts afresh when full.
    if (devices.size >= 1000) devices.clear()
    devices.set(key, shared)
  }
  return shared
}

/** The components that the record's metadata give, e.g. that the person moved while the pulse was taken. */
export function metadataComponents(element: AppleElement): Component[] {
  const found: Component[] = []
  if (element.metadata === undefined) return found
  const tables = appleTables()
  for (const [key, value] of element.metadata) {
    if (!tables.metadataKeys.has(key)) continue
    const component = tables.metadata.get(`${key} ${value}`)
    if (component !== undefined) found.push(component)
  }
  return found
}

/** An Observation without its value: who, what, when, by which device. */
export function observation(element: AppleElement, facts: ObservationFacts, context: MapContext): MappedResource {
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
  if (element.metadata?.get('HKWasUserEntered') === '1') resource.method = enteredByHand
  const device = deviceOf(element)
  if (device !== undefined) resource.device = device
  return resource
}

/** The parts of an element's identity that every kind shares. What changes from export to export is not among them. */
export function identityOf(element: AppleElement, span: Span): [string, string, string, string] {
  const { type, workoutActivityType, sourceName } = element.attributes
  return [type ?? workoutActivityType ?? '', sourceName ?? '', String(span.start.ms), String(span.end.ms)]
}
