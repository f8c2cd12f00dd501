import { toInstant } from '#fhir'
import { type CodeableConcept, categoryOf, systems } from '../codes.ts'
import { exactly, type FhirNumber, fromFloat32, toFhirNumber } from '../numbers.ts'
import { type MapContext, type Outcome, type Reason, rowName } from '../outcome.ts'
import { frozen } from '../tables.ts'
import { type DataPoint, type FitValue, nanosToMs } from './data-point.ts'
import { type FieldRow, type FitType, fitConcept, fitTables } from './tables.ts'

type Reading =
  | { readonly element: Readonly<Record<string, unknown>> }
  | { readonly reason: Reason; readonly expression: string }

const workoutCode = fitConcept({ text: 'Exercise activity', loinc: ['73985-4'], pghd: 'workout' }, 'activity.segment')
const activity = frozen(categoryOf('activity'))
const foodCode = fitConcept({ text: 'Food eaten', loinc: ['80453-4'], pghd: 'food' }, 'com.google.nutrition')
const food = frozen(categoryOf('social-history'))

/** Types that need more than a row of a table. */
const special: Readonly<Record<string, (point: DataPoint, context: MapContext) => Outcome>> = {
  'com.google.activity.segment': mapActivity,
  'com.google.nutrition': mapNutrition,
}

/** One data point; types without a row in the tables are unmapped, by name. */
export function mapDataPoint(point: DataPoint, context: MapContext): Outcome {
  const mapper = Object.hasOwn(special, point.type) ? special[point.type] : undefined
  if (mapper !== undefined) return mapper(point, context)
  const type = fitTables().types.get(point.type)
  if (type === undefined) return { kind: 'unmapped', row: rowName(point.type) }
  const reading = readType(type, point)
  return finish(point, type, reading, context)
}

function rejected(row: string, reason: Reason, expression: string): Outcome {
  return { kind: 'rejected', row, reason, expression }
}

function finish(
  point: DataPoint,
  type: Pick<FitType, 'name' | 'code' | 'category'>,
  reading: Reading,
  context: MapContext,
): Outcome {
  const start = nanosToMs(point.startNanos)
  const end = nanosToMs(point.endNanos)
  if (start === undefined || end === undefined || end < start)
    return rejected(type.name, 'date-malformed', 'startTimeNanos')
  if ('reason' in reading) return rejected(type.name, reading.reason, reading.expression)
  const values = JSON.stringify(point.values)
  const id = context.fingerprint('fit', point.type, point.origin, point.startNanos, point.endNanos, values)
  const effective =
    start === end
      ? { effectiveDateTime: toInstant(start) }
      : { effectivePeriod: { start: toInstant(start), end: toInstant(end) } }
  const resource = {
    resourceType: 'Observation',
    id,
    meta: { source: context.source },
    status: 'final',
    category: type.category,
    code: type.code,
    subject: context.subject,
    ...effective,
    device: { display: displayOf(point.origin) },
    ...reading.element,
  }
  return { kind: 'mapped', row: type.name, resource, mode: 'create' }
}

/** `raw:com.google.step_count.delta:motorola:moto g(7):b8c2d6403aa74c3c:Step Counter` → `motorola moto g(7) Step Counter` */
export function displayOf(origin: string): string {
  const words = origin
    .split(':')
    .slice(2)
    .filter(word => word !== '' && !/^[0-9a-f]{8,}$/.test(word) && word !== 'com.google.android.gms')
  return words.join(' ').slice(0, 120).trim() || 'Google Fit'
}

function numberOf(value: FitValue | undefined, factor = 1): FhirNumber | undefined {
  if (value?.kind !== 'number') return undefined
  const number = toFhirNumber(value.text)
  if (number === undefined || !value.float) return number
  // @NOTE Fit keeps 32-bit floats and prints them as 64-bit ones: 36.599998474 was measured as 36.6.
  const single = fromFloat32(Number(number))
  return factor === 1 ? single : exactly(single * factor)
}

function quantity(value: FhirNumber, ucum: string) {
  return { value, unit: ucum, system: systems.ucum, code: ucum }
}

function readType(type: FitType, point: DataPoint): Reading {
  const components = type.components.map(field => ({ field, element: readField(field, point.values[field.field]) }))
  const missing = components.find(({ field, element }) => field.required === true && element === undefined)
  if (missing !== undefined) return { reason: 'element-missing', expression: 'fitValue' }
  const component = components.flatMap(({ element }) => (element === undefined ? [] : [element]))
  const extra = component.length === 0 ? {} : { component }
  if (type.coded !== undefined) return readCoded(type.coded, point)
  if (type.value === undefined)
    return component.length === 0 ? { reason: 'value-missing', expression: 'fitValue' } : { element: extra }
  const value = numberOf(point.values[type.value.field], type.value.factor)
  if (value === undefined) return { reason: 'value-missing', expression: 'fitValue' }
  return { element: { valueQuantity: quantity(value, type.value.ucum), ...extra } }
}

function readField(
  field: FieldRow & { readonly code: CodeableConcept },
  value: FitValue | undefined,
): Readonly<Record<string, unknown>> | undefined {
  const number = numberOf(value, field.factor)
  if (number === undefined || (field.zeroMeansAbsent === true && Number(number) === 0)) return undefined
  if (field.ucum !== undefined) return { code: field.code, valueQuantity: quantity(number, field.ucum) }
  const text = field.values?.[String(number)]
  return text === undefined ? undefined : { code: field.code, valueCodeableConcept: { text } }
}

function readCoded(coded: ReadonlyMap<string, CodeableConcept>, point: DataPoint): Reading {
  const number = numberOf(point.values[0])
  if (number === undefined) return { reason: 'value-missing', expression: 'fitValue' }
  const concept = coded.get(String(number))
  return concept === undefined
    ? { reason: 'value-unknown', expression: 'fitValue.intVal' }
    : { element: { valueCodeableConcept: concept } }
}

/** Sleep as an activity is what old exports have; to lie still, to ride in a car is no exercise and not kept. */
function mapActivity(point: DataPoint, context: MapContext): Outcome {
  const number = numberOf(point.values[0])
  const found = fitTables().activities.get(String(number))
  if (found === undefined) return rejected(point.type, 'value-unknown', 'fitValue.intVal')
  if (found.kind === 'other') return { kind: 'unmapped', row: 'com.google.activity.segment.not-exercise' }
  const element = {
    valueCodeableConcept: {
      coding: [{ system: systems.googleFit, code: `com.google.activity.segment.${number}` }],
      text: found.text,
    },
  }
  const sleep = fitTables().types.get('com.google.sleep.segment')
  const code = found.kind === 'sleep' && sleep !== undefined ? sleep.code : workoutCode
  return finish(point, { name: point.type, code, category: activity }, { element }, context)
}

function mapNutrition(point: DataPoint, context: MapContext): Outcome {
  const [nutrients, , item] = point.values
  const entries = nutrients?.kind === 'map' ? nutrients.entries : []
  const component = entries.flatMap(([key, text]) => {
    const row = fitTables().nutrients.get(key)
    const value = numberOf({ kind: 'number', text, float: true })
    return row === undefined || value === undefined
      ? []
      : [{ code: row.code, valueQuantity: quantity(value, row.ucum) }]
  })
  const name = item?.kind === 'text' && item.text.trim() !== '' ? { valueString: item.text.trim() } : {}
  const reading: Reading =
    component.length === 0
      ? { reason: 'value-missing', expression: 'fitValue.mapVal' }
      : { element: { ...name, component } }
  return finish(point, { name: point.type, code: foodCode, category: food }, reading, context)
}
