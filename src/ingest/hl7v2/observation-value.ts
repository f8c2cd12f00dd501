import { toFhirNumber } from '../numbers.ts'
import { isUndecodable, toAttachment, toPointer, usedOfAttachment, usedOfPointer } from './attachments.ts'
import { toConcept } from './codings.ts'
import { toContactPoints } from './contact-points.ts'
import { compact, type Node, nameText } from './drafts.ts'
import { type Used, watching } from './ledger.ts'
import {
  type Component,
  type Field,
  field,
  isEmpty,
  isNull,
  part,
  type Repetition,
  type Segment,
  value,
} from './message.ts'
import { toDateTime, toTime } from './times.ts'
import { toUnit, type Unit, unitBehind, unitParts } from './units.ts'

/** What OBX-5 gives: elements of the Observation, and documents that belong to its report. */
export interface ObservationValue {
  readonly elements: Readonly<Node>
  readonly attachments: readonly Readonly<Node>[]
}

/** What a value is read with. */
interface Reading {
  readonly unit: Unit
  readonly zone: string
  /** Says what was made use of. */
  readonly used: Used
}

/** Is told what of OBX-5 was made use of. */
export interface Seen {
  /** Of a repetition, counted from 0. */
  note(repetition: number): Used
  /** All of it. */
  keep(): void
}

const unseen: Seen = { note: () => () => undefined, keep: () => undefined }

type Reader = (given: Repetition, reading: Reading) => Node | undefined

/** By OBX-2, table 0125. Types that are not here are taken as text. */
const readers: Readonly<Record<string, Reader>> = {
  NM: (given, { unit }) => number(part(given, 1), unit),
  SN: (given, { unit }) => structured(given, unit),
  CQ: (given, { unit, used }) => number(part(given, 1), unitOfCq(given, used, unit)),
  MO: given => money(part(given, 1), part(given, 2)),
  CP: given => money(part(given, 1), part(given, 1, 2)),
  CE: coded,
  CWE: coded,
  CNE: coded,
  CF: coded,
  IS: coded,
  ID: coded,
  ST: given => text([given]),
  DT: dateTime,
  TS: dateTime,
  DTM: dateTime,
  TM: given => only('valueTime', toTime(part(given, 1))),
  DR: period,
  NR: (given, { unit }) => range(part(given, 1), part(given, 2), unit),
  VR: given => only('valueString', [part(given, 1), part(given, 2)].filter(Boolean).join('-') || undefined),
  XPN: given => only('valueString', nameText(personName(given, 1))),
  PN: given => only('valueString', nameText(personName(given, 1))),
  XCN: given => only('valueString', nameText(personName(given, 2))),
  CN: given => only('valueString', nameText(personName(given, 2))),
  XAD: given => only('valueString', words(given, [1, 2, 5, 3, 4, 6])),
  AD: given => only('valueString', words(given, [1, 2, 5, 3, 4, 6])),
  XTN: (given, { zone, used }) => only('valueString', numbersOf(given, zone, used)),
  PL: given => only('valueString', words(given, [4, 7, 8, 1, 2, 3, 9])),
}

/** Types whose code says itself what it made use of. */
const telling = new Set(['XTN', 'CQ'])

/** A number whose own unit is not said has that of OBX-6. */
function unitOfCq(given: Repetition, used: Used, outside: Unit): Unit {
  used(1)
  const unit = unitBehind(given, used)
  return unit.unit === undefined ? outside : unit
}

const partsOfNumber = [1, 4, 5, 6, 7, 8, 12]

function numbersOf(given: Repetition, zone: string, used: Used): string | undefined {
  const said = toContactPoints(given, zone)
    .map(point => point.value)
    .join(', ')
  for (const at of partsOfNumber) if (said.includes(part(given, at))) used(at, 1)
  return said || undefined
}

/**
 * The value of an OBX; undefined when it has none. Several values are components of one Observation, lines of text (TX, FT)
 * are one text, an array of numbers is one SampledData.
 *
 * @param code  what was observed, for the components
 * @see https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-obx-to-observation.html
 */
