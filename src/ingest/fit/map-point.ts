import { toInstant } from '#fhir'
import { type CodeableConcept, categoryOf, systems } from '../codes.ts'
import { exactly, type FhirNumber, fromFloat32, toFhirNumber } from '../numbers.ts'
import { type Outcome, type Reason, rowName } from '../outcome.ts'
import { frozen } from '../tables.ts'
import type { DeviceContext } from '../told-devices.ts'
import { activityCategory, activitySegment, codeOf, conceptOfActivity } from './activities.ts'
import { type DataPoint, type FitValue, nanosToMs } from './data-point.ts'
import type { FitSources } from './sources.ts'
import { type FieldRow, type FitType, fitConcept, fitTables } from './tables.ts'

/** What the mappers of a Takeout share. */
export interface FitContext extends DeviceContext {
  readonly sources: FitSources
}

type Element = Readonly<Record<string, unknown>>

type Reading = { readonly element: Element } | { readonly reason: Reason; readonly expression: string }

const foodCode = fitConcept({ text: 'Food eaten', loinc: ['80453-4'], pghd: 'food' }, 'com.google.nutrition')
const food = frozen(categoryOf('social-history'))

/** Types that need more than a row of a table. */
const special: Readonly<Record<string, (point: DataPoint, context: FitContext) => Outcome>> = {
  [activitySegment]: mapActivity,
  'com.google.nutrition': mapNutrition,
}

/** One data point; types without a row in the tables are unmapped, by name. */
export function mapDataPoint(point: DataPoint, context: FitContext): Outcome {
  const mapper = Object.hasOwn(special, point.type) ? special[point.type] : undefined
  if (mapper !== undefined) return mapper(point, context)
  const type = fitTables().types.get(point.type)
  if (type === undefined) return { kind: 'unmapped', row: rowName(point.type) }
  const reading = readType(type, point)
  return finish(point, type, reading, context)
}

/** A row that cannot be read. */
export function rejected(row: string, reason: Reason, expression: string): Outcome {
  return { kind: 'rejected', row, reason, expression }
}

function finish(
  point: DataPoint,
  type: Pick<FitType, 'name' | 'code' | 'category'>,
  reading: Reading,
  context: FitContext,
): Outcome {
  const start = nanosToMs(point.startNanos)
  const end = nanosToMs(point.endNanos)
  if (start === undefined || end === undefined || end < start)
    return rejected(type.name, 'date-malformed', 'startTimeNanos')
  if ('reason' in reading) return rejected(type.name, reading.reason, reading.expression)
  const values = JSON.stringify(point.values)
  const id = context.fingerprint('fit', point.type, point.origin, point.startNanos, point.endNanos, values)
  const facts = { ...type, id, effective: effectiveOf(start, end), origin: point.origin, element: reading.element }
  return { kind: 'mapped', row: type.name, resource: fitObservation(facts, context), mode: 'create' }
}

/** A moment, or a time that begins and ends, Unix milliseconds. */
export function effectiveOf(startMs: number, endMs: number): Element {
  return startMs === endMs
    ? { effectiveDateTime: toInstant(startMs) }
    : { effectivePeriod: { start: toInstant(startMs), end: toInstant(endMs) } }
}

/** What an Observation says that Google Fit has made. */
interface Facts extends Pick<FitType, 'code' | 'category'> {
  readonly id: string
  readonly effective: Element
  /** Name of the stream that it is from. */
  readonly origin: string
  /** Its value, and whatever else it says. */
  readonly element: Element
}

/** An Observation as whatever lies in a Takeout becomes one. */
export function fitObservation({ id, code, category, effective, origin, element }: Facts, context: FitContext) {
  return {
    resourceType: 'Observation',
    id,
    meta: { source: context.source },
    status: 'final',
    category,
    code,
    subject: context.subject,
    ...effective,
    device: context.sources.of(origin),
    ...element,
  }
}

function numberOf(value: FitValue | undefined, factor = 1): FhirNumber | undefined {
  if (value?.kind !== 'number') return undefined
  const number = toFhirNumber(value.text)
  if (number === undefined || !value.float) return number
  // @NOTE Fit keeps 32-bit floats and prints them as 64-bit ones: 36.599998474 was measured as 36.6.
  const single = fromFloat32(Number(number))
  return factor === 1 ? single : exactly(single * factor)
}

/** A number with a unit of UCUM. */
export function quantity(value: FhirNumber, ucum: string) {
  return { value, unit: ucum, system: systems.ucum, code: ucum }
}

