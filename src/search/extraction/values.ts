import { type DateInterval, parseDateInterval } from '#fhir'
import type { Steps } from '#kernel'
import type { Place } from '../expressions/elements.ts'
import { impliedSystem } from '../expressions/elements.ts'
import { plain, printConceptInSteps, printParts, printReference, printToken, printUnit } from '../kinds/entries.ts'
import { neighbour } from '../kinds/neighbour.ts'
import type { Cell, SourceKind, Storage } from './cell.ts'

/** Writes what search compares of one element into a cell. */
type Writer = (value: unknown, place: Place, cell: Cell, group: number) => void

interface Node {
  readonly [element: string]: unknown
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function nodes(value: unknown): readonly Node[] {
  return Array.isArray(value) ? value.filter(isNode) : isNode(value) ? [value] : []
}

function strings(value: unknown): readonly string[] {
  if (typeof value === 'string') return value === '' ? [] : [plain(value)]
  return Array.isArray(value) ? value.flatMap(strings) : []
}

// --- token: https://hl7.org/fhir/R4/search.html#token -------------------------------------------------------------

const noCodings: readonly never[] = []

function codingOf(node: Node): { system: string; code: string; display: string } {
  return { system: plain(node.system), code: plain(node.code), display: plain(node.display) }
}

function concept(node: Node): string {
  return printToken({ codings: nodes(node.coding).map(codingOf), text: plain(node.text), types: noCodings })
}

function identifier(node: Node): string {
  const type = isNode(node.type) ? node.type : {}
  const codings = [{ system: plain(node.system), code: plain(node.value), display: '' }]
  return printToken({ codings, text: plain(type.text), types: nodes(type.coding).map(codingOf) })
}

function contactPoint(node: Node): string {
  return printToken({ codings: [{ system: '', code: plain(node.value), display: '' }], text: '', types: noCodings })
}

const tokenNodes: Readonly<Record<string, (node: Node) => string>> = {
  CodeableConcept: concept,
  Coding: node => printToken({ codings: [codingOf(node)], text: '', types: noCodings }),
  Identifier: identifier,
  ContactPoint: contactPoint,
}

function writeToken(value: unknown, place: Place, cell: Cell, group: number): void {
  if (isNode(value) && place.shape !== undefined) {
    const print = tokenNodes[place.type]
    if (print !== undefined) cell.pushText(print(value), group)
    return
  }
  const code = plain(value)
  const system = place.valueSet === undefined ? '' : (impliedSystem(place.valueSet, code) ?? '')
  cell.pushText(printToken({ codings: [{ system, code, display: '' }], text: '', types: noCodings }), group)
}

// --- string: https://hl7.org/fhir/R4/search.html#string -----------------------------------------------------------

const stringParts: Readonly<Record<string, readonly string[]>> = {
  HumanName: ['text', 'family', 'given', 'prefix', 'suffix'],
  Address: ['text', 'line', 'city', 'district', 'state', 'postalCode', 'country'],
}

function writeString(value: unknown, place: Place, cell: Cell, group: number): void {
  const names = stringParts[place.type]
  const parts = isNode(value) && names !== undefined ? names.flatMap(name => strings(value[name])) : strings(value)
  if (parts.length > 0) cell.pushText(printParts(parts), group)
}

// --- reference: https://hl7.org/fhir/R4/search.html#reference -----------------------------------------------------

function referenceText(node: Node, place: Place): string {
  // A parameter that points at a resource itself (the Composition of a Bundle) means that resource.
  if (place.type === 'Resource') return `${plain(node.resourceType)}/${plain(node.id)}`
  const identity = isNode(node.identifier) ? node.identifier : {}
  return printReference({
    reference: plain(node.reference),
    system: plain(identity.system),
    value: plain(identity.value),
    type: plain(node.type),
    display: plain(node.display),
  })
}

function writeReference(value: unknown, place: Place, cell: Cell, group: number): void {
  if (typeof value === 'string') cell.pushText(plain(value), group)
  else if (isNode(value) && place.type !== 'Attachment') {
    const text = referenceText(value, place)
    if (text !== '') cell.pushText(text, group)
  }
}

// --- date: https://hl7.org/fhir/R4/search.html#date ---------------------------------------------------------------

function dateOf(value: unknown): DateInterval | undefined {
  return typeof value === 'string' ? parseDateInterval(value) : undefined
}

/** A missing end is open: the period goes on for ever. */
function period(node: Node): DateInterval | undefined {
  const start = dateOf(node.start)
  const end = dateOf(node.end)
  if (start === undefined && end === undefined) return undefined
  return {
    fromMs: start?.fromMs ?? Number.NEGATIVE_INFINITY,
    untilMs: end?.untilMs ?? Number.POSITIVE_INFINITY,
  }
}

/** Only the outer limits of a Timing matter. */
function timing(node: Node): DateInterval | undefined {
  const bounds = isNode(node.repeat) ? node.repeat.boundsPeriod : undefined
  const all = (Array.isArray(node.event) ? node.event : []).map(dateOf)
  if (isNode(bounds)) all.push(period(bounds))
  const known = all.filter(interval => interval !== undefined)
  if (known.length === 0) return undefined
  return {
    fromMs: known.reduce((least, { fromMs }) => Math.min(least, fromMs), Number.POSITIVE_INFINITY),
    untilMs: known.reduce((greatest, { untilMs }) => Math.max(greatest, untilMs), Number.NEGATIVE_INFINITY),
  }
}

const dateNodes: Readonly<Record<string, (node: Node) => DateInterval | undefined>> = { Period: period, Timing: timing }

function writeDate(value: unknown, place: Place, cell: Cell, group: number): void {
  const interval = isNode(value) ? dateNodes[place.type]?.(value) : dateOf(value)
  if (interval !== undefined) cell.pushRange(interval.fromMs, interval.untilMs, group)
}

// --- number and quantity: https://hl7.org/fhir/R4/search.html#number, #quantity ---------------------------------

/** A JSON number, or a Decimal that kept its digits. */
function numeric(value: unknown): number | undefined {
  if (typeof value === 'number') return value
  const number = isNode(value) && typeof value.valueOf() === 'number' ? Number(value) : Number.NaN
  return Number.isNaN(number) ? undefined : number
}

const comparators: Readonly<Record<string, (value: number) => readonly [number, number]>> = {
  '<': value => [Number.NEGATIVE_INFINITY, neighbour(value, -1)],
  '<=': value => [Number.NEGATIVE_INFINITY, value],
  '>=': value => [value, Number.POSITIVE_INFINITY],
  '>': value => [neighbour(value, 1), Number.POSITIVE_INFINITY],
}

function rangeLimits(node: Node): readonly [number, number] | undefined {
  const low = isNode(node.low) ? numeric(node.low.value) : undefined
  const high = isNode(node.high) ? numeric(node.high.value) : undefined
  if (low === undefined && high === undefined) return undefined
  return [low ?? Number.NEGATIVE_INFINITY, high ?? Number.POSITIVE_INFINITY]
}

function writeNumber(value: unknown, _place: Place, cell: Cell, group: number): void {
  const exact = numeric(value)
  if (exact !== undefined) cell.pushRange(exact, exact, group)
  else if (isNode(value)) {
    const limits = rangeLimits(value)
    if (limits !== undefined) cell.pushRange(limits[0], limits[1], group)
  }
}

interface Measured {
  readonly limits: readonly [number, number] | undefined
  readonly unit: string
}

function unitOf(node: unknown): string {
  const { system, code, unit } = isNode(node) ? node : ({} as Node)
  return printUnit({ system: plain(system), code: plain(code), unit: plain(unit) })
}

function quantity(node: Node): Measured {
  const value = numeric(node.value)
  const widen = comparators[plain(node.comparator)]
  return { limits: value === undefined ? undefined : (widen?.(value) ?? [value, value]), unit: unitOf(node) }
}

function money(node: Node): Measured {
  const value = numeric(node.value)
  const unit = printUnit({ system: 'urn:iso:std:iso:4217', code: plain(node.currency), unit: '' })
  return { limits: value === undefined ? undefined : [value, value], unit }
}

function range(node: Node): Measured {
  return { limits: rangeLimits(node), unit: unitOf(isNode(node.low) ? node.low : node.high) }
}

/** Lowest and highest sample; `U` and `L` stand for the limits of what could be measured, `E` for a fault. */
function sampledData(node: Node): Measured {
  const origin = isNode(node.origin) ? node.origin : {}
  const base = numeric(origin.value) ?? 0
  const factor = numeric(node.factor) ?? 1
  const named: Readonly<Record<string, number | undefined>> = {
    U: numeric(node.upperLimit),
    L: numeric(node.lowerLimit),
    E: undefined,
  }
  let low = Number.POSITIVE_INFINITY
  let high = Number.NEGATIVE_INFINITY
  for (const sample of plain(node.data).split(' ')) {
    const raw = sample in named ? named[sample] : Number(sample)
    if (raw === undefined || Number.isNaN(raw) || sample === '') continue
    low = Math.min(low, base + raw * factor)
    high = Math.max(high, base + raw * factor)
  }
  return { limits: low <= high ? [low, high] : undefined, unit: unitOf(origin) }
}

const quantityNodes: Readonly<Record<string, (node: Node) => Measured>> = {
  Money: money,
  Range: range,
  SampledData: sampledData,
}

function writeQuantity(value: unknown, place: Place, cell: Cell, group: number): void {
  if (!isNode(value)) return
  const { limits, unit } = (quantityNodes[place.type] ?? quantity)(value)
  if (limits !== undefined) cell.pushQuantity(limits[0], limits[1], unit, group)
}

// --- uri: https://hl7.org/fhir/R4/search.html#uri -----------------------------------------------------------------

function writeUri(value: unknown, _place: Place, cell: Cell, group: number): void {
  if (typeof value === 'string' && value !== '') cell.pushText(plain(value), group)
}

// --- position: https://hl7.org/fhir/R4/location-definitions.html#Location.position ---------------------------------

/** Latitude and longitude are kept as the two ends of a range. */
function writePosition(value: unknown, _place: Place, cell: Cell, group: number): void {
  if (!isNode(value)) return
  const [latitude, longitude] = [numeric(value.latitude), numeric(value.longitude)]
  if (latitude !== undefined && longitude !== undefined) cell.pushRange(latitude, longitude, group)
}

interface Kind {
  readonly storage: Storage
  readonly write: Writer
}

/** What element it is, where it is written, and for which element of a backbone. */
interface Into {
  readonly place: Place
  readonly cell: Cell
  readonly group: number
}

/** From so many codings on a concept takes longer than what else is read in one go. */
const manyCodings = 256

/** The same as `write` of a kind, but what one element may have very many of is gone through in steps. */
export function* writeInSteps(kind: WrittenKind, value: unknown, { place, cell, group }: Into): Steps<void> {
  const codings = kind === 'token' && place.type === 'CodeableConcept' && isNode(value) ? value.coding : undefined
  if (!isNode(value) || !Array.isArray(codings) || codings.length < manyCodings)
    return writers[kind].write(value, place, cell, group)
  const each = codings.values().filter(isNode).map(codingOf)
  cell.pushText(yield* printConceptInSteps(each, plain(value.text)), group)
}

/** How values of each kind of parameter are written. Composites have no values of their own. */
export const writers = {
  token: { storage: 'text', write: writeToken },
  string: { storage: 'text', write: writeString },
  reference: { storage: 'text', write: writeReference },
  uri: { storage: 'text', write: writeUri },
  date: { storage: 'range', write: writeDate },
  number: { storage: 'range', write: writeNumber },
  quantity: { storage: 'quantity', write: writeQuantity },
  position: { storage: 'range', write: writePosition },
} as const satisfies Record<WrittenKind, Kind>

/** Words are read from all of a resource, not from its elements. */
export type WrittenKind = Exclude<SourceKind, 'words'>
