import { type CodeableConcept, systems } from '../codes.ts'
import { exactly, type FhirNumber, rounded, significantDigits, toFhirNumber } from '../numbers.ts'
import type { Reason } from '../outcome.ts'
import type { Field, Measure } from './tables.ts'

/** What a record has in a field, numbers as text with their digits: `undefined` nothing, `false` what is no text and no number. */
export type Raw = string | undefined | false

/** What a record says, as elements of an Observation. */
interface Said {
  readonly element: Readonly<Record<string, unknown>>
  /** Fields that have a value which cannot be read. */
  readonly left: readonly string[]
}

type Reading = Said | { readonly reason: Reason; readonly expression: string }

type Value =
  | { readonly valueQuantity: unknown }
  | { readonly valueCodeableConcept: CodeableConcept }
  | { readonly valueString: string }

type FieldReading = { readonly value: Value } | { readonly fault: Reason } | undefined

/** FHIR bounds a string at a megabyte; what is longer than this is no note. */
const maxText = 10_000

/** Where the value stands as it was given, when a conversion rounded it. */
const originalUrl = 'http://hl7.org/fhir/StructureDefinition/iso21090-PQ-translation'
const bodyPositionUrl = 'http://hl7.org/fhir/StructureDefinition/observation-bodyPosition'

function quantityOf(value: FhirNumber, ucum: string) {
  return { value, unit: ucum, system: systems.ucum, code: ucum }
}

function inUnit({ factor, stored, ucum = '1' }: Field, value: FhirNumber, text: string) {
  if (factor === undefined) return quantityOf(value, ucum)
  const converted = exactly(Number(value) * factor)
  if (stored === undefined) return quantityOf(converted, ucum)
  const extension = [{ url: originalUrl, valueQuantity: quantityOf(value, stored) }]
  return { ...quantityOf(rounded(converted, significantDigits(text)), ucum), extension }
}

function readNumber(field: Field, text: string): FieldReading {
  const value = toFhirNumber(text.trim())
  if (value === undefined) return { fault: 'value-malformed' }
  if (field.zeroMeansAbsent && Number(value) === 0) return undefined
  return { value: { valueQuantity: inUnit(field, value, text) } }
}

/** An integer that stands for words; 0 says nothing unless it is listed. */
function readCoded(values: NonNullable<Field['values']>, text: string): FieldReading {
  const concept = values.get(text.trim())
  if (concept !== undefined) return { value: { valueCodeableConcept: concept } }
  return text.trim() === '0' || text.trim() === '' ? undefined : { fault: 'value-unknown' }
}

/** One field of a record; undefined when it says nothing. */
function readField(field: Field, raw: Raw): FieldReading {
  if (raw === undefined) return undefined
  if (raw === false) return { fault: 'value-malformed' }
  if (field.values !== undefined) return readCoded(field.values, raw)
  if (field.ucum !== undefined) return readNumber(field, raw)
  const text = raw.trim().slice(0, maxText)
  return text === '' ? undefined : { value: { valueString: text } }
}

/**
 * A record as its mapping reads it. What is wrong with its value is what is wrong with it; a component that cannot be read is left,
 * by name.
 *
 * @param get  what the record has in a field
 */
export function readMeasure(measure: Measure, get: (field: string) => Raw): Reading {
  const main = measure.coded ?? measure.value
  const read = main === undefined ? undefined : readField(main, get(main.name))
  const fault = faultOf(measure, read)
  if (fault !== undefined) return { reason: fault, expression: `${measure.name}.${main?.name ?? ''}` }
  const told: Told[] = []
  const left: string[] = []
  for (const field of measure.components) {
    const reading = readField(field, get(field.name))
    if (reading !== undefined && 'value' in reading) told.push({ field, value: reading.value })
    else if (field.required)
      return { reason: reading?.fault ?? 'element-missing', expression: `${measure.name}.${field.name}` }
    else if (reading !== undefined) left.push(`${measure.name}.${field.name}`)
  }
  if (measure.some && !told.some(({ value }) => 'valueQuantity' in value))
    return { reason: 'value-missing', expression: measure.name }
  const value = read !== undefined && 'value' in read ? read.value : {}
  return { element: { ...value, ...besideOf(told) }, left }
}

function faultOf({ coded, value, event }: Measure, read: FieldReading): Reason | undefined {
  if (coded === undefined && value === undefined) return undefined
  if (read === undefined) return event ? undefined : 'value-missing'
  return 'fault' in read ? read.fault : undefined
}

/** The source's own name of a field, as a URL. */
function urlOf({ code }: Field): string {
  const { system, code: name } = code.coding?.at(-1) ?? {}
  return `${system}#${encodeURIComponent(name ?? '')}`
}

interface Told {
  readonly field: Field
  readonly value: Value
}

/** What a record tells beside its value, each where the table wants it. */
function besideOf(told: readonly Told[]): Readonly<Record<string, unknown>> {
  const of = (as: Field['as']) => told.filter(({ field }) => field.as === as)
  const concepts = (as: Field['as']) =>
    of(as).flatMap(({ value }) => ('valueCodeableConcept' in value ? [value.valueCodeableConcept] : []))
  const component = of(undefined).map(({ field: { code }, value }) => ({ code, ...value }))
  const own = of('extension').map(({ field, value }) => ({ url: urlOf(field), ...value }))
  const positions = concepts('bodyPosition').map(valueCodeableConcept => ({
    url: bodyPositionUrl,
    valueCodeableConcept,
  }))
  const extension = [...positions, ...own]
  const note = of('note').flatMap(({ value }) => ('valueString' in value ? [{ text: value.valueString }] : []))
  const [bodySite] = concepts('bodySite')
  const [method] = concepts('method')
  return {
    ...(component.length === 0 ? {} : { component }),
    ...(extension.length === 0 ? {} : { extension }),
    ...(note.length === 0 ? {} : { note }),
    ...(bodySite === undefined ? {} : { bodySite }),
    ...(method === undefined ? {} : { method }),
  }
}