export function readValue(obx: Segment, zone: string, code?: unknown, seen = unseen): ObservationValue | undefined {
  const values = field(obx, 5)
  if (isEmpty(values)) return undefined
  const type = value(obx, 2).toUpperCase()
  if (type === 'ED') return documents(values, toAttachment, usedOfAttachment, seen)
  if (type === 'RP') return documents(values, toPointer, usedOfPointer, seen)
  const read = Object.hasOwn(readers, type) ? readers[type] : undefined
  if (read === undefined) {
    seen.keep()
    const isArray = type === 'NA' || type === 'MA'
    return ofElements((isArray ? sampled(values, unitOf(obx)) : undefined) ?? text(values))
  }
  const unit = unitOf(obx)
  const given = values.flatMap((one, at): readonly Node[] => {
    if (isEmpty([one])) return []
    const used = seen.note(at)
    return [read(telling.has(type) ? one : watching(one, used), { unit, zone, used }) ?? textOf(one, used)]
  })
  const [first = {}] = given
  return ofElements(given.length === 1 ? first : { component: given.map(one => ({ code, ...one })) })
}

function ofElements(elements: Node | undefined): ObservationValue | undefined {
  return elements === undefined ? undefined : { elements, attachments: [] }
}

/** What no reader understands stays as text, all of it. */
function textOf(one: Repetition, used: Used): Node {
  for (const at of one.keys()) used(at + 1)
  return text([one]) ?? {}
}

/** ED-5 `""` */
function isWithoutData(given: Repetition): boolean {
  return given[4] !== undefined && isNull([[given[4]]])
}

/** What has no data and lies nowhere is no document; what it says stays as text. */
function documents(
  values: Field,
  read: (given: Repetition) => Node | undefined,
  usedOf: (given: Repetition) => readonly (readonly [component: number, subcomponent?: number])[],
  seen: Seen,
): ObservationValue {
  const attachments: Node[] = []
  const others: Repetition[] = []
  for (const [at, one] of values.entries()) {
    // A document that is null is none, and what is said of it beside is named.
    if (isEmpty([one]) || isWithoutData(one)) continue
    const attachment = read(one)
    if (attachment !== undefined) {
      attachments.push(attachment)
      for (const place of usedOf(one)) seen.note(at)(...place)
    } else {
      textOf(one, seen.note(at))
      others.push(one)
    }
  }
  return { elements: (others.length > 0 && text(others)) || {}, attachments }
}

/** Whether a document of OBX-5 is not in the encoding that is named: it is kept as it came. */
export function hasUndecodable(obx: Segment): boolean {
  return value(obx, 2).toUpperCase() === 'ED' && field(obx, 5).some(one => !isWithoutData(one) && isUndecodable(one))
}

/** Whether a time of day has an offset, which a FHIR time cannot have. */
export function hasOffset(obx: Segment): boolean {
  return value(obx, 2).toUpperCase() === 'TM' && field(obx, 5).some(one => /\d[+-]\d{4}$/.test(part(one, 1)))
}

function loincOf(obx: Segment): string {
  return value(obx, 3, 3) === 'LN' ? value(obx, 3) : value(obx, 3, 6) === 'LN' ? value(obx, 3, 4) : ''
}

function only(name: string, given: unknown): Node | undefined {
  return given === undefined ? undefined : { [name]: given }
}

const comparators = new Set(['<', '<=', '>=', '>'])

function quantity(digits: string, unit: Unit, comparator = ''): Node | undefined {
  const given = toFhirNumber(digits)
  if (given === undefined) return undefined
  return { value: given, ...(comparators.has(comparator) ? { comparator } : {}), ...unit }
}

