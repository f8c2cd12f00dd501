import { isUcum } from '#terminology'
import { toFhirNumber } from '../numbers.ts'
import { compact, toConcept, withUnit } from './data-types.ts'
import { type Component, type Field, field, isEmpty, part, type Repetition, type Segment, value } from './message.ts'
import { toDateTime } from './times.ts'

/** What OBX-5 gives: elements of the Observation, or a document that belongs to its report. */
export interface ObservationValue {
  readonly elements: Readonly<Record<string, unknown>>
  readonly attachment?: Readonly<Record<string, unknown>>
}

type Reader = (values: Field, unit: string, zone: string) => ObservationValue | undefined

/** By OBX-2, table 0125. Types that are not here are taken as text. */
const readers: Readonly<Record<string, Reader>> = {
  NM: (values, unit) => number(part(values[0], 1), unit),
  SN: (values, unit) => structured(values[0], unit),
  CE: coded,
  CWE: coded,
  CNE: coded,
  CF: coded,
  IS: values => text(values),
  ID: values => text(values),
  DT: date,
  TS: date,
  DTM: date,
  TM: values => time(part(values[0], 1)),
  ED: encapsulated,
}

/** The value of an OBX, or undefined when it has none. */
export function readValue(obx: Segment, zone: string): ObservationValue | undefined {
  const values = field(obx, 5)
  if (isEmpty(values)) return undefined
  const type = value(obx, 2)
  const unit = value(obx, 6)
  const read = Object.hasOwn(readers, type) ? readers[type] : undefined
  return read?.(values, unit, zone) ?? text(values)
}

const comparators = new Set(['<', '<=', '>=', '>'])

function quantity(digits: string, unit: string, comparator = ''): Readonly<Record<string, unknown>> | undefined {
  const number = toFhirNumber(digits)
  if (number === undefined) return undefined
  return { ...(comparators.has(comparator) ? { comparator } : {}), ...withUnit(number, unit, isUcum) }
}

/** A number; laboratories write `<0.10` into NM as well. */
function number(given: string, unit: string): ObservationValue | undefined {
  const m = /^(<=|>=|<|>|=)?\s*([+-]?[\d.]+(?:[eE][+-]?\d+)?)$/.exec(given)
  const valueQuantity = m === null ? undefined : quantity(m[2] ?? '', unit, m[1])
  return valueQuantity === undefined ? undefined : { elements: { valueQuantity } }
}

/** SN: comparator, number, separator, number. */
function structured(repetition: Repetition | undefined, unit: string): ObservationValue | undefined {
  const [comparator, first, separator, second] = [1, 2, 3, 4].map(at => part(repetition, at))
  if (first === '' || first === undefined) return number(comparator ?? '', unit)
  const low = quantity(first, unit, comparator)
  const high = second === undefined || second === '' ? undefined : quantity(second, unit)
  if (low === undefined) return undefined
  if (high === undefined) return { elements: { valueQuantity: low } }
  return separator === '-'
    ? { elements: { valueRange: { low, high } } }
    : { elements: { valueRatio: { numerator: low, denominator: high } } }
}

function coded(values: Field): ObservationValue | undefined {
  const concepts = values.flatMap(repetition => toConcept(repetition) ?? [])
  const [first, ...others] = concepts
  if (first === undefined) return undefined
  // Observation has one value; the coded ones beside it are kept as further codings of the answer's text.
  const all = others.length === 0 ? first : { ...first, text: concepts.map(words).filter(Boolean).join('; ') }
  return { elements: { valueCodeableConcept: all } }
}

function words(concept: { readonly text?: string; readonly coding?: readonly { readonly code?: string }[] }): string {
  return concept.text ?? concept.coding?.[0]?.code ?? ''
}

function date(values: Field, _unit: string, zone: string): ObservationValue | undefined {
  const valueDateTime = toDateTime(part(values[0], 1), zone)
  return valueDateTime === undefined ? undefined : { elements: { valueDateTime } }
}

function time(given: string): ObservationValue | undefined {
  const m = /^([01]\d|2[0-3])([0-5]\d)([0-5]\d)?/.exec(given)
  return m === null ? undefined : { elements: { valueTime: `${m[1]}:${m[2]}:${m[3] ?? '00'}` } }
}

const contentTypes: Readonly<Record<string, string>> = {
  PDF: 'application/pdf',
  JPEG: 'image/jpeg',
  PNG: 'image/png',
  HTML: 'text/html',
  RTF: 'application/rtf',
  XML: 'application/xml',
}

/** ED: source, type, subtype, encoding, data. */
function encapsulated(values: Field): ObservationValue | undefined {
  const [, , subtype = '', encoding, data = ''] = [1, 2, 3, 4, 5].map(at => part(values[0], at))
  const contentType = contentTypes[subtype.toUpperCase()] ?? (subtype.includes('/') ? subtype : undefined)
  const isBase64 = encoding?.toUpperCase() === 'BASE64' && /^[A-Za-z0-9+/=\s]+$/.test(data)
  if (data === '') return undefined
  const base64 = isBase64 ? data.replace(/\s/g, '') : Buffer.from(data).toString('base64')
  return { elements: {}, attachment: compact({ contentType, data: base64 }) ?? {} }
}

/** Repetitions are lines of one text; components that no type explains are kept with their separators. */
function text(values: Field): ObservationValue | undefined {
  const valueString = values.map(repetition => repetition.map(joined).join('^').replace(/\^+$/, '')).join('\n')
  return valueString.trim() === '' ? undefined : { elements: { valueString } }
}

function joined(component: Component): string {
  return component.join('&').replace(/&+$/, '')
}
