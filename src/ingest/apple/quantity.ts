import { Decimal } from '#fhir'
import { systems } from '../codes.ts'
import { exactly, type FhirNumber, rounded, significantDigits, toFhirNumber } from '../numbers.ts'
import type { Reason } from '../outcome.ts'
import { appleTables, type Conversion, type QuantityType } from './tables.ts'

export interface FhirQuantity {
  readonly value: FhirNumber
  readonly unit: string
  readonly system: string
  readonly code: string
  readonly extension?: readonly [{ readonly url: string; readonly valueQuantity: FhirQuantity }]
}

export type QuantityReading =
  | { readonly quantity: FhirQuantity; readonly warning?: string }
  | { readonly reason: Reason; readonly expression: string }

/** Where the value stands as it was given, when a conversion rounded it. */
const originalUrl = 'http://hl7.org/fhir/StructureDefinition/iso21090-PQ-translation'

/** Units that the export calls `count`. */
const countable = /^(?:\{.*\}|1|kg\/m2)$/

const percentWarning =
  'Some percentages were written as 97 and not as 0.97 by the app that recorded them; they were taken as percent.'

/** A quantity whose unit is its UCUM code. */
export function quantityOf(value: FhirNumber, ucum: string): FhirQuantity {
  return { value, unit: ucum, system: systems.ucum, code: ucum }
}

/** Real exports write 0.97 for 97 %. A value above 1 can only be a percentage that an app wrote as such. */
function readFraction(value: FhirNumber, expression: string): QuantityReading {
  const number = Number(value)
  if (number < 0 || number > 100) return { reason: 'value-out-of-range', expression }
  if (number > 1) return { quantity: quantityOf(value, '%'), warning: percentWarning }
  return { quantity: quantityOf(exactly(number * 100), '%') }
}

function convert(text: string, value: number, from: string, by: Conversion): FhirQuantity {
  const converted = (value + (by.offset ?? 0)) * by.factor
  if (by.exact === true) return quantityOf(exactly(converted), by.ucum)
  return {
    ...quantityOf(rounded(converted, significantDigits(text)), by.ucum),
    extension: [{ url: originalUrl, valueQuantity: quantityOf(toFhirNumber(text) ?? value, from) }],
  }
}

/** `mmol<180.1558800000541>/L` names the molar mass it was computed with; the digits vary. */
export function plainUnit(unit: string): string {
  return unit.startsWith('mmol<') ? unit.replace(/<[\d.]*>/, '') : unit
}

/**
 * A value with its unit as the type wants it.
 *
 * @param expression  the element's name, for the report: `Record` or `WorkoutStatistics`
 */
export function readQuantity(
  type: QuantityType,
  text: string | undefined,
  unit: string | undefined,
  element: string,
): QuantityReading {
  if (text === undefined || text === '') return { reason: 'value-missing', expression: `${element}.value` }
  const value = toFhirNumber(text)
  if (value === undefined) return { reason: 'value-malformed', expression: `${element}.value` }
  if (unit === undefined || unit === '') return { reason: 'unit-missing', expression: `${element}.unit` }
  if (type.fraction && unit === '%') return readFraction(value, `${element}.value`)
  return inUnit(type, text, value, plainUnit(unit), element)
}

function inUnit(type: QuantityType, text: string, value: FhirNumber, name: string, element: string): QuantityReading {
  // `count` has the unit of what is counted: steps, flights, falls; the body mass index is printed so as well.
  if (name === 'count' && countable.test(type.ucum)) return { quantity: quantityOf(value, type.ucum) }
  const unit = appleTables().units.get(name)
  if (unit === undefined) return { reason: 'unit-unknown', expression: `${element}.unit` }
  if (unit.ucum === type.ucum || type.variants.has(unit.ucum)) return { quantity: quantityOf(value, unit.ucum) }
  const by = unit.to.get(type.ucum)
  if (by === undefined) return { reason: 'unit-unknown', expression: `${element}.unit` }
  const number = value instanceof Decimal ? value.valueOf() : value
  return { quantity: convert(text, number, unit.ucum, by) }
}
