import { systems } from '../codes.ts'
import { type MapContext, type Outcome, rowName } from '../outcome.ts'
import type { AppleElement } from './element.ts'
import { identityOf, metadataComponents, observation, rejected, spanOf } from './observation.ts'
import { readQuantity } from './quantity.ts'
import { appleTables, type CategoryType, type QuantityType } from './tables.ts'

/** One `Record`: a quantity or a category sample. Types without a row in the tables are unmapped, by name. */
export function mapRecord(element: AppleElement, context: MapContext): Outcome {
  const name = element.attributes.type ?? ''
  const tables = appleTables()
  const quantity = tables.quantities.get(name)
  if (quantity !== undefined) return mapQuantity(element, quantity, context)
  const category = tables.categories.get(name)
  if (category !== undefined) return mapCategory(element, category, context)
  return { kind: 'unmapped', row: rowName(name) }
}

/** The id of a quantity record; a Food correlation refers to its members by it. */
export function quantityId(element: AppleElement, identity: readonly string[], context: MapContext): string {
  return context.fingerprint('apple', ...identity, element.attributes.value ?? '', element.attributes.unit ?? '')
}

function mapQuantity(element: AppleElement, type: QuantityType, context: MapContext): Outcome {
  const row = element.attributes.type ?? ''
  const span = spanOf(element)
  if (span === undefined) return rejected(row, 'date-malformed', 'Record.startDate')
  const reading = readQuantity(type, element.attributes.value, element.attributes.unit, 'Record')
  if ('reason' in reading) return rejected(row, reading.reason, reading.expression)
  const id = quantityId(element, identityOf(element, span), context)
  const code = type.variants.get(reading.quantity.code) ?? type.code
  const resource = observation(element, { id, category: type.category, code, span }, context)
  resource.valueQuantity = reading.quantity
  const component = metadataComponents(element)
  if (component.length > 0) resource.component = component
  const mapped = { kind: 'mapped', row, resource, mode: 'create' } as const
  return reading.warning === undefined ? mapped : { ...mapped, warning: reading.warning }
}

const knownValue = /^HKCategoryValue[A-Za-z]{1,80}$/
const noValue = new Set(['HKCategoryValueNotApplicable', '0', ''])

function categoryValue(type: CategoryType, text: string) {
  const listed = appleTables().values.get(`${type.values} ${text}`)
  if (listed !== undefined) return listed
  return knownValue.test(text) ? { coding: [{ system: systems.healthKit, code: text }], text } : undefined
}

function mapCategory(element: AppleElement, type: CategoryType, context: MapContext): Outcome {
  const row = element.attributes.type ?? ''
  const span = spanOf(element)
  if (span === undefined) return rejected(row, 'date-malformed', 'Record.startDate')
  const text = element.attributes.value ?? ''
  const happened = type.values === 'none' || noValue.has(text)
  const value = happened ? undefined : categoryValue(type, text)
  // @NOTE a symptom whose value cannot be read must not become a positive symptom.
  if (!happened && value === undefined) return rejected(row, 'value-unknown', 'Record.value')
  if (happened && type.values !== 'none' && text !== 'HKCategoryValueNotApplicable')
    return rejected(row, 'value-missing', 'Record.value')
  const id = context.fingerprint('apple', ...identityOf(element, span), text)
  const resource = observation(element, { id, category: type.category, code: type.code, span }, context)
  if (value !== undefined) resource.valueCodeableConcept = value
  const component = metadataComponents(element)
  if (component.length > 0) resource.component = component
  return { kind: 'mapped', row, resource, mode: 'create' }
}