/** A number; laboratories write `<0.10` into NM as well. */
function number(given: string, unit: Unit): Node | undefined {
  const m = /^(<=|>=|<|>|=)?\s*([+-]?[\d.]+(?:[eE][+-]?\d+)?)$/.exec(given)
  return only('valueQuantity', m === null ? undefined : quantity(m[2] ?? '', unit, m[1]))
}

const currencies = 'urn:iso:std:iso:4217'

function money(amount: string, currency: string): Node | undefined {
  const coded = /^[A-Z]{3}$/.test(currency)
    ? { unit: currency, system: currencies, code: currency }
    : { unit: currency }
  return only('valueQuantity', quantity(amount, currency === '' ? {} : coded))
}

/**
 * SN: comparator, number, separator, number. What R4's Quantity, Range and Ratio cannot say, `<> 23` and `2 +`, is text.
 *
 * @see https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-datatype-sn-to-quantity.html
 */
function structured(given: Repetition, unit: Unit): Node | undefined {
  const [comparator = '', first = '', separator = '', second = ''] = [1, 2, 3, 4].map(at => part(given, at))
  const asText = { valueString: [comparator, first, separator, second, unit.unit].filter(Boolean).join(' ') }
  if (first === '' && second === '') return number(comparator, unit) ?? asText
  if (!isComparable(comparator)) return asText
  return separators[separator]?.({ comparator, first, second }, unit) ?? asText
}

function isComparable(comparator: string): boolean {
  return comparator === '' || comparator === '=' || comparators.has(comparator)
}

interface Structured {
  readonly comparator: string
  readonly first: string
  readonly second: string
}

/** By SN.3. A second number that no separator explains makes it text. */
const separators: Readonly<Record<string, (sn: Structured, unit: Unit) => Node | undefined>> = {
  '': ({ comparator, first, second }, unit) =>
    second === '' ? only('valueQuantity', quantity(first, unit, comparator)) : undefined,
  '-': ({ comparator, first, second }, unit) => (comparator === '' ? range(first, second, unit) : undefined),
  ':': ratio,
  '/': ratio,
}

/** https://hl7.org/fhir/R4/datatypes.html#Ratio wants both parts or neither. */
function ratio({ comparator, first, second }: Structured, unit: Unit): Node | undefined {
  const [numerator, denominator] = [quantity(first, unit, comparator), quantity(second, unit)]
  return numerator === undefined || denominator === undefined ? undefined : { valueRatio: { numerator, denominator } }
}

function range(low: string, high: string, unit: Unit): Node | undefined {
  const ends = [low, high].map(end => (end === '' ? undefined : quantity(end, unit)))
  const isRead = [low, high].every((end, at) => end === '' || ends[at] !== undefined)
  // A Range whose low is above its high is none: https://hl7.org/fhir/R4/datatypes.html#Range (rng-2)
  const isTurned = low !== '' && high !== '' && Number(low) > Number(high)
  return isRead && !isTurned ? only('valueRange', compact({ low: ends[0], high: ends[1] })) : undefined
}

/** A Period that ends before it starts is none, and half of one is not what was said: https://hl7.org/fhir/R4/datatypes.html#Period */
function period(given: Repetition, { zone }: Reading): Node | undefined {
  const said = [1, 2].map(at => part(given, at))
  const [start, end] = said.map(one => toDateTime(one, zone))
  const isRead = [start, end].every((one, at) => said[at] === '' || one !== undefined)
  const isTurned = start !== undefined && end !== undefined && Date.parse(start) > Date.parse(end)
  return isRead && !isTurned ? only('valuePeriod', compact({ start, end })) : undefined
}

function coded(given: Repetition): Node | undefined {
  return only('valueCodeableConcept', toConcept(given))
}

function dateTime(given: Repetition, { zone }: Reading): Node | undefined {
  return only('valueDateTime', toDateTime(part(given, 1), zone))
}

/**
 * NA: a repetition is a point of time, a component a dimension; what is missing is `E`. The sender does not say how far
 * apart the points are, and R4 wants a period: it says that it is not known.
 *
 * @see https://build.fhir.org/ig/HL7/v2-to-fhir/implementation_considerations.html#numeric-array-to-sampled-data-mapping
 */