/** What a point of a type says. */
export function readType(type: FitType, point: Pick<DataPoint, 'values'>): Reading {
  const fields = type.components.map(field => ({ field, element: readField(field, point.values[field.field]) }))
  const missing = fields.find(({ field, element }) => field.required === true && element === undefined)
  if (missing !== undefined) return { reason: 'element-missing', expression: 'fitValue' }
  const told = fields.flatMap(({ field, element }) => (element === undefined ? [] : [{ field, element }]))
  const beside = besideOf(type.name, told)
  if (type.coded !== undefined) return readCoded(type.coded, point)
  if (type.value === undefined)
    return beside.component === undefined ? { reason: 'value-missing', expression: 'fitValue' } : { element: beside }
  const value = numberOf(point.values[type.value.field], type.value.factor)
  if (value === undefined) return { reason: 'value-missing', expression: 'fitValue' }
  return { element: { valueQuantity: quantity(value, type.value.ucum), ...beside } }
}

type Field = FieldRow & { readonly code: CodeableConcept }

interface Told {
  readonly field: Field
  readonly element: Element
}

/** What a point tells beside its value, each where the table wants it. */
function besideOf(type: string, told: readonly Told[]): Element {
  const of = (as: FieldRow['as']) => told.filter(({ field }) => field.as === as)
  const component = of(undefined).map(({ field: { code }, element }) => ({ code, ...element }))
  const extension = [
    ...of('bodyPosition').map(({ element }) => ({ url: bodyPosition, ...element })),
    ...of('extension').map(({ field, element }) => ({ url: `${systems.googleFit}#${type}.${field.name}`, ...element })),
  ]
  const [site] = of('bodySite')
  const [method] = of('method')
  return {
    ...(component.length === 0 ? {} : { component }),
    ...(extension.length === 0 ? {} : { extension }),
    ...(site === undefined ? {} : { bodySite: site.element.valueCodeableConcept }),
    ...(method === undefined ? {} : { method: method.element.valueCodeableConcept }),
  }
}

const bodyPosition = 'http://hl7.org/fhir/StructureDefinition/observation-bodyPosition'

function readField(field: Field, value: FitValue | undefined): Element | undefined {
  const number = numberOf(value, field.factor)
  if (number === undefined || (field.zeroMeansAbsent === true && Number(number) === 0)) return undefined
  if (field.ucum !== undefined) return { valueQuantity: quantity(number, field.ucum) }
  const text = field.values?.[String(number)]
  return text === undefined ? undefined : { valueCodeableConcept: { text } }
}

function readCoded(coded: ReadonlyMap<string, CodeableConcept>, point: Pick<DataPoint, 'values'>): Reading {
  const number = numberOf(point.values[0])
  if (number === undefined) return { reason: 'value-missing', expression: 'fitValue' }
  const concept = coded.get(String(number))
  return concept === undefined
    ? { reason: 'value-unknown', expression: 'fitValue.intVal' }
    : { element: { valueCodeableConcept: concept } }
}

/** Sleep as an activity is what old exports have; to lie still, to ride in a car is no exercise and not kept. */
function mapActivity(point: DataPoint, context: FitContext): Outcome {
  const found = fitTables().activities.get(String(numberOf(point.values[0])))
  if (found === undefined) return rejected(point.type, 'value-unknown', 'fitValue.intVal')
  if (found.kind === 'other') return { kind: 'unmapped', row: `${activitySegment}.not-exercise` }
  const type = { name: point.type, code: codeOf(found), category: activityCategory }
  return finish(point, type, { element: { valueCodeableConcept: conceptOfActivity(found) } }, context)
}

const meals: Readonly<Record<string, string>> = { 2: 'Breakfast', 3: 'Lunch', 4: 'Dinner', 5: 'Snack' }
const mealCode = fitConcept({ text: 'Meal' }, 'com.google.nutrition.meal_type')

function mapNutrition(point: DataPoint, context: FitContext): Outcome {
  const [nutrients, meal, item] = point.values
  const entries = nutrients?.kind === 'map' ? nutrients.entries : []
  const component: object[] = entries.flatMap(([key, text]) => nutrientOf(key, text))
  const text = meals[String(numberOf(meal))]
  const name = item?.kind === 'text' && item.text.trim() !== '' ? { valueString: item.text.trim() } : {}
  if (component.length === 0) return rejected(point.type, 'value-missing', 'fitValue.mapVal')
  if (text !== undefined) component.push({ code: mealCode, valueCodeableConcept: { text } })
  return finish(
    point,
    { name: point.type, code: foodCode, category: food },
    { element: { ...name, component } },
    context,
  )
}

/** A nutrient that the table does not have keeps its name and number; its unit nobody knows. */
function nutrientOf(key: string, text: string): object[] {
  const row = fitTables().nutrients.get(key)
  const value = numberOf({ kind: 'number', text, float: true })
  if (value === undefined) return []
  if (row !== undefined) return [{ code: row.code, valueQuantity: quantity(value, row.ucum) }]
  return [{ code: fitConcept({ text: key.slice(0, 100) }, `nutrition.${key.slice(0, 100)}`), valueQuantity: { value } }]
}
