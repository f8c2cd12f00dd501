import { systems } from '../codes.ts'
import { type Outcome, rowName } from '../outcome.ts'
import type { AppleContext } from './context.ts'
import { type Detail, detailsOf } from './details.ts'
import type { AppleElement } from './element.ts'
import { foodOf, identityOf, observation, rejected, spanOf, unreadChildren } from './observation.ts'
import { readQuantity } from './quantity.ts'
import { appleTables, type CategoryType, type QuantityType } from './tables.ts'

const readHere: ReadonlySet<string> = new Set(['HeartRateVariabilityMetadataList'])
const beatsRead: ReadonlySet<string> = new Set(['InstantaneousBeatsPerMinute'])

/** One `Record`: a quantity or a category sample. Types without a row in the tables are unmapped, by name. */
export function mapRecord(element: AppleElement, context: AppleContext): Outcome[] {
  const name = element.attributes.type ?? ''
  const tables = appleTables()
  const quantity = tables.quantities.get(name)
  const category = quantity === undefined ? tables.categories.get(name) : undefined
  if (quantity === undefined && category === undefined) return [{ kind: 'unmapped', row: rowName(name) }]
  const outcome =
    quantity === undefined ? mapCategory(element, category, context) : mapQuantity(element, quantity, context)
  if (element.children === undefined && element.beyond === undefined) return [outcome]
  const beats = element.children?.filter(({ name }) => readHere.has(name)) ?? []
  return [outcome, ...unreadChildren(element, readHere), ...beats.flatMap(list => unreadChildren(list, beatsRead))]
}

function mapQuantity(element: AppleElement, type: QuantityType, context: AppleContext): Outcome {
  const row = element.attributes.type ?? ''
  const span = spanOf(element)
  if (span === undefined) return rejected(row, 'date-malformed', 'Record.startDate')
  const { value, unit } = element.attributes
  const reading = readQuantity(type, value, unit, 'Record')
  if ('reason' in reading) return rejected(row, reading.reason, reading.expression)
  const id = context.fingerprint(
    'apple',
    ...identityOf(element, span),
    value ?? '',
    unit ?? '',
    ...foodOfNutrient(row, element),
  )
  const code = type.variants.get(reading.quantity.code) ?? type.code
  const facts = { id, category: type.category, code, span, details: detailsOfRecord(element) }
  const resource = observation(element, facts, context)
  resource.valueQuantity = reading.quantity
  const mapped = { kind: 'mapped', row, resource, mode: 'create' } as const
  return reading.warning === undefined ? mapped : { ...mapped, warning: reading.warning }
}

function foodOfNutrient(row: string, element: AppleElement): readonly string[] {
  return row.startsWith('HKQuantityTypeIdentifierDietary') ? foodOf(element) : []
}

function detailsOfRecord(element: AppleElement): readonly Detail[] {
  const details = detailsOf(element.metadata)
  return element.children === undefined ? details : [...details, ...element.children.flatMap(beatsOf)]
}

const beatsCode = {
  coding: [{ system: systems.healthKit, code: 'HKHeartRateVariabilityMetadataList' }],
  text: 'Beats per minute, beat by beat, each with the time of day at which it was taken',
}

/** The beats of which a variability was computed. Their times have no date and no zone, and are no regular intervals. */
function beatsOf({ name, children = [] }: AppleElement): Detail[] {
  if (name !== 'HeartRateVariabilityMetadataList') return []
  const told = children.filter(child => beatsRead.has(child.name))
  const beats = told.map(({ attributes: { bpm = '?', time = '?' } }) => `${bpm} (${time})`)
  return [{ key: name, code: beatsCode, value: { valueString: beats.join('; ') } }]
}

const knownValue = /^HKCategoryValue[A-Za-z]{1,80}$/
const noValue = new Set(['HKCategoryValueNotApplicable', '0', ''])

function categoryValue(type: CategoryType, text: string) {
  const listed = appleTables().values.get(`${type.values} ${text}`)
  if (listed !== undefined) return listed
  return knownValue.test(text) ? { coding: [{ system: systems.healthKit, code: text }], text } : undefined
}

function mapCategory(element: AppleElement, type: CategoryType | undefined, context: AppleContext): Outcome {
  const row = element.attributes.type ?? ''
  const span = spanOf(element)
  if (type === undefined) return { kind: 'unmapped', row: rowName(row) }
  if (span === undefined) return rejected(row, 'date-malformed', 'Record.startDate')
  const text = element.attributes.value ?? ''
  const happened = type.values === 'none' || noValue.has(text)
  const value = happened ? undefined : categoryValue(type, text)
  // @NOTE a symptom whose value cannot be read must not become a positive symptom.
  if (!happened && value === undefined) return rejected(row, 'value-unknown', 'Record.value')
  if (happened && type.values !== 'none' && text !== 'HKCategoryValueNotApplicable')
    return rejected(row, 'value-missing', 'Record.value')
  const id = context.fingerprint('apple', ...identityOf(element, span), text)
  const facts = { id, category: type.category, code: type.code, span, details: detailsOfRecord(element) }
  const resource = observation(element, facts, context)
  if (value !== undefined) resource.valueCodeableConcept = value
  return { kind: 'mapped', row, resource, mode: 'create' }
}