function sampled(values: Field, unit: Unit): Node | undefined {
  const rows = values.map(repetition => repetition.map((_, at) => part(repetition, at + 1)))
  const isVector = rows.length === 1
  const dimensions = isVector ? 1 : rows.reduce((most, row) => Math.max(most, row.length), 0)
  const points = rows.flatMap(row => (isVector ? row : Array.from({ length: dimensions }, (_, at) => row[at] ?? '')))
  if (points.some(point => point !== '' && toFhirNumber(point) === undefined)) return undefined
  const data = points.map(point => point || 'E').join(' ')
  return { valueSampledData: { origin: { value: 0, ...unit }, ...unknownPeriod, dimensions, data } }
}

const unknownPeriod = {
  _period: { extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/data-absent-reason', valueCode: 'unknown' }] },
}

function personName(given: Repetition, from: number): Node {
  const [family, first, second, suffix, prefix] = [0, 1, 2, 3, 4].map(at => part(given, from + at))
  return { prefix, given: [first, second], family, suffix }
}

function words(given: Repetition, order: readonly number[]): string | undefined {
  return (
    order
      .map(at => part(given, at))
      .filter(Boolean)
      .join(', ') || undefined
  )
}

/** Repetitions are lines of one text; components that no type explains are kept with their separators. */
function text(values: Field): Node | undefined {
  const valueString = values.map(repetition => repetition.map(joined).join('^').replace(/\^+$/, '')).join('\n')
  return valueString.trim() === '' ? undefined : { valueString }
}

function joined(component: Component): string {
  return component.join('&').replace(/&+$/, '')
}

/**
 * OBX-7 in words and, where it is two numbers, as limits in the unit of the value. `3.5-5.0`
 *
 * @see https://hl7.org/fhir/R4/observation-definitions.html#Observation.referenceRange
 */
export function referenceRange(given: string, unit: Unit): Node | undefined {
  if (given === '') return undefined
  const [, low = '', high = ''] = /^(-?[\d.]+)\s*(?:-|–|to)\s*(-?[\d.]+)$/.exec(given) ?? []
  const ends = compact({ low: low && quantity(low, unit), high: high && quantity(high, unit) })
  return { ...(ends?.low !== undefined && ends.high !== undefined ? ends : {}), text: given }
}

const measures = ['valueQuantity', 'valueRange', 'valueRatio', 'valueSampledData']

/** Whether a value has the unit of OBX-6: text says no unit, and CQ, MO and CP have one of their own. */
export function hasUnitOf(obx: Segment, elements: Readonly<Node> | undefined): boolean {
  const { component = [elements ?? {}] } = (elements ?? {}) as { component?: readonly Node[] }
  const said = JSON.stringify(unitOf(obx))
  return component
    .flatMap(one => measures.flatMap(name => quantitiesOf(one[name])))
    .some(one => said === textOfUnit(one))
}

function quantitiesOf(value: unknown): readonly Node[] {
  const { low, high, numerator, denominator, origin } = (value ?? {}) as Node
  const parts = [low, high, numerator, denominator, origin].filter(one => one !== undefined)
  return value === undefined ? [] : parts.length === 0 ? [value as Node] : (parts as Node[])
}

function textOfUnit({ unit, system, code }: Node): string {
  return JSON.stringify({ unit, system, code })
}

/** Which components of OBX-6 its unit says: a text says the unit's words, not its code. */
export function usedOfUnit(obx: Segment, isText: boolean): readonly number[] {
  const [given = []] = field(obx, 6)
  const said = unitOf(obx)
  const words = said.unit === undefined ? {} : { unit: said.unit }
  return unitParts(given, isText ? words : said)
}

/** The unit of an OBX. */
export function unitOf(obx: Segment): Unit {
  return toUnit(field(obx, 6)[0] ?? [], loincOf(obx))
}
